"""Who listens: the recognisers at work, each made and loaded once, and the choice among them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from loguru import logger

from mien.asr.choice import Choice
from mien.asr.contract import AsrError, Recognizer
from mien.config import ConfigError
from mien.language import Language
from mien.models.catalogue import catalogue
from mien.models.store import store_folder
from mien.recognizers import (
    SERVICES,
    Tables,
    make_recognizer,
    pulled_models,
    recognizer_settings,
)
from mien.tts.breaker import Breaker

AUTO = "auto"
BROWSER = "browser"
LAST_RESORT = "pocketsphinx"
Text = dict[str, str]
"""In both languages of the page."""

# A large model read from a slow disk; a recogniser that takes longer is passed over.
WARM_UP_SEC = 120.0
# ``Recognizer.check`` takes 2 s at most.
_CHECK_SEC = 3.0
_UNDERSTANDS = {"zh": ("Chinese", "中文"), "en": ("English", "英语")}


@dataclass(frozen=True, slots=True)
class ListedRecognizer:
    """why: what is missing and what to do; None when available. limits: what one should know
    before one chooses it; None where there is nothing special. distant: what is heard leaves the
    server and the browser's own machine."""

    name: str
    label: Text
    languages: list[str]
    streaming: bool
    available: bool
    why: Text | None
    limits: Text | None = None
    distant: bool = False


@dataclass(slots=True, eq=False)
class _Member:
    recognizer: Recognizer
    breaker: Breaker[AsrError] = field(default_factory=Breaker)
    loaded: bool = False


