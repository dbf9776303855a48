"""Chinese spelt out: what wetext's grammar gets wrong or fails on, done before it is asked."""

from __future__ import annotations

import re
import unicodedata

from mien.tts.spans import SpannedText

_DIGITS = "零一二三四五六七八九"
_NUMBER = r"\d+(?:\.\d+)?"
_CURRENCIES = {
    "¥": "元",
    "￥": "元",
    "$": "美元",
    "€": "欧元",
    "£": "英镑",
    "₩": "韩元",
    "₹": "卢比",
}
_UNITS = {
    "GHz": "吉赫", "MHz": "兆赫", "kHz": "千赫", "KHz": "千赫", "Hz": "赫兹", "fps": "帧每秒",
    "kW": "千瓦", "W": "瓦", "V": "伏", "mAh": "毫安时", "kWh": "千瓦时", "px": "像素",
    "ms": "毫秒",
    "㎡": "平方米", "m²": "平方米", "m2": "平方米", "km²": "平方公里", "m³": "立方米", "㎞": "公里",
    "㎝": "厘米", "㎜": "毫米", "㎏": "公斤", "m/s": "米每秒", "dB": "分贝", "′": "分", "″": "秒",
    "min": "分钟", "h": "小时", "s": "秒", "cm": "厘米", "mm": "毫米", "mg": "毫克", "g": "克",
    "ml": "毫升", "mL": "毫升",
}  # fmt: skip
_SIGNS = {
    "≈": "约等于", "≥": "大于等于", "≤": "小于等于", "≠": "不等于", "±": "正负", "×": "乘",
    "÷": "除以", "=": "等于", "＝": "等于", "∞": "无穷", "√": "根号", "²": "的平方", "³": "的立方",
    "°": "度", "^": "的", "℃": "摄氏度", "℉": "华氏度", "%": "百分之", "‰": "千分之", "&": "和",
    "€": "欧元", "£": "英镑", "¥": "元", "￥": "元", "$": "美元",
}  # fmt: skip

_FULL_WIDTH = re.compile(r"[０-９Ａ-Ｚａ-ｚ％＄＋－／＊＃．＝]")
_HAN = r"[\u3007\u3400-\u9fff]"
_BLANK = re.compile(rf"(?<={_HAN})\s+(?=[\d{_HAN[1:]})|(?<=\d)\s+(?={_HAN})")
_GROUPED = re.compile(r"(?<![\d,.])\d{1,3}(?:[,，]\d{3})+(?!\d)")
_MONEY = re.compile(
    rf"(?P<abroad>US|HK|RMB|CNY)?\s?(?P<sign>[¥￥$€£₩₹])\s?(?P<number>{_NUMBER})\s?(?P<scale>[百千万亿]+|[KkMB](?![A-Za-z]))?(?P<unit>美元|港元|元)?"
)
_LATIN_SCALES = {"K": "千", "k": "千", "M": "百万", "B": "十亿"}
_MONEY_RANGE = re.compile(rf"([¥￥$€£]{_NUMBER})\s?[-~～—–]\s?(?=[¥￥$€£]\d)")
_VERSION = re.compile(r"(?<![A-Za-z0-9.])\d+(?:\.\d+){2,}(?![\d])")
_PERCENT_RANGE = re.compile(rf"({_NUMBER})%?\s?[-~～—–至到]+\s?({_NUMBER})%")
_YEARS = re.compile(r"(?<!\d)(\d{4})年?\s?(?:[-~～—–]+|至|到)\s?(\d{4})(?=年)")
_SCORE = re.compile(r"(?P<lead>比分(?:是|为)?|以)(?P<a>\d{1,3})\s?[-:：—]\s?(?P<b>\d{1,3})(?!\d)")
_RANGE = re.compile(rf"(?<![\d.-])(-?{_NUMBER})\s?(?:[~～—–]+|-)\s?({_NUMBER})(?![\d-]|\.\d)")
_SHORT_NUMBER = re.compile(r"-?\d{1,4}(?:\.\d+)?")
_PER_MILLE = re.compile(rf"({_NUMBER})‰")
_UNIT = re.compile(
    rf"(?P<number>{_NUMBER})\s?(?P<unit>{'|'.join(sorted(_UNITS, key=len, reverse=True))})"
    r"(?![A-Za-z0-9/²³])"
)
_COUNTRY_CODE = re.compile(r"\+(\d{1,3})(?=[\s-]?\d{7,})")
_SPACED_PHONE = re.compile(r"(?<!\d)(1\d{2})[\s-](\d{4})[\s-](\d{4})(?!\d)")
_LINES = re.compile(r"(?<![\d.])(\d{3,4})(?=[pP](?![A-Za-z]))")  # 1080p
_ROUND_THE_CLOCK = re.compile(r"(?<![\d/])(?:24/7|7[×xX*]24)(?![\d/])")
_SPEED = re.compile(rf"(时速\D{{0,3}})({_NUMBER})\s?km/h")
_GENERATION = re.compile(r"(?<![\d.])([0-9]{2})(?=后(?![面来天续]))")  # 95后
_NUMBER_SIGN = re.compile(r"[#＃](\d+)")
_BETWEEN = {"+": "加", "<": "小于", ">": "大于", "*": "乘", "＞": "大于", "＜": "小于"}
_BETWEEN_SIGN = re.compile(r"(?<=[\w)）])\s*([+<>*＞＜])\s*(?=[\w(（])")
_APPROXIMATELY = re.compile(r"[~～≈](?=\d)")
_POWER = re.compile(r"\^(\d+)")
_SIGN = re.compile("|".join(re.escape(sign) for sign in _SIGNS))
_LEFT = re.compile(r"\d")


