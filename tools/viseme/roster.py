"""Who speaks in training and who only in the evaluation.

A held-out speaker is held out of every synthesizer: slt is also a festival and an RHVoice voice.
Voices whose licence forbids derived works or trade are not used: RHVoice evgeniy-eng and lyubov,
festival's el, the MBROLA databases.
"""

from __future__ import annotations

from dataclasses import dataclass

_HELD_OUT_VARIANTS = ("f5", "klatt4")
_VARIANTS = (
    "", "m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "f1", "f2", "f3", "f4", "klatt", "klatt2",
    "klatt3", "klatt5", "klatt6", "Alex", "Alicia", "Andrea", "Andy", "Annie", "Denis", "Diogo",
    "Gene", "Henrique", "Hugo", "Lee", "Marco", "Mario", "Michael", "Mike", "Nguyen", "Reed",
    "adam", "anika", "antonio", "aunty", "belinda", "benjamin", "boris", "caleb", "david", "ed",
    "edward", "grandma", "grandpa", "iven", "john", "linda", "marcelo", "max", "miguel", "pablo",
    "paul", "pedro", "quincy", "rob", "robert", "sandro", "shelby", "steph", "travis", "victor",
    "zac",
)  # fmt: skip
assert not set(_VARIANTS) & set(_HELD_OUT_VARIANTS)

# Foreign voices read the English sentences as their own language: other phones, other orders.
_FOREIGN = ("de", "es", "it", "pt", "pl", "ro", "sv", "nl", "fi", "hu", "tr", "id", "sk", "fr-fr")


@dataclass(frozen=True)
class Part:
    """``sentences`` sentences of ``language`` text in one voice.

    maker: function of ``synthesizers``; voice and phone names as it takes them.
    mandarin: the table by which an English voice says Mandarin phones.
    """

    name: str
    maker: str
    voice: str
    sentences: int
    language: str = "en"
    names: str = ""
    mandarin: str = ""
    pitch: float = 120.0
    held_out: bool = False


def parts() -> list[Part]:
    return [*_held_out(), *_espeak(), *_real_voices(), *_untimed()]


def _espeak() -> list[Part]:
    found = []
    english = ("en-us", "en-gb", "en-gb-scotland", "en-gb-x-rp", "en-029", "en-gb-x-gbclan")
    for n, variant in enumerate(_VARIANTS):
        suffix = f"+{variant}" if variant else ""
        en = english[0] if n % 2 else english[(n // 2) % len(english)]
        found.append(Part(f"es-{en}{suffix}", "espeak", f"{en}{suffix}", 22))
        found.append(Part(f"es-cmn{suffix}", "espeak", f"cmn{suffix}", 30, "zh"))
        foreign = _FOREIGN[n % len(_FOREIGN)]
        found.append(Part(f"es-{foreign}{suffix}", "espeak", f"{foreign}{suffix}", 10))
    return found


def _real_voices() -> list[Part]:
    english = [
        Part("kal-flite", "flite", "kal16", 120, names="ARPABET"),
        Part("awb-flite", "flite", "awb", 260, names="ARPABET"),
        Part("kal-fest", "festival", "kal_diphone", 120, names="ARPABET"),
        Part("ked-fest", "festival", "ked_diphone", 240, names="ARPABET"),
        Part("rab-fest", "festival", "rab_diphone", 240, names="BRITISH"),
        Part("don-fest", "festival", "don_diphone", 200, names="BRITISH"),
    ]
    mandarin = [
        Part("kal-zh", "festival", "kal_diphone", 120, "zh", "ARPABET", "MANDARIN_IN_ARPABET", 110),
        Part("ked-zh", "festival", "ked_diphone", 160, "zh", "ARPABET", "MANDARIN_IN_ARPABET", 105),
        Part("rab-zh", "festival", "rab_diphone", 160, "zh", "BRITISH", "MANDARIN_IN_BRITISH", 120),
        Part("don-zh", "festival", "don_diphone", 120, "zh", "BRITISH", "MANDARIN_IN_BRITISH", 115),
        Part("awb-zh", "flite", "awb", 160, "zh", "ARPABET", "MANDARIN_IN_ARPABET"),
    ]
    foreign = [
        Part("lp-it", "festival", "lp_diphone", 150, names="ITALIAN"),
        Part("pc-it", "festival", "pc_diphone", 130, names="ITALIAN"),
        Part("dita-cs", "festival", "czech_dita", 150, names="CZECH"),
        Part("machac-cs", "festival", "czech_machac", 100, names="CZECH"),
        Part("ph-cs", "festival", "czech_ph", 100, names="CZECH"),
        Part("mv-fi", "festival", "hy_fi_mv_diphone", 100, names="FINNISH"),
        Part("lj-fi", "festival", "suo_fi_lj_diphone", 120, names="FINNISH"),
        Part("ona-ca", "festival", "upc_ca_ona_hts", 150, names="CATALAN"),
    ]
    return english + mandarin + foreign


def _untimed() -> list[Part]:
    return [
        Part("clb-rh", "rhvoice", "clb", 320),
        Part("bdl-rh", "rhvoice", "bdl", 240),
        Part("alan-rh", "rhvoice", "alan", 120),
        Part("pico-us", "pico", "en-US", 260),
        Part("pico-gb", "pico", "en-GB", 260),
    ]


def _held_out() -> list[Part]:
    return [
        Part("slt-en", "flite", "slt", 80, names="ARPABET", held_out=True),
        Part("rms-en", "flite", "rms", 80, names="ARPABET", held_out=True),
        Part("f5-en", "espeak", "en-us+f5", 60, held_out=True),
        Part("klatt4-en", "espeak", "en-us+klatt4", 60, held_out=True),
        Part("f5-zh", "espeak", "cmn+f5", 80, "zh", held_out=True),
        Part("klatt4-zh", "espeak", "cmn+klatt4", 80, "zh", held_out=True),
        Part("slt-zh", "flite", "slt", 60, "zh", "ARPABET", "MANDARIN_IN_ARPABET", held_out=True),
        Part("rms-zh", "flite", "rms", 60, "zh", "ARPABET", "MANDARIN_IN_ARPABET", held_out=True),
    ]
