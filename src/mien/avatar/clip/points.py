"""Which of Face Mesh's 468 points lie where.

The numbers are those of the canonical face of Kartynnik et al. 2019
(https://arxiv.org/abs/1907.06724). "Right" is the person's, left in the picture.
"""

from __future__ import annotations

POINTS = 468

RIGHT_EYE, LEFT_EYE = (33, 133), (362, 263)  # outer and inner, inner and outer corner
NOSE_TIP = 1
# Under the nose: its base in the middle and where the nostrils' wings meet the lip.
NOSE_BASE = (2, 97, 326, 98, 327)
MOUTH_CORNERS = (61, 291)
# Around the red of the lips, from the right corner over the lower lip.
LIPS = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185)
# The face's outline from the right ear round the chin to the left ear.
# fmt: off
JAW = (234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152,
       377, 400, 378, 379, 365, 397, 288, 361, 323, 454)
# fmt: on
CHIN = 152
