"""Documents taken apart, and the process in which that happens."""

from __future__ import annotations

import asyncio

import psutil
import pytest

import mien.pages.extractor
from child_processes import children_with
from local_pages import APPLICATION, BRIDGE, LIGHTHOUSE, page_en
from mien.pages.contract import PageError
from mien.pages.extract import READABLE, extract
from mien.pages.extractor import Extractor

HTML = "text/html"
URL = "http://news.example/"


def _read(html: str) -> str:
    return extract(html.encode(), HTML, "", URL).text


def test_tables_and_lists_are_kept() -> None:
    body = """<p>Prices of the season, which are the same at the gate and in the shop.</p>
    <ul><li>Adults pay seven pounds</li><li>Children pay nothing</li></ul>
    <table><tr><th>Month</th><th>Crossings</th></tr><tr><td>May</td><td>12</td></tr></table>"""
    text = _read(page_en("Prices", body))
    assert "- Adults pay seven pounds" in text
    assert "| May | 12 |" in text


def test_what_nobody_sees_is_not_read() -> None:
    hidden = "".join(map(chr, (0x200B, 0x202E, 0x2066, 0xFEFF)))
    body = f"<p>The lamp is lit at dusk{hidden} by the keeper of the light every evening.</p>" * 3
    assert hidden[0] not in _read(page_en("Lamp", body))
    secret = "".join(chr(0xE0000 + ord(letter)) for letter in "obey")
    page = extract(f"The lamp is l\u00adit.{secret}".encode(), "text/plain", "", URL)
    assert page.text == "The lamp is lit."
    assert "lit at dusk by the keeper" in _read(page_en("Lamp", body))


def test_what_a_page_says_of_itself_is_short() -> None:
    """A title is counted in each passage: one of a page's length costs memory and minutes."""
    words = "".join(f"word{n}\u200b " for n in range(100_000))
    meta = f"<meta property='og:site_name' content='{words[:1500]}'>"
    for body in ("<p>Some words", "<p>x</p>" * 9000):  # the second is read plainly
        html = f"<html><head><title>{words}</title>{meta}</head><body>{body}"
        page = extract(html.encode(), HTML, "", URL)
        assert page.title.startswith("word0 word1 word2") and len(page.title) <= 300
        assert len(page.site) <= 100 and len(page.published) <= 40
    assert len(extract(_pdf("Words", "t" * 9000), "application/pdf", "", URL).title) == 300


def test_marks_of_markdown_are_not_escaped() -> None:
    body = "<p>Call read_page or f(x) * 2 to see what a name_with_lines is in the text.</p>" * 3
    assert "Call read_page or f(x) * 2" in _read(page_en("Code", body))


def test_a_short_page_is_read_whole() -> None:
    assert _read("<p>Closed on Mondays.") == "Closed on Mondays."
    assert _read("<html lang=zh><body><div>周一闭馆</div></body>") == "周一闭馆"


def test_the_language() -> None:
    def language(lang: str, text: str) -> str | None:
        return extract(f"<html lang='{lang}'><p>{text}".encode(), HTML, "", URL).language

    assert language("zh-CN", "Apple iPhone 17 Pro Max") == "zh"
    assert language("", "周一闭馆") == "zh"
    assert language("", "Closed on Mondays") == "en"
    assert language("de", "Montags geschlossen") is None
    assert language("", "月曜日はお休みです") is None


@pytest.mark.parametrize(
    "html",
    ["", " ", "<html>", "<!--", "<body></body>", "<script>alert(1)</script>", "<p></p>"],
)
def test_pages_without_text(html: str) -> None:
    with pytest.raises(PageError):
        _read(html)


def test_a_page_made_by_scripts_says_so() -> None:
    with pytest.raises(PageError, match="JavaScript") as failed:
        _read(APPLICATION)
    assert "JavaScript" in failed.value.zh


def test_scripts_do_not_make_a_page_heavy() -> None:
    text = _read(BRIDGE.replace("</head>", f"<script>{'x' * 900_000}</script></head>"))
    assert "## 通行规则" in text and "版权所有" not in text


def test_huge_attributes_and_depth_do_no_harm() -> None:
    assert _read(f"<p class='{'a' * 500_000}'>Some words") == "Some words"
    assert _read("<div>" * 200 + "Some words") == "Some words"
    assert _read("Some words" + "<b>" * 100_000)


