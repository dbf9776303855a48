"""English spelt out: what wetext's grammar gets wrong or fails on, done before it is asked."""

from __future__ import annotations

import re

from mien.tts.spans import SpannedText

_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen"
).split()
_TENS = "- - twenty thirty forty fifty sixty seventy eighty ninety".split()
_GROUPS = ("", "thousand", "million", "billion", "trillion", "quadrillion")

_NUMBER = r"\d+(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"
_CURRENCIES = {
    "$": ("dollar", "dollars", "cents"),
    "€": ("euro", "euros", "cents"),
    "£": ("pound", "pounds", "pence"),
    "¥": ("yuan", "yuan", ""),
    "￥": ("yuan", "yuan", ""),
    "₹": ("rupee", "rupees", "paise"),
    "₩": ("won", "won", ""),
}
_SCALES = {
    "k": "thousand",
    "m": "million",
    "mn": "million",
    "b": "billion",
    "bn": "billion",
    "t": "trillion",
}
_WORDS = {
    "e.g.": "for example", "i.e.": "that is", "etc.": "et cetera", "vs.": "versus", "vs": "versus",
    "approx.": "approximately", "w/": "with", "w/o": "without",
    "c++": "C plus plus", "c#": "C sharp", "f#": "F sharp", "24/7": "twenty four seven",
    "50/50": "fifty fifty", "ph.d.": "P H D", "et al.": "and others",
}  # fmt: skip
_UNITS = {
    "m": ("meter", "meters"), "m²": ("square meter", "square meters"),
    "㎡": ("square meter", "square meters"), "km²": ("square kilometer", "square kilometers"),
    "m³": ("cubic meter", "cubic meters"), "fps": ("frame per second", "frames per second"),
    "km/h": ("kilometer per hour", "kilometers per hour"), "‰": ("per mille", "per mille"),
    "m/s": ("meter per second", "meters per second"), "ms": ("millisecond", "milliseconds"),
    "px": ("pixel", "pixels"), "°": ("degree", "degrees"),
    "℃": ("degree Celsius", "degrees Celsius"),
    "°C": ("degree Celsius", "degrees Celsius"),
    "°F": ("degree Fahrenheit", "degrees Fahrenheit"),
    "℉": ("degree Fahrenheit", "degrees Fahrenheit"),
}  # fmt: skip
_TITLES = {"Dr.": "Doctor", "Mr.": "Mister", "Mrs.": "Missis", "Ms.": "Miz", "Prof.": "Professor"}
_SIGNS = {
    "≈": "about", "≥": "at least", "≤": "at most", "≠": "is not", "±": "plus or minus",
    "×": "times", "÷": "divided by", "=": "equals", "−": "minus", "∞": "infinity", "√": "root",
    "°": "degrees", "²": "squared", "³": "cubed", "€": "euros", "£": "pounds", "¥": "yuan",
    "￥": "yuan", "＋": "plus", "^": "to the power of", "‰": "per mille", "№": "number",
}  # fmt: skip

