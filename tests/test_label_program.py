"""Who is shown the badge: those with whom pictures leave this machine, and who shares with them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import av
import numpy as np
import pytest
from starlette.requests import HTTPConnection

from mien.media.file import FileWriter
from mien.media.fragments import FragmentStream
from mien.media.recorder import Mp4Recorder, WebmRecorder
from mien.media.rendition import Rendition
from mien.media.rtp_stream import rtp_stream
from mien.server.leaving import leaves
from test_recorder import until
from walls import GREY, SIZE, Screen, Wall, has_badge, labelled, walls


async def test_a_page_on_this_machine_shows_none_until_somebody_takes_it_away() -> None:
    async with walls(labelled()) as program:
        with program.subscribe("video") as here:
            screen = Screen(here)
            for _ in range(3):
                assert not has_badge(await screen.shows())
            with program.subscribe("video", leaves=True) as away:
                assert has_badge(await Screen(away).shows()), "from the first picture on"
                await screen.until(badge=True)  # what is on the air is what one sees
                with program.subscribe("video", leaves=True) as other:
                    assert has_badge(await Screen(other).shows())
                assert has_badge(await screen.shows()), "one of two still takes it away"
            await screen.until(badge=False)


async def test_never_and_always() -> None:
    async with walls(labelled(badge="never")) as program:
        with program.subscribe("video", leaves=True) as away:
            assert not has_badge(await Screen(away).shows())
    async with walls(labelled(badge="always")) as program:
        with program.subscribe("video") as here:
            assert has_badge(await Screen(here).shows())
    async with walls() as program:  # nobody said how
        with program.subscribe("video", leaves=True) as away:
            assert not has_badge(await Screen(away).shows())


@pytest.mark.parametrize("corner", ["top-left", "top-right", "bottom-left", "bottom-right"])
async def test_whatever_a_rendition_cuts_off_the_badge_is_in_its_corner(corner: str) -> None:
    tall, wide = Rendition(144, 256), Rendition(256, 144, fit="contain")
    async with walls(labelled(corner=corner, size=0.1)) as program:
        with (
            program.subscribe("video", tall, leaves=True) as cropped,
            program.subscribe("video", wide, leaves=True) as barred,
        ):
            assert has_badge(await Screen(cropped).shows(), corner)
            picture = await Screen(barred).shows()
    bar = picture[50:-50, :16].max()
    assert bar < 24 and picture[72, 128].min() > 100, "black beside the wall"
    left, top = 0 if corner.endswith("left") else 128, 0 if corner.startswith("top") else 72
    assert picture[top : top + 72, left : left + 128].max() > GREY + 50


async def test_a_cut_out_has_it_in_both_halves() -> None:
    async with walls(labelled()) as program:
        with program.subscribe("video", program.shared.as_cutout(), leaves=True) as away:
            colours, alpha = np.hsplit(await Screen(away).shows(), 2)
        with program.subscribe("video", program.shared.as_cutout()) as here:
            assert np.abs((await Screen(here).shows()).astype(int) - GREY).max() < 24
    assert has_badge(colours)
    assert alpha[:40, :100].max() > 200 and np.abs(alpha[60:].astype(int) - GREY).max() < 24


@pytest.mark.parametrize("away", [True, False])
async def test_pages_elsewhere_get_the_element_with_the_pictures(
    tmp_path: Path, away: bool
) -> None:
    messages: list[bytes] = []

    async def send(message: object) -> None:
        if isinstance(message, bytes):
            messages.append(message)

    async with walls(labelled()) as program:
        async with rtp_stream(program, "video", leaves=away) as stream:
            await until(lambda: stream.count > 3, "packets")
            sent = [stream.sent(number) for number in range(stream.count)]
            data = b"".join(one.payload for one in sent if one)
            assert (b'{"AIGC":{"Label":"1"' in data) is away
        reader = asyncio.create_task(FragmentStream(send, leaves=away).run(program))
        await until(lambda: len(messages) > 1, "an init segment and a fragment")
        reader.cancel()
        await asyncio.wait([reader])
    assert (b'"Label":"1"' in messages[0]) is away
    (tmp_path / "joined.mp4").write_bytes(b"".join(messages))
    with av.open(str(tmp_path / "joined.mp4")) as container:
        first = next(container.decode(video=0))
    assert has_badge(first.to_ndarray(format="rgb24")) is away


async def test_recordings_have_it_from_their_first_picture_on(tmp_path: Path) -> None:
    recorders = [Mp4Recorder(tmp_path / "a.mp4"), WebmRecorder(tmp_path / "a.webm")]
    async with walls(labelled(corner="bottom-right")) as program:
        with program.subscribe("video") as here:
            assert not has_badge(await Screen(here).shows())
            tasks = [asyncio.create_task(r.run(program, lambda: None)) for r in recorders]
            await until(lambda: all(r.seconds >= 0.4 for r in recorders), "recordings")
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    for recorder in recorders:
        with av.open(str(recorder.path)) as container:
            shown = [f.to_ndarray(format="rgb24") for f in container.decode(video=0)]
        assert len(shown) >= 10
        assert all(has_badge(picture, "bottom-right") for picture in shown)


@pytest.mark.parametrize("transparent", [False, True])
def test_a_file_written_without_a_clock_has_it(tmp_path: Path, transparent: bool) -> None:
    path = tmp_path / "out.webm"
    wall = Wall(SIZE)
    wall.cut_out = transparent
    with FileWriter(path, SIZE, transparent, labelled()) as writer:
        for index in range(3):
            tick = wall.tick(index)
            assert tick.cutout is None or transparent
            image = tick.cutout if tick.cutout is not None else tick.image
            writer.write(type(tick)(index, image, tick.audio, 0))
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            assert has_badge(np.asarray(frame.to_ndarray(format="rgb24")))


@pytest.mark.parametrize(
    ("peer", "headers", "expected"),
    [
        ("127.0.0.1", {"host": "127.0.0.1:8000"}, False),
        ("127.0.0.1", {"host": "localhost:8000"}, False),
        ("::1", {"host": "[::1]:8000"}, False),
        ("192.168.1.7", {"host": "192.168.1.2:8000"}, True),
        ("172.17.0.1", {"host": "localhost:8000"}, True),  # a container's only way to tell
        ("127.0.0.1", {"host": "mien.example.org"}, True),  # a tunnel
        ("127.0.0.1", {"host": "localhost", "x-forwarded-for": "203.0.113.9"}, True),
        ("127.0.0.1", {"host": "localhost", "forwarded": "for=203.0.113.9"}, True),
        ("127.0.0.1", {}, True),
        (None, {"host": "localhost"}, True),
    ],
)
def test_who_watches_from_elsewhere(
    peer: str | None, headers: dict[str, str], expected: bool
) -> None:
    scope = {
        "type": "http",
        "client": (peer, 5) if peer else None,
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    assert leaves(HTTPConnection(scope)) is expected
