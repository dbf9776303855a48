"""Which faces of a garment are of which stuff: the meshes come as one piece."""

from __future__ import annotations

from typing import Any

import numpy as np
from meshes import Mesh, connected
from numpy.typing import NDArray


def parts(mesh: Mesh, specs: list[dict[str, Any]]) -> NDArray[np.int64]:
    """Per face the index of the last of ``specs`` that claims it; the first claims all.

    A spec claims the islands of the texture that lie at its points (``uv``: [[u, v], …]) and, of
    these, a strip down the front (``strip``: [[height, half width], …], dm as in the file).
    """
    pieces = connected(len(mesh.uv), mesh.uv_faces)
    island = np.array([pieces[f[0]] for f in mesh.uv_faces])
    uv = np.array([mesh.uv[f].mean(0) for f in mesh.uv_faces])
    middle = np.array([mesh.vertices[f].mean(0) for f in mesh.faces])
    out = np.zeros(len(mesh.faces), np.int64)
    for k, spec in enumerate(specs):
        claimed = np.ones(len(uv), bool)
        if "uv" in spec:
            at = [island[np.linalg.norm(uv - point, axis=1).argmin()] for point in spec["uv"]]
            claimed = np.isin(island, at)
        if "strip" in spec:
            heights, widths = np.array(spec["strip"]).T
            half = np.interp(middle[:, 1], heights, widths, left=0, right=0)
            claimed &= abs(middle[:, 0]) < half
        out[claimed] = k
    return out
