"""Who the avatar is: name, manner, face, voice and what it may use, read from a TOML file."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from difflib import get_close_matches
from fnmatch import fnmatchcase
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, NoReturn

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator

from mien.gestures import GESTURES
from mien.language import Language
from mien.llm.instruction import USUAL_PROMPT, instruction

DEFAULT_PERSONA = "mei"
MAX_BYTES = 200_000


class PersonaError(ValueError):
    """A persona cannot be used; the message names the file and each field. zh: in Chinese."""

    def __init__(self, message: str, zh: str | None = None) -> None:
        super().__init__(message)
        self.zh = zh or message


class _Part(BaseModel):
    """Unknown fields are refused: a misspelt one would do nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class Bilingual(_Part):
    """The same text in both languages."""

    zh: str = Field(min_length=1)
    en: str = Field(min_length=1)

    def get(self, language: Language) -> str:
        """The text in this language."""
        return self.zh if language == "zh" else self.en

    def both(self) -> dict[str, str]:
        """As the API gives texts."""
        return {"en": self.en, "zh": self.zh}


_Line = Annotated[str, Field(min_length=1)]


class BilingualLines(_Part):
    """Short texts, the same in both languages."""

    zh: tuple[_Line, ...]
    en: tuple[_Line, ...]

    def get(self, language: Language) -> tuple[str, ...]:
        """Those in this language."""
        return self.zh if language == "zh" else self.en


