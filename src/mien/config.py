"""Settings, read once at the start: command line over environment over file over defaults."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from mien.language import Language
from mien.mind_settings import (
    KnowledgeSection,
    LabelSection,
    MemorySection,
    SafetySection,
    SearchSection,
    ToolsSection,
)
from mien.section import Section, split

CONFIG_FILE = "mien.toml"


class ConfigError(ValueError):
    """The configuration is wrong; the message names each field and what it expects.

    zh: the same in Chinese.
    """

    def __init__(self, message: str, zh: str | None = None) -> None:
        super().__init__(message)
        self.zh = zh or message


class LlmSection(Section):
    """Which brain answers. ``name`` None: the scripted one, which needs no key.

    filler_sec: how long it may look for its first words before the presenter says one of the
    persona's fillers; 0 for never.
    """

    name: str | None = None
    model: str | None = None
    base_url: str | None = None
    api_key: str | None = Field(default=None, repr=False)
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, gt=0, le=1)
    max_tokens: int | None = Field(default=None, ge=1)
    thinking: bool | None = None
    extra_body: dict[str, Any] | None = None
    first_token_timeout_secs: float | None = Field(default=None, gt=0)
    idle_timeout_secs: float | None = Field(default=None, gt=0)
    filler_sec: float = Field(default=1.5, ge=0, le=30)
    history_turns: int | None = Field(default=None, ge=1)
    history_chars: int | None = Field(default=None, ge=100)


class VideoSection(Section):
    """The picture, as it is drawn and encoded. Rates in bits per second, sizes in pixels.

    encoder: "auto" takes the graphics card's if it has one that works, else libx264.
    """

    width: int = Field(default=640, ge=64, le=1920, multiple_of=2)
    height: int = Field(default=640, ge=64, le=1920, multiple_of=2)
    bitrate: int = Field(default=1_500_000, ge=100_000, le=20_000_000)
    quality: int = Field(default=21, ge=1, le=45)
    keyframe_sec: float = Field(default=2.0, ge=0.2, le=10)
    preset: Literal["ultrafast", "superfast", "veryfast", "faster", "fast", "medium"] = "ultrafast"
    encoder: Literal[
        "auto", "libx264", "h264_nvenc", "h264_videotoolbox", "h264_qsv", "h264_amf"
    ] = "auto"


class LipSyncSection(Section):
    """How avatars made from a clip move their lips; rendered presenters need none of it.

    weights: a pulled model's name, the path of a checkpoint, or "auto": the best that is there.
    backend, precision, device: "auto" takes the fastest good one of this machine. threads: of a
    CPU, 0 = all. cache: where what does not depend on sound is kept. decode: "mouth" paints what
    the paste shows, "lower" half the face, "full" all of it, as published. paste: "published" is
    the hard rectangle of the original code, to compare with. sharpen: 0…1. enhancer: an ONNX face
    restorer's path.
    """

    weights: str = "auto"
    backend: Literal["auto", "torch", "onnxruntime", "openvino"] = "auto"
    precision: Literal["auto", "fp32", "bf16", "fp16", "int8"] = "auto"
    device: Literal["auto", "cpu", "cuda", "tensorrt"] = "auto"
    threads: int = Field(default=0, ge=0, le=256)
    cache: Literal["none", "ram", "disk"] = "disk"
    decode: Literal["mouth", "lower", "full"] = "mouth"
    paste: Literal["soft", "published"] = "soft"
    sharpen: float = Field(default=0.3, ge=0, le=1)
    enhancer: Path | None = None


class IceServer(Section):
    """A STUN or TURN server, as browsers take it."""

    urls: list[str]
    username: str | None = None
    credential: str | None = Field(default=None, repr=False)


class TurnSection(Section):
    """A TURN server that shares a secret with us (coturn: ``use-auth-secret``).

    Visitors get passwords made from it that last ``ttl_sec``. urls: of one server, best first.
    """

    urls: list[Annotated[str, Field(pattern=r"^turns?:[^/]+$")]] = []
    secret: str | None = Field(default=None, min_length=8, repr=False)
    ttl_sec: int = Field(default=3600, ge=600, le=86_400)


class WebRtcSection(Section):
    """How browsers reach the server. ``port_range``: UDP ports, inclusive."""

    ice_servers: list[IceServer] = []
    turn: TurnSection = TurnSection()
    port_range: tuple[int, int] | None = None
    public_address: str | None = None

    @field_validator("port_range")
    @classmethod
    def _ordered(cls, value: tuple[int, int] | None) -> tuple[int, int] | None:
        if value is not None and not 1024 <= value[0] <= value[1] <= 65535:
            raise ValueError("port_range must be two UDP ports, first ≤ last, 1024…65535")
        return value


class SessionsSection(Section):
    """max: at once. idle_sec: a session nobody watches, follows or uses is freed after this."""

    max: int = Field(default=8, ge=1)
    idle_sec: float = Field(default=10, ge=1)


class OutputSection(Section):
    """Where the live session goes, from the server's start on (docs/on-air.md).

    url: an address as the API takes it. key, token: better in the environment, in the variable
    that key_env or token_env names. profile: size and rate; None = as the picture is drawn.
    """

    url: str = Field(min_length=1, repr=False)
    key: str | None = Field(default=None, min_length=1, repr=False)
    key_env: str | None = None
    token: str | None = Field(default=None, min_length=1, repr=False)
    token_env: str | None = None
    profile: str | None = None

    @model_validator(mode="after")
    def _said_once(self) -> Self:
        if (self.key and self.key_env) or (self.token and self.token_env):
            raise ValueError("give the secret itself or the variable that holds it, not both")
        return self


class RecordingsSection(Section):
    """folder: where recordings are kept; None for one among the user's data."""

    folder: Path | None = None