class Ears:
    """Shared by all sessions; belongs to one event loop."""

    def __init__(self, wanted: str = AUTO, tables: Tables | None = None) -> None:
        """wanted: "auto" or a name. tables: ``[ears.recognizers]``.

        Raises:
            ConfigError: when ``wanted`` is set up wrongly.
        """
        self._tables = tables or {}
        self._configured = None if wanted == AUTO else wanted
        if self._configured is not None:
            recognizer_settings(self._configured, self._tables)
        self._members: dict[str, _Member] = {}
        self._loading: dict[str, asyncio.Task[AsrError | None]] = {}

    async def choose(self, language: Language, engine: str = AUTO, browser: bool = False) -> Choice:
        """The one that listens to ``language`` now, loaded.

        engine: who is wanted, one of ``names``; the automatic choice stands in where it cannot:
        what is configured, a pulled model, the page's own recogniser, the built-in one.
        browser: whether the page says that it has one.

        Never raises; takes as long as loading a model, the first time.
        """
        auto, known = await asyncio.to_thread(
            lambda: (self._automatic(language, browser), self.names())
        )
        names = auto if engine == AUTO else [engine, *(name for name in auto if name != engine)]
        wanted = self._configured if engine == AUTO else engine
        passed_over: list[tuple[str, AsrError | ConfigError]] = []
        for name in names:
            if name in known:
                error = await self._why_not(name, language, browser)
            else:  # it may cost money: that is for whoever runs the server to decide
                error = _unknown(name, known)
            if error is None:
                why = _Why(name, wanted, passed_over, language).words()
                return Choice(self._members[name].recognizer, why["en"], why["zh"])
            passed_over.append((name, error))
        why = _Why(None, wanted, passed_over, language).words()
        return Choice(None, why["en"], why["zh"])

    def failed(self, name: str, error: AsrError) -> None:
        """``name`` could not tell what it heard: for a while the others are asked first."""
        if (member := self._members.get(name)) is not None:
            logger.info(f"recogniser {name}: {error}")
            member.breaker.failed(error)

    async def warm_up(self, language: Language) -> None:
        """Load what would be chosen, so that the first visitor does not wait for it."""
        await self.choose(language)

    def names(self) -> list[str]:
        """What may be asked for: what is set up, models that are here, services of this machine.

        Reads files.
        """
        known = catalogue()
        names = [] if self._configured is None else [self._configured]
        names += [*self._tables, *pulled_models()]
        used = {known[name].engine for name in names if name in known}
        names += [n for n, each in SERVICES.items() if not each.distant and n not in used]
        return list(dict.fromkeys(names))

    async def listed(self) -> list[ListedRecognizer]:
        """Each of ``names``, and whether it could listen now. Takes 3 s at most."""
        names = await asyncio.to_thread(self.names)
        return list(await asyncio.gather(*map(self._listed, names)))

    async def aclose(self) -> None:
        """End everything. Who still waits for a transcript gets an AsrError."""
        loading = list(self._loading.values())
        for task in loading:
            task.cancel()
        await asyncio.gather(
            *loading,
            *(member.recognizer.aclose() for member in self._members.values()),
            return_exceptions=True,
        )

    def _automatic(self, language: Language, browser: bool) -> list[str]:
        names = [] if self._configured is None else [self._configured]
        names += [name for name in pulled_models() if self._understands(name, language)]
        names += [BROWSER] * browser
        names += [LAST_RESORT] * self._understands(LAST_RESORT, language)
        return list(dict.fromkeys(names))

    def _understands(self, name: str, language: Language) -> bool:
        try:
            return language in self._member(name).recognizer.languages
        except (AsrError, ConfigError):
            return True  # then why it cannot be made is worth telling

    async def _why_not(
        self, name: str, language: Language, browser: bool
    ) -> AsrError | ConfigError | None:
        """None when it listens to this language, loaded."""
        try:
            member = await asyncio.to_thread(self._member, name)  # imports its library
        except (AsrError, ConfigError) as error:
            return error
        if language not in member.recognizer.languages:
            en, zh = _UNDERSTANDS[language]
            return AsrError(f"it does not understand {en}", zh=f"听不懂{zh}", retryable=False)
        if name == BROWSER and not browser:
            return AsrError(
                "this browser has no speech recognition of its own, or the page is not open",
                zh="此浏览器没有自带的语音识别，或页面未打开",
            )
        breaker = member.breaker
        if breaker.error is not None and not breaker.due and not breaker.usable:
            return breaker.error
        if member.loaded and breaker.error is None:
            return None
        return await asyncio.shield(self._load(name, member))

    def _load(self, name: str, member: _Member) -> asyncio.Task[AsrError | None]:
        """One task for all who ask; it says why it cannot listen."""
        task = self._loading.get(name)
        if task is None:
            task = asyncio.create_task(_warm_up(member), name=f"load recogniser {name}")
            self._loading[name] = task
            task.add_done_callback(lambda _: self._loading.pop(name, None))
        return task

    def _member(self, name: str) -> _Member:
        if (member := self._members.get(name)) is None:
            settings = recognizer_settings(name, self._tables)
            # Two threads may make the same; the first one stays, and neither is loaded yet.
            member = self._members.setdefault(name, _Member(make_recognizer(name, settings)))
        return member

    async def _listed(self, name: str) -> ListedRecognizer:
        table = self._tables.get(name, {})
        model = catalogue().get(name)
        service = str(table.get("service", model.engine if model else name))
        distant = service in SERVICES and (SERVICES[service].distant or service == BROWSER)
        listed = ListedRecognizer(
            name, label(name, service), [], False, False, None, distant=distant
        )
        try:
            recognizer = (await asyncio.to_thread(self._member, name)).recognizer
        except (AsrError, ConfigError) as error:
            return replace(listed, why=told(error))
        wrong = await why_not(recognizer)
        limits = getattr(recognizer, "limits", None)
        return replace(
            listed,
            label={"en": recognizer.label_en, "zh": recognizer.label_zh},
            languages=sorted(recognizer.languages),
            streaming=recognizer.streaming,
            available=wrong is None,
            why=None if wrong is None else told(wrong),
            limits=limits,
        )


