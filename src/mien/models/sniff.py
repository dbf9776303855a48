"""Answers that are no model: pages, pointers and messages that came in place of the file."""

from __future__ import annotations

LFS_POINTER = b"version https://git-lfs.github.com/spec/"
PAGES = (b"<!doctype html", b"<html", b"<head", b"<?xml")
MARKED_UP = (".html", ".xml", ".md")
TEXT_SUFFIXES = (".json", ".txt", ".toml", ".yaml", ".yml")


def not_the_file(head: bytes, name: str, content_type: str = "") -> tuple[str, str] | None:
    """Why the bytes that ``head`` begins cannot be the file, in English and Chinese; None if they
    may be. ``name`` is what the file is called."""
    start = head.lstrip()[:64].lower()
    if head.startswith(LFS_POINTER):
        return (
            "it sent a git-lfs pointer instead of the file",
            "返回的是 git-lfs 指针，而不是文件本身",
        )
    if name.lower().endswith(MARKED_UP):
        return None
    # Some servers call every text a page.
    text = name.lower().endswith(TEXT_SUFFIXES)
    kind = "" if text else content_type.split(";")[0].strip().lower()
    if start.startswith(PAGES) or kind == "text/html":
        return (
            "it sent a web page instead of the file (a log-in, a quota or a network's own page)",
            "返回的是网页，而不是文件（可能是登录页、限额提示或网络认证页）",
        )
    if start.startswith(b'{"') and kind in ("application/json", "text/plain"):
        said = head[:160].decode("utf-8", "replace")
        return f"it sent a message instead of the file: {said}", f"返回的是消息而不是文件：{said}"
    return None
