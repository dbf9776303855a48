"""What of a written clause is said aloud: markup, code, addresses and emoji are for the eye.

Works clause by clause. A construct that straddles clauses ("**你好，" "世界**") loses its marks in
each; only fenced code must be whole, which the segmenter sees to.
"""

from __future__ import annotations

import html
import re

from mien.tts.spans import SpannedText

Spoken = SpannedText
"""Text to be spoken; ``spans[i]`` is the part of the written clause behind ``text[i]``."""

_HAN = r"[\u3400-\u9fff]"
_FENCE = re.compile(r"(`{3,}|~{3,}).*?(?:\1[`~]*|\Z)", re.DOTALL)
_INVISIBLE_HTML = re.compile(r"<!--.*?(?:-->|\Z)|<(script|style)\b.*?(?:</\1\s*>|\Z)", re.S | re.I)
_AUTOLINK = re.compile(r"<((?:https?://|mailto:)[^\s<>]+|[^\s<>@]+@[^\s<>]+)>", re.I)
_BREAK = re.compile(r"<(?:br|/p|/div|/li|/tr|/h[1-6])\s*/?>", re.I)
_TAG = re.compile(r"</?[a-z][a-z0-9-]*(?:\s[^<>]*|/)?>", re.I)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#x[0-9a-f]{1,6}|[a-z][a-z0-9]{1,31});", re.I)
_CODE = re.compile(r"(`{1,2})(?!`)(?P<words>.+?)\1(?!`)", re.S)

_FOOTNOTE = re.compile(r"\[\^[^\]\s]+\]:?|【\d+†[^】]*】|(?<![A-Za-z0-9\]])\[\d{1,3}\](?![(:])")
_LINK = re.compile(
    r"!?\[(?P<label>[^\[\]]*)\](?:\((?:[^()\s]|\([^()]*\))*(?:\s+[\"'][^)]*)?\)|\[[^\]]*\])"
)
_LINK_TAIL = re.compile(r"\]\((?:https?:|mailto:|www\.|[/#.])[^)\s]*\)?", re.I)
_LINK_TARGET = re.compile(r"^\s*\[[^\]]+\]:\s*\S+.*$", re.M)
# A bare address says nothing to the ear but its host; one in brackets is a reference, as a [1] is.
_URL_END = r"[^\s<>\"'`|\\^{}()\[\]\u2018-\u201d\u2e80-\u9fff\uff00-\uffef]"
_BRACKETED_URL = re.compile(
    rf"[(（【\[]\s*(?:(?:https?|ftp)://|www\.){_URL_END}+\s*[)）】\]]", re.I
)
_URL = re.compile(
    rf"(?:(?:https?|ftp|wss?)://(?:www\.)?|www\.)(?:[\w.-]+@)?"
    rf"(?P<host>\w+(?:[-.]\w+)*){_URL_END}*(?<![.,;:!?*_~])",
    re.I,
)

_MATH = re.compile(
    r"\$\$(?P<a>.+?)\$\$|\\\[(?P<b>.+?)\\\]|\\\((?P<c>.+?)\\\)"
    r"|(?<![\\$\w])\$(?![\s$])(?P<d>[^$\n]*?[^\s$\\,.，。])\$(?![\d$])",
    re.S,
)
_TEX_FRACTION = re.compile(r"\\d?frac\{([^{}]*)\}\{([^{}]*)\}")
_TEX_COMMANDS = {
    "times": "×", "cdot": "×", "div": "÷", "pm": "±", "le": "≤", "leq": "≤", "ge": "≥", "geq": "≥",
    "neq": "≠", "ne": "≠", "approx": "≈", "to": " ", "rightarrow": " ", "infty": "∞",
    "left": "", "right": "", "text": "", "mathrm": "", "mathbf": "", "displaystyle": "",
    "quad": " ",
}  # fmt: skip
_TEX_COMMAND = re.compile(r"\\([a-zA-Z]+)\s?")
_TEX_REST = re.compile(r"[{}]|\\[,;:! ]")
_ESCAPE = re.compile(r"\\(?P<mark>[\\`*_{}\[\]()#+\-.!|~<>$&])")

_RULE = re.compile(r"^[ \t]*(?:(?:[-*_][ \t]*){3,}|={3,})$", re.M)
_TABLE_RULE = re.compile(r"^[ \t]*\|?(?:[ \t]*:?-{2,}:?[ \t]*\|)+[ \t]*(?::?-{2,}:?)?[ \t]*$", re.M)
_LINE_MARK = re.compile(
    r"^[ \t]*(?:>[ \t]?)*[ \t]*"
    r"(?:#{1,6}[ \t]+|[-*+•·▪◦‣○●][ \t]+(?:\[[ xX]\][ \t]+)?|(?:>[ \t]?)+)",
    re.M,
)
_HEADING_END = re.compile(r"[ \t]#{1,6}[ \t]*$", re.M)
_ORDINAL = re.compile(rf"^[ \t]*(?:>[ \t]?)*\**\d{{1,3}}(?P<dot>[.)][ \t]+|\.(?={_HAN}))", re.M)
_TABLE_ROW = re.compile(r"^[ \t]*\|.*$|^.*\|.*\|.*$", re.M)
_CELL_END = re.compile(r"[ \t]*\|+[ \t]*")

