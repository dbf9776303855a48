"""Where to ask for a file, in which order: the catalogue's sources and their mirrors."""

from __future__ import annotations

import os
from collections.abc import Iterable
from urllib.parse import urlsplit

from mien.models.errors import ModelError

HUGGING_FACE = "https://huggingface.co"
HF_MIRROR = "https://hf-mirror.com"
GITHUB = "https://github.com"

# Names for --mirror, each with the host it stands for.
MIRRORS = {
    "huggingface": "huggingface.co",
    "hf-mirror": "hf-mirror.com",
    "modelscope": "modelscope.cn",
    "github": "github.com",
    "google-drive": "drive.usercontent.google.com",
}


def addresses(sources: Iterable[str], mirror: str | None = None) -> list[str]:
    """Every address of a file, best first.

    mirror: a name of ``MIRRORS``, whose addresses come first; or the address of a server that is
    asked first: one with Hugging Face's paths, as $HF_ENDPOINT names it too, or with GitHub's,
    which ends in github.com (https://proxy.example/https://github.com).

    Raises ModelError "unknown_mirror".
    """
    endpoints, hubs = [HUGGING_FACE, HF_MIRROR], [GITHUB]
    if endpoint := os.environ.get("HF_ENDPOINT", "").strip():
        endpoints.insert(0, endpoint)
    wanted = None
    if mirror is not None and mirror.startswith(("http://", "https://")):
        (hubs if mirror.rstrip("/").endswith("github.com") else endpoints).insert(0, mirror)
        wanted = _host(mirror)
    elif mirror is not None:
        wanted = MIRRORS.get(mirror)
        if wanted is None:
            raise _unknown(mirror)
    elif endpoint:
        wanted = _host(endpoint)
    found = []
    for source in sources:
        same = [source]
        for home, servers in ((HUGGING_FACE, endpoints), (GITHUB, hubs)):
            if source.startswith(home + "/"):
                path = source.removeprefix(home)
                same = [server.rstrip("/") + path for server in servers]
        found += [url for url in same if url not in found]
    return sorted(found, key=lambda url: urlsplit(url).netloc != wanted)


def _host(url: str) -> str:
    try:
        if host := urlsplit(url).netloc:
            return host
    except ValueError:
        pass
    raise _unknown(url)


def _unknown(mirror: str) -> ModelError:
    known = ", ".join(MIRRORS)
    return ModelError(
        "unknown_mirror",
        f"There is no mirror {mirror!r}; there are {known}, or give an address (https://…) that "
        "has Hugging Face's or GitHub's paths.",
        f"没有名为 {mirror!r} 的镜像；可选：{known}，"
        "或给出与 Hugging Face 或 GitHub 路径相同的地址（https://…）。",
    )
