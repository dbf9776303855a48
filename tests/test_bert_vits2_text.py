"""Mandarin for Bert-VITS2: symbols, readings in context, tones in connected speech, words."""

from __future__ import annotations

import subprocess
import sys
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("rjieba", reason="needs the extra bert-vits2")
pytest.importorskip("pypinyin", reason="needs the extra bert-vits2")

from pypinyin.constants import PINYIN_DICT
from pypinyin.contrib.tone_convert import to_normal

from mien.language import Language
from mien.lipsync.viseme.looks import LOOKS, letters
from mien.lipsync.viseme.sounds import sounds
from mien.tts.bert_vits2.text import Phonemes, analyse, scheme_of
from mien.tts.bert_vits2.text.chinese import units
from mien.tts.bert_vits2.text.ipa import ipa
from mien.tts.bert_vits2.text.marks import MARK_OF
from mien.tts.bert_vits2.text.syllables import phones
from mien.tts.bert_vits2.text.symbols import (
    BLANK_ID,
    ENGLISH,
    ID_OF,
    JAPANESE,
    LANGUAGE_ID,
    MANDARIN,
    MARKS,
    SYMBOLS,
    TONE_OFFSET,
    VoiceLanguage,
)
from mien.tts.normalize import prepare
from mien.tts.voice import Run

SCHEME = scheme_of("2.0", "2.3")
BARE = scheme_of("2.0", "2.3", add_blank=False)


def said(text: str) -> str:
    """Text as the front end reads it: "ni2 hao3", marks as they are."""
    return " ".join(
        f"{_pinyin()[unit.phones]}{unit.tones[0]}" if unit.word else unit.text
        for unit in units(text)
    )


@cache
def _pinyin() -> dict[tuple[str, ...], str]:
    return {pair: pinyin for pinyin in _syllables() if (pair := phones(pinyin))}


@cache
def _syllables() -> list[str]:
    found = {to_normal(p) for readings in PINYIN_DICT.values() for p in readings.split(",")}
    return sorted(s for s in found if s.isascii() and s not in ("m", "n", "ng", "hm", "hng"))


def test_the_symbols_are_the_112_the_networks_are_made_for() -> None:
    assert len(SYMBOLS) == len(set(SYMBOLS)) == 112
    assert SYMBOLS[0] == "_"
    assert SYMBOLS[-9:] == ("!", "?", "…", ",", ".", "'", "-", "SP", "UNK")
    assert list(SYMBOLS[1:-9]) == sorted(SYMBOLS[1:-9])
    assert (len(MANDARIN), len(JAPANESE), len(ENGLISH)) == (65, 42, 39)
    assert max(TONE_OFFSET.values()) + 4 == 12


@pytest.mark.parametrize(
    ("language", "names"), [("zh", MANDARIN), ("ja", JAPANESE), ("en", ENGLISH)]
)
def test_the_lips_can_read_every_symbol(language: VoiceLanguage, names: list[str]) -> None:
    for name in names:
        sound = ipa(name, language)
        assert all(letter in LOOKS for letter, _ in letters(sound)), (name, sound)
        assert sounds(sound), (name, sound)
    assert all(ipa(mark, language) == "" for mark in ("", "_", "SP", *MARKS))
    with pytest.raises(ValueError, match="no sound"):
        ipa("xx", language)


def test_every_legal_syllable_has_two_phones_of_the_set() -> None:
    syllables = _syllables()
    assert len(syllables) > 400
    pairs = {}
    for syllable in syllables:
        pair = phones(syllable)
        assert pair is not None and set(pair) <= set(MANDARIN), syllable
        pairs[syllable] = pair
    assert len(set(pairs.values())) >= len(pairs) - 2  # ê is ei; nothing else sounds like another


