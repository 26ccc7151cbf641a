"""What a spreadsheet would run is made harmless for every separator, and what was done for it can be undone."""

import csv
import io
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.roster.export.guard import guarded, guarded_json, unguarded
from projections.roster.export.guarded_rows import RowGuard

RUN = ("=", "@", "\t", "\r", "\n", "\uff1d", "\uff20", "\ufe66", "\ufe6b")
SIGNS = ("+", "-", "\uff0b", "\uff0d", "\ufe62", "\ufe63")
A_NUMBER = re.compile(r"[+\-\uff0b\uff0d\ufe62\ufe63][0-9\uff10-\uff19 ()/.,eE+\-\uff0d]+")
SEPARATORS = ",;\t|"
# What matters to the guard, and little else, so that few examples find much.
texts = st.text(st.sampled_from("=@+-\uff1d\uff0b\ufe62,;|\t\n\r\x0b\u2028 '\"x1.(é\uff0f"), max_size=12)


def is_run(cell: str) -> bool:
    begin = cell.lstrip('" ')
    return begin.startswith(RUN) or (begin.startswith(SIGNS) and A_NUMBER.fullmatch(begin) is None)


@pytest.mark.parametrize(
    ("text", "harmless"),
    [
        ("x;=cmd|'/C calc'!A0;y", "x;'=cmd|'/C calc'!A0;y"),
        ("\n=1+1", "'\n'=1+1"),
        ("\uff1d1\uff0b1", "'\uff1d1\uff0b1"),
        ("a|-1+cmd\tb,@x", "a|'-1+cmd\tb,'@x"),
        ("x;+1", "x;'+1"),  # the cell of another program goes on, with what the next column begins with
        ('a;"=1"', 'a;\'"=1"'),
        ("first\r\n\r\nsecond,\nthird", "first\r\n\r\nsecond,\nthird"),
        ("-", "'-"),
        ("'=1", "''=1"),
        ("+1 (555) 010/99-1", "+1 (555) 010/99-1"),
        ("+49 170 x", "'+49 170 x"),
        ("-5", "-5"),
        ("-.5", "-.5"),
        ("-5.", "-5."),
        ("-.", "'-."),
        ("-1.5e3", "-1.5e3"),
        ("+1,5", "+1,5"),
        ("+()", "'+()"),
        ("-5-cmd", "'-5-cmd"),
        ("Smith - Jones", "Smith - Jones"),
        ("1.5;2", "1.5;2"),
        ("\ufe661|\ufe6bx", "'\ufe661|'\ufe6bx"),
    ],
)
def test_a_formula_gets_an_apostrophe_wherever_a_cell_can_begin(text: str, harmless: str) -> None:
    assert guarded(text) == harmless
    assert unguarded(harmless) == text


@given(texts)
def test_no_cell_of_any_separator_begins_with_a_formula_and_the_text_comes_back(text: str) -> None:
    harmless = guarded(text)
    assert unguarded(harmless) == text
    for separator in SEPARATORS:
        for line in re.split("[\n\r\x0b\u2028]", harmless):
            assert not any(map(is_run, line.split(separator))), harmless


@given(
    st.recursive(texts | st.integers(-9, 9) | st.none(), lambda inner: st.lists(inner) | st.dictionaries(texts, inner))
)
def test_json_has_the_same_value_and_no_formula(value: object) -> None:
    harmless = guarded_json(json.dumps({"a": value}, ensure_ascii=False))
    assert json.loads(harmless) == {"a": value}
    for separator in ";|\t\u2028":  # at a comma a number of the document may follow
        assert not any(map(is_run, harmless.split(separator)))
    assert not any(cell.startswith((*RUN, *SIGNS)) for cell in harmless.split(","))


