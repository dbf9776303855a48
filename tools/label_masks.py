"""Draws the words of the AI label, which machines without Chinese fonts could not.

    python tools/label_masks.py NotoSansCJK-Bold.ttc

makes src/mien/assets/label/{zh,en,both}.png: uint8 grey, how much of a pixel is text, cropped to
what is there. Made from Noto Sans CJK SC Bold (SIL Open Font License 1.1; Debian's package
fonts-noto-cjk). Needs Pillow.
"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

TEXTS = {"zh": "AI生成", "en": "AI-generated", "both": "AI生成  AI-generated"}
# 20 % of 720 lines; the largest label of larger pictures is enlarged a little.
HEIGHT = 144
SIMPLIFIED_CHINESE = 2  # of the collection's faces
FOLDER = Path(__file__).parent.parent / "src/mien/assets/label"


def drawn(text: str, font: ImageFont.FreeTypeFont) -> Image.Image:
    _, _, right, bottom = map(round, font.getbbox(text))
    picture = Image.new("L", (right + 40, bottom + 40))
    ImageDraw.Draw(picture).text((20, 20), text, 255, font)
    picture = picture.crop(picture.getbbox())
    width = round(picture.width * HEIGHT / picture.height)
    return picture.resize((width, HEIGHT), Image.Resampling.LANCZOS)


def main() -> None:
    font = ImageFont.truetype(sys.argv[1], 4 * HEIGHT, index=SIMPLIFIED_CHINESE)
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in TEXTS.items():
        drawn(text, font).save(FOLDER / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
