"""What each gesture of ``mien.gestures.GESTURES`` looks like, as curves over time.

Smiles that are felt come slowly and go more slowly, and last up to four seconds (Frank et al. 1993,
J Pers Soc Psychol 64(1)); surprise is the quickest expression of all. Channels are fields of
``Pose``; beside them ``calm`` (0 … 1) takes the usual smile away, and ``lids`` closes the eyes a
little, as cheeks do that are pushed up.
"""

from __future__ import annotations

from mien.avatar.ease import Curve, Stroke, Strokes

# A newer gesture takes its channels from an older one over this time.
TAKE_OVER_SEC = 0.3
MIRRORED = ("yaw", "roll", "gaze_x")


def _curve(*keys: tuple[float, float]) -> Curve:
    return Curve(keys)


def _held(size: float, on: float, until: float, off: float) -> Curve:
    return Curve(((on, size), (until, size), (until + off, 0.0)))


STROKES: dict[str, Stroke] = {
    "smile": {
        "smile": _held(1.0, 0.45, 2.4, 1.1),
        "brow": _held(0.12, 0.4, 1.6, 0.9),
        "lids": _held(0.1, 0.45, 2.2, 1.0),
        "roll": _held(1.4, 0.6, 1.9, 1.1),
    },
    "laugh": {
        "smile": _held(1.7, 0.32, 2.2, 1.3),
        "brow": _held(0.25, 0.3, 1.5, 0.9),
        "lids": _held(0.22, 0.35, 1.8, 0.9),
        # Back, then shaken by the breath, three times and less each time.
        "pitch": _curve((0.3, 2.6), (0.52, 1.3), (0.74, 2.2), (0.96, 1.0), (1.18, 1.6), (2.1, 0.0)),
        "sway_y": _curve(
            (0.3, -1.4), (0.52, 1.0), (0.74, -1.0), (0.96, 0.7), (1.18, -0.5), (1.8, 0.0)
        ),
    },
    "nod": {
        "pitch": _curve((0.12, 0.4), (0.4, -4.4), (0.68, -0.3), (0.94, -2.8), (1.4, 0.0)),
        "sway_y": _curve((0.4, 0.9), (0.64, 0.1), (0.9, 0.5), (1.4, 0.0)),
    },
    "shake": {
        "yaw": _curve((0.28, 4.2), (0.66, -4.2), (1.02, 3.0), (1.34, -1.4), (1.8, 0.0)),
        "roll": _curve((0.3, 0.5), (0.66, -0.5), (1.1, 0.3), (1.6, 0.0)),
        "brow": _held(-0.18, 0.35, 1.2, 0.6),
    },
    "think": {
        "gaze_x": _curve((0.18, 0.9), (1.7, 0.95), (1.9, 0.0)),
        "gaze_y": _curve((0.18, 1.2), (1.7, 1.25), (1.9, 0.0)),
        "yaw": _held(2.6, 0.7, 1.6, 0.7),
        "roll": _held(-2.0, 0.8, 1.7, 0.8),
        "pitch": _held(0.9, 0.7, 1.6, 0.7),
        "brow": _held(-0.28, 0.5, 1.6, 0.7),
        "calm": _held(0.8, 0.4, 1.7, 0.7),
    },
    "surprised": {
        "brow": _held(1.5, 0.2, 0.9, 0.9),
        "pitch": _held(2.2, 0.26, 0.8, 0.9),
        "sway_y": _held(-1.2, 0.26, 0.8, 0.9),
        "calm": _held(0.7, 0.2, 0.9, 0.8),
    },
    "sad": {
        "calm": _held(1.0, 0.6, 2.6, 1.2),
        "pitch": _held(-2.8, 0.9, 2.3, 1.4),
        "roll": _held(1.6, 1.0, 2.3, 1.4),
        "gaze_y": _curve((0.3, -0.9), (1.5, -0.9), (1.7, 0.0)),
        "brow": _held(0.3, 0.7, 2.4, 1.2),
        "lids": _held(0.15, 0.7, 2.4, 1.0),
    },
    "serious": {
        "calm": _held(1.0, 0.4, 2.8, 1.0),
        "brow": _held(-0.6, 0.4, 2.6, 1.0),
        "pitch": _held(-1.3, 0.6, 2.4, 1.0),
    },
}


class Gestures:
    """The gestures under way.

    side: 1.0 or -1.0, which way this person turns and tilts first.
    """

    def __init__(self, side: float) -> None:
        self._strokes = Strokes(TAKE_OVER_SEC)
        self._side = side

    def begin(self, name: str) -> None:
        """Let it start with the next step; a name that has no curves does nothing."""
        stroke = STROKES.get(name, {})
        self._strokes.begin(
            {
                channel: curve.scaled(self._side) if channel in MIRRORED else curve
                for channel, curve in stroke.items()
            }
        )

    def step(self) -> dict[str, float]:
        """The channels that are moved, one tick later."""
        return self._strokes.step()
