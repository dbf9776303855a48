"""The program that takes documents apart, for `extractor`: requests on stdin, answers on stdout.

A request is a line of JSON with "length", and so many bytes. An answer is a line of JSON.
"""

from __future__ import annotations

import contextlib
import dataclasses
import faulthandler
import json
import os
import sys

from mien.pages.contract import PageError
from mien.pages.extract import extract

_MEMORY = 1 << 30


def main() -> None:
    """Answer until stdin ends. Too long a document ends the program: nothing else can stop C code
    or a regular expression that goes astray."""
    with contextlib.suppress(ImportError, ValueError, OSError):  # Windows has none
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints is no answer
    with contextlib.suppress(PageError):
        extract(b"<html><body><p>.", "text/html", "", "")  # loads 0.3 s of libraries
    while line := sys.stdin.buffer.readline():
        request = json.loads(line)
        body = sys.stdin.buffer.read(request["length"])
        faulthandler.dump_traceback_later(request["limit_sec"], exit=True)
        answers.write(json.dumps(_answer(body, request)).encode() + b"\n")
        answers.flush()
        faulthandler.cancel_dump_traceback_later()


def _answer(body: bytes, request: dict[str, str]) -> dict[str, object]:
    try:
        page = extract(body, request["media_type"], request["charset"], request["url"])
    except PageError as error:
        return {"error": str(error), "zh": error.zh}
    except Exception as error:  # whatever hostile documents make libraries stumble over
        kind = type(error).__name__
        return {
            "error": f"the page cannot be taken apart ({kind})",
            "zh": f"网页无法解析（{kind}）",
        }
    return dataclasses.asdict(page)


if __name__ == "__main__":
    main()
