"""What a language model is told about its part: the persona's own words, and how speech differs
from writing. It goes with every request, hence short."""

from __future__ import annotations

from collections.abc import Sequence

from mien.language import Language

#: Of a persona that writes none. ``{name}`` is replaced.
USUAL_PROMPT: dict[Language, str] = {
    "zh": """\
你是{name}，一个数字人，正在和对方面对面说话。
你说的每个字都会被念出来，所以：
用口语，说短句，一般一到三句话，先说结论；对方要求细说时再展开。
不用 Markdown、列表、表格、代码、网址、表情符号和括号里的动作描写。
数字、单位和缩写写成念得出来的样子。
对方说什么语言，你就用什么语言回答。
听不清或不知道就直说，不要编造；需要时反问一句。
""",
    "en": """\
You are {name}, a digital human, talking with someone face to face.
Every word you write is spoken aloud, so:
Use plain spoken language and short sentences, usually one to three; answer first, and go into \
detail only when asked.
No Markdown, lists, tables, code, web addresses, emoji or stage directions.
Write numbers, units and abbreviations the way they are said.
Answer in the language the other person speaks.
If you did not understand or do not know, say so plainly and do not make things up; ask back \
when it helps.
""",
}

_STYLE: dict[Language, str] = {"zh": "说话方式：", "en": "Your manner: "}
_RULES: dict[Language, str] = {"zh": "务必遵守：\n", "en": "Always keep to these rules:\n"}
# Models that are not told "few" put one in every sentence.
_GESTURES: dict[Language, str] = {
    "zh": "你的表情和头会动：合适的时候，在句子前写一个标签，{tags}。标签不会被念出来。"
    "一句最多一个，多数句子不写，也不要写别的标签。\n",
    "en": "Your face and head can move: where it fits, begin a sentence with one of {tags}. "
    "Tags are not spoken. At most one per sentence, none in most, and no other tags.\n",
}
# The numbers are taken out of what is spoken; written addresses would be spelled out.
_SOURCES: dict[Language, str] = {
    "zh": "给了你带编号的资料时，用到的句子末尾写上编号，如 [1]，编号不会被念出来；没有给就不写。"
    "不要写出或念出网址，说网站或文档的名字。\n",
    "en": "When you are given numbered sources, end each sentence that rests on one with its "
    "number, such as [1]; it is not spoken. Without sources write none. Never write or read out "
    "addresses; name the site or document.\n",
}


def instruction(
    language: Language,
    prompt: str,
    style: str = "",
    rules: Sequence[str] = (),
    gestures: Sequence[str] = (),
    sources: bool = True,
) -> str:
    """The system prompt.

    gestures: tags that may be written. sources: whether the model may be given some to cite.
    """
    parts = [f"{prompt}\n"]
    if style:
        parts.append(f"{_STYLE[language]}{style}\n")
    if rules:
        parts.append(_RULES[language] + "".join(f"- {rule}\n" for rule in rules))
    if gestures:
        parts.append(_GESTURES[language].format(tags=" ".join(f"[{name}]" for name in gestures)))
    if sources:
        parts.append(_SOURCES[language])
    return "".join(parts)
