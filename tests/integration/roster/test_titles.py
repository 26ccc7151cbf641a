"""Whatever a question's words are, its column has one title, which every reader of every format finds."""

import csv
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import duckdb
import pytest

from ingest import postgres
from ingest.database import REPORTING_PII_ROLE, WORKER_ROLE, sync_engine
from projections.reports.formats import separated
from projections.reports.report import reports, run_report, values_of
from projections.roster.export.formats import Dialect
from tests import model
from tests.api_client import Api, make_token, running
from tests.conftest import create
from tests.fold_all import drain

WORDS = [
    "Shirt\rsize", "Line\nbreak", "Both\r\nof them", "A\ttab", 'He said "yes"', "a,b;c|d", " led and trailed ",
    "\rfirst", "last\n", "\u2028separates", "para\u2029graph", "next\x85line", "v\x0btab", "form\x0cfeed",
    "file\x1cgroup\x1drecord\x1e\x1f", "del\x7f", "\x01", "_x000D_", "no\u00a0break", "it's", '"', "'", "\\N", "\\.",
    'tab\tand "quote"\r', "\N{RUNNER}", "#", "long " * 90, "null", "<r>&</r>",
]  # fmt: skip
ANSWERED = [{"question_id": 70 + place, "question": words, "answer": f"{place}\r"} for place, words in enumerate(WORDS)]
CHOSEN = ["Pasta\r\n", "Piz\tza", '"']
BOXES = {"question_id": 9, "question": "Meals\r", "answer": CHOSEN}
HOT = [f"Meals\r: {answer}" for answer in sorted(CHOSEN)]
Told = tuple[str, Api, str]


@pytest.fixture(scope="module")
def told(server: postgres.Server, template: str) -> Iterator[Told]:
    conninfo = create(server, template)
    model.append(conninfo, [model.body(1, answers=ANSWERED, event_id=1), model.body(2, answers=[BOXES], event_id=2)])
    worker, owner = sync_engine(conninfo, WORKER_ROLE), sync_engine(conninfo)
    drain(worker)
    with running(conninfo) as api:
        yield conninfo, api, make_token(owner)
    worker.dispose()
    owner.dispose()


def exported(told: Told, format_: str, event: str, **asked: str) -> bytes:
    asked = {"columns": "participant_id", "event_id": event, "answers": "columns", **asked}
    answer = told[1].ask(f"/v1/participants.{format_}", told[2], **asked)
    assert answer.status_code == 200, answer.text
    return answer.content


def parquet(content: bytes, path: Path) -> list[list[Any]]:
    path.write_bytes(content)
    with duckdb.connect() as database:
        rows = database.execute(f"select * from '{path}'")
        return [[column[0] for column in rows.description or ()], *map(list, rows.fetchall())]


def sheet(content: bytes) -> list[list[str]]:
    """The texts of a sheet, without the escapes of control characters."""
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        root = ElementTree.fromstring(book.read("xl/worksheets/sheet1.xml"))  # noqa: S314 - made here
    space = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
    return [["".join(cell.itertext()) for cell in row] for row in root.iter(f"{space}row")]


def in_a_sheet(text: str) -> str:
    """A text as a sheet has it: control characters, and what looks like their escapes, escaped."""
    text = text.replace("_x000D_", "_x005F_x000D_")
    return "".join(f"_x{ord(letter):04X}_" if letter < " " and letter not in "\t\n" else letter for letter in text)


@pytest.mark.parametrize("separator", [",", ";", "|", "tab"])
def test_csv_has_one_title_per_question(told: Told, separator: str) -> None:
    delimiter = "\t" if separator == "tab" else separator
    text = exported(told, "csv", "1", separator=separator, formulas="keep").decode()
    [titles, row] = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    assert titles == ["participant_id", *WORDS]
    assert row == ["1", *(f"{number}\r" for number in range(len(WORDS)))]
    hot = exported(told, "csv", "2", answers="one-hot", separator=separator, formulas="keep").decode()
    assert [*csv.reader(io.StringIO(hot, newline=""), delimiter=delimiter)] == [["participant_id", *HOT], [*"2111"]]


def test_lines_of_json_have_them(told: Told) -> None:
    assert list(json.loads(exported(told, "ndjson", "1"))) == ["participant_id", *WORDS]
    assert json.loads(exported(told, "ndjson", "2", answers="one-hot")) == {
        "participant_id": "2",
        **dict.fromkeys(HOT, 1),
    }


def test_parquet_has_them(told: Told, tmp_path: Path) -> None:
    [titles, row] = parquet(exported(told, "parquet", "1"), tmp_path / "columns.parquet")
    assert (titles, row[:3]) == (["participant_id", *WORDS], ["1", "0\r", "1\r"])
    hot = exported(told, "parquet", "2", answers="one-hot")
    assert parquet(hot, tmp_path / "hot.parquet") == [["participant_id", *HOT], ["2", 1, 1, 1]]


def test_a_sheet_has_them(told: Told) -> None:
    [titles, row] = sheet(exported(told, "xlsx", "1"))
    # A reader of XML takes \r\n for \n, before it reads the escapes.
    assert titles == ["participant_id", *map(in_a_sheet, WORDS)]
    assert row == ["1", *(f"{number}_x000D_" for number in range(len(WORDS)))]
    [titles, _] = sheet(exported(told, "xlsx", "2", answers="one-hot"))
    assert titles == ["participant_id", *map(in_a_sheet, HOT)]


def test_a_report_has_them_in_csv(told: Told) -> None:
    engine, report = sync_engine(told[0], REPORTING_PII_ROLE), reports()["checklist"]
    asked = values_of(report, {"event": "1"}) | {"questions": [str(70 + number) for number in range(len(WORDS))]}
    with engine.connect() as connection:
        text = separated(run_report(connection, report, "movemint", asked), Dialect(keeps_formulas=True))
    engine.dispose()
    [titles, row] = csv.reader(io.StringIO(text, newline=""), strict=True)
    assert titles[5:] == WORDS
    assert row[5:] == [f"{number}\r" for number in range(len(WORDS))]
