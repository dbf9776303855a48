"""The readable part of a document, as Markdown. Slow and of bad manners: see `extractor`."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from typing import Any

from mien.language import Language, detect_language
from mien.pages.charset import decode_page
from mien.pages.contract import PageError
from mien.tools.untrusted import visible

HTML = frozenset({"text/html", "application/xhtml+xml", ""})
PLAIN = frozenset({"text/plain", "text/markdown", "application/json"})
PDF = frozenset({"application/pdf"})
READABLE = HTML | PLAIN | PDF
"""Media types that can be read."""

_MAX_CHARACTERS = 200_000
# A title goes into every passage of its page, and into lists that people read.
_TITLE_CHARS, _SITE_CHARS, _DAY_CHARS = 300, 100, 40
_ADDRESS_CHARS = 5_000  # more than any that is opened
_PDF_PAGES = 30
# trafilatura takes 11 ms for an article, 3 s for 40,000 elements; what is longer is read plainly.
_MAX_ELEMENTS = 8_000
_HEAVY_BYTES = 600_000
_LONGEST_ATTRIBUTE = 2_000
# Less than this beside scripts is what they put there until they have run.
_JUST_SCRIPTS = 80
_REFRESH_SEC = 10
_REFRESH = re.compile(r"""\s*(\d+)[\d.]*\s*[;,]\s*url\s*=\s*["']?([^"']+)""", re.I)


@dataclass(frozen=True, slots=True)
class Extracted:
    """As in Page. refresh: where the page sends its reader at once, "" for nowhere."""

    title: str = ""
    text: str = ""
    site: str = ""
    published: str = ""
    language: Language | None = None
    refresh: str = ""


def extract(body: bytes, media_type: str, charset: str, url: str) -> Extracted:
    """Read a document of one of the READABLE types. Raises PageError for one without text."""
    if media_type in PDF or body.startswith(b"%PDF-"):
        return _checked(_pdf(body))
    text = decode_page(body, charset)
    head = text[:1000]
    if "\0" in head or head.count("\ufffd") > len(head) // 50:
        raise PageError("this is not a text", "这不是文本内容")
    if media_type in PLAIN:
        return _checked(Extracted(text=_tidy(text), language=_language("", text)))
    return _html(text, url)


def _html(source: str, url: str) -> Extracted:
    import lxml.etree  # type: ignore[import-untyped]
    import lxml.html  # type: ignore[import-untyped]
    import trafilatura

    parser = lxml.html.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True)
    try:
        tree = lxml.html.document_fromstring(source.encode("utf-8", "replace"), parser=parser)
    except lxml.etree.ParserError:
        raise _nothing() from None
    refresh = _refresh(tree)
    scripts = len(tree.findall(".//script"))
    stated = tree.get("lang") or tree.get("{http://www.w3.org/XML/1998/namespace}lang") or ""
    for tag in ("script", "style", "noscript", "template"):
        for element in tree.findall(f".//{tag}"):
            element.drop_tree()
    for element in tree.iter():
        for name, value in element.attrib.items():
            if len(value) > _LONGEST_ATTRIBUTE:  # pictures, mostly; regular expressions search them
                del element.attrib[name]
    heavy = len(lxml.etree.tostring(tree)) > _HEAVY_BYTES or _exceeds(tree, _MAX_ELEMENTS)
    if heavy:
        title = site = published = text = ""
    else:
        about = trafilatura.extract_metadata(tree, default_url=url, extensive=False)
        title, site, published = about.title or "", about.sitename or "", about.date or ""
        article = trafilatura.extract(tree, output_format="markdown", include_comments=False)
        text = _tidy(article or "")
    title = title or tree.findtext(".//title") or ""
    text = text or _plainly(tree)
    if scripts and len(text) < _JUST_SCRIPTS and not refresh:
        raise PageError(
            "the page shows its text only in a browser (JavaScript)",
            "网页内容需要在浏览器里运行 JavaScript 才能显示，无法读取",
        )
    page = Extracted(
        _short(title, _TITLE_CHARS),
        text,
        _short(site, _SITE_CHARS),
        _short(published, _DAY_CHARS),
        _language(stated, text),
        refresh,
    )
    return page if refresh else _checked(page)


