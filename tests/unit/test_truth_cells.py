"""A cell is converted as the fold converts a value, and lines are what COPY writes; headings are guessed, not more."""

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ingest.time_zone import time_zone
from projections.folding.calendar import Calendar, RaceDates
from projections.participants.bounds import LONGEST_TEXT
from projections.participants.convert import WillNotConvert
from projections.participants.fields import DECLARED, Field, Kind
from projections.truth.cells import converting, date_forms, is_same
from projections.truth.conclusion import NothingConcluded
from projections.truth.lines import RowForm, RowsRead, cells_of, lines_of
from projections.truth.mapping import UNCOMPARED, guessed
from projections.truth.values import ListedValues

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)


@pytest.mark.parametrize(
    ("pattern", "cell", "column", "value"),
    [
        ("DD/MM/YYYY", "6/5/1990", "dob", "1990-05-06"),
        ("MM/DD/YYYY", "06/05/1990", "dob", "1990-06-05"),
        ("DD.MM.YYYY hh:mm", "06.05.2026 07:30", "registered_at", "2026-05-06T07:30:00+00:00"),
        ("DD.MM.YYYY hh:mm:ss", "06.05.1990", "dob", "1990-05-06"),
        ("YYYYMMDD", "19900506", "dob", "1990-05-06"),
        ("DD/MM/YYYY", "1990-05-06", "dob", "1990-05-06"),
        ("DD/MM/YYYY", "2026-05-06T07:30:00Z", "registered_at", "2026-05-06T07:30:00Z"),
        ("DD/MM/YYYY", "06/05/2026", "registered_at", "2026-05-06T00:00:00Z"),
        ("DD/MM/YYYY", "06/05/1990", "bib", "06/05/1990"),
    ],
)
def test_dates_are_read_in_the_form_that_is_declared(pattern: str, cell: str, column: str, value: str) -> None:
    assert converting(DECLARED, date_forms(pattern))(column, cell, "") == value


@pytest.mark.parametrize("pattern", ["YYYY-DD-MM", "YYYYDDMM hh:mm"])
def test_a_day_that_iso_reads_otherwise_is_not_guessed(pattern: str) -> None:
    convert = converting(DECLARED, date_forms(pattern))
    day, not_in_form = ("1990-06-05", "1990-05-13") if "-" in pattern else ("19900605", "19900513")
    assert convert("dob", day, "") == "1990-05-06"
    with pytest.raises(WillNotConvert, match="--date-format"):
        convert("dob", not_in_form, "")


@pytest.mark.parametrize(
    "pattern", ["", "DD/MM/YY", "dd/mm/yyyy", "DD/DD/MM/YYYY", "DD/MM/YYYY %H", "DD-MMM-YYYY", "MM/YYYY"]
)
def test_what_is_no_form_of_dates_is_refused(pattern: str) -> None:
    with pytest.raises(NothingConcluded, match="is no form of dates"):
        date_forms(pattern)


@pytest.mark.parametrize(
    ("column", "cell"),
    [("dob", "06/05/1990"), ("dob", "31/02/1990"), ("age", "old"), ("bib", "x" * (LONGEST_TEXT + 1)), ("bib", "a\0b")],
)
def test_what_no_column_holds_does_not_convert(column: str, cell: str) -> None:
    with pytest.raises(WillNotConvert):
        converting(DECLARED, date_forms("MM/DD/YYYY") if cell.startswith("31") else ())(column, cell, "")


def test_a_day_alone_begins_in_the_zone_of_its_race() -> None:
    calendar = Calendar(time_zone("America/Denver"), (RaceDates("501", time_zone("Europe/Athens"), date(2026, 6, 20)),))
    convert = converting(replace(DECLARED, calendar=calendar))
    begins = [convert("registered_at", "2026-05-06", event_id) for event_id in ("501", "502")]
    assert [is_same(Kind.TIME, value, stored) for value, stored in zip(begins, STORED, strict=True)] == [True, True]
    assert converting(DECLARED)("registered_at", "2026-05-06", "501") == "2026-05-06T00:00:00Z"


STORED = ("2026-05-05T21:00:00Z", "2026-05-06T06:00:00Z")