class LiveSection(Section):
    """The live host (docs/live-host.md): what it says, and how it treats its audience.

    script: its running order. interrupt_for: the priority (0…10) from which a message interrupts
    an item, 11 = never; interrupt: where. resume: what of the item follows. answers_between: how
    many messages are answered before the running order goes on. queue, max_age_sec, max_chars: of
    messages that wait. per_author, per_minute: messages taken in a minute. repeat_sec: how long
    nobody is answered the same again. blocked_words: files, one word per line. chat: whose chat is
    read, "twitch:CHANNEL" or "youtube:VIDEO".
    """

    script: Path | None = None
    interrupt_for: int = Field(default=8, ge=0, le=11)
    interrupt: Literal["sentence", "now"] = "sentence"
    resume: Literal["rest", "repeat", "skip"] = "rest"
    answers_between: int = Field(default=3, ge=1, le=100)
    queue: int = Field(default=50, ge=1, le=1000)
    max_age_sec: float = Field(default=180, ge=1, le=86_400)
    max_chars: int = Field(default=200, ge=10, le=2000)
    per_author: float = Field(default=4, gt=0, le=1000)
    per_minute: float = Field(default=30, gt=0, le=10_000)
    repeat_sec: float = Field(default=60, ge=0, le=86_400)
    blocked_words: list[Path] = []
    chat: list[str] = []


class EarsSection(Section):
    """How visitors are listened to (docs/ears.md).

    asr: who turns speech into text, "auto" or a name. recognizers: a table for each that is set
    up, see ``mien.recognizers``. mode: how a visitor begins. wake_words: what wakes the presenter
    in that mode; none = the persona's names. awake_sec: how long it stays awake after an answer.
    barge_in: whether it can be talked over. confirm_sec: of speech that make an interruption.
    patience: how long pauses may be before a turn is over, 1 = as usual; 2 for people who speak
    slowly. speculate: whether an answer is begun before that is known. echo: whether its own voice
    is taken out of what the microphone hears.
    """

    asr: str = "auto"
    recognizers: dict[str, dict[str, Any]] = Field(default={}, repr=False)
    mode: Literal["hands_free", "push_to_talk", "wake_word"] = "hands_free"
    wake_words: list[Annotated[str, Field(min_length=2, max_length=40)]] = []
    awake_sec: float = Field(default=8, ge=1, le=120)
    barge_in: bool = True
    confirm_sec: float = Field(default=0.3, ge=0.1, le=2)
    patience: float = Field(default=1, ge=0.5, le=4)
    speculate: bool = True
    echo: bool = True