def _several(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _tags(value: object) -> object:
    if isinstance(value, bool):
        return GESTURES if value else ()
    return _several(value)


Names = Annotated[tuple[_Line, ...], BeforeValidator(_several)]


class Persona(_Part):
    """A persona file (docs/personas.md). What it does not say is as the settings say.

    Attributes:
        format: Version of the file format, 1.
        name: What the avatar calls itself, in each language.
        about: One line about it for people who choose.
        languages: Languages it speaks, the preferred one first.
        avatar, background: Who is seen and before what, by name.
        voice: Who speaks; of several, the first that can.
        voices: Voices that it brings along, as tables of mien.toml's ``[voices]``.
        greeting: Said when a conversation opens. ``{name}`` is replaced, as in system_prompt.
        system_prompt: Instruction for the language model, in place of the usual one.
        style, rules: How it talks, and what it keeps to; added to the instruction.
        faq: Files of written answers, for the brain without a model.
        knowledge: Bases of documents it looks into, before those of the settings.
        tools: Names of those it may use; ``*`` stands for anything. MCP tools are SERVER_TOOL.
        fillers: Short sounds of thinking, for pauses; may be empty.
        filler_sec: Seconds of silence before one; 0 for never.
        gestures: Tags the language model may write, such as ``smile``; in files also true, false.
    """

    format: int = Field(ge=1, le=1)
    name: Bilingual
    about: Bilingual | None = None
    languages: tuple[Language, ...] = Field(min_length=1)
    avatar: _Line | None = None
    background: _Line | None = None
    voice: Names = ()
    voices: dict[_Line, dict[str, Any]] = Field(default_factory=dict, repr=False)
    greeting: Bilingual | None = None
    system_prompt: Bilingual = Bilingual(**USUAL_PROMPT)
    style: Bilingual | None = None
    rules: BilingualLines | None = None
    faq: tuple[Path, ...] = ()
    knowledge: Names = ()
    tools: Annotated[tuple[str, ...], BeforeValidator(_several)] = ("*",)
    fillers: dict[Language, tuple[str, ...]] = Field(default_factory=dict)
    filler_sec: float | None = Field(default=None, ge=0, le=30)
    gestures: Annotated[tuple[str, ...], BeforeValidator(_tags)] = GESTURES

    @field_validator("languages")
    @classmethod
    def _no_language_twice(cls, value: tuple[Language, ...]) -> tuple[Language, ...]:
        if len(set(value)) != len(value):
            raise ValueError("a language is listed twice")
        return value

    @field_validator("gestures")
    @classmethod
    def _known_gestures(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if name not in GESTURES:
                raise ValueError(
                    f"there is no gesture {name!r}{_meant(name, GESTURES)[0]}; "
                    f"there are {', '.join(GESTURES)}"
                )
        return value

    @field_validator("tools")
    @classmethod
    def _tool_names(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if not name.replace("*", "").replace("_", "a").isalnum() and name != "*":
                raise ValueError(f"{name!r} is no name of a tool, such as web_search or maps_*")
        return value

    @property
    def language(self) -> Language:
        """The preferred language."""
        return self.languages[0]

    def language_for(self, wished: Language | None) -> Language:
        """What it speaks with somebody who wishes for this language."""
        return wished if wished in self.languages else self.language

    @property
    def names(self) -> tuple[str, str]:
        """What it is called."""
        return self.name.zh, self.name.en

    def may_use(self, tool: str) -> bool:
        """Whether the tool of this name is on its list."""
        return any(fnmatchcase(tool, pattern) for pattern in self.tools)

    def instruction(self, language: Language | None = None, *, sources: bool = True) -> str:
        """The system prompt: its words, manner and rules, how to write gestures and to cite.

        sources: whether it may be given some, by a tool or from documents.
        """
        chosen = language or self.language
        return instruction(
            chosen,
            self.system_prompt.get(chosen).replace("{name}", self.name.get(chosen)),
            self.style.get(chosen) if self.style else "",
            self.rules.get(chosen) if self.rules else (),
            self.gestures,
            sources,
        )

    def greet(self, language: Language | None = None) -> str:
        """The greeting with the name filled in; "" for none."""
        chosen = language or self.language
        greeting = self.greeting.get(chosen) if self.greeting else ""
        return greeting.replace("{name}", self.name.get(chosen))


def load_persona(which: str | Path | None = None) -> Persona:
    """Load a persona that comes with mien by its name, or any by the path of its TOML file.

    Raises:
        PersonaError: If there is none, or it is wrong; every wrong field is named.
    """
    which = which or DEFAULT_PERSONA
    bundled = bundled_folder() / f"{which}.toml"
    path = Path(which).expanduser()
    if path.name == str(which) and bundled.is_file():
        path = bundled
    elif not path.is_file():
        known = ", ".join(bundled_personas())
        raise PersonaError(
            f"there is no persona {str(which)!r}. Give the name of one ({known}) or the path of a "
            "TOML file; `mien personas` lists them.",
            f"没有人设 {str(which)!r}。请填写名称（{known}）或 TOML 文件的路径；"
            "用 mien personas 查看全部。",
        )
    return read_persona(path, str(which))


def read_persona(path: Path, called: str = "") -> Persona:
    """The persona in this file; paths in it are relative to it.

    called: what it is called in errors; its file's name if nothing is said.

    Raises:
        PersonaError: If it is wrong; every wrong field is named.
    """
    called = called or path.name
    try:
        if path.stat().st_size > MAX_BYTES:
            _wrong(called, f"it is larger than {MAX_BYTES} bytes", f"文件超过 {MAX_BYTES} 字节")
        data = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as e:
        why = e.strerror or str(e)
        _wrong(called, f"cannot be read: {why}", f"无法读取：{why}")
    except UnicodeDecodeError:
        _wrong(called, "it is not UTF-8; save it as UTF-8", "不是 UTF-8 编码，请另存为 UTF-8")
    except tomllib.TOMLDecodeError as e:
        _wrong(called, f"it is not valid TOML: {e}", f"不是有效的 TOML：{e}")
    try:
        persona = Persona.model_validate(data)
    except ValidationError as e:
        _wrong(called, *_faults(e))
    faq = tuple(path.parent / file.expanduser() for file in persona.faq)
    for i, file in enumerate(faq):
        if not file.is_file():
            _wrong(
                called, f"faq.{i}: there is no file {file.name}", f"faq.{i}：没有文件 {file.name}"
            )
    return persona.model_copy(update={"faq": faq})


def bundled_folder() -> Path:
    """Where the personas lie that come with mien."""
    return Path(str(resources.files("mien"))) / "assets" / "personas"


def bundled_personas() -> list[str]:
    """Names of the personas that come with mien."""
    return sorted(personas_in(bundled_folder()))


def personas_in(folder: Path) -> dict[str, Path]:
    """The files of a folder by the names of their personas; NAME.faq.toml is none."""
    files = folder.glob("*.toml") if folder.is_dir() else ()
    return {file.stem: file for file in files if "." not in file.stem and file.is_file()}


def describe_errors(error: ValidationError) -> str:
    """One line that names each wrong field and says what is wrong with it."""
    return "; ".join(
        f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in error.errors()
    )


def _wrong(called: str, en: str, zh: str) -> NoReturn:
    raise PersonaError(f"persona {called!r}: {en}", f"人设 {called!r}：{zh}") from None


def _faults(error: ValidationError) -> tuple[str, str]:
    """Each wrong field in English and Chinese."""
    en, zh = [], []
    for each in error.errors():
        place = ".".join(str(part) for part in each["loc"] if part != "[key]") or "file"
        told, told_zh = each["msg"].removeprefix("Value error, "), each["msg"]
        if each["type"] == "extra_forbidden":
            known = Persona.model_fields if len(each["loc"]) == 1 else Bilingual.model_fields
            meant, meant_zh = _meant(str(each["loc"][-1]), known)
            told, told_zh = f"there is no such field{meant}", f"没有这个字段{meant_zh}"
        elif each["type"] == "missing":
            told, told_zh = "this field is required", "缺少这个字段"
        en.append(f"{place}: {told}")
        zh.append(f"{place}：{told_zh}")
    return "; ".join(en), "；".join(zh)


def _meant(name: str, known: Iterable[str]) -> tuple[str, str]:
    """A question what was meant, in English and Chinese; empty where nothing is near."""
    near = get_close_matches(name, list(known), 1)
    return (f"; did you mean {near[0]}?", f"，是不是 {near[0]}？") if near else ("", "")
