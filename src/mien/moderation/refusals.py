"""What is said in place of what may not be asked or said."""

from __future__ import annotations

from mien.language import Language

# In place of an answer to a question that is not taken.
NOT_ASKED: dict[Language, str] = {
    "zh": "这个话题我们就不聊了，换个问题吧。",
    "en": "Let's not talk about that. Ask me something else.",
}
# In place of an answer, or of the rest of one, that is not spoken.
NOT_SAID: dict[Language, str] = {
    "zh": "这个我们就不展开说了。",
    "en": "Let's leave it at that.",
}
