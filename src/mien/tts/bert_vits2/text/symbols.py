"""The 112 symbols, 12 tones and 3 languages that Bert-VITS2 2.x voices are trained with.

The order is the network's: the pad (which is also the blank), every phone of the three languages
sorted, then the marks. The sets are those of the corpora the phones come from: opencpop-strict
(Mandarin), OpenJTalk (Japanese) and ARPAbet in lower case (English).
"""

from __future__ import annotations

from typing import Literal

VoiceLanguage = Literal["zh", "ja", "en"]

PAD = "_"
MARKS = ("!", "?", "…", ",", ".", "'", "-")

MANDARIN = (
    "E En a ai an ang ao b c ch d e ei en eng er f g h i i0 ia ian iang iao ie in ing iong ir iu j "
    "k l m n o ong ou p q r s sh t u ua uai uan uang ui un uo v van ve vn w x y z zh AA EE OO"
).split()
JAPANESE = (
    "N a a: b by ch d dy e e: f g gy h hy i i: j k ky m my n ny o o: p py q r ry s sh t ts ty u u: "
    "w y z zy"
).split()
# "v" is a Mandarin vowel (ü), so the English consonant is "V".
ENGLISH = (
    "aa ae ah ao aw ay b ch d dh eh er ey f g hh ih iy jh k l m n ng ow oy p r s sh t th uh uw V w "
    "y z zh"
).split()

SYMBOLS = (PAD, *sorted({*MANDARIN, *JAPANESE, *ENGLISH}), *MARKS, "SP", "UNK")
ID_OF = {symbol: index for index, symbol in enumerate(SYMBOLS)}
BLANK_ID = ID_OF[PAD]

LANGUAGE_ID: dict[VoiceLanguage, int] = {"zh": 0, "ja": 1, "en": 2}
# Mandarin has tones 0 (marks) to 5 (neutral), Japanese 0 and 1, English 0 to 3.
TONE_OFFSET: dict[VoiceLanguage, int] = {"zh": 0, "ja": 6, "en": 8}
NEUTRAL = 5
