"""The personas there are: those that come with mien and those in a folder of the user's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs
from loguru import logger

from mien.config import Settings
from mien.language import Language
from mien.llm.faq import FAQError, load_faq
from mien.llm.persona import Persona, PersonaError, bundled_folder, personas_in, read_persona
from mien.problems import Problem
from mien.voices import LAST_RESORT

Text = dict[str, str]


@dataclass(frozen=True, slots=True)
class ListedPersona:
    """label, about: in both languages. avatar, voice: what it brings along, None or () for what is
    configured. own: whether its file is the user's. why_not: what is wrong with it; None when it
    can be loaded."""

    name: str
    label: Text
    about: Text
    languages: tuple[Language, ...]
    avatar: str | None
    voice: tuple[str, ...]
    own: bool = False
    why_not: Text | None = None


def user_folder() -> Path:
    """Where the user's own personas lie, one file each."""
    return Path(platformdirs.user_data_dir("mien", appauthor=False)) / "personas"


class Personas:
    """Files are read anew whenever they are asked for, so that an edited one counts at once.

    folder: of the user's; None for ``user_folder()``. One in it stands before a bundled one of the
    same name. configured: the name, or the path of a file that lies elsewhere, of the usual one.
    """

    def __init__(self, folder: Path | None = None, configured: str | Path | None = None) -> None:
        self.folder = folder or user_folder()
        self._elsewhere: dict[str, Path] = {}
        if configured is not None and str(configured) not in self._files():
            path = Path(configured).expanduser()
            if path.is_file():
                self._elsewhere[path.stem] = path

    def listed(self) -> list[ListedPersona]:
        """All of them, by name; a broken one says why."""
        return [self._described(name, path) for name, path in sorted(self._files().items())]

    def __contains__(self, name: object) -> bool:
        """Whether there is one of this name, broken or not; paths are none."""
        return name in self._files()

    def load(self, which: str | Path) -> Persona:
        """By its name, or any by the path of its file. Raises PersonaError."""
        return _read(self.path(which), str(which))

    def path(self, which: str | Path) -> Path:
        """Of its file. Raises PersonaError when there is none."""
        path = self._files().get(str(which)) or Path(which).expanduser()
        if path.is_file():
            return path
        known = ", ".join(sorted(self._files()))
        raise PersonaError(
            f"there is no persona {str(which)!r}. There are: {known}. Your own go to "
            f"{self.folder}, or give the path of a TOML file.",
            f"没有人设 {str(which)!r}。现有：{known}。自己的人设放在 {self.folder}，"
            "也可以填写 TOML 文件的路径。",
        )

    def name_of(self, which: str | Path) -> str:
        """The name under which the persona of this name or path is listed."""
        return str(which) if str(which) in self._files() else Path(which).stem

    def voices(self) -> Mapping[str, Mapping[str, Any]]:
        """The voices that they bring along, by name; a broken one brings none."""
        found: dict[str, Mapping[str, Any]] = {}
        for name, path in sorted(self._files().items()):
            try:
                found |= read_persona(path, name).voices
            except PersonaError as error:
                logger.warning(f"{error}")
        return found

    def _files(self) -> dict[str, Path]:
        found: dict[str, Path] = {}
        for folder in (bundled_folder(), self.folder):
            found |= personas_in(folder)
        return found | self._elsewhere

    def _described(self, name: str, path: Path) -> ListedPersona:
        own = path.parent != bundled_folder()
        try:
            persona = _read(path, path.name)
        except PersonaError as error:
            plain = {"en": name, "zh": name}
            why = {"en": str(error), "zh": error.zh}
            return ListedPersona(name, plain, {"en": "", "zh": ""}, (), None, (), own, why)
        return ListedPersona(
            name=name,
            label=persona.name.both(),
            about=persona.about.both() if persona.about else {"en": "", "zh": ""},
            languages=persona.languages,
            avatar=persona.avatar,
            voice=persona.voice,
            own=own,
        )


def _read(path: Path, called: str) -> Persona:
    """With its written answers looked at, too. Raises PersonaError."""
    persona = read_persona(path, called)
    try:
        load_faq(persona.faq)
    except FAQError as error:
        why = str(error).replace(f"{path.parent}/", "")
        raise PersonaError(f"persona {called!r}: {why}", f"人设 {called!r}：{why}") from error
    return persona


def find_persona(personas: Personas, name: str) -> Persona:
    """The one of this name, as it now is. Reads its file; a path is no name.

    Raises:
        Problem: 404 naming those there are, 409 for one that is broken.
    """
    if name not in personas:
        known = ", ".join(each.name for each in personas.listed())
        raise Problem(
            "no_such_persona",
            f"There is no persona {name!r}. There are: {known}.",
            f"没有名为 {name!r} 的人设。现有：{known}。",
            status=404,
        )
    try:
        return personas.load(name)
    except PersonaError as error:
        raise Problem(
            "broken_persona",
            f"This persona cannot be played: {error}",
            f"这个人设无法使用：{error.zh}",
            status=409,
        ) from error


def voice_names(persona: Persona, settings: Settings) -> tuple[str, ...]:
    """The voices the persona asks for, the first that can is to speak; () for the configured ones.

    The built-in voice is a makeshift: it does not take the place of a better one that is
    configured only because a persona gives it another timbre.
    """
    configured = settings.voice if isinstance(settings.voice, str) else settings.voice[0]
    tables = {**persona.voices, **settings.voices}

    def makeshift(name: str) -> bool:
        return str(tables.get(name, {}).get("service", name)) == LAST_RESORT

    if makeshift(configured):
        return persona.voice
    return tuple(name for name in persona.voice if not makeshift(name))