_ACTS_EN = (
    r"smil|laugh|chuckl|giggl|grin|smirk|nod|sigh|wink|blink|wav|bow|shrug|gasp|cough|yawn|paus|frown|"
    r"whisper|cr(?:y|ie)|sob|sniff|blush|clap|hug|gestur|beam|pout|think|lean|tilt|look|stretch"
)
_ACT_EN = (
    rf"(?:(?:a|an|[a-z]+ly|and|he|she|i|they)\s+)*"
    rf"(?:(?:{_ACTS_EN})(?:p|n|t)?(?:s|es|ies|ing|ed|e)?(?<!\bthink)(?<!\blook)|clears?\s+(?:\w+\s+)?throat|clearing\s+(?:\w+\s+)?throat|(?:takes?\s+a\s+)?"
    rf"deep\s+breath|rolls?\s+(?:\w+\s+)?eyes|raises?\s+(?:an?\s+)?eyebrows?)(?:[\s,]+[a-z'’]+){{0,4}}"
)
# In Chinese: made of nothing but words of manner and action, so "（笑话）" stays.
_ACT_ZH = (
    r"(?:他|她|我|轻轻地?|微微|轻声|温柔地?|开心地?|害羞地?|无奈地?|认真地?|俏皮地?|小声地?|大声地?|热情地?|"
    r"调皮地?|缓缓地?|慢慢地?|突然|然后|着|了|一下|道|地|，|、)*"
    r"(?:微笑|大笑|轻笑|苦笑|偷笑|坏笑|笑|点了?点?头|摇了?摇?头|叹了?口?气|挥挥?手|招招?手|眨眨?眼|鼓掌|"
    r"思考|沉思|停顿|清清?嗓子|鞠躬|耸耸?肩|歪歪?头|脸红|咳嗽|哭|抱拳|拍手|皱眉|深呼吸|托腮|害羞|拥抱)"
)
_STAGE = re.compile(
    # "*smiles* Hello", "Bye! *waves*", but not "how she *smiles* at me".
    rf"(?:^|(?<=[.!?…。！？，,\n])|(?<=[.!?…,\n]\s))\*{{1,2}}{_ACT_EN}[.…!~]*\*{{1,2}}(?![\w*])"
    rf"|(?<=\s)\*{{1,2}}{_ACT_EN}[.…!~]*\*{{1,2}}(?=\s*$)"
    rf"|(?<!\*)\*{{1,2}}(?:{_ACT_ZH})+(?:着|了|一下)?[.。…!！~～]*\*{{1,2}}(?!\*)"
    # In brackets English needs the third person or -ing: "(look at this)" is not one.
    rf"|[(\[]\s*(?:(?:[a-z]+ly|and)\s+)*(?:(?:{_ACTS_EN})(?:s|es|ing|ning|ning|ter)|clears?\s+throat)"
    rf"(?:\s+[a-z]+ly)?\s*[)\]]"
    rf"|[（(【\[](?:{_ACT_ZH})+(?:着|了|一下)?[。…！~～]*[）)】\]]",
    re.I,
)

_TIMES = re.compile(r"(?<=\d)\s*\*\s*(?=\d)|(?<=\w)\s\*\s(?=\w)")
_UNDERSCORES_BETWEEN = re.compile(r"(?<=[A-Za-z0-9])_+(?=[A-Za-z0-9])")
_LEFT_OVER = re.compile(r"\*+|_+|`+|~~+|={2,}|\^(?=\[)|\\(?=\s|$)|(?<![A-Za-z0-9])#(?=[^\W\d])")
_LONE_BRACKET = re.compile(r"\[(?![^\[\]]*\])|(?<!\[)(?<![^\[\]]\])\]\[?(?=\()")
_EMOTICON = re.compile(
    r"(?:(?<=\s)|^|(?<=[\u2e80-\u9fff，。！？!?]))[:;=]-?[)(DPpO|/](?=\s|$)|\^_\^"
)
_JOINERS = re.compile(
    "[\u200b-\u200f\u2060\ufe00-\ufe0f\u20e3\ufeff\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]"
)
# Pictures that are no emoji: dingbats, box drawing, arrows, stars.
_ARROW = re.compile(r"\s*(?:[→⇒⟶➜➔➡]|(?<!-)->|=>)\ufe0f?\s*")
_PICTURE = re.compile(
    "[\u2190-\u2193\u2300-\u23ff\u2500-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff©®™]"
)
_MAYBE_EMOJI = re.compile("[©®\u200b-\u200f\u203c-\u3299\ufe00-\ufe0f\ufeff\U0001f000-\U000e0fff]")
_SPACE = re.compile(r"\s+")
_SPACE_BEFORE_MARK = re.compile(r"\s+(?=[,.!?;:，。！？；：、)）])")
_DOUBLE_COMMA = re.compile(r"[，,](?:\s*[，,])+|(?:(?<=[。！？；：，、])|(?<=[!?;:]))[，,]")
_SAYABLE = re.compile(r"[^\W_]|[%&+=<>@$€£¥￥°℃℉‰×÷]")