Voices = Annotated[str | Annotated[list[str], Field(min_length=1)], BeforeValidator(split)]


class Settings(BaseSettings):
    """Everything that can be configured; ``MIEN_LLM__NAME=glm`` sets ``llm.name``.

    voice: who speaks; of several, the first that can. voices: a table for each voice that is set
    up, see ``mien.voices``. lexicon: files that say how words are read.
    """

    model_config = SettingsConfigDict(
        env_prefix="MIEN_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    token: str | None = Field(default=None, min_length=8, repr=False)
    language: Language | None = None
    avatar: str = "mei"
    background: str = "soft"
    background_blur: float = Field(default=0.0, ge=0, le=1)
    voice: Voices = "espeak"
    voices: dict[str, dict[str, Any]] = Field(default={}, repr=False)
    lexicon: list[Path] = []
    persona: str = "mei"
    faq: list[Path] = []
    greet: bool = True
    llm: LlmSection = LlmSection()
    video: VideoSection = VideoSection()
    lipsync: LipSyncSection = LipSyncSection()
    webrtc: WebRtcSection = WebRtcSection()
    sessions: SessionsSection = SessionsSection()
    outputs: list[OutputSection] = Field(default=[], repr=False)
    recordings: RecordingsSection = RecordingsSection()
    live: LiveSection = LiveSection()
    ears: EarsSection = EarsSection()
    search: SearchSection = SearchSection()
    tools: ToolsSection = ToolsSection()
    knowledge: KnowledgeSection = KnowledgeSection()
    memory: MemorySection = MemorySection()
    safety: SafetySection = SafetySection()
    label: LabelSection = LabelSection()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings, env_settings)


def load_settings(config: Path | None = None, **given: Any) -> Settings:
    """Read ``config`` (or ./mien.toml if there is one), the environment, and ``given`` on top.

    ``given`` holds what the command line says; nested fields as dictionaries, None = not said.

    Raises:
        ConfigError: naming each wrong field.
    """
    path = config or (Path(CONFIG_FILE) if Path(CONFIG_FILE).is_file() else None)
    from_file: dict[str, Any] = {}
    if path is not None:
        try:
            from_file = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ConfigError(
                f"cannot read {path}: {error}", f"无法读取 {path}：{error}"
            ) from error
    try:
        # What pydantic-settings reads from the environment must win over the file.
        environment = Settings().model_dump(exclude_unset=True)
        merged = _merge(_merge(from_file, environment), _said(given))
        settings = Settings(**merged)
    except SettingsError as error:  # a list or table in a variable is to be JSON
        raise ConfigError(f"wrong settings: {error}", f"设置有误：{error}") from None
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(map(str, e['loc'])) or 'settings'}: {e['msg']}" for e in error.errors()
        )
        raise ConfigError(f"wrong settings: {wrong}", f"设置有误：{wrong}") from error
    turn = settings.webrtc.turn
    if bool(turn.urls) != bool(turn.secret):  # only known when file and environment have met
        raise ConfigError(
            "wrong settings: webrtc.turn needs both urls and secret",
            "设置有误：webrtc.turn 需要同时填写 urls 和 secret",
        )
    return settings


def _said(given: dict[str, Any]) -> dict[str, Any]:
    return {
        key: _said(value) if isinstance(value, dict) else value
        for key, value in given.items()
        if value is not None
    }


def _merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merge(merged[key], value) if both else value
    return merged
