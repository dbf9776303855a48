"""From text to a streamed answer: language models, and the script that stands in for one."""

from mien.language import Language, detect_language
from mien.llm.brain import BRAIN_NAMES, Brain, brain_info, create_brain
from mien.llm.failure import FailureCode, LLMFailure, LLMFailureFrame
from mien.llm.faq import FAQ, FAQError, load_faq
from mien.llm.history import HistoryLimits, trim_context
from mien.llm.info import BrainInfo
from mien.llm.openai_compatible import OpenAICompatibleLLMService
from mien.llm.persona import Persona, PersonaError, load_persona
from mien.llm.presets import PRESETS, LLMConfigurationError, LLMSettings, Preset
from mien.llm.scripted import ScriptedLLMService

__all__ = [
    "BRAIN_NAMES",
    "FAQ",
    "PRESETS",
    "Brain",
    "BrainInfo",
    "FAQError",
    "FailureCode",
    "HistoryLimits",
    "LLMConfigurationError",
    "LLMFailure",
    "LLMFailureFrame",
    "LLMSettings",
    "Language",
    "OpenAICompatibleLLMService",
    "Persona",
    "PersonaError",
    "Preset",
    "ScriptedLLMService",
    "brain_info",
    "create_brain",
    "detect_language",
    "load_faq",
    "load_persona",
    "trim_context",
]
