"""One file from one address: resumed, checked, never half taken (RFC 9110, section 14).

What has come is kept beside a note of where it came from, so that the next attempt, also of another
process, goes on from there.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from mien.models.catalogue import ModelFile
from mien.models.disk import disk_full, is_full
from mien.models.sniff import not_the_file

# Other programs need some disk too.
DISK_MARGIN = 64 << 20
CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")

SHA256 = re.compile(r"[0-9a-f]{64}")

OnProgress = Callable[[int, int | None, str], None]


@dataclass(frozen=True, slots=True)
class Patience:
    """connect, read: seconds of silence that end an attempt. pause: seconds before the same address
    is asked again, growing. tries: attempts in a row without a single new byte."""

    connect: float = 10.0
    read: float = 30.0
    pause: float = 1.0
    tries: int = 3


@dataclass(frozen=True, slots=True)
class Downloaded:
    """A whole file, checked as far as it can be. source: the address it came from."""

    path: Path
    size: int
    sha256: str
    source: str


class Refused(Exception):
    """This address cannot serve the file; another may. host_is_away: nor can its whole host."""

    def __init__(self, en: str, zh: str, host_is_away: bool = False) -> None:
        super().__init__(en)
        self.en, self.zh, self.host_is_away = en, zh, host_is_away


class _Broken(Exception):
    """The connection broke; the same address may go on."""


class Transfer:
    """One file from one address."""

    def __init__(
        self, client: httpx.Client, file: ModelFile, url: str, path: Path, tell: OnProgress
    ) -> None:
        self._client, self._file, self._url, self._path = client, file, url, path
        self._host, self._tell = urlsplit(url).netloc, tell
        self._note = path.with_name(path.name + ".part.json")
        self._digest = hashlib.sha256()
        self._resumed = False
        self._discards = 0
        self._sha256 = file.sha256

    def run(self, patience: Patience) -> Downloaded:
        """Attempt until it is here. Raises Refused, ModelError."""
        idle, wrong = 0, 0
        while True:
            before = self._have()
            try:
                self._attempt()
                if (whole := self._checked()) is not None:
                    return whole
                wrong += 1
                # Parts of two versions may have met; once more from nothing settles it.
                if not self._resumed or wrong > 1:
                    raise Refused("its SHA-256 is not the expected one", "SHA-256 与预期不符")
            except (_Broken, httpx.TransportError) as error:
                if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError):
                    raise Refused(*_words(error), host_is_away=True) from error
                idle = 0 if self._have() > before else idle + 1
                if idle >= patience.tries or self._discards > 2:
                    raise Refused(*_words(error)) from error
                time.sleep(patience.pause * (1 + idle))
            except (httpx.InvalidURL, httpx.TooManyRedirects) as error:
                raise Refused(*_words(error)) from error
            except OSError as error:
                if is_full(error):
                    raise disk_full(self._path.parent, self._file.name, self._file.size) from error
                raise

    def _attempt(self) -> None:
        """Fetch what is missing. Raises _Broken, Refused, httpx.TransportError, OSError."""
        have = self._have()
        self._resumed = have > 0
        self._digest = digest_of(self._path)
        if have == self._file.size:
            return
        with self._client.stream("GET", self._url, headers=self._range()) as response:
            have, total = self._start(response)
            self._sha256 = self._file.sha256 or _stated_sha256(response)
            self._room(have, total)
            chunks = response.iter_raw()
            if have == 0:
                # What is here already stays until this answer has shown to be the file.
                head = _head(chunks)
                self._sniff(head, response)
                chunks = chain((head,), chunks)
                self._resumed, self._digest = False, hashlib.sha256()
            note = {"url": self._url, "validator": _validator(response)}
            self._note.write_text(json.dumps(note), encoding="utf-8")
            with open(self._path, "r+b" if have else "wb") as part:
                part.seek(have)
                for chunk in chunks:
                    if total is not None and have + len(chunk) > total:
                        break
                    part.write(chunk)
                    self._digest.update(chunk)
                    have += len(chunk)
                    self._tell(have, total, self._host)
                else:
                    if total is not None and have < total:
                        raise _Broken(f"it ended after {have} of {total} bytes")
                    return
            self._discard()
            raise _wrong_size(f"it is longer than {total} bytes")

    def _range(self) -> dict[str, str]:
        """What asks for the rest; what is here goes where the rest may not fit it."""
        have = self._have()
        if not have:
            return {}
        note = _read_note(self._note)
        if note.get("url") == self._url and note.get("validator"):
            return {"Range": f"bytes={have}-", "If-Range": str(note["validator"])}
        if self._file.sha256:  # the same bytes wherever they come from, or the check says so
            return {"Range": f"bytes={have}-"}
        self._discard()
        return {}

    def _start(self, response: httpx.Response) -> tuple[int, int | None]:
        """Bytes to keep of what is here, and of the whole file. Raises _Broken, Refused."""
        status, have = response.status_code, self._have()
        if status == 206:
            found = CONTENT_RANGE.fullmatch(response.headers.get("content-range", ""))
            if found is None or int(found[1]) != have:
                self._discard()
                raise _Broken("it answered another part than it was asked for")
            total = None if found[2] == "*" else int(found[2])
        elif status == 200:
            have = 0
            length = response.headers.get("content-length", "")
            total = int(length) if length.isdigit() else None
        elif status == 416:
            self._discard()
            if self._file.size is not None:
                raise _wrong_size(f"it has less than {self._file.size} bytes")
            raise _Broken("it is shorter than what came before")
        elif status == 429 or status >= 500:
            raise _Broken(f"HTTP {status}")
        else:
            raise Refused(f"HTTP {status} {response.reason_phrase}".strip(), f"HTTP {status}")
        expected = self._file.size
        if total is not None and expected is not None and total != expected:
            if status == 200:
                self._sniff(_head(response.iter_raw()), response)
            raise _wrong_size(f"it has {total} bytes instead of {expected}")
        return have, expected if total is None else total

    def _sniff(self, head: bytes, response: httpx.Response) -> None:
        words = not_the_file(head, self._file.name, response.headers.get("content-type", ""))
        if words is not None:
            raise Refused(*words)

    def _room(self, have: int, total: int | None) -> None:
        needed = (total or 0) - have + DISK_MARGIN
        if shutil.disk_usage(self._path.parent).free < needed:
            raise disk_full(self._path.parent, self._file.name, self._file.size)

    def _checked(self) -> Downloaded | None:
        """The file, or None where it is not the expected one, which is then gone."""
        size, sha256 = self._have(), self._digest.hexdigest()
        if size == 0 or (self._sha256 is not None and sha256 != self._sha256):
            self._discard()
            return None
        self._note.unlink(missing_ok=True)
        return Downloaded(self._path, size, sha256, self._url)

    def _have(self) -> int:
        try:
            return self._path.stat().st_size
        except OSError:
            return 0

    def _discard(self) -> None:
        self._discards += 1
        self._path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)


def _head(chunks: Iterator[bytes]) -> bytes:
    """Enough of an answer to see what it is."""
    head = b""
    for chunk in chunks:
        head += chunk
        if len(head) >= 512:
            break
    return head


def digest_of(path: Path) -> Any:
    """A SHA-256 that has seen what is here."""
    digest = hashlib.sha256()
    if path.exists():
        with open(path, "rb") as part:
            while chunk := part.read(1 << 20):
                digest.update(chunk)
    return digest


def _wrong_size(said: str) -> Refused:
    return Refused(said, f"文件大小不符（{said}）")


def _validator(response: httpx.Response) -> str:
    """What If-Range may name: a strong ETag, or a date."""
    etag: str = response.headers.get("etag", "")
    return etag if etag.startswith('"') else str(response.headers.get("last-modified", ""))


def _stated_sha256(response: httpx.Response) -> str | None:
    """What Hugging Face says beside the address it redirects to."""
    for answer in (response, *response.history):
        stated = answer.headers.get("x-linked-etag", "").strip('"').lower()
        if SHA256.fullmatch(stated):
            return str(stated)
    return None


def _read_note(path: Path) -> dict[str, Any]:
    try:
        note = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return note if isinstance(note, dict) else {}


def _words(error: Exception) -> tuple[str, str]:
    if isinstance(error, httpx.TimeoutException):
        return "it did not answer in time", "连接超时"
    if isinstance(error, httpx.ConnectError):
        return f"it cannot be reached ({error})", f"无法连接（{error}）"
    said = str(error) or type(error).__name__
    return said, said
