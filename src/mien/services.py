"""What all conversations share, made once from the settings: voice, face, mouth, threads."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import cv2
from aiortc import RTCIceServer
from pipecat.processors.aggregators.llm_context import LLMContext

from mien.avatar.background import Background
from mien.avatar.clip.avatar import ClipAvatar, ClipStyle
from mien.avatar.contract import Avatar
from mien.avatar.errors import AvatarError
from mien.avatar.library import load_avatar, natural_size, pictures_bytes
from mien.cast import Cast
from mien.config import LipSyncSection, Settings
from mien.fillers import fillers_of
from mien.hearing import Hearing
from mien.label.label import check_producer, label_of
from mien.language import Language
from mien.lipsync.contract import LipSync
from mien.llm import BrainInfo, LLMSettings, Persona, brain_info, create_brain
from mien.llm.role import Role
from mien.media.rendition import VideoSettings
from mien.media.turn import Turn
from mien.media.webrtc import WebRtcSettings
from mien.memory.digester import Summarise
from mien.mind import Mind, open_mind
from mien.moderation.contract import Moderator
from mien.moderation.several import make_moderator
from mien.mouths import PLACES, Mouths
from mien.personas import Personas, voice_names
from mien.tts.alignment import ForcedAlignment
from mien.tts.fallback import FallbackVoice
from mien.tts.lexicon import Lexicon, load_lexicon
from mien.voice_pool import VoicePool

# Drawing and encoding release the GIL; more threads than cores would only take turns.
THREADS = max(2, min(8, os.cpu_count() or 2))

# Avatars made by code, each with the mouth it needs; any other name is a folder's.
AVATARS: dict[str, Callable[[], tuple[Avatar, LipSync]]] = {}
Player = tuple[Avatar, LipSync]
# A clip is shown in its own size up to this: twice the pixels cost twice the encoding.
LARGEST_SIDE = 1280
# Of what takes long the first time a clip is shown: the share 0…1, and what is being made.
OnProgress = Callable[[float, str], None]


@dataclass(frozen=True, slots=True)
class Services:
    """Shared by every session; immutable, thread-safe parts.

    persona: the configured one. warming: is done when what is loaded lazily is loaded. hearing:
    what listens to microphones. moderator: who may object to what is asked and answered.
    """

    settings: Settings
    avatar: Avatar
    lipsync: LipSync
    mouths: Mouths
    voices: VoicePool
    alignment: ForcedAlignment
    lexicon: Lexicon
    persona: Persona
    mind: Mind
    brain: BrainInfo
    executor: ThreadPoolExecutor
    warming: asyncio.Task[None]
    hearing: Hearing
    moderator: Moderator | None = None

    def player(self, avatar: str, background: Background) -> Player:
        """An avatar of this server's picture size and its mouth.

        A new one takes 0.2 to 1 s to load, a clip's first time longer: not for the event loop.

        Raises:
            AvatarError, BackgroundError, MouthError, ModelError: each says what is wrong.
        """
        return make_player(avatar, self.avatar.size, background, self.mouths)

    def cast(
        self,
        language: Language,
        persona: Persona | None = None,
        player: Player | None = None,
        voice: FallbackVoice | None = None,
    ) -> Cast:
        """Who takes part in one new conversation; given ones in place of those configured."""
        persona = persona or self.persona
        avatar, lipsync = player or (self.avatar, self.lipsync)
        return Cast(
            avatar=avatar,
            lipsync=lipsync,
            voice=voice or self.voice,
            about_voice=self.voices.about,
            alignment=self.alignment,
            lexicon=self.lexicon,
            brain=create_brain(
                self.settings.llm.name,
                llm_settings(self.settings, language),
                role=self.mind.role(persona, language),
            ),
            language=language,
            executor=self.executor,
            video=video_settings(self.settings),
            moderator=self.moderator,
            label=partial(label_of, self.settings.label, language),
            fillers=fillers_of(self.settings.llm, persona, language),
        )

    @property
    def voice(self) -> FallbackVoice:
        """The configured one."""
        return self.voices.default

    @property
    def webrtc(self) -> WebRtcSettings:
        """With passwords for the TURN server that are made now, so ask for each connection."""
        section = self.settings.webrtc
        servers = [
            RTCIceServer(server.urls, server.username, server.credential)
            for server in section.ice_servers
        ]
        turn = section.turn
        if turn.urls and turn.secret:
            # First: of several TURN servers aiortc takes one.
            servers.insert(0, Turn(turn.urls, turn.secret, turn.ttl_sec).ice_server())
        return WebRtcSettings(tuple(servers), section.port_range, section.public_address)


def llm_settings(settings: Settings, language: Language) -> LLMSettings:
    section = settings.llm
    given = section.model_dump(exclude={"name", "filler_sec"}, exclude_none=True)
    return LLMSettings(
        language=language,
        tool_rounds=settings.tools.rounds,
        passages=settings.knowledge.passages,
        passage_tokens=settings.knowledge.tokens,
        **given,
    )


def video_settings(settings: Settings) -> VideoSettings:
    section = settings.video
    return VideoSettings(
        section.bitrate,
        section.quality,
        section.keyframe_sec,
        section.preset,
        encoder=section.encoder,
    )


def picture_size(settings: Settings) -> tuple[int, int]:
    """Width, height in pixels: as set; else as the avatar is filmed, else the usual square.

    Raises AvatarError when there is no such avatar.
    """
    video = settings.video
    natural = None if settings.avatar in AVATARS else natural_size(settings.avatar)
    if natural is None or {"width", "height"} & video.model_fields_set:
        return video.width, video.height
    scale = min(1.0, LARGEST_SIDE / max(natural))
    return round(natural[0] * scale / 2) * 2, round(natural[1] * scale / 2) * 2


def needs_weights(settings: Settings) -> bool:
    """Whether the configured avatar is a clip."""
    try:
        return settings.avatar not in AVATARS and natural_size(settings.avatar) is not None
    except AvatarError:
        return False


def make_player(
    name: str,
    size: tuple[int, int],
    background: Background,
    mouths: Mouths,
    on_progress: OnProgress | None = None,
) -> Player:
    """An avatar and its mouth. Raises AvatarError naming the avatars there are, MouthError."""
    if name in AVATARS:
        return AVATARS[name]()
    tell = on_progress or (lambda share, what: None)
    place = PLACES[mouths.section.cache]
    pictures = f"the pictures, once: {pictures_bytes(name, size) / 1e6:.0f} MB {place}"
    avatar = load_avatar(
        name,
        size,
        background,
        clip_style(mouths.section),
        lambda share: tell(share / 3, pictures),
    )
    lipsync = mouths.of(avatar, lambda share, what: tell((1 + 2 * share) / 3, what))
    if isinstance(avatar, ClipAvatar):
        return avatar.matched_to(lipsync), lipsync
    return avatar, lipsync


def clip_style(section: LipSyncSection) -> ClipStyle:
    """How clips are shown, by the settings."""
    return ClipStyle(section.cache, section.paste, section.sharpen, section.enhancer)


@asynccontextmanager
async def open_services(
    settings: Settings, on_progress: OnProgress | None = None
) -> AsyncIterator[Services]:
    """Make everything shared and end it on leaving.

    on_progress: called from another thread while a clip is prepared, once.

    Raises:
        ConfigError, AvatarError, BackgroundError, PersonaError, LLMConfigurationError,
            LexiconError, MouthError, ModelError, WordListError: each says what to change.
    """
    # Our own threads draw for several sessions at once; OpenCV's would fight over the cores.
    cv2.setNumThreads(1)
    personas = Personas(configured=settings.persona)
    persona = personas.load(settings.persona)
    settings = as_played(settings, persona, personas.voices())
    brain = brain_info(settings.llm.name, llm_settings(settings, persona.language))
    background = Background.parse(settings.background, settings.background_blur)
    mouths = Mouths(settings.lipsync)
    lexicon = load_lexicon(settings.lexicon)
    moderator = make_moderator(settings)
    check_producer(settings.label)
    alignment = ForcedAlignment()
    voices = VoicePool(settings.voice, settings.voices, alignment)
    hearing = Hearing.of(settings.ears, persona.names)
    executor = ThreadPoolExecutor(THREADS, "mien")
    async with AsyncExitStack() as owned:
        owned.callback(executor.shutdown, wait=False, cancel_futures=True)
        owned.push_async_callback(asyncio.to_thread, mouths.close)
        owned.push_async_callback(voices.aclose)
        owned.push_async_callback(hearing.aclose)
        if moderator is not None:
            owned.push_async_callback(moderator.aclose)
        summarise = _summariser(settings, persona, owned)
        mind = await owned.enter_async_context(open_mind(settings, personas, summarise))
        size = picture_size(settings)
        avatar, lipsync = await asyncio.to_thread(
            make_player, settings.avatar, size, background, mouths, on_progress
        )
        services = Services(
            settings=settings,
            avatar=avatar,
            lipsync=lipsync,
            mouths=mouths,
            voices=voices,
            alignment=alignment,
            lexicon=lexicon,
            persona=persona,
            mind=mind,
            brain=brain,
            executor=executor,
            warming=asyncio.create_task(
                _warm_up(voices, hearing, settings.language or persona.language), name="warm-up"
            ),
            hearing=hearing,
            moderator=moderator,
        )
        try:
            services.cast(persona.language)  # a missing key should be told now, not to a visitor
            yield services
        finally:
            services.warming.cancel()
            await asyncio.gather(services.warming, return_exceptions=True)


def as_played(
    settings: Settings, persona: Persona, voices: Mapping[str, Mapping[str, Any]]
) -> Settings:
    """The settings with what the persona brings, where they do not say themselves.

    voices: tables of all personas' own voices.
    """
    brought: dict[str, Any] = {
        "avatar": persona.avatar,
        "background": persona.background,
        "voice": list(voice_names(persona, settings)),
    }
    said = settings.model_fields_set
    new = {name: dict(table) for name, table in voices.items() if name not in settings.voices}
    played = {key: value for key, value in brought.items() if value and key not in said}
    return settings.model_copy(update={**played, "voices": {**settings.voices, **new}})


def _summariser(settings: Settings, persona: Persona, owned: AsyncExitStack) -> Summarise | None:
    """A brain of its own, so that a conversation's is never busy with it; None without a model."""
    if settings.llm.name is None:
        return None
    language = settings.language or persona.language
    role = Role(persona, language)
    brain = create_brain(settings.llm.name, llm_settings(settings, language), role=role)
    owned.push_async_callback(brain.cleanup)

    async def summarise(prompt: str) -> str | None:
        return await brain.run_inference(
            LLMContext([{"role": "user", "content": prompt}]),
            max_tokens=2000,  # cut short, it would be no JSON
            system_instruction="Answer with JSON alone.",
        )

    return summarise


async def _warm_up(voices: VoicePool, hearing: Hearing, language: Language) -> None:
    """What is wanted first comes first."""
    await voices.warm_up()
    await hearing.warm_up(language)