@example(rows=[["7", "a", "b"]], constant="A\\B")
@example(rows=[["7", "a", "b"]], constant="a\tb\rc")
@given(rows=st.lists(st.lists(TEXTS, min_size=3, max_size=3), max_size=5), constant=TEXTS)
def test_lines_hold_every_text_and_are_as_many_as_rows_with_a_key(rows: list[list[str]], constant: str) -> None:
    for is_plain in (True, False):
        form = RowForm(3, (0,), lambda cells: cells[0].strip(), (1, 2), (constant,), is_plain_key=is_plain)
        seen = RowsRead()
        lines = [line for part in lines_of([rows], form, seen) for line in part]
        assert all(line.count(b"\n") == 1 and line.endswith(b"\n") and line.count(b"\t") == 3 for line in lines)
        with_key = [row for row in rows if row[0].strip()]
        assert [cells_of(line) for line in lines] == [[row[0].strip(), row[1], row[2], constant] for row in with_key]
        assert (seen.rows, len(seen.without_key)) == (len(rows), len(rows) - len(with_key))


def test_apostrophes_before_formulas_are_taken_off_and_no_others() -> None:
    form = RowForm(2, (0,), lambda cells: cells[0], (1,), guarded=True, is_plain_key=True)
    rows = [["1", "'=1+1"], ["2", "O'Brien"], ["3", "'-x"], ["4", "Dogs'"], ["5", "''=x"]]
    for part in (rows, [rows[1]], [rows[3]], [rows[0]]):
        for lines in lines_of([part], form, RowsRead()):
            expected = {"1": "=1+1", "2": "O'Brien", "3": "-x", "4": "Dogs'", "5": "'=x"}
            assert [cells_of(line) for line in lines] == [[row[0], expected[row[0]]] for row in part]


def test_headings_are_guessed_by_the_names_that_the_fold_reads() -> None:
    headings = (
        "ID",
        "First Name",
        "e-mail",
        "Zip",
        "zipcode",
        "Gender",
        "gender_identity",
        "sub_event.name",
        "Surname",
    )
    mapping = guessed(headings, DECLARED)
    assert mapping.columns == {
        "ID": "participant_id", "First Name": "first_name", "e-mail": "email", "zipcode": "zip_code",
        "Gender": "gender", "gender_identity": UNCOMPARED, "sub_event.name": "sub_event_name",
    }  # fmt: skip
    assert mapping.unknown == ("Zip", "Surname")
    assert guessed(("gender_identity", "gender"), DECLARED).columns == {
        "gender_identity": UNCOMPARED,
        "gender": "gender",
    }


def test_headings_are_guessed_by_the_users_own_keys_too() -> None:
    bib = Field("bib", Kind.TEXT, ("race_number", "athlete.number"))
    columns = tuple(bib if field.column == "bib" else field for field in DECLARED.columns)
    fields = replace(DECLARED, columns=columns, answers=("registration_questions",))
    assert guessed(("Race number", "registration_questions", "answers"), fields).columns == {
        "Race number": "bib", "registration_questions": UNCOMPARED, "answers": UNCOMPARED,
    }  # fmt: skip
    assert guessed(("bib",), fields).columns == {"bib": "bib"}
    assert guessed(("bib_number",), fields).unknown == ("bib_number",)


@pytest.mark.parametrize(
    ("listed", "stored", "differs"),
    [
        ("Y?ld?z", "Yıldız", False),
        ("????", "مريم", False),
        ("Ann ??", "Ann 🏃", False),
        ("Ann ?", "Ann 🏃", False),
        ("Ann ???", "Ann 🏃", True),
        ("Y?ld?z", "Yildiz", True),
        ("Yıld?z", "Yıldıza", True),
        ("Y?ldas", "Yıldız", True),
        ("Yildiz", "Yıldız", True),
        ("?", "", True),
    ],
)
def test_a_question_mark_for_a_letter_that_a_file_cannot_hold_says_nothing(
    listed: str, stored: str, *, differs: bool
) -> None:
    compared = ListedValues(("first_name",), converting(DECLARED)).compared([listed], [stored])
    assert bool(compared.stale) is differs
