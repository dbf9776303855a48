"""How long a voice rests after a clause: as its last mark asks.

The lengths are what espeak-ng leaves after these marks within a text at 150 words a minute,
measured in its sound. They agree with read speech, whose pauses fall into a brief class below and
a middle one above 0.2 s (Campione and Véronis, "A large-scale multilingual study of silent pause
duration", Speech Prosody 2002): commas are of the first, sentence ends of the second.
"""

from __future__ import annotations

PAUSE_SEC = {
    mark: seconds
    for marks, seconds in (("，、,", 0.19), ("；;：:—…", 0.29), ("。.！!？?", 0.39))
    for mark in marks
}
JOIN_SEC = 0.025
"""Where a sentence goes on in another language or voice, or in another clause without a mark.
0 clips the last sound, 50 ms is heard as a gap."""


def pause_after(text: str) -> float:
    """Seconds that the marks at the end of ``text`` ask for; 0 where there are none."""
    at = len(text)
    while at and not text[at - 1].isalnum():
        at -= 1
    return max((PAUSE_SEC.get(mark, 0.0) for mark in text[at:]), default=0.0)
