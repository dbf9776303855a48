"""A small voice of a user's own, served and written into a catalogue."""

from __future__ import annotations

import hashlib
import json
import random
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archives import packed_bytes
from model_server import ModelServer

RANDOM = random.Random(9)
INSIDE = {
    "tiny-voice/model.onnx": RANDOM.randbytes(600_000),
    "tiny-voice/tokens.txt": b"a 1\nb 2\n" * 20_000,
    "tiny-voice/espeak-ng-data/phontab": b"phonemes",
}
VOCODER = RANDOM.randbytes(300_000)
UNPACKED = {name.partition("/")[2]: data for name, data in INSIDE.items()}


@dataclass
class OwnVoice:
    """``tiny-voice``: an archive and a file beside it, at /voice.tar.bz2 and /vocoder.onnx."""

    server: ModelServer
    catalogue: Path

    @property
    def archive(self) -> Any:
        return self.server.ways["/voice.tar.bz2"]

    @property
    def vocoder(self) -> Any:
        return self.server.ways["/vocoder.onnx"]

    def write(self, *, checked: bool = True, licence: bool = False, more: str = "") -> None:
        """The catalogue as it fits what the server has now. checked: with sizes and SHA-256."""
        lines = [OWN_LICENCE] if licence else []
        lines += ["[models.tiny-voice]", 'kind = "tts"', 'engine = "sherpa"']
        lines += ['en = "a tiny voice"', 'zh = "微型声音"', 'languages = ["zh", "en"]']
        lines += ['licence = "strict"'] if licence else []
        lines += [f"expects = {json.dumps([*UNPACKED, 'vocoder.onnx'])}"]
        for path, way in (("/voice.tar.bz2", self.archive), ("/vocoder.onnx", self.vocoder)):
            lines += ["[[models.tiny-voice.files]]", f'name = "{path[1:]}"']
            lines += [f'sources = ["{self.server.url}{path}"]']
            lines += ["unpack = true"] if path.endswith("bz2") else []
            if checked:
                lines += [f"size = {len(way.data)}"]
                lines += [f'sha256 = "{hashlib.sha256(way.data).hexdigest()}"']
        self.catalogue.write_text("\n".join([*lines, more, ""]), encoding="utf-8")


OWN_LICENCE = """
[licences.strict]
name = "a strict licence"
en = "Only for this test. No commercial use."
zh = "仅限本测试，不得用于商业目的。"
url = "https://example.com/licence"
non_commercial = true
"""


def own_voice(server: ModelServer, folder: Path) -> OwnVoice:
    server.add("/voice.tar.bz2", data=packed_bytes(INSIDE), etag='"v1"')
    server.add("/vocoder.onnx", data=VOCODER, etag='"c1"')
    voice = OwnVoice(server, folder / "models.toml")
    voice.write()
    return voice


def mien_models(*arguments: str) -> list[str]:
    """The command line of a process of its own."""
    return [sys.executable, "-m", "mien", "models", *arguments]
