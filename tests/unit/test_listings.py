"""Files as spreadsheets and programs write them: the same people, whatever the form; and files that are not whole."""

import csv
import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from io import StringIO
from pathlib import Path

import pytest
import xlsxwriter
from hypothesis import example, given
from hypothesis import strategies as st

from projections.truth.conclusion import NothingConcluded
from projections.truth.lines import RowForm, RowsRead, lines_of
from projections.truth.listing import Listing, listing_of

HEADINGS = ("id", "first_name", "team")
PEOPLE = [["1", "Zoë", "Café; Runners"], ["2", "Ann", ""], ["3", "O'Brien", 'a "b"\r\nc, d']]
OBJECTS = [dict(zip(HEADINGS, row, strict=True)) for row in PEOPLE]


def csv_of(separator: str) -> str:
    quoted = ['"' + cell.replace('"', '""') + '"' for row in (list(HEADINGS), *PEOPLE) for cell in row]
    lines = [separator.join(quoted[begin : begin + 3]) for begin in range(0, len(quoted), 3)]
    return "\r\n".join(lines) + "\r\n"


def listed(tmp_path: Path, content: bytes) -> Listing:
    path = tmp_path / "file"
    path.write_bytes(content)
    return listing_of(path)


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_csv_of_any_separator_and_encoding(tmp_path: Path, separator: str, encoding: str) -> None:
    for content in (csv_of(separator), f"sep={separator}\r\n" + csv_of(separator), csv_of(separator) + "\r\n,,\r\n"):
        if content.endswith(",,\r\n") and separator != ",":
            continue
        listing = listed(tmp_path, content.encode(encoding))
        assert listing.headings == HEADINGS
        assert [*listing.rows()] == [*listing.rows()] == PEOPLE
        assert listing.is_csv


@pytest.mark.parametrize(
    "content",
    [
        b'id,"first\nname",team\r7,Ann,A\r8,Bo,B\r',
        b"sep=,\nid,name,team\r7,Ann,A\r8,Bo,B\r",
        b"id,name,team\n" + b"6,x,y\n" * 3_000 + b'7,"Ann\n",A\r8,Bo,B\n',
        b"id,name,team\n" + b"6,x,y\n" * 200_000 + b'7,"' + b"y" * 20_000 + b'\n",A\r8,Bo,B\n',
    ],
)
def test_line_ends_may_be_of_several_kinds(tmp_path: Path, content: bytes) -> None:
    rows = [*listed(tmp_path, content).rows()]
    assert [(row[0], row[2]) for row in rows[-2:]] == [("7", "A"), ("8", "B")]
    assert len(rows) - 2 == content.count(b"6,x,y")


def test_a_file_that_becomes_no_text_while_it_is_compared_says_so(tmp_path: Path) -> None:
    listing = listed(tmp_path, b"id,name\n1,Ann\n")
    listing.path.write_bytes(b"id,name\n1,\xff\n")
    with pytest.raises(NothingConcluded, match="in no encoding that is known"):
        [*listing.parts()]