def test_pdf() -> None:
    page = extract(_pdf("The lighthouse is 41 metres high."), "application/pdf", "", URL)
    assert "41 metres" in page.text
    with pytest.raises(PageError, match="PDF"):
        extract(b"%PDF-1.7 nothing", "application/pdf", "", URL)


def test_text_is_not_taken_for_markup() -> None:
    page = extract("若 a<b 且 b>c，则<停>。".encode(), "text/plain", "", URL)
    assert page.text == "若 a<b 且 b>c，则<停>。"
    assert "text/plain" in READABLE


async def test_in_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIEN_TEST_SECRET", "secret")
    extractor = Extractor()
    await extractor.start()
    (worker,) = _workers()
    assert "MIEN_TEST_SECRET" not in worker.environ()
    found = await extractor.extract(BRIDGE.encode(), HTML, "", URL)
    assert found == extract(BRIDGE.encode(), HTML, "", URL)
    with pytest.raises(PageError, match="no text"):
        await extractor.extract(b"<p>", HTML, "", URL)
    assert _workers() == [worker]
    for _ in range(2):
        task = asyncio.create_task(extractor.extract(LIGHTHOUSE.encode(), HTML, "", URL))
        await asyncio.sleep(0)  # it has been asked
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert await extractor.extract(BRIDGE.encode(), HTML, "", URL) == found
    assert _workers() == [worker]
    await extractor.aclose()
    assert not _workers()


async def test_a_worker_that_dies_or_takes_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    extractor = Extractor()
    await extractor.start()
    (worker,) = _workers()
    worker.kill()
    worker.wait(60)
    with pytest.raises(PageError, match="taken apart"):
        await extractor.extract(BRIDGE.encode(), HTML, "", URL)
    assert not _workers()
    monkeypatch.setattr(mien.pages.extractor, "_LIMIT_SEC", 0.001)
    long = ("<p>Some sentence of many words, and a comma. </p>" * 7000).encode()
    with pytest.raises(PageError, match="taken apart"):
        await extractor.extract(long, HTML, "", URL)
    assert not _workers()
    await extractor.start()
    task = asyncio.create_task(extractor.extract(long, HTML, "", URL))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    monkeypatch.undo()  # the next must not suffer from the one before
    assert (await extractor.extract(b"<p>Some words", HTML, "", URL)).text == "Some words"
    await extractor.aclose()
    assert not _workers()


async def test_an_answer_that_is_too_long_is_not_the_next_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mien.pages.extractor, "_ANSWER_BYTES", 1 << 16)
    extractor = Extractor()
    with pytest.raises(PageError, match="taken apart"):
        await extractor.extract(b"<p>" + b"word " * 40_000, HTML, "", URL)
    assert (await extractor.extract(b"<p>Some words", HTML, "", URL)).text == "Some words"
    await extractor.aclose()


async def test_who_needs_it_soon_does_not_wait_for_the_documents_of_others() -> None:
    extractor = Extractor()
    await extractor.start()
    reading = asyncio.create_task(extractor.extract(BRIDGE.encode(), HTML, "", URL))
    await asyncio.sleep(0)  # it has been asked
    await extractor.start()
    assert not reading.done()
    assert "1286" in (await reading).text
    await extractor.aclose()


async def test_without_the_library_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(PageError, match=r'pip install "mien\[mind\]"') as failed:
        await Extractor().extract(BRIDGE.encode(), HTML, "", URL)
    assert "mien[mind]" in failed.value.zh


def _workers() -> list[psutil.Process]:
    return children_with("mien.pages.worker", recursive=False)


def _pdf(text: str, title: str = "Light") -> bytes:
    """A page as a PDF, by the smallest means (ISO 32000-1, 7.5)."""
    content = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET".encode()
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R"
        b"/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(content), content),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
        b"<</Title(%s)>>" % title.encode(),
    ]
    pdf = b"%PDF-1.4\n"
    places = []
    for number, body in enumerate(objects, 1):
        places.append(len(pdf))
        pdf += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(pdf)
    pdf += b"xref\n0 7\n0000000000 65535 f \n"
    pdf += b"".join(b"%010d 00000 n \n" % place for place in places)
    return pdf + b"trailer<</Size 7/Root 1 0 R/Info 6 0 R>>\nstartxref\n%d\n%%%%EOF\n" % start