def _short(text: str, most: int) -> str:
    """What can be seen of a line that a page may make as long as itself."""
    return " ".join(visible(" ".join(text[: 10 * most].split())).split())[:most]


def _exceeds(tree: Any, limit: int) -> bool:
    return any(count >= limit for count, _ in enumerate(tree.iter()))


_BLOCKS = frozenset(
    "address article blockquote br dd div dl dt figcaption h1 h2 h3 h4 h5 h6 hr li main ol p pre "
    "section table td th tr ul".split()
)
_ASIDE = ("nav", "footer", "header", "aside", "form", "button", "select")


def _plainly(tree: Any) -> str:
    """All text of the body but for what stands around it, block by block."""
    from lxml.etree import iterwalk

    body = tree.find(".//body")
    body = tree if body is None else body
    pieces: list[str] = []
    skipped = 0
    for event, element in iterwalk(body, events=("start", "end")):
        tag = element.tag if isinstance(element.tag, str) else ""
        if tag in _ASIDE:
            skipped += 1 if event == "start" else -1
        if tag in _BLOCKS:
            pieces.append("\n")
        text = element.text if event == "start" else element.tail
        if text and tag and not skipped and (event == "start" or element is not body):
            pieces.append(text)
    return _tidy("".join(pieces))


def _refresh(tree: Any) -> str:
    for meta in tree.iterfind(".//meta"):
        if (meta.get("http-equiv") or "").lower() == "refresh":
            match = _REFRESH.match(meta.get("content") or "")
            if match and len(match[1]) < 4 and int(match[1]) <= _REFRESH_SEC:
                return str(match[2]).strip()[:_ADDRESS_CHARS]
    return ""


def _pdf(body: bytes) -> Extracted:
    try:
        import pypdf
    except ImportError:
        raise PageError(
            'reading PDF needs pip install "mien[mind]"', '读取 PDF 需要 pip install "mien[mind]"'
        ) from None
    try:
        document = pypdf.PdfReader(io.BytesIO(body))
        texts = [page.extract_text() for page in document.pages[:_PDF_PAGES]]
        title = (document.metadata and document.metadata.title) or ""
    except Exception as error:  # pypdf raises whatever a broken file makes it stumble over
        raise PageError("the PDF cannot be read", "无法读取这个 PDF") from error
    text = _tidy("\n\n".join(texts))
    return Extracted(_short(str(title), _TITLE_CHARS), text, language=_language("", text))


# Markdown's escapes are for programs that draw it; models and voices read the words.
_ESCAPE = re.compile(r"\\([\\`*_{}\[\]()#+.!|>~-])")
# Line breaks in the source of a page are spaces, which Chinese does not have.
_HAN = r"[\u3000-\u303f\u3400-\u9fff\uff00-\uffef]"
_HAN_SPACE = re.compile(f"(?<={_HAN}) (?={_HAN})")
_LINE_END = re.compile("\r\n|[\u2028\u2029]")


def _tidy(text: str) -> str:
    """Without what cannot be seen: text that a person would not see is for deceiving models."""
    text = visible(_LINE_END.sub("\n", text[: 2 * _MAX_CHARACTERS]))
    lines = (" ".join(line.split()) for line in _ESCAPE.sub(r"\1", text).split("\n"))
    joined = _HAN_SPACE.sub("", "\n".join(lines))
    return re.sub(r"\n{3,}", "\n\n", joined).strip()[:_MAX_CHARACTERS]


def _checked(page: Extracted) -> Extracted:
    if not page.text:
        raise _nothing()
    return page


def _nothing() -> PageError:
    return PageError("there is no text on the page", "网页上没有文字")


def _language(stated: str, text: str) -> Language | None:
    stated = stated.lower()[:2]
    if stated == "zh" or stated == "en":
        return stated  # type: ignore[return-value]
    if stated or re.search(r"[\u3041-\u30fa\uac00-\ud7a3]", text[:2000]):
        return None
    return detect_language(text[:2000], "en")