def copied(rows: list[list[str | None]], separator: str) -> list[bytes]:
    """Rows as PostgreSQL's COPY writes them."""
    special = (separator, '"', "\n", "\r")

    def cell(text: str | None) -> str:
        if text is None:
            return ""
        is_quoted = not text or any(letter in text for letter in special)
        return '"' + text.replace('"', '""') + '"' if is_quoted else text

    return [(separator.join(map(cell, row)) + "\n").encode() for row in rows]


@given(
    st.sampled_from(SEPARATORS),
    st.lists(
        st.tuples(st.none() | texts, texts, st.none() | st.sampled_from(["+1 555", "-5", "x"]) | texts), min_size=1
    ),
)
def test_rows_are_harmless_in_every_program_and_read_back_as_they_were(
    separator: str, rows: list[tuple[str | None, ...]]
) -> None:
    """The rows are looked at as bytes first; that must not miss one that needs the guard."""
    raw = copied([[*row, '{"a": ["", "x;=1"]}'] for row in rows], separator)
    harmless = RowGuard(separator, frozenset({3})).guarded(raw).decode()
    read = list(csv.reader(io.StringIO(harmless, newline=""), delimiter=separator))
    assert [[unguarded(cell) for cell in row[:3]] for row in read] == [[text or "" for text in row] for row in rows]
    assert {row[3] for row in read} == {'{"a": ["", "x;\\u003d1"]}'}
    assert [row[:3] for row in read] == [
        [guarded(text or "", is_plain_safe=place > 0) for place, text in enumerate(row)] for row in rows
    ]
    if separator == "\t":  # in other programs its cells begin with the tabs of the file itself
        return
    for other in SEPARATORS:
        for line in csv.reader(io.StringIO(harmless, newline=None), delimiter=other):
            assert not any(map(is_run, line)), (other, line)
        for text in re.split("[\n\r\x0b\u2028]", harmless):
            assert not any(map(is_run, text.split(other))), (other, text)


@pytest.mark.parametrize(
    ("row", "harmless"),
    [
        (["x", "a,+49,b"], '"a,\'+49,b"'),  # a number, but not by itself
        (["x", "a;+49"], "a;'+49"),
        (["x", "+49"], "+49"),
        (["x", "\uff1d1"], "'\uff1d1"),
        (["x", "a\u2028=1"], "a\u2028'=1"),
        (["x", "a\x85=1"], "a\x85'=1"),
        (["x", "a;\tb"], "a;'\tb"),
        (["x", "\tb"], "'\tb"),
        (["x", "\nb"], '"\'\nb"'),
        (["x", '    "=1'], '"\'    ""=1"'),
        (["x", "first\r\n\r\nsecond,\n--"], '"first\r\n\r\nsecond,\n\'--"'),
    ],
)
def test_a_row_that_needs_it_is_seen_by_its_bytes(row: list[str | None], harmless: str) -> None:
    [raw] = copied([row], ",")
    assert RowGuard(",", frozenset()).guarded([b"first,row\n", raw]).decode() == f"first,row\nx,{harmless}\n"


def test_a_number_in_the_first_column_goes_on_in_another_program() -> None:
    """Where a semicolon separates, its cell is +1,5*cmd|'/C calc'!A0: a formula."""
    [raw, alone] = copied([["+1", "5*cmd|'/C calc'!A0;"]], ",") + copied([["+1"]], ",")
    assert RowGuard(",", frozenset()).guarded([raw]) == b"'" + raw
    assert RowGuard(",", frozenset()).guarded([b"=1,x\n"]) == b"'=1,x\n"
    assert RowGuard(",", frozenset()).guarded([alone]) == alone


def test_usual_rows_are_passed_on_as_they_are() -> None:
    rows = copied([["7", None, "Zoë O'Brien", "+1 555 0100", "a@b.example", "1990-05-06", '{"a": "-", "b": -5}']], ",")
    guard = RowGuard(",", frozenset({6}))
    assert guard.guarded(rows * 3) == b"".join(rows * 3)
    assert not guard._may_need_it(rows[0])
