"""``mien bench``: measure this machine, or a change, with the product's own numbers."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from mien.bench.asr_cli import asr
from mien.bench.barge_in_cli import barge_in
from mien.bench.echo_cli import echo
from mien.bench.knowledge_cli import knowledge
from mien.bench.latency_cli import latency
from mien.bench.memory_cli import memory
from mien.bench.rtmp_cli import rtmp
from mien.bench.terminal import AsJson, failed, measured, show_figures, stderr, text
from mien.bench.tools_cli import tools
from mien.bench.voice_cli import voice

bench_app = typer.Typer(
    name="bench",
    help="""Measure: lip sync, latency, capacity, leaks, idle cost. 测量。

    Every command starts a server of its own on a free local port and watches it
    over WebRTC, as a browser would, from a second process. Nothing leaves this
    machine; no key is needed.

    Figures depend on what else the machine is doing: the load average is
    printed with them. With --json there is only JSON on standard output, with
    keys that do not change.
    """,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)


@bench_app.command()
def sync(
    seconds: Annotated[
        float, typer.Option("--seconds", min=5, help="How long the avatar talks.")
    ] = 30,
    as_json: AsJson = False,
) -> None:
    """How far apart sound and picture of the same instant are when they reach a viewer.

    A voice that beeps and a face that shows when its mouth heard the beep take
    the place of the real ones; everything between is the product. Offset is
    picture minus sound, by the times the sender reports, which players
    synchronise by. Good: within ±10 ms, standard deviation under 2 ms, no
    drift. People notice from about 45 ms (sound early) or 125 ms (sound late;
    ITU-R BT.1359).
    """
    from mien.bench.sync import run_sync

    result = measured("lip sync", lambda progress: run_sync(seconds, progress))
    show_figures(
        result,
        as_json,
        "Lip sync at the viewer",
        {
            "offset_ms_mean": "picture - sound, mean, ms",
            "offset_ms_sd": "standard deviation, ms",
            "offset_ms_min": "smallest, ms",
            "offset_ms_max": "largest, ms",
            "drift_ms_per_min": "drift, ms per minute",
            "fps": "pictures per second of media time",
            "fps_arrival": "pictures per second as they arrived",
            "ticks": "ticks watched",
            "ticks_without_picture": "of these without a picture",
            "ticks_repeated": "of these with the picture before",
            "markers": "beeps paired",
            "lost_packets": "packets lost",
            "wire_offset_ms_mean": "arrival on the wire, mean, ms",
            "wire_offset_ms_sd": "arrival on the wire, sd, ms",
        },
    )


@bench_app.command()
def sessions(
    n: Annotated[int, typer.Option("--n", min=1, help="Conversations at once.")] = 4,
    seconds: Annotated[float, typer.Option("--seconds", min=3, help="How long.")] = 20,
    avatar: Annotated[str | None, typer.Option("--avatar", help="By name, or a folder.")] = None,
    size: Annotated[str | None, typer.Option("--size", help="Picture, e.g. 1280x720.")] = None,
    weights: Annotated[
        str | None, typer.Option("--weights", help="Of Wav2Lip: a pulled model or a file.")
    ] = None,
    precision: Annotated[
        str, typer.Option("--precision", help="Of Wav2Lip: fp32, bf16, fp16, int8.")
    ] = "auto",
    as_json: AsJson = False,
) -> None:
    """What N conversations that all talk at once cost, and whether each keeps its 25 fps.

    Neither configuration file nor environment is read, so that figures compare:
    avatar, size and lip-sync weights are chosen here.
    """
    from mien.bench.sessions import run_sessions
    from mien.cli import read_size

    settings: dict[str, Any] = {"lipsync": {"precision": precision}}
    if avatar is not None:
        settings["avatar"] = avatar
    if weights is not None:
        settings["lipsync"]["weights"] = weights
    if size is not None:
        settings["video"] = read_size(size)
    result = measured(
        f"{n} sessions", lambda progress: run_sessions(n, seconds, progress, **settings)
    )
    show_figures(
        result,
        as_json,
        "Conversations at once",
        {
            "sessions": "conversations",
            "fps_p5": "pictures per second, 5th percentile",
            "fps_p50": "pictures per second, median",
            "late_ticks": "ticks with a late or no picture",
            "repeated_pictures": "of these: not drawn in time",
            "missing_pictures": "of these: not encoded in time",
            "cpu_percent": "CPU of the server, % of one core",
            "cpu_ms_per_tick": "the same per picture, ms",
            "rss_mb": "memory of the server, peak MB",
            "lost_packets": "packets lost",
        },
    )


@bench_app.command()
def viewers(
    viewers: Annotated[int, typer.Option("--viewers", min=2, help="Viewers at once.")] = 50,
    seconds: Annotated[float, typer.Option("--seconds", min=3, help="How long.")] = 20,
    as_json: AsJson = False,
) -> None:
    """What N viewers of one session cost: pictures are encoded once, packets sent to each.

    The session talks; one viewer watches, then N from two other processes, then one
    again. Good: 25 pictures encoded per second however many watch, each of them at
    25 fps, a late one's first picture within 300 ms of its connection.
    """
    from mien.bench.viewers import run_viewers

    result = measured(
        f"{viewers} viewers", lambda progress: run_viewers(viewers, seconds, progress)
    )
    flat = {
        **result,
        **{f"{key}_{part}": result[key][part] for key in ("join_ms", "first_picture_ms")
           for part in ("p50", "p95")},
    }  # fmt: skip
    show_figures(
        result if as_json else flat,
        as_json,
        "Viewers of one session",
        {
            "viewers": "viewers",
            "cpu_percent_one": "CPU of the server with one, % of one core",
            "cpu_percent": "with all",
            "cpu_ratio": "the same per picture shown, times that with one",
            "cpu_percent_per_viewer": "each further viewer at 25 fps, %",
            "cpu_us_per_packet": "the same per packet, µs",
            "encoded_per_sec": "pictures encoded per second, with all",
            "fps_min": "pictures per second, worst viewer",
            "fps_median": "median viewer",
            "fps_p5": "over seconds of all viewers, 5th percentile",
            "join_ms_p50": "offer → first key frame, ms",
            "join_ms_p95": "the same, 95th percentile",
            "first_picture_ms_p50": "connected → first key frame, ms",
            "first_picture_ms_p95": "the same, 95th percentile",
            "lost_packets": "packets lost",
            "rss_mb": "memory of the server, MB",
        },
    )


@bench_app.command()
def soak(
    minutes: Annotated[float, typer.Option("--minutes", min=0.2, help="How long.")] = 10,
    rounds: Annotated[
        int | None,
        typer.Option("--rounds", min=2, help="Instead: open and close a session so often."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """What drifts or grows: one conversation for minutes, or many opened and closed.

    Counted after a warm-up (half a minute, or twenty rounds). Good: no growth
    of threads, tasks and files, and less than 5 MB of memory over 50 rounds.
    """
    from mien.bench.soak import run_rounds, run_soak

    def work(progress: Callable[[float], None]) -> Coroutine[Any, Any, dict[str, Any]]:
        return run_soak(minutes, progress) if rounds is None else run_rounds(rounds, progress)

    result = measured("soak", work)
    show_figures(result, as_json, "Soak", {key: key.replace("_", " ") for key in result})


@bench_app.command()
def idle(
    seconds: Annotated[float, typer.Option("--seconds", min=2, help="How long.")] = 20,
    as_json: AsJson = False,
) -> None:
    """What one silent session with one viewer costs (512×512, 25 fps), next to drawing alone."""
    from mien.bench.idle import run_idle

    result = measured("idle", lambda progress: run_idle(seconds, progress))
    show_figures(
        result,
        as_json,
        "Idle",
        {
            "cpu_percent": "CPU of the server, % of one core",
            "compose_percent": "of which drawing (measured alone)",
            "encode_percent": "and H.264 (measured alone)",
            "compose_ms": "CPU ms per picture drawn",
            "encode_ms": "CPU ms per picture encoded",
            "fps": "pictures per second",
            "rss_mb": "memory of the server, MB",
        },
    )


@bench_app.command()
def compose(
    ticks: Annotated[int, typer.Option("--ticks", min=1, help="Pictures of each run.")] = 250,
    as_json: AsJson = False,
) -> None:
    """What drawing a person costs: CPU ms per picture, for each presenter, size and background.

    Needs no server. Lively speech with a moving head; compose is the picture,
    I420 what the encoder takes it as. Good on one core: 3 ms in all at
    512×512, 8 ms at 720×1280.
    """
    from mien.bench.compose import run_compose

    result = measured("compose", lambda progress: run_compose(progress, ticks))
    if as_json:
        show_figures(result, True, "", {})
        return
    table = Table("who", "size", "before", title="Drawing, CPU ms per picture: medians, total p95")
    for column in ("compose", "I420", "total", "p95"):
        table.add_column(column, justify="right")
    for run in result["runs"]:
        table.add_row(
            run["presenter"],
            f"{run['width']}×{run['height']}",
            run["background"],
            *(text(run[key]["p50"]) for key in ("compose_ms", "i420_ms", "total_ms")),
            text(run["total_ms"]["p95"]),
        )
    Console().print(table)
    stderr().print(f"load average of the machine: {text(result['load_average'])}")


@bench_app.command()
def viseme(as_json: AsJson = False) -> None:
    """What finding the mouth of a voice costs: CPU ms per second of speech, by each way.

    Needs no server. Good: at most 10 ms whichever way is taken.
    """
    from mien.bench.viseme import run_viseme

    result = measured("viseme", run_viseme)
    show_figures(
        result,
        as_json,
        "From voice to mouth, CPU ms per second of speech",
        {
            "phones_ms": "phone times from the voice",
            "alignment_ms": "text aligned with the sound",
            "net_ms": "sound alone",
            "energy_ms": "loudness alone",
            "net": "the net is there",
            "seconds": "seconds of speech",
        },
    )


@bench_app.command()
def lipsync(
    size: Annotated[str, typer.Option("--size", help="96, 256 or all.")] = "all",
    seconds: Annotated[
        float, typer.Option("--seconds", min=1, help="How long all take turns, per size.")
    ] = 60,
    only: Annotated[
        str, typer.Option("--backends", help="Only these: openvino,onnxruntime,torch.")
    ] = "",
    batch: Annotated[int, typer.Option("--batch", min=1, help="Pictures at once.")] = 1,
    threads: Annotated[int, typer.Option("--threads", min=0, help="0 = all cores.")] = 0,
    weights: Annotated[
        Path | None, typer.Option("--weights", help="A checkpoint; else seeded weights.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """What painting a mouth with Wav2Lip costs: ms per picture, by every back end there is.

    Needs no server and no weights. All ways of running the network take turns, each in a process
    of its own, so their ratios hold on a busy machine too. The ratio is to plain PyTorch in
    float32, as everybody runs it; PSNR is against float32. cached: faces are encoded beforehand.
    Windows of the face: full, its lower half, the mouth that is shown. Loading takes
    half a minute for 96 pixels and two for 256.
    """
    from mien.bench.lipsync import LipsyncError, run_lipsync
    from mien.bench.lipsync_table import lipsync_table
    from mien.lipsync.wav2lip.checkpoint import CheckpointError, read_checkpoint

    if size not in ("96", "256", "all"):
        raise failed("--size is 96, 256 or all.")
    libraries = [name for name in only.replace(" ", "").split(",") if name]
    if unknown := set(libraries) - {"openvino", "onnxruntime", "torch"}:
        raise failed(f"no back end is called {', '.join(sorted(unknown))}.")
    try:
        result = measured(
            "the lip-sync network",
            lambda progress: run_lipsync(
                progress,
                sizes=(96, 256) if size == "all" else (int(size),),
                seconds=seconds,
                libraries=libraries,
                batch=batch,
                threads=threads,
                checkpoint=read_checkpoint(weights) if weights else None,
            ),
        )
    except (LipsyncError, CheckpointError) as error:
        raise failed(str(error)) from None
    if as_json:
        show_figures(result, True, "", {})
        return
    Console().print(lipsync_table(result))
    for skipped in result["skipped"]:
        stderr().print(f"{skipped['backend']} {skipped['precision']}: {skipped['why']}")
    if result["why_no_ratio"]:
        stderr().print(f"No ratios: {result['why_no_ratio']}")
    stderr().print(f"load average of the machine: {text(result['load_average'])}")


bench_app.command()(asr)
bench_app.command("barge-in")(barge_in)
bench_app.command()(echo)
bench_app.command()(knowledge)
bench_app.command()(latency)
bench_app.command()(tools)
bench_app.command()(memory)
bench_app.command()(voice)
bench_app.command()(rtmp)
