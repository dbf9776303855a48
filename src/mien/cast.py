"""Who takes part in a conversation."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field

from pipecat.processors.frame_processor import FrameProcessor

from mien.avatar.contract import Avatar
from mien.events import Message
from mien.fillers import Fillers
from mien.label.label import UNLABELLED, Label
from mien.language import Language
from mien.lipsync.contract import LipSync
from mien.media.rendition import VideoSettings
from mien.moderation.contract import Moderator
from mien.tts.alignment import ForcedAlignment
from mien.tts.lexicon import Lexicon
from mien.tts.voice import Voice


@dataclass(frozen=True, slots=True)
class Cast:
    """Everything a conversation shares with others or is given ready-made.

    brain: a new pipecat processor for this conversation, LLMContextFrame in, LLM text out; it
        brings its own system prompt and bounds the history it sends.
    about_voice: what the page is told of who speaks, by the names of the wanted and the other.
    moderator: who may object to what is about to be spoken.
    fillers: what to say while the brain has not found its first words.
    label: of a conversation that shows this avatar, see ``Label``.
    """

    avatar: Avatar
    lipsync: LipSync
    voice: Voice
    brain: FrameProcessor
    language: Language
    executor: Executor
    video: VideoSettings = field(default_factory=VideoSettings)
    alignment: ForcedAlignment | None = None
    lexicon: Lexicon | None = None
    about_voice: Callable[[str, str], Message] = lambda wanted, name: {"name": name}
    moderator: Moderator | None = None
    fillers: Fillers = field(default_factory=Fillers)
    label: Callable[[Callable[[], Avatar]], Label] = lambda avatar: UNLABELLED