_WORD = re.compile(
    r"(?<![\w.])(?:"
    + "|".join(re.escape(w) for w in sorted(_WORDS, key=len, reverse=True))
    + r")(?!\w)",
    re.I,
)
_TITLE = re.compile(r"\b(?:Dr|Mrs?|Ms|Prof)\.(?=\s)")
_INITIALS = re.compile(r"(?<![\w.])(?:[A-Z]\.){2,}")
_AND = re.compile(r"\s*&\s*")
_MONEY = re.compile(
    rf"(?:US|HK|CA|AU)?(?P<sign>[$€£¥￥₹₩])\s?(?P<number>{_NUMBER})"
    rf"(?:\s?(?P<scale>thousand|million|billion|trillion|bn|mn|[kmbt])\b)?",
    re.I,
)
_UNIT = re.compile(
    rf"(?<![\w.])(?P<minus>[-−])?(?P<number>{_NUMBER})\s?"
    rf"(?P<unit>{'|'.join(re.escape(u) for u in sorted(_UNITS, key=len, reverse=True))})(?![\w²³/])"
)
_RANGE = re.compile(
    r"(?<![\w.,/:-])(?P<a>[$€£¥￥]?\d+(?:[.,:]\d+)*%?)\s?[-–—~～]\s?(?P<b>[$€£¥￥]?\d+(?:[.,:]\d+)*)(?![\w/:]*[-\d])"
)
_PHONE = re.compile(r"(?<![\w-])\d{3}-\d{4}(?![\w-])")
_FULL_PHONE = re.compile(
    r"(?<![\w-])(?P<plus>\+)?(?:\d{1,3}[ -])?\(?\d{3}\)?[ -]\d{3}[ -]\d{4}(?![\w-])"
)
_DECADE = re.compile(r"(?<!\w)['’]?(?P<century>1\d|20)?(?P<decade>\d)0['’]?s(?!\w)")
_NUMBER_SIGN = re.compile(r"(?<!\w)(?:#|№|Nos?\.)\s?(?=\d)", re.I)
_VERSION = re.compile(r"(?<![\w.])\d+(?:\.\d+){2,}(?![\w])")
_GROUPED = re.compile(
    r"(?<![\w.,])\d{1,3}(?:,\d{3})+(?:\.\d+)?(?![\w])|(?<![\w.,:/-])[1-9]000(?![\w:/-]|[.,]\d)"
)
_LONG = re.compile(r"(?<![\w.,])\d{16,}(?!\w)")
_PLUS_BEFORE = re.compile(r"(?<![\w)])\s*\+(?=\d)")
_SIGN = re.compile("|".join(re.escape(sign) for sign in _SIGNS))
_BETWEEN = {"+": "plus", "<": "less than", ">": "greater than"}
_BETWEEN_SIGN = re.compile(r"(?<=[\w)])\s*(?P<sign>[+<>])\s*(?=[\w(])")
_ABOUT = re.compile(r"[~～](?=[$\d])")
_QUOTES = re.compile(r"[\"“”「」『』《》]")
_WIDE_MARKS = dict(zip("，。！？；：、（）", ",.!?;:,()", strict=True))
_WIDE_MARK = re.compile("[，。！？；：、（）]")
_APOSTROPHE = re.compile(r"[‘’]")
_CODE_PART = re.compile(r"[A-Za-z]+|\d+|(?<=\d)\.(?=\d)")


def cardinal(number: int) -> str:
    """``number`` (below 10**18) in words: "one thousand two hundred thirty four"."""
    if number < 20:
        return _ONES[number]
    if number < 100:
        tens, ones = divmod(number, 10)
        return _TENS[tens] + (f" {_ONES[ones]}" if ones else "")
    if number < 1000:
        hundreds, rest = divmod(number, 100)
        return f"{_ONES[hundreds]} hundred" + (f" {cardinal(rest)}" if rest else "")
    words: list[str] = []
    group = 0
    while number:
        number, rest = divmod(number, 1000)
        if rest:
            words[:0] = [cardinal(rest), _GROUPS[group]] if group else [cardinal(rest)]
        group += 1
    return " ".join(words)


def digits(number: str) -> str:
    """One by one: "two zero zero"."""
    return " ".join(_ONES[int(digit)] for digit in number)


def decimal(number: str) -> str:
    """ "1,234.50" in words."""
    whole, _, fraction = number.replace(",", "").partition(".")
    words = cardinal(int(whole)) if len(whole) < 16 else digits(whole)
    return f"{words} point {digits(fraction)}" if fraction else words


def code(token: str) -> str:
    """A name made of letters and digits ("GPT-4o", "H.264", "RTX4090"), as people say it.

    Letters stay as they are; two digits are a number, three or four are read in pairs.
    """
    return " ".join(
        _code_number(part) if part.isdigit() else "point" if part == "." else part
        for part in _CODE_PART.findall(token)
    )


def _code_number(number: str) -> str:
    if len(number) > 4 or (len(number) > 1 and number[0] == "0"):
        return digits(number)
    value = int(number)
    if len(number) < 3 or value % 100 == 0:
        return cardinal(value)
    high, low = divmod(value, 100)
    return f"{cardinal(high)} {f'oh {_ONES[low]}' if low < 10 else cardinal(low)}"


