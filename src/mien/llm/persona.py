"""Who the avatar is: name, greeting and manner, read from a TOML file."""

from __future__ import annotations

import tomllib
from importlib import resources
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from mien.gestures import GESTURES
from mien.language import Language

DEFAULT_PERSONA = "mei"

_TAGS = " ".join(f"[{name}]" for name in GESTURES)
# Added to every request, hence short. Models that are not told "few" put one in every sentence.
_ABOUT_GESTURES: dict[Language, str] = {
    "zh": f"你的表情和头会动：合适的时候，在句子前写一个标签，{_TAGS}。标签不会被念出来。"
    "一句最多一个，多数句子不写，也不要写别的标签。\n",
    "en": f"Your face and head can move: where it fits, begin a sentence with one of {_TAGS}. "
    "Tags are not spoken. At most one per sentence, none in most, and no other tags.\n",
}


class PersonaError(ValueError):
    """A persona file cannot be used; the message names the file and the field."""


class Bilingual(BaseModel):
    """The same text in both languages."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    zh: str = Field(min_length=1)
    en: str = Field(min_length=1)

    def get(self, language: Language) -> str:
        """The text in this language."""
        return self.zh if language == "zh" else self.en


class Persona(BaseModel):
    """A persona file.

    Attributes:
        format: Version of the file format, 1.
        name: What the avatar calls itself, in each language.
        languages: Languages it speaks, the preferred one first.
        greeting: Said when a conversation opens.
        system_prompt: Instruction for the language model. ``{name}`` is replaced.
        fillers: Short sounds of thinking, for pauses; may be empty.
        gestures: Whether the language model is told of the tags it may write, such as `[smile]`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: int = Field(ge=1, le=1)
    name: Bilingual
    languages: tuple[Language, ...] = Field(min_length=1)
    greeting: Bilingual
    system_prompt: Bilingual
    fillers: dict[Language, tuple[str, ...]] = Field(default_factory=dict)
    gestures: bool = True

    @field_validator("languages")
    @classmethod
    def _no_language_twice(cls, value: tuple[Language, ...]) -> tuple[Language, ...]:
        if len(set(value)) != len(value):
            raise ValueError("a language is listed twice")
        return value

    @property
    def language(self) -> Language:
        """The preferred language."""
        return self.languages[0]

    def instruction(self, language: Language | None = None) -> str:
        """The system prompt with the name filled in, and how to write gestures."""
        chosen = language or self.language
        prompt = self.system_prompt.get(chosen).replace("{name}", self.name.get(chosen))
        return f"{prompt}\n{_ABOUT_GESTURES[chosen]}" if self.gestures else prompt

    def greet(self, language: Language | None = None) -> str:
        """The greeting with the name filled in."""
        chosen = language or self.language
        return self.greeting.get(chosen).replace("{name}", self.name.get(chosen))


def load_persona(which: str | Path | None = None) -> Persona:
    """Load a persona that comes with mien by its name, or any by the path of its TOML file.

    Raises:
        PersonaError: If there is none, or it is wrong; every wrong field is named.
    """
    which = which or DEFAULT_PERSONA
    bundled = resources.files("mien") / "assets" / "personas" / f"{which}.toml"
    path = Path(which)
    source = bundled if path.name == str(which) and bundled.is_file() else path
    try:
        text = source.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as e:
        raise PersonaError(
            f"cannot read persona {str(which)!r}: {e}. Give the name of a bundled persona "
            f"({', '.join(bundled_personas())}) or the path of a TOML file."
        ) from e
    try:
        return Persona.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as e:
        raise PersonaError(f"persona {str(which)!r} is not valid TOML: {e}") from e
    except ValidationError as e:
        raise PersonaError(f"persona {str(which)!r}: {describe_errors(e)}") from e


def bundled_personas() -> list[str]:
    """Names of the personas that come with mien."""
    folder = resources.files("mien") / "assets" / "personas"
    return sorted(f.name.removesuffix(".toml") for f in folder.iterdir() if ".toml" in f.name)


def describe_errors(error: ValidationError) -> str:
    """One line that names each wrong field and says what is wrong with it."""
    return "; ".join(
        f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in error.errors()
    )
