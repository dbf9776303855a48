"""Documents of every kind are read as people read them; broken and hostile ones are refused."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from document_files import docx_bomb, docx_of, encrypted, handbook, pdf
from mien.knowledge.charset import decoded
from mien.knowledge.errors import KnowledgeError
from mien.knowledge.pdf_layout import paragraphs_of
from mien.knowledge.pdf_lines import Line
from mien.knowledge.reading import MAX_BYTES, Document, load, read
from mien.retrieval.contract import Chunk

GUIDE_EN = (
    (
        (9, "Museum of Light - Visitor guide"),
        (24, "Opening hours"),
        (11, "We are open from nine to five on every week-"),
        (11, "day except Monday, and the museum"),
        (11, "cafe closes"),
        (9, "Page 1 of 2"),
    ),
    (
        (9, "Museum of Light - Visitor guide"),
        (11, "at four."),
        (16, "Tickets"),
        (11, "Ten euros for adults; children under six pay"),
        (11, "nothing at all. Groups of ten or more"),
        (11, "have to book."),
        (9, "Page 2 of 2"),
    ),
)
GUIDE_ZH = (
    (
        (9, "光之博物馆参观指南"),
        (20, "开放时间"),
        (11, "本馆周二至周日九点到十七点开放，周一闭馆，"),
        (11, "法定节假日照常开放。"),
        (9, "第 1 页"),
    ),
    (
        (9, "光之博物馆参观指南"),
        (20, "门票"),
        (11, "成人票十元，六岁以下儿童免票。"),
        (11, "• 电话 010-123 ，传真 010- 124"),
        (9, "第 2 页"),
    ),
)


def document(path: Path, data: bytes | str, title: str = "", url: str = "") -> Document:
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return read(load(path, title, url))


def shown(chunks: list[Chunk]) -> list[tuple[tuple[str, ...], str, str]]:
    return [(chunk.heading, chunk.place, chunk.text) for chunk in chunks]


def refusal(path: Path, data: bytes | str) -> KnowledgeError:
    with pytest.raises(KnowledgeError) as caught:
        document(path, data)
    assert caught.value.zh
    return caught.value


def test_markdown_and_text_are_named_by_their_first_heading(tmp_path: Path) -> None:
    guide = document(tmp_path / "a_guide.md", "# The guide\n\nWe open at nine.", url="https://x.y")
    assert (guide.title, guide.kind, guide.language) == ("The guide", "md", "en")
    assert guide.chunks == [Chunk("We open at nine.", "The guide", (), "https://x.y", "")]
    assert document(tmp_path / "a_guide.txt", "We open at nine.").title == "a guide"
    assert document(tmp_path / "b.md", "# The guide\n\nNine.", title="Mine").title == "Mine"


@pytest.mark.parametrize("charset", ["utf-8", "utf-8-sig", "utf-16", "gbk", "gb18030", "big5"])
def test_chinese_text_in_any_charset(charset: str) -> None:
    text = "博物館九點開放，歡迎參觀。" if charset == "big5" else "博物馆九点开放，欢迎参观。"
    assert decoded(text.encode(charset)) == text


def test_other_charsets() -> None:
    assert decoded("Le musée ouvre à neuf heures.".encode("cp1252")).startswith("Le musée")
    assert decoded("We open at nine.".encode("utf-16-le")) == "We open at nine."
    assert "开放" in decoded(("博物馆九点开放。" * 9).encode() + b"\xff\xfe\xfa cut")
    assert decoded("博物馆九点开放。".encode("gbk"), declared="gb2312") == "博物馆九点开放。"


def test_an_english_pdf_of_two_pages(tmp_path: Path) -> None:
    guide = document(tmp_path / "guide.pdf", pdf(GUIDE_EN, title="Untitled"))
    assert guide.title == "guide"
    assert shown(guide.chunks) == [
        (
            ("Opening hours",),
            "p. 1",
            "We are open from nine to five on every weekday except Monday, and the museum cafe "
            "closes at four.",
        ),
        (
            ("Opening hours", "Tickets"),
            "p. 2",
            "Ten euros for adults; children under six pay nothing at all. Groups of ten or more "
            "have to book.",
        ),
    ]


def test_a_chinese_pdf_of_two_pages(tmp_path: Path) -> None:
    guide = document(tmp_path / "x.pdf", pdf(GUIDE_ZH, title="光之博物馆参观指南"))
    assert (guide.title, guide.language) == ("光之博物馆参观指南", "zh")
    assert shown(guide.chunks) == [
        (
            ("开放时间",),
            "第 1 页",
            "本馆周二至周日九点到十七点开放，周一闭馆，法定节假日照常开放。",
        ),
        (
            ("门票",),
            "第 2 页",
            "成人票十元，六岁以下儿童免票。\n- 电话 010-123，传真 010-124",
        ),
    ]


def test_pdfs_that_cannot_be_read_say_what_to_do(tmp_path: Path) -> None:
    path, plain = tmp_path / "x.pdf", pdf(GUIDE_ZH)
    assert "ocrmypdf" in str(refusal(path, pdf(((), ()))))
    assert "password" in str(refusal(path, encrypted(plain, "secret")))
    assert document(path, encrypted(plain, "")).chunks  # anybody may read it
    for broken in (plain[: len(plain) // 3], b"%PDF-1.7\nnothing", b"PK\x03\x04 a zip", b"\0" * 99):
        assert "damaged" in str(refusal(path, broken))
    some = document(path, pdf((GUIDE_ZH[0], ())))
    assert some.notes == (("no text on page 2", "第 2 页没有文字"),)


def test_halves_of_characters_in_a_pdf(tmp_path: Path) -> None:
    page = pdf((((11, "A broken Q here, and ten more words."),),))
    page = page.replace(b"<0051> <0051>", b"<0051> <D800>")
    (chunk,) = document(tmp_path / "x.pdf", page).chunks
    assert chunk.text.encode() and "broken \ufffd here" in chunk.text


def test_a_word_document(tmp_path: Path) -> None:
    found = read(load(handbook(tmp_path / "handbook.docx")))
    assert (found.title, found.language) == ("员工手册", "zh")
    assert shown(found.chunks) == [
        (
            ("第一章 考勤",),
            "",
            "上班时间为九点，下班时间为十八点。迟到三十分钟以内算迟到。\n1. 打开应用\n2. 点击打卡",
        ),
        (
            ("第一章 考勤", "Holidays"),
            "",
            "- annual leave\n- sick leave\n| 类别 | 天数 |\n| 年假|带薪 | 10 | 一次休完 |",
        ),
    ]


def test_word_documents_that_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.docx"
    assert "no Word document" in str(refusal(path, b"\xd0\xcf\x11\xe0 the old format"))
    whole = handbook(tmp_path / "whole.docx").read_bytes()
    assert refusal(path, whole[: len(whole) // 2])
    monkeypatch.setattr("mien.knowledge.docx_file.MOST_UNPACKED", 2_000_000)
    bomb = docx_bomb(tmp_path / "bomb.docx", megabytes=3)
    assert bomb.stat().st_size < 10_000
    assert "split it" in str(refusal(path, bomb.read_bytes()))
    picture = docx_bomb(tmp_path / "picture.docx", megabytes=3, part_name="word/media/a.png")
    assert "split it" in str(refusal(path, picture.read_bytes()))


CHANGED = """
<w:p><w:r><w:t>Open </w:t></w:r><w:ins w:id="1" w:author="A"><w:r><w:t>daily, </w:t></w:r></w:ins>
  <w:del w:id="2" w:author="A"><w:r><w:delText>never</w:delText></w:r></w:del>
  <w:moveFrom w:id="3" w:author="A"><w:r><w:t>long ago</w:t></w:r></w:moveFrom>
  <w:sdt><w:sdtPr><w:alias w:val="x"/></w:sdtPr><w:sdtContent><w:r><w:t>from nine.</w:t></w:r>
  </w:sdtContent></w:sdt></w:p>
