"""An MCP server that goes wrong: `python mcp_oddities.py MODE` speaks just enough of it over stdio.

=========  ====================================================================
MODE
=========  ====================================================================
mute       says nothing when asked for its tools
endless    its list of tools has another empty page behind each
hangs      has a tool, and is silent after that; not even a ping is answered
doubles    two of its tools, b-c and b.c, differ in a character that models cannot write
c          has a tool of this name
=========  ====================================================================
"""

from __future__ import annotations

import json
import sys
from typing import Any

SCHEMA = {"type": "object", "properties": {}}


def answer(mode: str, method: str, params: dict[str, Any]) -> dict[str, Any] | None:
    """The result of a request; None: there is none."""
    if method == "initialize":
        about = {"name": "odd", "version": "1"}
        version = params["protocolVersion"]
        return {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": about}
    if method != "tools/list" or mode == "mute":
        return None
    if mode == "endless":
        return {"tools": [], "nextCursor": "more"}
    names = {"doubles": ("b-c", "b.c"), "c": ("c",)}.get(mode, ("look",))
    return {"tools": [{"name": name, "inputSchema": SCHEMA} for name in names]}


def main(mode: str) -> None:
    for line in sys.stdin:
        request = json.loads(line)
        if "id" not in request:
            continue
        result = answer(mode, request["method"], request.get("params") or {})
        if result is not None:
            reply = {"jsonrpc": "2.0", "id": request["id"], "result": result}
            print(json.dumps(reply), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
