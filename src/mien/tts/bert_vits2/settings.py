"""What can be set of a Bert-VITS2 voice, and where what it needs lies."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from mien.language import Language
from mien.tts.settings import VoiceSettings


class BertVits2Settings(VoiceSettings):
    """A ``[voices.NAME]`` table with ``service = "bert-vits2"``.

    model: a pulled model's name, or the path of a voice: a folder with config.json and G_*.pth or
        .safetensors, or one of those files with a config.json beside it.
    speaker: its name or number in the model; None = the first.
    emotion: for models that take one, a .npy file with a vector (2.1: float[1024]; 2.2 and Chinese
        Extra: CLAP's float[512]), for 2.1 also a code's number, 0…9; None = neutral.
    noise: variety of the sound; noise_w: of the lengths; sdp_ratio: how much of the lengths comes
        from the livelier, stochastic predictor. seed: of both; None = never twice the same.
    bert: instead of the pulled BERTs other folders, by language ("zh", "en"). "off", of one
        language or of all: read without, flatter, but without gigabytes.
    backend, precision, device: "auto" takes the fastest one of this machine. threads: of a CPU, 0 =
        all.
    """

    service: str = "bert-vits2"
    model: str | None = None
    speaker: int | str | None = None
    emotion: Annotated[int, Field(ge=0)] | Path | None = None
    noise: float = Field(default=0.6, ge=0, le=2)
    noise_w: float = Field(default=0.8, ge=0, le=2)
    sdp_ratio: float = Field(default=0.2, ge=0, le=1)
    seed: Annotated[int, Field(ge=0)] | None = None
    bert: dict[Language, Literal["off"] | Path] | Literal["off"] = Field(default_factory=dict)
    backend: Literal["auto", "torch", "onnxruntime", "openvino"] = "auto"
    precision: Literal["auto", "fp32", "fp16"] = "auto"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: int = Field(default=0, ge=0, le=256)
