"""The two Wav2Lip networks as data: every convolution, in the order it is computed.

Prajwal et al., "A Lip Sync Expert Is All You Need for Speech to Lip Generation In The Wild",
ACM Multimedia 2020. An audio encoder turns 16 mel columns into 512 numbers; a face encoder halves
the picture level by level, keeping each level's features; the decoder starts from the audio and
doubles the picture again, and after every level the face features of that size are appended to
its channels (so they only meet from the second decoder level on). Two layers then mix the colours.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

Pair = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Conv:
    """One convolution, its batch norm, the addition of its input if ``residual``, and ReLU.

    name: prefix of its keys in a state dict. A block's are ``name.conv_block.0.weight`` and
        ``.bias`` (the convolution) and ``name.conv_block.1.…`` (the batch norm).
    kernel, stride, padding: (rows, columns); on the audio side rows are mel bands and columns are
        time. output_padding: both axes.
    transposed: weights are [cin, cout, rows, columns] rather than [cout, cin, rows, columns].
    plain: a convolution alone, with keys ``name.weight`` and ``name.bias``; a sigmoid follows.
    """

    name: str
    cin: int
    cout: int
    kernel: Pair
    stride: Pair
    padding: Pair
    output_padding: int = 0
    transposed: bool = False
    residual: bool = False
    plain: bool = False

    @property
    def weight_shape(self) -> tuple[int, int, int, int]:
        channels = (self.cin, self.cout) if self.transposed else (self.cout, self.cin)
        return (*channels, *self.kernel)

    @property
    def key(self) -> str:
        """Prefix of the convolution's own ``weight`` and ``bias``."""
        return self.name if self.plain else f"{self.name}.conv_block.0"

    @property
    def norm_key(self) -> str:
        """Prefix of the batch norm's ``weight``, ``bias``, ``running_mean``, ``running_var``."""
        return f"{self.name}.conv_block.1"

    def parameters(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Keys and shapes in a state dict, without the count of training steps."""
        yield f"{self.key}.weight", self.weight_shape
        yield f"{self.key}.bias", (self.cout,)
        if not self.plain:
            for part in ("weight", "bias", "running_mean", "running_var"):
                yield f"{self.norm_key}.{part}", (self.cout,)


@dataclass(frozen=True)
class Architecture:
    """A network for square faces of ``size`` pixels.

    audio: the audio encoder, [n, 1, 80, 16] to [n, 512, 1, 1].
    encoder: face encoder blocks, full resolution first; [n, 6, size, size] to [n, 512, 1, 1].
        Its input is the face with its lower half blacked out and the whole face, each in blue,
        green, red order, 0…1.
    decoder: as many blocks, the other way round: the output of block k gets the features of
        encoder block ``-1 - k`` appended before it enters block k + 1.
    output: the last two layers; their result after a sigmoid is [n, 3, size, size], same order.
    """

    name: str
    size: int
    audio: tuple[Conv, ...]
    encoder: tuple[tuple[Conv, ...], ...]
    decoder: tuple[tuple[Conv, ...], ...]
    output: tuple[Conv, ...]

    def convs(self) -> Iterator[Conv]:
        return chain(self.audio, *self.encoder, *self.decoder, self.output)

    def parameters(self) -> dict[str, tuple[int, ...]]:
        """Shape of every tensor that a checkpoint must hold, by key."""
        return dict(chain.from_iterable(conv.parameters() for conv in self.convs()))


def _conv(
    name: str, cin: int, cout: int, kernel: int = 3, stride: Pair = (1, 1), padding: int = 1
) -> Conv:
    return Conv(name, cin, cout, (kernel, kernel), stride, (padding, padding))


def _residual(name: str, channels: int) -> Conv:
    return Conv(name, channels, channels, (3, 3), (1, 1), (1, 1), residual=True)


def _residuals(block: str, channels: int, count: int) -> tuple[Conv, ...]:
    return tuple(_residual(f"{block}.{i}", channels) for i in range(1, 1 + count))


def _audio() -> tuple[Conv, ...]:
    """80 x 16 → 27 x 16 → 9 x 6 → 3 x 3 → 1 x 1; the same in both networks."""
    at = "audio_encoder"
    return (
        _conv(f"{at}.0", 1, 32),
        _residual(f"{at}.1", 32),
        _residual(f"{at}.2", 32),
        _conv(f"{at}.3", 32, 64, stride=(3, 1)),
        _residual(f"{at}.4", 64),
        _residual(f"{at}.5", 64),
        _conv(f"{at}.6", 64, 128, stride=(3, 3)),
        _residual(f"{at}.7", 128),
        _residual(f"{at}.8", 128),
        _conv(f"{at}.9", 128, 256, stride=(3, 2)),
        _residual(f"{at}.10", 256),
        _conv(f"{at}.11", 256, 512, padding=0),
        _conv(f"{at}.12", 512, 512, kernel=1, padding=0),
    )


def _encoder(halvings: tuple[tuple[int, int], ...], last: int) -> tuple[tuple[Conv, ...], ...]:
    """``halvings``: (channels, residual layers) per level; ``last``: side of the final picture."""
    at = "face_encoder_blocks"
    blocks: list[tuple[Conv, ...]] = [(_conv(f"{at}.0.0", 6, 16, kernel=7, padding=3),)]
    cin = 16
    for channels, residuals in halvings:
        block = f"{at}.{len(blocks)}"
        first = _conv(f"{block}.0", cin, channels, stride=(2, 2))
        blocks.append((first, *_residuals(block, channels, residuals)))
        cin = channels
    block = f"{at}.{len(blocks)}"
    blocks.append(
        (
            _conv(f"{block}.0", cin, 512, kernel=last, padding=0),
            _conv(f"{block}.1", 512, 512, kernel=1, padding=0),
        )
    )
    return tuple(blocks)


def _decoder(levels: tuple[tuple[int, int, int], ...], first: int) -> tuple[tuple[Conv, ...], ...]:
    """``levels``: (channels in, channels out, residual layers); ``first``: side of the first."""
    at = "face_decoder_blocks"
    blocks: list[tuple[Conv, ...]] = [(_conv(f"{at}.0.0", 512, 512, kernel=1, padding=0),)]
    for cin, cout, residuals in levels:
        block = f"{at}.{len(blocks)}"
        if len(blocks) == 1:
            up = Conv(f"{block}.0", cin, cout, (first, first), (1, 1), (0, 0), transposed=True)
        else:
            up = Conv(f"{block}.0", cin, cout, (3, 3), (2, 2), (1, 1), 1, transposed=True)
        blocks.append((up, *_residuals(block, cout, residuals)))
    return tuple(blocks)


_OUTPUT = (
    _conv("output_block.0", 80, 32),
    Conv("output_block.1", 32, 3, (1, 1), (1, 1), (0, 0), plain=True),
)

WAV2LIP = Architecture(
    name="wav2lip",
    size=96,
    audio=_audio(),
    encoder=_encoder(((32, 2), (64, 3), (128, 2), (256, 2), (512, 1)), last=3),
    decoder=_decoder(
        (
            (1024, 512, 1),
            (1024, 512, 2),
            (768, 384, 2),
            (512, 256, 2),
            (320, 128, 2),
            (160, 64, 2),
        ),
        first=3,
    ),
    output=_OUTPUT,
)
"""The network of the paper."""

WAV2LIP_256 = Architecture(
    name="wav2lip256",
    size=256,
    audio=_audio(),
    encoder=_encoder(((32, 2), (64, 3), (128, 2), (256, 2), (512, 1), (512, 1)), last=4),
    decoder=_decoder(
        (
            (1024, 512, 1),
            (1024, 512, 1),
            (1024, 512, 2),
            (768, 384, 2),
            (512, 256, 2),
            (320, 128, 2),
            (160, 64, 2),
        ),
        first=4,
    ),
    output=_OUTPUT,
)
"""One level deeper, for larger faces: what LiveTalking's ``wav2lip256`` weights were trained in."""

ARCHITECTURES = {architecture.name: architecture for architecture in (WAV2LIP, WAV2LIP_256)}