<w:ins w:id="4" w:author="A"><w:p><w:r><w:t>A new paragraph.</w:t></w:r></w:p></w:ins>
<w:sdt><w:sdtPr><w:docPartObj><w:docPartGallery w:val="Table of Contents"/></w:docPartObj></w:sdtPr>
  <w:sdtContent><w:p><w:r><w:t>Chapter 1 .... 7</w:t></w:r></w:p></w:sdtContent></w:sdt>
<w:sdt><w:sdtContent><w:p><w:r><w:t>Of a form. </w:t></w:r><w:sdt><w:sdtPr><w:showingPlcHdr/>
  </w:sdtPr><w:sdtContent><w:r><w:t>Click here</w:t></w:r></w:sdtContent></w:sdt></w:p>
  </w:sdtContent></w:sdt>
<w:tbl><w:tr><w:tc><w:p><w:moveFrom w:id="5" w:author="A"><w:r><w:t>Old</w:t></w:r></w:moveFrom>
  <w:r><w:t>Fee</w:t></w:r></w:p></w:tc></w:tr>
  <w:sdt><w:sdtContent><w:tr><w:tc><w:p><w:r><w:t>Ten</w:t></w:r></w:p></w:tc></w:tr></w:sdtContent>
  </w:sdt></w:tbl>
