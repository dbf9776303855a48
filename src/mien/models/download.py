"""One file from the first address that truly has it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from mien import __version__
from mien.models.catalogue import ModelFile
from mien.models.errors import ModelError
from mien.models.transfer import Downloaded, OnProgress, Patience, Refused, Transfer


def download(
    file: ModelFile,
    urls: Iterable[str],
    folder: Path,
    on_progress: OnProgress | None = None,
    patience: Patience | None = None,
) -> Downloaded:
    """Fetch ``file`` into ``folder``, from one address after the other until one has it.

    on_progress: called with the bytes that are here, those of the whole file (None: not known) and
    the host; what it raises ends the work, and what has come is kept for the next time.

    Raises ModelError: "unreachable" naming each address and what was wrong with it, "disk_full",
    "proxy".
    """
    patience = patience or Patience()
    folder.mkdir(parents=True, exist_ok=True)
    tell = on_progress or (lambda done, total, host: None)
    failures: list[tuple[str, str, str]] = []
    away: set[str] = set()
    with _client(patience) as client:
        for url in urls:
            host = urlsplit(url).netloc
            if host in away:
                continue
            fetch = Transfer(client, file, url, folder / file.name, tell)
            try:
                return fetch.run(patience)
            except Refused as refused:
                failures.append((host, refused.en, refused.zh))
                if refused.host_is_away:
                    away.add(host)
    raise _unreachable(file, failures)


def _client(patience: Patience) -> httpx.Client:
    """With the proxies of the environment."""
    try:
        return httpx.Client(
            follow_redirects=True,
            timeout=httpx.Timeout(patience.read, connect=patience.connect),
            # A compressed answer cannot be resumed, and these files do not compress.
            headers={"User-Agent": f"mien/{__version__}", "Accept-Encoding": "identity"},
        )
    except (ImportError, ValueError) as error:
        raise ModelError(
            "proxy",
            f"The proxy of your environment cannot be used: {error}",
            f"无法使用环境变量中的代理：{error}",
        ) from error


def _unreachable(file: ModelFile, failures: list[tuple[str, str, str]]) -> ModelError:
    en = "; ".join(f"{host}: {said}" for host, said, _ in failures) or "no address is known"
    zh = "；".join(f"{host}：{said}" for host, _, said in failures) or "没有已知的下载地址"
    return ModelError(
        "unreachable",
        f"{file.name} could not be fetched. {en}. Try again, choose a --mirror, or fetch the file "
        "yourself and give it with --from.",
        f"无法获取 {file.name}。{zh}。请重试、用 --mirror 换一个来源，"
        "或自行下载后用 --from 指定文件。",
    )