@pytest.mark.parametrize(
    ("pinyin", "expected"),
    [
        ("a", "AA a"), ("ai", "AA ai"), ("ang", "AA ang"), ("e", "EE e"), ("en", "EE en"),
        ("er", "EE er"), ("o", "OO o"), ("ou", "OO ou"), ("zi", "z i0"), ("ci", "c i0"),
        ("si", "s i0"), ("zhi", "zh ir"), ("chi", "ch ir"), ("shi", "sh ir"), ("ri", "r ir"),
        ("yi", "y i"), ("ya", "y a"), ("ye", "y E"), ("yan", "y En"), ("yao", "y ao"),
        ("you", "y ou"), ("yong", "y ong"), ("ying", "y ing"), ("yu", "y v"), ("yue", "y ve"),
        ("yuan", "y van"), ("yun", "y vn"), ("ju", "j v"), ("quan", "q van"), ("xue", "x ve"),
        ("jun", "j vn"), ("jiong", "j iong"), ("jiu", "j iu"), ("wu", "w u"), ("wo", "w o"),
        ("wei", "w ei"), ("weng", "w eng"), ("lv", "l v"), ("lve", "l ve"), ("nve", "n ve"),
        ("lu", "l u"), ("gui", "g ui"), ("gun", "g un"), ("zhuang", "zh uang"), ("bo", "b o"),
        ("duo", "d uo"), ("xian", "x ian"), ("xiang", "x iang"), ("ng", "EE en"),
    ],
)  # fmt: skip
def test_a_syllable_is_its_initial_and_final(pinyin: str, expected: str) -> None:
    assert " ".join(phones(pinyin) or ()) == expected


@pytest.mark.parametrize("nonsense", ["", "x1", "ii", "vzz", "tch", "iang"])
def test_what_is_no_syllable_has_no_phones(nonsense: str) -> None:
    assert phones(nonsense) is None


READINGS = """
银行行长在重庆长大了。 | yin2 hang2 hang2 zhang3 zai4 chong2 qing4 zhang3 da4 le5 .
音乐让他很快乐。 | yin1 yue4 rang4 ta1 hen3 kuai4 le4 .
我觉得该睡觉了。 | wo3 jue2 de5 gai1 shui4 jiao4 le5 .
你了解吗？他走了。 | ni3 liao2 jie3 ma5 ? ta1 zou3 le5 .
他还钱了，我还是不还钱。 | ta1 huan2 qian2 le5 , wo3 hai2 shi4 bu4 huan2 qian2 .
我还了他的书，他还没还。 | wo3 huan2 le5 ta1 de5 shu1 , ta1 hai2 mei2 huan2 .
他慢慢地走过来。 | ta1 man4 man4 de5 zou3 guo4 lai5 .
地上有两只狗，只有一只猫。 | di4 shang5 you2 liang3 zhi1 gou3 , zhi2 you3 yi4 zhi1 mao1 .
你得走了，他跑得快。 | ni2 dei2 zou3 le5 , ta1 pao3 de5 kuai4 .
他得了奖，高兴得跳了起来。 | ta1 de2 le5 jiang3 , gao1 xing4 de5 tiao4 le5 qi3 lai5 .
这本书很长，他长得很高。 | zhe4 ben3 shu1 hen3 chang2 , ta1 zhang3 de5 hen3 gao1 .
重新开始，很重，重写代码。 | chong2 xin1 kai1 shi3 , hen3 zhong4 , chong2 xie3 dai4 ma3 .
两行代码，一行人，行不行？ | liang3 hang2 dai4 ma3 , yi4 xing2 ren2 , xing2 bu5 xing2 ?
他为人民服务，成为老师。 | ta1 wei4 ren2 min2 fu2 wu4 , cheng2 wei2 lao3 shi1 .
首都的交通都很方便。 | shou3 du1 de5 jiao1 tong1 dou1 hen3 fang1 bian4 .
老师教我们数学，在教室里。 | lao3 shi1 jiao1 wo3 men5 shu4 xue2 , zai4 jiao4 shi4 li5 .
你干什么？干净的毛巾。 | ni3 gan4 shen2 me5 ? gan1 jing5 de5 mao2 jin1 .
我中奖了，中国中学。 | wo3 zhong4 jiang3 le5 , zhong1 guo2 zhong1 xue2 .
便宜的东西很方便。 | pian2 yi5 de5 dong1 xi5 hen3 fang1 bian4 .
把空调的温度调低。 | ba3 kong1 tiao2 de5 wen1 du4 tiao2 di1 .
天空中，位置空着。 | tian1 kong1 zhong1 , wei4 zhi4 kong1 zhe5 .
有空再来。 | you3 kong4 zai4 lai2 .
别着急，他睡着了。 | bie2 zhao2 ji2 , ta1 shui4 zhao2 le5 .
受不了，用得着，来得及。 | shou4 bu5 liao3 , yong4 de5 zhao2 , lai2 de5 ji2 .
弹钢琴，切蛋糕，似乎，似的。 | tan2 gang1 qin2 , qie1 dan4 gao1 , si4 hu1 , shi4 de5 .
出差，差不多，温差，差别。 | chu1 chai1 , cha4 bu5 duo1 , wen1 cha1 , cha1 bie2 .
绿色的女人去旅行。 | lv4 se4 de5 nv3 ren2 qu4 lv3 xing2 .
我们应该响应，反应要快。 | wo3 men5 ying1 gai1 xiang3 ying4 , fan3 ying4 yao4 kuai4 .
大夫的头发，理发店。 | dai4 fu5 de5 tou2 fa5 , li3 fa4 dian4 .
目的是的确良。 | mu4 di4 shi4 di2 que4 liang2 .
这种种子，他会种树。 | zhe4 zhong3 zhong3 zi5 , ta1 hui4 zhong4 shu4 .
"""