def address(token: str) -> str:
    """An e-mail address, host or file name: "me at example dot com"."""
    names = {"@": " at ", ".": " dot ", "-": " dash ", "_": " underscore ", "/": " slash "}
    said = "".join(names.get(part, part) for part in re.findall(r"\w|[^\w]", token))
    said = said.replace("_", " underscore ")
    return re.sub(r"\s+", " ", re.sub(r"\d+", lambda m: f" {_code_number(m[0])} ", said)).strip()


def _money(match: re.Match[str]) -> str:
    one, many, cents = _CURRENCIES[match["sign"]]
    number, scale = match["number"].replace(",", ""), match["scale"]
    whole, _, fraction = number.partition(".")
    if scale:
        scale = _SCALES.get(scale.lower(), scale.lower())
        return f"{decimal(number)} {scale} {many}"
    if len(fraction) == 2 and cents:
        unit = one if whole == "1" else many
        if fraction == "00":
            return f"{decimal(whole)} {unit}"
        one_cent = cents == "cents" and fraction == "01"
        part = f"{cardinal(int(fraction))} {'cent' if one_cent else cents}"
        return part if whole == "0" else f"{decimal(whole)} {unit} and {part}"
    return f"{decimal(number)} {one if number == '1' else many}"


def _initials(match: re.Match[str]) -> str:
    # The last full stop may be that of the sentence.
    return " ".join(match[0].replace(".", "")) + ("." if match.end() == len(match.string) else "")


def _unit(match: re.Match[str]) -> str:
    one, many = _UNITS[match["unit"]]
    minus = "minus " if match["minus"] else ""
    return f"{minus}{decimal(match['number'])} {one if match['number'] == '1' else many}"


def _phone(match: re.Match[str]) -> str:
    groups = re.findall(r"\d+", match[0])
    return ("plus " if match["plus"] else "") + ", ".join(digits(group) for group in groups)


def _decade(match: re.Match[str]) -> str:
    decade = int(match["decade"])
    if decade == 0:
        if match["century"] == "20":
            return "two thousands"
        return f"{cardinal(int(match['century']))} hundreds" if match["century"] else "zeros"
    plural = "tens" if decade == 1 else f"{_TENS[decade][:-1]}ies"
    century = f"{cardinal(int(match['century']))} " if match["century"] else ""
    return century + plural


def _range(match: re.Match[str]) -> str | None:
    return None if _PHONE.fullmatch(match[0]) else f"{match['a']} to {match['b']}"


def spell_out(text: SpannedText) -> SpannedText:
    """What wetext would misread, in words; the rest is left to it."""
    text = text.rewrite(_APOSTROPHE, "'").rewrite(_QUOTES, "")
    text = text.rewrite(_WIDE_MARK, lambda m: _WIDE_MARKS[m[0]])
    text = text.rewrite(_WORD, lambda m: _WORDS[m[0].lower()])
    text = text.rewrite(_TITLE, lambda m: _TITLES[m[0]]).rewrite(_AND, " and ")
    text = text.rewrite(_INITIALS, _initials)
    text = text.rewrite(_NUMBER_SIGN, "number ").rewrite(_DECADE, _decade)
    text = text.rewrite(_FULL_PHONE, _phone).rewrite(
        _PHONE, lambda m: f"{digits(m[0][:3])}, {digits(m[0][4:])}"
    )
    text = text.rewrite(_RANGE, _range).rewrite(_MONEY, _money).rewrite(_UNIT, _unit)
    text = text.rewrite(_ABOUT, "about ").rewrite(
        _VERSION, lambda m: " point ".join(_code_number(part) for part in m[0].split("."))
    )
    text = text.rewrite(_GROUPED, lambda m: decimal(m[0])).rewrite(_LONG, lambda m: digits(m[0]))
    text = text.rewrite(_PLUS_BEFORE, " plus ")
    text = text.rewrite(_BETWEEN_SIGN, lambda m: f" {_BETWEEN[m['sign']]} ")
    return text.rewrite(_SIGN, lambda m: f" {_SIGNS[m[0]]} ")