"""


def test_changes_and_forms_in_a_word_document(tmp_path: Path) -> None:
    found = read(load(docx_of(tmp_path / "x.docx", CHANGED)))
    assert "\n".join(chunk.text for chunk in found.chunks) == (
        "Open daily, from nine.\nA new paragraph.\nOf a form.\n| Fee |\n| Ten |"
    )


def test_tables_whose_cells_span_much(tmp_path: Path) -> None:
    def cell(text: str, about: str = "") -> str:
        return f"<w:tc><w:tcPr>{about}</w:tcPr><w:p><w:r><w:t>{text}</w:t></w:r></w:p></w:tc>"

    wide = cell("Fees", '<w:gridSpan w:val="20000000"/>')
    first = cell("Adults", '<w:vMerge w:val="restart"/>') + cell("ten")
    second = cell("", "<w:vMerge/>") + cell("eight in winter")
    rows = "".join(f"<w:tr>{row}</w:tr>" for row in (wide, first, second))
    file = load(docx_of(tmp_path / "x.docx", f"<w:tbl>{rows}</w:tbl>"))
    tracemalloc.start()
    (chunk,) = read(file).chunks
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert chunk.text == "| Fees |\n| Adults | ten |\n| Adults | eight in winter |"
    assert most < 40_000_000  # a cell for each column would be 160 MB


def test_a_line_of_dots_takes_no_time() -> None:
    """Where it grows with the square of the dots, hours."""
    pages = [[Line("." * 1_000_000 + "x"), Line("Chapter 1 ........ 7"), Line("All of it. " * 9)]]
    (text,) = paragraphs_of(pages)
    assert "Chapter" not in text and "All of it" in text


PAGE = """<html><head><meta charset="gbk"><title>博物馆</title></head><body>
<nav><a href="/">首页</a></nav>
<h1>开放时间</h1><p>本馆<b>九点</b>开放，见<a href="http://x.y/z">地图</a>。</p>
<h2>门票</h2><table><tr><th>谁</th><th>价格</th></tr><tr><td>成人</td><td>10</td></tr></table>
<ol><li>排队</li><li>付款 <ul><li>现金</li></ul></li></ol>
<p style="display: none">看不见</p><script>alert(1)</script><footer>版权所有</footer></body></html>
"""


def test_a_small_page_is_read_whole(tmp_path: Path) -> None:
    page = document(tmp_path / "x.html", PAGE.encode("gbk"))
    assert page.title == "博物馆"
    assert [(chunk.heading, chunk.text) for chunk in page.chunks] == [
        (("开放时间",), "本馆九点开放，见地图。"),
        (("开放时间", "门票"), "| 谁 | 价格 |\n| 成人 | 10 |\n1. 排队\n2. 付款\n  - 现金"),
    ]


def test_of_a_large_page_the_main_part_is_read(tmp_path: Path) -> None:
    menu = "".join(f"<div class='menu'><a href='/{n}'>Link {n}</a></div>" for n in range(40))
    story = "".join(
        f"<p>Paragraph {n} of the story tells at some length what happened that day.</p>"
        for n in range(12)
    )
    plain = f"<html><body><div id='menu'>{menu}</div><div class='content'><h2>The day</h2>{story}"
    marked = f"<html><body><div>{menu}</div><main><h2>The day</h2>{story}</main></body></html>"
    for page in (plain, marked):
        text = "\n".join(chunk.text for chunk in document(tmp_path / "x.html", page).chunks)
        assert text.count("Paragraph") == 12
        assert "Link 7" not in text


def test_hostile_pages(tmp_path: Path) -> None:
    deep = "<div>" * 20_000 + "the bottom" + "</div>" * 20_000
    assert document(tmp_path / "x.html", f"<p>top</p>{deep}").chunks[0].text.startswith("top")
    laughs = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><html><p>no &b; laugh</p></html>'
    assert "haha" not in document(tmp_path / "x.html", laughs).chunks[0].text
    assert "has no text" in str(refusal(tmp_path / "x.html", "<script>alert(1)</script>"))


def test_sheets_of_questions_and_answers(tmp_path: Path) -> None:
    sheet = (
        "类别,问题,答案,相似问,链接,电话\n"
        "参观,几点开门？,九点开门。,什么时候营业;开门时间,https://m.example/hours,123\n"
        ",可以退票吗？,开展前可以退。,,,\n,空的？,,,,\n"
    )
    found = document(tmp_path / "faq.csv", sheet.encode("gbk"))
    assert found.notes == (("read as questions and answers", "按问答表读取"),)
    hours = "九点开门。\n电话: 123"
    assert shown(found.chunks) == [
        (("参观", "几点开门？"), "第 2 行", hours),
        (("参观", "什么时候营业"), "第 2 行", hours),
        (("参观", "开门时间"), "第 2 行", hours),
        (("可以退票吗？",), "第 3 行", "开展前可以退。"),
    ]
    assert [chunk.url for chunk in found.chunks] == ["https://m.example/hours"] * 3 + [""]
    bare = document(tmp_path / "faq.tsv", "When?\tAt nine.\nWhere, and why?\tHere.\n")
    assert shown(bare.chunks)[1] == (("Where, and why?",), "row 2", "Here.")


def test_cells_of_several_lines(tmp_path: Path) -> None:
    sheet = (
        "Question,Answer,Other ways to ask (alternatives),Note\n"
        '"What is the\n24/7 price?","Ten euros.\r\n\r\nFive  at night.",'
        '"24/7 price\r\nnight fee｜late fee",a\u2028b\x0bc\n'
        '"And by\u2028day?",Eight.,,\n'
    )
    found = document(tmp_path / "faq.csv", sheet)
    text = "Ten euros.\nFive at night.\nNote: a b c"
    assert shown(found.chunks) == [
        (("What is the 24/7 price?",), "row 2", text),
        (("24/7 price",), "row 2", text),
        (("night fee",), "row 2", text),
        (("late fee",), "row 2", text),
        (("And by day?",), "row 3", "Eight."),
    ]
    plain = document(tmp_path / "p.csv", 'Name,"Price\n(net)"\rLamp,"12\rnow"\rBed,80\r')
    assert shown(plain.chunks) == [
        ((), "row 2", "Name: Lamp; Price (net): 12 now"),
        ((), "row 3", "Name: Bed; Price (net): 80"),
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_other_sheets_are_read_row_by_row(tmp_path: Path, delimiter: str) -> None:
    rows = (
        ("Product", "Price", "Stock"),
        ("Lamp, red" if delimiter != "," else "Lamp", "12.50", "3"),
    )
    rows += (("", "", ""), ("Chair", "40", ""))
    found = document(tmp_path / "p.csv", "\n".join(delimiter.join(row) for row in rows))
    lamp = rows[1][0]
    assert shown(found.chunks) == [
        ((), "row 2", f"Product: {lamp}; Price: 12.50; Stock: 3"),
        ((), "row 4", "Product: Chair; Price: 40"),
    ]


def test_rows_without_a_header_and_long_cells(tmp_path: Path) -> None:
    found = document(tmp_path / "x.csv", "2024,12.5,rain\n2025,11.0,sun\n")
    assert found.chunks[0].text == "2024; 12.5; rain"
    long = "A sentence that is repeated. " * 100
    found = document(tmp_path / "y.csv", f'question,answer\nWhy?,"{long}"\n')
    assert len(found.chunks) > 3
    assert {chunk.heading for chunk in found.chunks} == {("Why?",)}
    assert "is no CSV" in str(refusal(tmp_path / "z.csv", "a,b\n" + "x" * 300_000 + ",y\n"))


def test_other_kinds_and_sizes_are_refused_with_advice(tmp_path: Path) -> None:
    for name, advice in (("a.doc", ".docx"), ("a.xlsx", ".csv"), ("a.exe", "md, txt"), ("a", "md")):
        assert advice in str(refusal(tmp_path / name, "x"))
    assert "empty" in str(refusal(tmp_path / "a.txt", " \n"))
    assert "no text" in str(refusal(tmp_path / "a.txt", bytes(range(256)) * 20))
    with open(tmp_path / "large.txt", "wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(KnowledgeError, match="at most 50 MB"):
        load(tmp_path / "large.txt")