@dataclass(frozen=True, slots=True)
class _Why:
    """Why ``name`` listens and not ``wanted``, in words."""

    name: str | None
    wanted: str | None
    passed_over: Iterable[tuple[str, AsrError | ConfigError]]
    language: Language

    def words(self) -> Text:
        en = [f"{name} cannot listen now: {told(error)['en']}" for name, error in self.passed_over]
        zh = [f"{name} 目前无法使用：{told(error)['zh']}" for name, error in self.passed_over]
        if self.name != self.wanted or self.name is None:
            more = self._choice()
            en.append(more["en"])
            zh.append(more["zh"])
        return {"en": ". ".join(en), "zh": "。".join(zh)}

    def _choice(self) -> Text:
        en, zh = _UNDERSTANDS[self.language]
        if self.name is None:
            return {
                "en": f"Nothing here understands {en}: {_advice(self.language)['en']}",
                "zh": f"这里没有能听懂{zh}的语音识别：{_advice(self.language)['zh']}",
            }
        if self.name == BROWSER:
            return {
                "en": f"No speech model for {en} is pulled here, so your browser listens",
                "zh": f"服务器上没有下载{zh}语音模型，改由浏览器识别",
            }
        if self.name == LAST_RESORT:
            return {
                "en": f"The small built-in recogniser listens; for better {en}, "
                + _advice(self.language)["en"],
                "zh": f"使用内置的小型识别；要更准的{zh}识别，{_advice(self.language)['zh']}",
            }
        return {
            "en": f"{self.name} listens, on this server",
            "zh": f"由服务器上的 {self.name} 识别",
        }


def _unknown(name: str, known: list[str]) -> ConfigError:
    choices = ", ".join(known)
    return ConfigError(
        f"it is not set up here; there are {choices}", f"这里没有配置它；现有：{choices}"
    )


def _advice(language: Language) -> Text:
    """How to get a good recogniser."""
    models = [m.name for m in catalogue().values() if m.kind == "asr" and language in m.languages]
    pull_en = f"pull a model (mien models pull {models[0]}) or " if models else ""
    pull_zh = f"下载模型（mien models pull {models[0]}）或" if models else ""
    return {
        "en": f"{pull_en}set up a service under [ears] in mien.toml (docs/ears.md)",
        "zh": f"{pull_zh}在 mien.toml 的 [ears] 中配置服务（见 docs/ears.md）",
    }


def label(name: str, service: str) -> Text:
    """What people call a recogniser that could not be made."""
    kind = SERVICES.get(service)
    if kind is None:
        return {"en": name, "zh": name}
    if name == service:
        return {"en": kind.en, "zh": kind.zh}
    return {"en": f"{name} ({kind.en})", "zh": f"{name}（{kind.zh}）"}


def told(error: AsrError | ConfigError) -> Text:
    """What visitors are told; where models lie on the server is nobody's business."""
    folder = f"{store_folder()}/"
    return {"en": str(error).replace(folder, ""), "zh": error.zh.replace(folder, "")}


async def why_not(recognizer: Recognizer) -> AsrError | None:
    """Why it could not listen now; None when it could. Takes 3 s at most."""
    try:
        async with asyncio.timeout(_CHECK_SEC):
            await recognizer.check()
    except AsrError as error:
        return error
    except TimeoutError:
        why = f"no answer within {_CHECK_SEC:g} s"
        return AsrError(why, zh=f"{_CHECK_SEC:g} 秒内没有应答")
    except Exception as error:
        return _fault_of(recognizer, error)
    return None


async def _warm_up(member: _Member) -> AsrError | None:
    try:
        async with asyncio.timeout(WARM_UP_SEC):
            await member.recognizer.warm_up()
    except AsrError as error:
        failure = error
    except TimeoutError:
        why, zh = f"not loaded within {WARM_UP_SEC:g} s", f"{WARM_UP_SEC:g} 秒内未能加载"
        failure = AsrError(why, zh=zh)
    except Exception as error:
        failure = _fault_of(member.recognizer, error)
    else:
        member.loaded = True
        member.breaker.succeeded()
        return None
    member.breaker.failed(failure)
    return failure


def _fault_of(recognizer: Recognizer, error: Exception) -> AsrError:
    """What should not happen: a fault in one must not silence the others."""
    logger.opt(exception=error).error(f"recogniser {recognizer.name} is faulty")
    return AsrError(f"{type(error).__name__}: {error}")