def digits(number: str) -> str:
    """One by one: "二零零"."""
    return "".join(_DIGITS[int(digit)] for digit in number)


def _money(match: re.Match[str]) -> str:
    unit = match["unit"] or _CURRENCIES[match["sign"]]
    if match["abroad"] == "HK":
        unit = "港元"
    scale = match["scale"] or ""
    return f"{match['number']}{_LATIN_SCALES.get(scale, scale)}{unit}"


def _range(match: re.Match[str]) -> str | None:
    # "010-12345678" is a telephone number.
    short = all(_SHORT_NUMBER.fullmatch(number) for number in match.groups())
    return f"{match[1]}到{match[2]}" if short and not match[1].startswith("0") else None


def spell_out(text: SpannedText) -> SpannedText:
    """What wetext would misread, in words or in a form it reads right; the rest is left to it."""
    text = text.rewrite(_FULL_WIDTH, lambda m: unicodedata.normalize("NFKC", m[0]))
    text = text.keep(_BLANK).rewrite(_GROUPED, lambda m: m[0].replace(",", "").replace("，", ""))
    text = text.rewrite(_MONEY_RANGE, lambda m: f"{m[1]}到").rewrite(_MONEY, _money)
    text = text.rewrite(_VERSION, lambda m: "点".join(digits(n) for n in m[0].split(".")))
    text = text.rewrite(_PERCENT_RANGE, lambda m: f"{m[1]}%到{m[2]}%")
    text = text.rewrite(_YEARS, lambda m: f"{digits(m[1])}到{digits(m[2])}")
    text = text.rewrite(_SCORE, lambda m: f"{m['lead']}{m['a']}比{m['b']}")
    text = text.rewrite(_SPACED_PHONE, lambda m: m[1] + m[2] + m[3])
    text = text.rewrite(_COUNTRY_CODE, lambda m: f"加{digits(m[1])}")
    text = text.rewrite(_ROUND_THE_CLOCK, "七乘二十四")
    text = text.rewrite(_SPEED, lambda m: f"{m[1]}{m[2]}公里")
    text = text.rewrite(_GENERATION, lambda m: digits(m[1]))
    text = text.rewrite(_RANGE, _range)
    text = text.rewrite(_PER_MILLE, lambda m: f"千分之{m[1]}")
    text = text.rewrite(_UNIT, lambda m: m["number"] + _UNITS[m["unit"]])
    text = text.rewrite(_LINES, lambda m: digits(m[1]))
    text = text.rewrite(_NUMBER_SIGN, lambda m: f"{m[1]}号")
    text = text.rewrite(_BETWEEN_SIGN, lambda m: _BETWEEN[m[1]])
    text = text.rewrite(_APPROXIMATELY, "约")
    return text.rewrite(_POWER, lambda m: f"的{m[1]}次方")


def spell_rest(text: SpannedText) -> SpannedText:
    """Digits and signs that are still there after wetext."""
    text = text.rewrite(_LEFT, lambda m: _DIGITS[int(m[0])] if m[0].isascii() else None)
    return text.rewrite(_SIGN, lambda m: _SIGNS[m[0]])