@example(rows=[["7", "a\tb"]], end="\n", is_ended=True, encoding="utf-8")
@example(rows=[["7", "a\rb", "c"]], end="\n", is_ended=True, encoding="utf-8")
@example(rows=[["", "", ""], ["7", "a", "b"]], end="\n", is_ended=True, encoding="utf-8")
@example(rows=[["7", "a", "b", ""], ["8", "c"]], end="\n", is_ended=True, encoding="utf-8")
@example(rows=[["7"], ["", ""]], end="\n", is_ended=False, encoding="utf-8")
@example(rows=[["7", "a", "b"], ["", ""]], end="\n", is_ended=False, encoding="utf-8")
@given(
    rows=st.lists(st.lists(st.sampled_from(["", "7", "ab", "é", "a\tb", " ", "O'B", "'=1", "\\", "\v"]), max_size=4)),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    is_ended=st.booleans(),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_rows_that_are_not_taken_apart_are_those_of_a_reader_of_csv(
    tmp_path_factory: pytest.TempPathFactory, *, rows: list[list[str]], end: str, is_ended: bool, encoding: str
) -> None:
    """And so are their lines. Rows are too long, too short and empty; cells have tabs, quotes are nowhere."""
    content = end.join(map(",".join, [["id", "first", "last"], *rows])) + (end if is_ended else "")
    path = tmp_path_factory.getbasetemp() / "listed.csv"
    path.write_bytes(content.encode(encoding))
    read = [row for row in [*csv.reader(StringIO(content, newline=""))][1:] if any(row)]
    if any(any(row[3:]) for row in read):
        with pytest.raises(NothingConcluded, match="cells under 3 headings"):
            [*listing_of(path).rows()]
        return
    if rows and len(rows[-1]) < 3 and not is_ended and ",".join(rows[-1]):
        with pytest.raises(NothingConcluded, match="ends within its last row"):
            [*listing_of(path).rows()]
        return
    listing = listing_of(path)
    model = [[*row[:3], *[""] * (3 - len(row))] for row in read]
    assert [*listing.rows()] == model
    form = RowForm(3, (0,), lambda cells: cells[0].strip(), (1, 2), ("501",), guarded=True, is_plain_key=True)
    lines = [
        [line for part in lines_of(parts, form, RowsRead()) for line in part] for parts in (listing.parts(), [model])
    ]
    one_by_one = [line for row in model for part in lines_of([[row]], form, RowsRead()) for line in part]
    assert lines == [one_by_one, one_by_one]


@pytest.mark.parametrize(
    "write",
    [
        lambda rows: "".join(json.dumps(row) + "\n" for row in rows),
        lambda rows: "\n".join(json.dumps(row) for row in rows),
        lambda rows: json.dumps(rows),
        lambda rows: json.dumps(rows, indent=2),
        lambda rows: json.dumps({"data": rows, "next": None}),
        lambda rows: json.dumps({"total": 3, "items": rows}, indent=2),
    ],
)
def test_json_in_every_shape(tmp_path: Path, write: Callable[[list[dict[str, str]]], str]) -> None:
    listing = listed(tmp_path, write(OBJECTS).encode())
    assert listing.headings == HEADINGS
    assert [*listing.rows()] == PEOPLE


def test_json_larger_than_what_is_read_at_once(tmp_path: Path) -> None:
    people = [{"id": number, "first_name": "x" * 100} for number in range(9_000)]
    for content in (json.dumps(people), "\n".join(map(json.dumps, people))):
        assert [row[0] for row in listed(tmp_path, content.encode()).rows()] == [str(number) for number in range(9_000)]


def test_what_is_within_an_object_is_called_by_its_way_and_what_is_no_value_is_not_one(tmp_path: Path) -> None:
    one = {"id": 7, "sub_event": {"id": 1, "name": "10 km"}, "age": 30.0, "fee": None, "answers": [{"question": "a"}]}
    listing = listed(tmp_path, f"{json.dumps(one)}\n{json.dumps({'id': 8, 'late': True})}\n".encode())
    assert listing.headings == ("id", "sub_event.id", "sub_event.name", "age", "fee", "answers", "late")
    assert [*listing.rows()] == [["7", "1", "10 km", "30", "", "\0", ""], ["8", "", "", "", "", "", "\0"]]


def test_a_sheet_with_its_numbers_days_and_times(tmp_path: Path) -> None:
    path = tmp_path / "file.xlsx"
    with xlsxwriter.Workbook(path, {"default_date_format": "dd/mm/yyyy"}) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["ID", " Bib ", "Born", "When", "Note", "Empty"])
        sheet.write_row(1, 0, [7000001, 1.5])
        sheet.write_datetime(1, 2, date(1990, 5, 6))
        moment = datetime(2026, 3, 2, 8, 0, 1)  # noqa: DTZ001 - sheets have no zones
        sheet.write_datetime(1, 3, moment, book.add_format({"num_format": "[h]:mm d.m.yy"}))
        sheet.write_rich_string(1, 4, "Zo", book.add_format({"bold": True}), "ë")
        sheet.write_row(3, 0, ["x", "=1"])
        sheet.write_string(3, 5, "<r>&amp;")
        book.add_worksheet("another").write(0, 0, "not this one")
    listing = listing_of(path)
    assert listing.headings == ("ID", "Bib", "Born", "When", "Note", "Empty")
    assert [*listing.rows()] == [
        ["7000001", "1.5", "1990-05-06", "2026-03-02T08:00:01", "Zoë", ""],
        ["x", "0", "", "", "", "<r>&amp;"],
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"id,id\n1,2\n", "heading 'id' twice"),
        (b"id,name\n1,Ann\n2", "ends within its last row, after 1 of 2 cells"),
        (b'id,name\n1,"Ann', "no whole CSV"),
        (b'id,name\n1,"A"n\n', "no whole CSV"),
        (b"id,name\n1,Ann,more\n", "a row of 3 cells under 2 headings"),
        (b"id,name\n1,Zo\xc3", "in the middle of a letter"),
        (b"id\0name", "neither text nor a sheet"),
        (b"id,name\n1,\x81\n", "in no encoding that is known"),
        (b'id,name\n1,"' + b"x" * 1_000_001 + b'"\n', "no whole CSV"),
        (b'[{"id": 1}, {"id": 2}', "no whole JSON"),
        (b'{"id": 1}\n{"id": 2', "no whole JSON"),
        (b'{"id": 1}\n[1]\n', "takes objects alone"),
        (b"[1, 2]", "takes objects alone"),
        (b'{"data": [1]}', "takes objects alone"),
        (b"PK\x03\x04", "no whole XLSX"),
    ],
)
def test_a_file_that_is_not_whole_says_so(tmp_path: Path, content: bytes, said: str) -> None:
    with pytest.raises(NothingConcluded, match=said):
        [*listed(tmp_path, content).rows()]


def test_a_sheet_that_is_cut_off_says_so(tmp_path: Path) -> None:
    path = tmp_path / "file.xlsx"
    with xlsxwriter.Workbook(path) as book:
        book.add_worksheet().write_row(0, 0, ["id"])
    whole = path.read_bytes()
    for length in (100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(NothingConcluded, match="no whole XLSX"):
            listing_of(path)


def test_cells_that_excel_leaves_out_at_a_rows_end_are_empty(tmp_path: Path) -> None:
    assert [*listed(tmp_path, b"id,name,bib\n1\n2,Ann\n3,Bo,7\n4\n").rows()] == [
        ["1", "", ""], ["2", "Ann", ""], ["3", "Bo", "7"], ["4", "", ""],
    ]  # fmt: skip


def test_the_time_of_a_file_is_when_it_was_changed(tmp_path: Path) -> None:
    before = datetime.now(UTC).timestamp()
    assert listed(tmp_path, b"id\n1\n").changed_at.timestamp() >= before - 1