def to_spoken(clause: str) -> Spoken:
    """The words of ``clause`` (as written, Markdown or HTML) that a voice should say.

    Never fails; "" where there is nothing to say, e.g. for code or an emoji. Links become their
    label, bare addresses their host; words of inline code, tables and lists stay, and so do the
    numbers of numbered lists ("1. " as "1, "), for the ear needs them.
    """
    text = SpannedText.of(clause)
    text = text.keep(_FENCE).keep(_INVISIBLE_HTML)
    text = text.keep(_AUTOLINK, 1).rewrite(_BREAK, "\n").keep(_TAG).rewrite(_ENTITY, _unescape)
    text = _without_math_marks(text)
    text = text.keep(_CODE, "words").keep(_LINK_TARGET).keep(_FOOTNOTE)
    # Twice, for a picture inside of a link.
    text = text.keep(_LINK, "label").keep(_LINK, "label").keep(_LINK_TAIL)
    text = text.keep(_BRACKETED_URL).keep(_URL, "host")
    text = text.keep(_RULE).keep(_TABLE_RULE)
    text = text.keep(_LINE_MARK).keep(_HEADING_END)
    text = _with_ordinal_commas(text)
    text = _with_table_commas(text)
    text = text.keep(_STAGE)
    text = text.rewrite(_TIMES, "×").rewrite(_UNDERSCORES_BETWEEN, " ")
    text = text.keep(_ESCAPE, "mark").keep(_LEFT_OVER).keep(_LONE_BRACKET).keep(_EMOTICON)
    text = _without_emoji(text.rewrite(_ARROW, ", "))
    text = text.rewrite(_SPACE, " ").keep(_SPACE_BEFORE_MARK).rewrite(_DOUBLE_COMMA, _first)
    text = text.strip()
    return text if _SAYABLE.search(text.text) else SpannedText.of("")


def _unescape(match: re.Match[str]) -> str:
    return html.unescape(match[0]).replace("\xa0", " ")


def _first(match: re.Match[str]) -> str:
    return match[0][0] if len(match[0]) > 1 else ""


def _without_math_marks(text: SpannedText) -> SpannedText:
    if "$" not in text.text and "\\" not in text.text:
        return text
    text = text.keep(_MATH, "a", "b", "c", "d")
    if "\\" not in text.text:
        return text
    text = text.rewrite(_TEX_FRACTION, _fraction)
    text = text.rewrite(_TEX_COMMAND, lambda m: _TEX_COMMANDS.get(m[1], m[1] + " "))
    return text.keep(_TEX_REST)


def _fraction(match: re.Match[str]) -> str:
    return f"{match[1]}/{match[2]}"


def _with_ordinal_commas(text: SpannedText) -> SpannedText:
    def comma(match: re.Match[str]) -> str:
        after = text.text[match.end() :].lstrip("*_` \t[“「《")
        number = match[0][: match.start("dot") - match.start()].strip(" \t>*")
        return f"{number}、" if re.match(_HAN, after) else f"{number}, "

    return text.rewrite(_ORDINAL, comma)


def _with_table_commas(text: SpannedText) -> SpannedText:
    if "|" not in text.text:
        return text

    def row(match: re.Match[str]) -> str:
        return _CELL_END.sub(", ", match[0].strip(" \t|"))

    # Cells stay themselves: only the bars between them differ.
    rows = {match.group(): row(match) for match in _TABLE_ROW.finditer(text.text)}
    parts: list[SpannedText] = []
    at = 0
    for match in _TABLE_ROW.finditer(text.text):
        parts += (
            text.cut(at, match.start()),
            text.cut(*match.span()).reread(rows[match.group()]),
        )
        at = match.end()
    return SpannedText.join((*parts, text.cut(at, len(text.text))))


def _without_emoji(text: SpannedText) -> SpannedText:
    if not _MAYBE_EMOJI.search(text.text):
        return text
    import emoji  # here, as its tables take 50 ms to load and most clauses need none

    parts: list[SpannedText] = []
    at = 0
    for found in emoji.emoji_list(text.text):
        parts.append(text.cut(at, found["match_start"]))
        at = found["match_end"]
    text = SpannedText.join((*parts, text.cut(at, len(text.text))))
    return text.keep(_JOINERS).keep(_PICTURE)