TONES = """
一个人，一起，一天，一年，一百。 | yi2 ge5 ren2 , yi4 qi3 , yi4 tian1 , yi4 nian2 , yi4 bai3 .
第一，万一，统一，星期一，第一次。 | di4 yi1 , wan4 yi1 , tong3 yi1 , xing1 qi1 yi1 , di4 yi1 ci4 .
一月一日，十一，二十一个。 | yi1 yue4 yi1 ri4 , shi2 yi1 , er4 shi2 yi1 ge5 .
一九九八年，一点五米。 | yi1 jiu2 jiu3 ba1 nian2 , yi1 dian3 wu2 mi3 .
下午一点三十分。 | xia4 wu3 yi4 dian3 san1 shi2 fen1 .
一百一十一，一千零一。 | yi4 bai3 yi1 shi2 yi1 , yi4 qian1 ling2 yi1 .
唯一一个，一加一，同一个。 | wei2 yi1 yi2 ge5 , yi1 jia1 yi1 , tong2 yi2 ge5 .
看一看，一步一步。 | kan4 yi5 kan4 , yi2 bu4 yi2 bu4 .
不是，不要，不好，不能，我不。 | bu2 shi4 , bu2 yao4 , bu4 hao3 , bu4 neng2 , wo3 bu4 .
好不好，看不见，对不起。 | hao3 bu5 hao3 , kan4 bu5 jian4 , dui4 bu5 qi3 .
你好，我很好，我也很好。 | ni2 hao3 , wo2 hen2 hao3 , wo2 ye3 hen2 hao3 .
展览馆，洗脸水。 | zhan2 lan2 guan3 , xi2 lian2 shui3 .
纸老虎，小老虎。 | zhi3 lao2 hu3 , xiao3 lao2 hu3 .
领导很好，老板讲话。 | ling2 dao3 hen2 hao3 , lao2 ban3 jiang3 hua4 .
很喜欢，雨伞给我。 | hen2 xi3 huan5 , yu2 san3 gei2 wo3 .
姐姐，奶奶，想想，走走，椅子。 | jie3 jie5 , nai3 nai5 , xiang2 xiang5 , zou2 zou5 , yi3 zi5 .
朋友，桌子，石头，我们，怎么。 | peng2 you5 , zhuo1 zi5 , shi2 tou5 , wo3 men5 , zen3 me5 .
爸爸妈妈，爷爷，试试，谢谢。 | ba4 ba5 ma1 ma5 , ye2 ye5 , shi4 shi5 , xie4 xie5 .
电子，孔子，量子，儿子。 | dian4 zi3 , kong2 zi3 , liang4 zi3 , er2 zi5 .
桌上，家里，里面，起来，进去。 | zhuo1 shang5 , jia1 li5 , li3 mian5 , qi3 lai5 , jin4 qu5 .
花儿，女儿，这儿，一会儿。 | hua1 er5 , nv3 er2 , zhe4 er5 , yi2 hui4 er5 .
天天，常常，刚刚，慢慢来。 | tian1 tian1 , chang2 chang2 , gang1 gang1 , man4 man4 lai2 .
好的吗呢吧啊！ | hao3 de5 ma5 ne5 ba5 a5 !
老朋友不好意思。 | lao3 peng2 you5 bu4 hao3 yi4 si5 .
多少个，这个，三个，个人。 | duo1 shao3 ge5 , zhe4 ge5 , san1 ge5 , ge4 ren2 .
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [tuple(line.split(" | ")) for line in (READINGS + TONES).strip().splitlines() if line],
)
def test_readings_and_tones(text: str, expected: str) -> None:
    assert said(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("“你好”，他说：", "' 你 好 ' , 他 说 ,"),
        ("真的？！好……", "真 的 ? 好 …"),
        ("（一）——（二）", "' 一 ' - ' 二 '"),
        ("，、。你好", "你 好"),
        ("你好 ，世界。 \n", "你 好 , 世 界 ."),
        ("甲🙂乙\u200b丙ABC丁３戊", "甲 乙 丙 丁 戊"),
        ("", ""),
        ("……", ""),
    ],
)
def test_marks_are_the_seven_that_voices_know(text: str, expected: str) -> None:
    assert " ".join(unit.text for unit in units(text)) == expected


def test_a_unit_says_where_it_is_in_the_text() -> None:
    text = " “我🙂们”、走！"
    assert [text[unit.begin : unit.stop] for unit in units(text)] == list("“我们”、走！")
    assert set(MARK_OF.values()) == set(MARKS)


def test_rare_and_unreadable_characters_cost_no_others() -> None:
    assert said("囧龘") == "jiong3 da2"
    for text in ("\U00020bb7野家", "\ue000你", "𠀀好", "\ud800好"):
        assert units(text)[-1].word


def _names(phonemes: Phonemes) -> list[str]:
    return [SYMBOLS[i] for i in phonemes.ids]


def test_a_clause_for_a_voice_without_blanks() -> None:
    found = analyse([Run("zh", "你好，鱼！")], BARE)
    assert _names(found) == ["_", "n", "i", "h", "ao", ",", "y", "v", "!", "_"]
    assert found.phones == tuple(_names(found))
    assert found.tones.tolist() == [0, 2, 2, 3, 3, 0, 2, 2, 0, 0]
    assert found.languages.tolist() == [0] * 10
    assert [(w.run, w.begin, w.stop, w.first_phone, w.last_phone) for w in found.words] == [
        (0, 0, 1, 1, 2), (0, 1, 2, 3, 4), (0, 3, 4, 6, 7),
    ]  # fmt: skip
    (text,) = found.texts
    assert text.text == "你好,鱼!"
    assert text.counts == (1, 2, 2, 1, 2, 1, 1)


def test_blanks_stand_between_all_symbols() -> None:
    bare, found = (
        analyse([Run("zh", "你好，鱼！")], BARE),
        analyse([Run("zh", "你好，鱼！")], SCHEME),
    )
    assert found.ids[1::2].tolist() == bare.ids.tolist()
    assert set(found.ids[::2].tolist()) == {BLANK_ID} and len(found) == 2 * len(bare) + 1
    assert set(found.tones[::2].tolist()) == set(found.languages[::2].tolist()) == {0}
    assert set(found.phones[::2]) == {""} and len(found.spoken) == len(found)
    assert found.texts[0].counts == (3, 4, 4, 2, 4, 2, 2)
    for before, after in zip(bare.words, found.words, strict=True):
        assert after.first_phone == 2 * before.first_phone + 1
        assert after.last_phone == 2 * before.last_phone + 1


@pytest.mark.parametrize("scheme", [SCHEME, BARE])
def test_runs_of_two_languages_are_one_row(scheme: object) -> None:
    runs = [Run("zh", "我用"), Run("en", "Python "), Run("zh", "写代码。")]
    found = analyse(runs, scheme)  # type: ignore[arg-type]
    kept = [
        (SYMBOLS[i], t, n) for i, t, n in zip(found.ids, found.tones, found.languages, strict=True)
    ]
    if scheme is SCHEME:
        kept = kept[1::2]
    zh, en = LANGUAGE_ID["zh"], LANGUAGE_ID["en"]
    assert kept == [
        ("_", 0, zh), ("w", 3, zh), ("o", 3, zh), ("y", 4, zh), ("ong", 4, zh),
        ("p", 11, en), ("ay", 10, en), ("th", 11, en), ("aa", 9, en), ("n", 11, en),
        ("x", 3, zh), ("ie", 3, zh), ("d", 4, zh), ("ai", 4, zh), ("m", 3, zh), ("a", 3, zh),
        (".", 0, zh), ("_", 0, zh),
    ]  # fmt: skip
    assert [runs[w.run].text[w.begin : w.stop] for w in found.words] == [
        "我",
        "用",
        "Python",
        *"写代码",
    ]
    assert found.texts[0].begin == 0 and found.texts[-1].stop == len(found)
    for before, after in zip(found.texts, found.texts[1:], strict=False):
        assert before.stop == after.begin
    for text in found.texts:
        assert sum(text.counts) == text.stop - text.begin
        assert len(text.counts) == len(text.spans) + 2
    for word in found.words:
        first = found.phones[word.first_phone : word.last_phone + 1]
        assert all(
            found.spoken[i] == runs[word.run].language
            for i in range(word.first_phone, word.last_phone + 1)
        )
        assert [p for p in first if p]


@pytest.mark.parametrize("text", ["", "……", "，。！", "🙂", "   "])
def test_nothing_to_say_is_an_empty_row(text: str) -> None:
    found = analyse([Run("zh", text), Run("en", text)], SCHEME)
    assert len(found) == 0 and found.words == () and found.texts == ()
    assert found.ids.dtype == np.int64


def test_whatever_is_written_becomes_symbols_that_exist() -> None:
    texts = (
        "2024年5月1日下午3:30，气温-5℃，涨了12.5%！电话13800138000。",
        "GPT-4o是OpenAI的模型，价格$20/月；网址https://a.cn。",
        "《红楼梦》（第三回）——“咦？”她说…… 「嗯」～",
        "1/3的人、第1名、3:2、５０公斤、Ⅷ、①、α粒子",
        "呒唔呣嗯哼噷哦欸诶嘞",
    )
    for text in texts:
        runs = [Run(run.language, run.text) for run in prepare(text).runs]
        found = analyse(runs, SCHEME)
        assert "UNK" not in found.phones
        assert found.ids.max() < 112 and 0 <= found.tones.min() and found.tones.max() < 12
        assert len(found.words) > 3
        for i, phone in enumerate(found.phones):
            if phone:
                assert ID_OF[phone] == found.ids[i]
                ipa(phone, found.spoken[i])


@pytest.mark.parametrize("package", ["rjieba", "pypinyin"])
def test_a_missing_package_is_named_with_the_extra(package: str) -> None:
    code = (
        "import sys\n"
        f"sys.modules[{package!r}] = None\n"
        "from mien.tts.bert_vits2.text import analyse, scheme_of\n"
        "from mien.tts.voice import Run, VoiceError\n"
        "try:\n"
        "    analyse([Run('zh', '好')], scheme_of('2.0'))\n"
        "except VoiceError as error:\n"
        "    print(error, error.zh, error.retryable)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    said = f"needs the package {package}: pip install 'mien[bert-vits2]'"
    assert said in done.stdout and done.stdout.strip().endswith("False")


_TRICKY = "一不三好的得了了儿子ab's -，。“…"


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["zh", "en"]),
            st.text(st.one_of(st.characters(), st.sampled_from(_TRICKY)), max_size=24),
        ),
        max_size=4,
    ),
    st.booleans(),
)  # fmt: skip
def test_any_text_gives_a_whole_row(texts: list[tuple[Language, str]], add_blank: bool) -> None:
    runs = [Run(language, text) for language, text in texts]
    found = analyse(runs, scheme_of("2.2", "2.2", add_blank))
    assert (
        len(found.ids)
        == len(found.tones)
        == len(found.languages)
        == len(found)
        == len(found.spoken)
    )
    if len(found):
        assert found.ids.min() >= 0 and found.ids.max() < 112
        assert found.tones.min() >= 0 and found.tones.max() < 12
        assert found.texts[0].begin == 0 and found.texts[-1].stop == len(found)
    for text in found.texts:
        assert sum(text.counts) == text.stop - text.begin
        assert all(text.text[begin:stop] for begin, stop in text.spans)
    last = -1
    for word in found.words:
        assert last < word.first_phone <= word.last_phone < len(found)
        assert runs[word.run].text[word.begin : word.stop].strip()
        last = word.last_phone
