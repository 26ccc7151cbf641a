"""Keys: one for every way to write a text, from one table, on every Python."""

import hashlib
import subprocess
import sys
import unicodedata
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.participants import letters
from projections.participants.fields import COLUMN_NAMES
from projections.participants.keys import (
    CUT,
    KEY_COLUMNS,
    LONGEST_KEY,
    bib_keys,
    joined_words_of,
    letter_keys,
    letters_text,
    row_keys,
    text_key,
    whole_key,
    words_of,
)
from tests import ROOT
from tests.spellings import is_known, spellings

UNICODE, DIGEST = "14.0.0", "3a686b7f0e84"


@pytest.mark.parametrize(
    ("key", "written"),
    [
        ("γιωργοσ", "Γιώργος ΓΙΏΡΓΟΣ ΓΙΩΡΓΟΣ γιωργος"),
        ("o'brien", "O‘Brien OʼBrien O`Brien O'Brien O’BRIEN Ｏ＇Brien O´Brien O′Brien"),
        ("anna", "Anna \u200bAnna A\u00adnna ＡＮＮＡ Ánna ÁNNA 𝐀𝓃𝔫𝖆 ⓐⓝⓝⓐ"),
        ("כהן", "כֹּהֵן כהן"),
        ("محمد", "مُحَمَّد محمد محـمد"),
        ("lukasz", "Łukasz ŁUKASZ łukasz"),
        ("oster", "Øster ØSTER Öster ÖSTER"),
        ("djokovic", "Đjoković ĐJOKOVIĆ Ðjokovic"),
        ("isik", "Işık IŞIK ışık isik İŞİK İşik"),
        ("strasse", "Straße STRASSE STRAẞE straße"),
        ("иван", "Иван ИВАН иван"),
        ("スミス", "スミス ｽﾐｽ"),
        ("ハ", "ば は ぱ".translate({0x3070: "バ", 0x306F: "ハ", 0x3071: "パ"}) + " ﾊﾞ ﾊ"),
        ("jean-luc", "Jean-Luc Jean‐Luc JEAN‑LUC Jean–Luc Jean−Luc jean－luc"),
        ("20", "20 ２０ ٢٠ २०"),
        ("thorir", "Þórir ÞÓRIR þorir"),
    ],
)
def test_a_text_has_one_key_however_it_is_written(key: str, written: str) -> None:
    assert {text_key(way) for way in written.split(" ")} == {key}


@pytest.mark.parametrize(
    ("text", "others"),
    [
        ("राम", "रोमी रम"), ("মিতা", "মাতি মত"), ("கமல்", "கோமலி கமல"), ("ดี", "ดุ ด ดา"), ("น้ำ", "นา น"), ("ລີ", "ລູ ລ"),
        ("ក", "កូ កា"), ("မ", "မိ မာ"), ("ཀི", "ཀུ ཀ"), ("සුනිල්", "සනල"), ("ᨀᨗ", "ᨀᨘ ᨀ"), ("ޢަލީ", "ޢލ"),
    ],
)  # fmt: skip
def test_vowel_signs_and_finals_tell_words_apart(text: str, others: str) -> None:
    assert text_key(text) not in map(text_key, others.split(" "))
    assert text_key(unicodedata.normalize("NFD", text)) == text_key(text)
    assert words_of(text_key(f"{text} {others}")) == [text_key(each) for each in (text, *others.split(" "))]


@pytest.mark.parametrize(
    ("key", "written"),
    [
        ("नुक्ता", "नुक़्ता नुक्ता"),
        ("नुक", "नुक़ नुक़ नुक"),
        ("นํา", "น้ำ นำ นํ้า"),
        ("ลอย", "ลอย ล่อย"),
        ("ᩃ", "ᩃ ᩃ᩵"),
        ("ශ්රී", "ශ්‍රී ශ්රී"),
        ("ក", "ក ក឴"),
        ("葛", "葛 葛󠄀"),
        ("1", "1 1️ 1️⃣"),
    ],
)
def test_tones_nuktas_and_what_nobody_sees_are_left_out(key: str, written: str) -> None:
    assert {text_key(way) for way in written.split(" ")} == {key}


def test_blanks_are_one_blank_and_none_at_the_ends() -> None:
    assert {text_key(way) for way in ("Night Owls", " night\t owls\n", "night\u3000owls", "\u2028NIGHT\u00a0OWLS")} == {
        "night owls"
    }


def assigned() -> Iterator[str]:
    yield from filter(is_known, map(chr, range(1, 0xD800)))
    yield from filter(is_known, map(chr, range(0xE000, sys.maxunicode + 1)))


def test_every_letter_has_the_key_of_its_other_case_and_forms_and_of_the_letter_without_accents() -> None:
    """All of Unicode. The iota below a Greek vowel is a mark, and a letter in upper case: it goes as a mark."""
    other = {
        letter
        for letter in assigned()
        if {text_key(way) for way in spellings(letter)} != {text_key(letter)}
        and "\N{COMBINING GREEK YPOGEGRAMMENI}" not in unicodedata.normalize("NFD", letter)
    }
    assert other == set()


