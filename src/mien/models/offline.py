"""Working without a network: what is needed is said, and nobody is asked for it."""

from __future__ import annotations

import os
from collections.abc import Sequence

from mien.models.catalogue import Model, ModelFile
from mien.models.errors import ModelError

OFFLINE_VARIABLE = "MIEN_OFFLINE"


def never_online() -> bool:
    """Whether $MIEN_OFFLINE says that nothing may be fetched."""
    return os.environ.get(OFFLINE_VARIABLE, "").strip().lower() not in ("", "0", "false", "no")


def needed(wanted: Model, files: Sequence[ModelFile]) -> ModelError:
    """What ``wanted`` would need from the network, and how to bring it here by hand."""
    lines = "\n".join(
        f"  {file.name}" + (f" ({file.size / 1e6:.0f} MB)" if file.size else "") + f"  {url}"
        for file in files
        for url in file.sources[:1]
    )
    command = f"mien models pull {wanted.name} --from-dir DIR"
    return ModelError(
        "offline",
        f"{wanted.name} cannot be fetched offline. Fetch these elsewhere, bring them in one folder "
        f"DIR and run `{command}`:\n{lines}",
        f"离线模式下无法获取 {wanted.name}。请在其他机器上下载以下文件，放入同一文件夹 DIR，"
        f"然后运行 `{command}`：\n{lines}",
    )
