"""Running orders: reading them, what is wrong with them, and what comes next."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from importlib import resources
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from mien.cli import app
from mien.live.agenda import Agenda
from mien.live.errors import LiveError
from mien.live.hours import read_hours
from mien.live.length import round_sec, spoken_sec
from mien.live.order import Item, RunningOrder
from mien.live.order_file import OrderError, load_order, parse_text, parse_toml
from mien.live.order_watch import OrderFile
from mien.live.rest import rest_of

MONDAY = datetime(2026, 11, 23, 12, 0)
EXAMPLES = sorted(file.name for file in (resources.files("mien") / "assets" / "live").iterdir())


def order_of(*items: str, head: str = "") -> RunningOrder:
    return parse_toml(head + "".join(f"\n[[item]]\n{item}\n" for item in items))


def texts(agenda: Agenda, count: int, seconds: float = 1.0) -> list[str]:
    """The next things said, one every ``seconds``."""
    said = []
    for number in range(count):
        cue = agenda.next(number * seconds, MONDAY)
        said.append(cue.text if cue else "-")
    return said


# -- reading ---------------------------------------------------------------------------------


def test_every_key_is_read() -> None:
    order = order_of(
        'name = "one"\ntexts = ["a", "b"]\npick = "shuffle"\npause = 5\ntimes = 2\n'
        'every_rounds = 3\nevery_minutes = 10\nwhen = "20:00-22:00"',
        'ask = "Tell a joke."\ntext = "[smile] Ha,\n ha."'.replace("\n ha", "\\n ha"),
        head='title = "T"\nabout = "facts"\ngreeting = "Hi."\nclosing = "Bye."\nloop = false\n'
        'shuffle = true\npause = 1.5\nwhen = ["mon", "tue"]\ntimezone = "Asia/Shanghai"\n',
    )
    one, two = order.items
    assert (one.texts, one.shuffled, one.pause, one.times) == (("a", "b"), True, 5, 2)
    assert (one.every_rounds, one.every_sec, one.label) == (3, 600, "one")
    assert (two.ask, two.texts, two.pause) == ("Tell a joke.", ("[smile] Ha, ha.",), 1.5)
    assert (order.title, order.greeting, order.closing) == ("T", "Hi.", "Bye.")
    assert not order.loop and order.shuffled and str(order.zone) == "Asia/Shanghai"
    assert order.hours.open(MONDAY) and not order.hours.open(MONDAY + timedelta(days=2))


def test_a_plain_text_is_one_item_per_paragraph(tmp_path: Path) -> None:
    file = tmp_path / "order.txt"
    text = "\ufeff# a comment\r\n大家好，\r\n欢迎。\r\n\r\n\r\nSecond one\r\ngoes on.\r\n"
    file.write_bytes(text.encode())
    assert [item.texts for item in load_order(file).items] == [
        ("大家好，欢迎。",),
        ("Second one goes on.",),
    ]


WRONG = {
    'txet = "x"': ("unknown 'txet'; did you mean 'text'?", "是不是 'text'"),
    "text = 5": ("text = 5: expected a text in quotes", "应为引号里的文字"),
    "pause = 3": ('there is nothing to say; write text = "…"', "没有可说的内容"),
    'text = "[smile]"': ("no word that can be said", "没有能念出来的字"),
    'texts = "x"': ("texts is a list of texts", "文本列表"),
    'texts = []\ntext = "x"': ("exclude each other", "只能写一个"),
    'text = "x"\npause = -1': ("pause = -1 is out of range; write 0 to 86400", "超出范围"),
    'text = "x"\ntimes = 1.5': ("expected a whole number", "应为整数"),
    'text = "x"\npick = "random"': ('write "turn"', "依次"),
    'text = "x"\nwhen = "25:00-26:00"': ('when: "25:00-26:00" is neither', "看不懂“25:00-26:00”"),
    'text = "x"\nevery_minutes = true': ("expected a number", "应为数字"),
    f'text = "{"x" * 2001}"': ("2001 characters, at most 2000; make several", "请拆成几项"),
}


@pytest.mark.parametrize("item", WRONG)
def test_what_is_wrong_is_named_with_the_item_and_the_remedy(item: str) -> None:
    with pytest.raises(OrderError) as error:
        order_of('text = "fine"', item)
    en, zh = WRONG[item]
    assert str(error.value).startswith("text, item 2: ") and en in str(error.value)
    assert error.value.zh.startswith("text，第 2 项：") and zh in error.value.zh


@pytest.mark.parametrize(
    ("text", "en"),
    [
        ("", "there is no item"),
        ("item = 5", "with two brackets"),
        ("[item]\ntext = 'x'", "with two brackets"),
        ("[[item]]\ntext = 'a\nb'", "not valid TOML"),
        ("loop = 'yes'\n[[item]]\ntext = 'x'", "expected true or false"),
        ("timezone = 'Mars/Base'\n[[item]]\ntext = 'x'", 'no time zone "Mars/Base"'),
        ("timezone = '../../etc/passwd'\n[[item]]\ntext = 'x'", "no time zone"),
        ("greeting = '…'\n[[item]]\ntext = 'x'", "greeting has no word"),
        ("[[item]]\nname='a'\ntext='x'\n[[item]]\nname='a'\ntext='y'", 'the name "a"'),
    ],
)
def test_what_is_wrong_above_the_items_is_named(text: str, en: str) -> None:
    with pytest.raises(OrderError) as error:
        parse_toml(text)
    assert en in str(error.value) and error.value.zh


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(OrderError) as error:
        order_of('txet = "x"', "text = 5")
    assert len(str(error.value).splitlines()) >= 3


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(OrderError, match="mien live example"):
        load_order(tmp_path / "none.toml")
    with pytest.raises(OrderError, match="cannot read"):
        load_order(tmp_path)
    (tmp_path / "gbk.toml").write_bytes('[[item]]\ntext = "你好"'.encode("gbk"))
    with pytest.raises(OrderError, match="save it as UTF-8"):
        load_order(tmp_path / "gbk.toml")
    (tmp_path / "large.txt").write_text("x" * 1_000_001)
    with pytest.raises(OrderError, match="1000001 bytes"):
        load_order(tmp_path / "large.txt")
    (tmp_path / "empty.txt").write_text("\n\n# nothing\n")
    with pytest.raises(OrderError, match="nothing to say"):
        load_order(tmp_path / "empty.txt")


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=200), st.text(max_size=200))
def test_any_text_is_an_order_or_an_order_error(text: str, value: str) -> None:
    toml = f"when = {value}\n[[item]]\n{text}"
    for parse, source in ((parse_toml, text), (parse_toml, toml), (parse_text, text)):
        try:
            assert parse(source).items
        except OrderError as error:
            assert error.en and error.zh


# -- hours -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "on", "off"),
    [
        ("20:00-22:00", ["23 20:00", "23 21:59"], ["23 19:59", "23 22:00"]),
        ("mon-fri 20点 - 22点30分", ["27 22:29"], ["28 21:00"]),
        ("周一至周五 20：00－22：00", ["23 20:00"], ["28 20:00"]),
        ("星期六、周日 10:00-18:00", ["28 10:00", "29 17:00"], ["23 12:00"]),
        ("周末", ["28 00:00", "29 23:59"], ["27 23:59"]),
        ("fri 22:00-02:00", ["27 23:00", "28 01:59"], ["28 22:30", "27 01:00"]),
        ("sat-mon", ["28 1:00", "23 1:00"], ["24 1:00"]),
        ("2026-11-24..2026-11-25 09:00-17:00", ["24 09:00", "25 16:59"], ["26 10:00"]),
        ("00:00-24:00", ["23 00:00", "23 23:59"], []),
    ],
)
def test_hours(written: str, on: list[str], off: list[str]) -> None:
    hours = read_hours(written)
    for times, expected in ((on, True), (off, False)):
        for time in times:
            assert hours.open(datetime.strptime(f"2026-11-{time}", "%Y-%m-%d %H:%M")) is expected


@pytest.mark.parametrize(
    "written", ["", "20:00", "noon", "24:30-25:00", "2026-02-30", 5, [5], "9:00-10:00 11:00-12:00"]
)
def test_hours_that_are_none(written: object) -> None:
    with pytest.raises(LiveError) as error:
        read_hours(written)
    assert '"mon-fri 20:00-22:00"' in str(error.value) and error.value.zh


def test_the_next_opening() -> None:
    assert read_hours("sat 10:00-11:00").opens(MONDAY) == datetime(2026, 11, 28, 10, 0)
    assert read_hours(["sat", "14:00-15:00"]).opens(MONDAY) == MONDAY.replace(hour=14)
    assert read_hours("2026-11-22").opens(MONDAY) is None


# -- what comes next -------------------------------------------------------------------------


def test_rounds_repeats_and_texts_in_turn() -> None:
    order = order_of(
        'text = "A"', 'text = "B"\ntimes = 2', 'texts = ["c", "d"]', 'text = "E"\nevery_rounds = 2'
    )
    expected = ["A", "B", "B", "c", "E", "A", "B", "B", "d", "A", "B", "B", "c", "E"]
    assert texts(Agenda(order), 14) == expected


def test_an_item_that_must_come_every_few_minutes_is_put_in_between() -> None:
    order = order_of('text = "P"\nevery_minutes = 1', *[f'text = "{c}"' for c in "abcdefgh"])
    said = texts(Agenda(order), 13, seconds=25)
    assert said == ["P", "a", "b", "P", "c", "d", "P", "e", "f", "P", "g", "h", "P"]


def test_without_a_loop_it_ends() -> None:
    agenda = Agenda(order_of('text = "A"', 'text = "B"', head="loop = false"))
    assert texts(agenda, 3) == ["A", "B", "-"] and agenda.over


def test_items_of_other_hours_are_left_out_and_nothing_spins() -> None:
    order = order_of('text = "A"\nwhen = "20:00-22:00"', 'text = "B"')
    assert texts(Agenda(order), 2) == ["B", "B"]
    never = Agenda(order_of('text = "A"\nwhen = "20:00-22:00"\nevery_rounds = 1000'))
    assert never.next(0, MONDAY) is None and never.round == 1


def test_shuffled_everything_comes_once_before_anything_again() -> None:
    letters = 'texts = ["a", "b", "c", "d"]\npick = "shuffle"'
    said = texts(Agenda(order_of(letters), seed=3), 40)
    for begin in range(0, 40, 4):
        assert sorted(said[begin : begin + 4]) == ["a", "b", "c", "d"]
    assert all(one != two for one, two in pairwise(said))
    order = order_of(*[f'text = "{c}"' for c in "abcd"], head="shuffle = true")
    said = texts(Agenda(order, seed=5), 40)
    assert sorted(said[:4]) == ["a", "b", "c", "d"] and said[:4] != said[4:8]
    assert all(one != two for one, two in pairwise(said))


def test_a_new_edition_goes_on_where_the_old_one_was() -> None:
    agenda = Agenda(order_of('text = "A"', 'text = "B"', 'text = "C"'))
    assert texts(agenda, 2) == ["A", "B"]
    agenda.replace(order_of('text = "new"', 'text = "A"', 'text = "B"', 'text = "next"'))
    assert texts(agenda, 2) == ["next", "new"]
    agenda.replace(order_of('text = "only"'))
    assert texts(agenda, 2) == ["only", "only"]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.builds(
            lambda n, times, every, sec: Item(
                n, (f"t{n}",), times=times, every_rounds=every, every_sec=sec
            ),
            st.integers(1, 5),
            st.integers(1, 3),
            st.integers(1, 4),
            st.none() | st.floats(1, 100),
        ),
        min_size=1,
        max_size=6,
    ),
    st.booleans(),
    st.booleans(),
)
def test_any_order_says_everything(items: list[Item], loop: bool, shuffled: bool) -> None:
    agenda = Agenda(RunningOrder(tuple(items), loop=loop, shuffled=shuffled))
    said = {cue.text for n in range(300) if (cue := agenda.next(float(n), MONDAY))}
    first_round = {item.texts[0] for item in items}
    assert said == first_round


# -- what is left of an interrupted text, and how long one takes --------------------------------


@pytest.mark.parametrize(
    ("text", "heard", "rest"),
    [
        ("One two. Three four. Five.", "One two.", "Three four. Five."),
        ("One two. Three four. Five.", "One two. Three", "Three four. Five."),
        ("One two. Three four.", "", "One two. Three four."),
        ("One two. Three four.", "One two. Three four.", ""),
        ("[smile] Hi there. [nod] Yes.", " Hi there.", "[nod] Yes."),
        ("版本3.5来了。第二句！第三句", "版本3.5来了。第", "第二句！第三句"),
        ("“你好。”他说。再见。", "“你好。”", "他说。再见。"),
        ("It costs 3.50 euros. Yes.", "It costs 3.", "It costs 3.50 euros. Yes."),
    ],
)
def test_the_rest_begins_with_the_sentence_that_was_cut(text: str, heard: str, rest: str) -> None:
    assert rest_of(text, heard) == rest


def test_lengths() -> None:
    assert spoken_sec("[smile] 大家好，欢迎光临。") == pytest.approx(7 / 4.5 + 0.58, abs=0.6)
    order = order_of('text = "Hello there."\npause = 4\ntimes = 2', 'text = "B"\nevery_rounds = 2')
    one, two = spoken_sec("Hello there."), spoken_sec("B")
    assert round_sec(order) == pytest.approx(2 * (one + 4) + (two + 2) / 2)


# -- the file, and the commands ------------------------------------------------------------------


async def test_a_file_is_read_again_when_it_has_changed_and_settled(tmp_path: Path) -> None:
    path = tmp_path / "order.toml"
    path.write_text("[[item]]\ntext = 'A'")
    file = OrderFile(path)
    assert not await file.refresh()
    path.write_text("[[item")
    assert not await file.refresh(), "it may still be being written"
    with pytest.raises(OrderError, match="not valid TOML"):
        await file.refresh()
    assert not await file.refresh() and file.order.items[0].texts == ("A",)
    path.unlink()
    assert not await file.refresh(), "editors rename"
    with pytest.raises(OrderError, match="cannot read"):
        await file.refresh()
    path.write_text("[[item]]\ntext = 'B'")
    assert not await file.refresh()
    assert await file.refresh() and file.order.items[0].texts == ("B",)


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_pass_their_own_check(name: str, tmp_path: Path) -> None:
    kind, language, _ = name.split(".")
    runner = CliRunner()
    printed = runner.invoke(app, ["live", "example", kind, "--language", language])
    file = tmp_path / "order.toml"
    file.write_text(printed.stdout, encoding="utf-8")
    for spoken, words in (("C", "one round takes about"), ("zh_CN.UTF-8", "一轮约")):
        checked = runner.invoke(app, ["live", "check", str(file)], env={"LC_ALL": spoken})
        assert checked.exit_code == 0 and words in checked.output
    order = load_order(file)
    assert order.greeting and order.closing and order.about and 20 < round_sec(order) < 600


def test_check_names_what_is_wrong(tmp_path: Path) -> None:
    file = tmp_path / "order.toml"
    file.write_text("[[item]]\ntxet = 'x'\n")
    (tmp_path / "words").write_text("banana")
    (tmp_path / "mien.toml").write_text(f'[live]\nblocked_words = ["{tmp_path / "words"}"]')
    runner = CliRunner()
    checked = runner.invoke(app, ["live", "check", str(file)], env={"LC_ALL": "C"})
    assert checked.exit_code == 2 and "order.toml, item 1: unknown 'txet'" in checked.output
    file.write_text("[[item]]\ntext = 'One banana.'\n")
    config = ["--config", str(tmp_path / "mien.toml")]
    checked = runner.invoke(app, ["live", "check", str(file), *config], env={"LC_ALL": "C"})
    assert checked.exit_code == 0 and "item 1: holds a blocked word" in checked.output
    os.remove(file)
    assert runner.invoke(app, ["live", "check", str(file)]).exit_code == 2