def test_a_key_is_its_own_key() -> None:
    assert {letter for letter, key in letter_keys().items() if whole_key(key) != " ".join(key.split())} == set()


@given(st.text(st.characters(min_codepoint=1, max_codepoint=127), max_size=300))
def test_ascii_has_the_keys_that_the_table_gives(text: str) -> None:
    by_table = "".join(letter_keys().get(ord(letter), letter) for letter in text)
    assert whole_key(text) == " ".join(filter(None, by_table.split(" ")))
    assert words_of(text_key(text)) == words_of(text_key(text) + " \u4e00")[:-1]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ジョン・スミス", ["ション", "スミス"]),
        ("de la Cruz-Núñez", ["de", "la", "cruz", "nunez"]),
        ("Team “A”, #1 — Łódź/Nord", ["team", "a", "1", "lodz", "nord"]),
        ("  --- ", []),
    ],
)
def test_words_are_divided_at_punctuation_of_every_script(text: str, words: list[str]) -> None:
    assert words_of(whole_key(text)) == words


def test_apostrophes_divide_and_join() -> None:
    assert (words_of("o'brien"), joined_words_of("o'brien")) == (["o", "brien"], ["obrien"])
    assert joined_words_of(text_key("Gal·la")) == joined_words_of(text_key("Gaŀla")) == ["galla"]


def test_bibs_are_in_the_order_of_their_numbers() -> None:
    bibs = ["", "0", "9", "10", "12", "12A", "107", "1000", "9" * 20, "A", "A9", "A10", "B1"]
    assert sorted(bibs, key=lambda bib: bib_keys(text_key(bib))[0]) == bibs
    assert bib_keys("020") == bib_keys("20") == bib_keys(text_key("２０")) == ("220", "20")
    assert [bib_keys(bib)[1] for bib in ("a7", "000", "9" * 18, "9" * 19, "")] == ["", "0", "9" * 18, "", ""]


@given(st.lists(st.text(max_size=150), min_size=5, max_size=5))
def test_a_row_has_the_keys_of_its_texts_and_words_that_postgresql_can_read(texts: list[str]) -> None:
    values = dict(zip(("last_name", "first_name", "email", "team", "bib"), texts, strict=True))
    keys = dict(zip(KEY_COLUMNS, row_keys([values.get(column, "") for column in COLUMN_NAMES]), strict=True))
    for column in ("last_name", "first_name", "email", "team"):
        assert keys[f"{column}_key"] == text_key(values[column])
        assert len(keys[f"{column}_key"]) <= LONGEST_KEY
    assert "\\" not in keys["words"]
    assert [word for word in keys["words"].split("'")[::2] if word.strip()] == []
    named = [text_key(values[column]) for column in ("last_name", "first_name", "team", "bib")]
    expected = {word for key in named for word in words_of(key) + joined_words_of(key)}
    assert {word.rstrip(CUT) for word in keys["words"].split("'")[1::2]} == expected


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("y" * 95 + " clubhouse", "club…"),
        ("y" * 95 + " club", ""),
        ("y" * 95 + " club house", ""),
        ("y" * 95 + " club-house", ""),
        ("y" * 95 + " o'reilly", "re… ore…"),
        ("y" * 97 + " o'reilly", "o…"),
        ("y" * 98 + " é'a", "e…"),
        ("y" * 99 + " club", ""),
        ("y" * 120, "y" * 100 + "…"),
    ],
)
def test_a_word_in_which_a_key_was_cut_is_marked_and_no_other(text: str, cut: str) -> None:
    keys = dict(zip(KEY_COLUMNS, row_keys([text if column == "team" else "" for column in COLUMN_NAMES]), strict=True))
    assert [word for word in keys["words"].split("'")[1::2] if CUT in word] == cut.split()


def test_the_table_is_pinned() -> None:
    """Another table makes other keys: it needs a version for the table `letter`, and asks for a rebuild."""
    assert letters_text().splitlines()[0].startswith(f"# Unicode {UNICODE}, ")
    assert hashlib.sha256(letters_text().encode()).hexdigest()[:12] == DIGEST


@pytest.mark.skipif(unicodedata.unidata_version != UNICODE, reason="this Python has another version of Unicode")
def test_the_table_is_what_its_program_prints() -> None:
    assert letters_text().splitlines() == list(letters.lines())


def test_no_key_asks_python_for_unicode() -> None:
    """In an interpreter that has no tables of Unicode to look at."""
    program = (
        "import sys; sys.modules['unicodedata'] = None; from projections.participants import keys; "
        "print(ascii(keys.text_key('ŁUKASZ ΓΙΏΡΓΟΣ 한 ﬁ')))"
    )
    printed = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert printed.stdout.strip() == ascii("lukasz γιωργοσ \u1112\u1161\u11ab fi")
