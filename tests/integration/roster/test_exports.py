"""Exports: every format has the rows of the list, of one position; what a spreadsheet would run is made harmless."""

import asyncio
import csv
import io
import json
import sys
import zipfile
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from sqlalchemy import Engine

from projections.participants.table import PARTICIPANT_COLUMNS
from projections.roster.export import formats
from projections.roster.export.convert import _LONGEST_CELL, _cut
from projections.roster.export.files import NotMade, made
from projections.roster.export.guard import unguarded
from tests import model
from tests.api_client import Api, make_token, running, scope_of
from tests.fold_all import drain, query

NAMES = [column.name for column in PARTICIPANT_COLUMNS]
RISKY = ["=1+1", "+1", "-x", "@a", "\tb", "plain", 'quo"te, and\nline']
HARMLESS = ["'=1+1", "+1", "'-x", "'@a", "'\tb", *RISKY[5:]]
# A text for each way to begin a formula, and one for each separator after which it could begin.
FORMULAS = ["x;=cmd|'/C calc'!A0;y", "\n=1+1", "\uff1d1\uff0b1", "a\t@b", "a|+1x", "a,-x", 'a;"=b"', "\r-", "🏃;＠x"]
NUMBERS = ["+49 (170) 12/34-5", "-5", "-1.5"]


@pytest.fixture
def named(database: str, worker_engine: Engine) -> str:
    """Some whose first names a spreadsheet would run."""
    bodies = [
        model.body(
            number,
            first_name=name,
            age=number,
            dob="1990-05-06",
            created_at="2026-03-01T10:00:00Z",
            event_id=number % 2,
        )
        for number, name in enumerate(RISKY)
    ]
    model.append(database, bodies)
    drain(worker_engine)
    return database


@pytest.fixture
def risky(database: str, worker_engine: Engine) -> str:
    """Formulas in a text, in the object, in a question; and numbers that are none."""
    bodies = [
        model.body(
            number, first_name=text, phone=text, event_name=text, note={text: [text, -5]},
            answers=[{"question": text, "answer": text}],
        )
        for number, text in enumerate(FORMULAS + NUMBERS)
    ]  # fmt: skip
    model.append(database, bodies)
    drain(worker_engine)
    return database


def exported(api: Api, token: str, format_: str, **asked: Any) -> bytes:  # noqa: ANN401
    answer = api.ask(f"/v1/participants.{format_}", token, **asked)
    assert answer.status_code == 200, answer.text
    assert answer.headers["rosterlog-position"] == str(len(RISKY))
    assert answer.headers["content-type"].startswith(formats.FORMATS[format_].media)
    name = f"participants-movemint-{len(RISKY)}.{format_}"
    assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'
    return answer.content


def test_csv_is_harmless_unless_a_program_asks_for_the_texts(named: str, engine: Engine) -> None:
    with running(named) as api:
        token = make_token(engine)
        rows = list(csv.DictReader(io.StringIO(exported(api, token, "csv", sort="position").decode(), newline="")))
        kept = exported(api, token, "csv", sort="position", formulas="keep").decode()
        some = exported(api, token, "csv", event_id="1", age__gte=2).decode()
    assert list(rows[0]) == NAMES
    assert [row["first_name"] for row in rows] == HARMLESS
    assert [row["first_name"] for row in csv.DictReader(io.StringIO(kept, newline=""))] == RISKY
    assert [row["participant_id"] for row in csv.DictReader(io.StringIO(some))] == ["3", "5"]
    assert json.loads(rows[0]["attributes"])["first_name"] == "=1+1"
    assert rows[0]["team"] == ""


@pytest.mark.parametrize("separator", [",", ";", "|", "tab"])
def test_no_cell_of_csv_begins_with_a_formula_whatever_separates_it(risky: str, engine: Engine, separator: str) -> None:
    with running(risky) as api:
        text = api.ask("/v1/participants.csv", make_token(engine), separator=separator, sort="position").text
    own = "\t" if separator == "tab" else separator
    rows = list(csv.DictReader(io.StringIO(text, newline=""), delimiter=own))
    assert [unguarded(row["first_name"]) for row in rows] == FORMULAS + NUMBERS
    assert [row["phone"] for row in rows[len(FORMULAS) :]] == NUMBERS
    assert [json.loads(row["attributes"])["first_name"] for row in rows] == FORMULAS + NUMBERS
    for program in ",;|\t":
        for row in csv.reader(io.StringIO(text, newline=None), delimiter=program):
            for cell in (cell.lstrip('"\t' if own == "\t" else '"') for cell in row):
                assert not cell.startswith(("=", "@", "\uff1d", "\uff20", "\t", "\r", "\n")), cell
                assert not cell.startswith(("+", "-", "\uff0b")) or cell in NUMBERS, cell


def test_csv_is_written_for_the_program_that_opens_it(named: str, engine: Engine) -> None:
    with running(named) as api:
        token = make_token(engine)
        answer = api.ask("/v1/participants.csv", token, bom="true", separator=";", decimal=",", event_id="1")
        plain = api.ask("/v1/participants.csv", token, bom="false", event_id="1")
        refused = [api.ask("/v1/participants.csv", token, **{name: "x"}) for name in ("bom", "separator", "decimal")]
        elsewhere = api.ask("/v1/participants.xlsx", token, separator=";")
    assert answer.content.startswith(b"\xef\xbb\xbfparticipant_id;event_id;")
    assert plain.content.startswith(b"participant_id,event_id,")
    first = next(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline=""), delimiter=";"))
    assert (first["first_name"], first["registered_at"]) == ("+1", "2026-03-01T10:00:00Z")
    assert [each.json()["detail"] for each in refused] == [
        "bom takes true or false.", "separator takes one of , ; | and tab.", "decimal takes . or ,.",
    ]  # fmt: skip
    assert elsewhere.status_code == 400


def test_lines_of_json_are_the_list(named: str, engine: Engine) -> None:
    with running(named) as api:
        token = make_token(engine)
        lines = [json.loads(line) for line in exported(api, token, "ndjson", sort="-position").splitlines()]
        listed = api.listed("/v1/participants", token, sort="-position")
    for line, row in zip(lines, listed, strict=True):
        assert list(line) == NAMES
        assert line == row


def test_parquet_has_the_columns_with_their_types(named: str, engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "roster.parquet"
    with running(named) as api:
        path.write_bytes(exported(api, make_token(engine), "parquet", sort="position"))
    with duckdb.connect() as database:
        database.execute("set timezone = 'UTC'")
        described = {row[0]: row[1] for row in database.execute(f"describe select * from '{path}'").fetchall()}
        rows = database.execute(f"select first_name, age, dob, registered_at::text, team from '{path}'").fetchall()
    assert list(described) == NAMES
    assert [described[name] for name in ("age", "position", "dob", "registered_at", "bib")] == [
        "INTEGER", "BIGINT", "DATE", "TIMESTAMP WITH TIME ZONE", "VARCHAR",
    ]  # fmt: skip
    assert [row[0] for row in rows] == RISKY
    assert (str(rows[3][2]), rows[3][1], rows[3][3], rows[3][4]) == ("1990-05-06", 3, "2026-03-01 10:00:00+00", None)


@pytest.mark.parametrize("keeps", [False, True])
def test_a_sheet_has_texts_as_text_and_times_as_times(named: str, engine: Engine, *, keeps: bool) -> None:
    with running(named) as api:
        more = {"formulas": "keep"} if keeps else {}
        content = exported(api, make_token(engine), "xlsx", sort="position", **more)
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        sheet = book.read("xl/worksheets/sheet1.xml").decode()
        styles = book.read("xl/styles.xml").decode()
    assert "<f>" not in sheet
    for name in ("=1+1", "+1", "plain"):
        assert f"<is><t>{name}</t></is>" in sheet
    assert ("quotePrefix" in styles) is not keeps
    assert "<v>32999</v>" in sheet, "1990-05-06 as a sheet counts days"


@pytest.mark.parametrize("text", ["x", "é", "\N{RUNNER}", "x\N{RUNNER}"])
def test_a_cell_of_a_sheet_is_cut_by_the_units_that_a_sheet_counts(text: str) -> None:
    def units(text: str) -> int:
        return len(text.encode("utf-16-le")) // 2

    fits = text * (_LONGEST_CELL // units(text))
    assert _cut(fits) == fits
    cut = _cut(fits + text)
    assert _LONGEST_CELL - 1 <= units(cut) <= _LONGEST_CELL
    assert cut[-1] == "…"
    assert fits.startswith(cut[:-1])


def test_an_export_of_the_past_is_of_its_position(named: str, engine: Engine) -> None:
    with running(named) as api:
        answer = api.ask("/v1/participants.csv", make_token(engine), as_of=2)
    assert answer.headers["content-disposition"].endswith('participants-movemint-2.csv"')
    assert (answer.headers["rosterlog-position"], answer.text.count("\n")) == ("2", 3)


def test_an_export_as_of_a_day_or_a_time_is_called_after_it(named: str, engine: Engine) -> None:
    with running(named) as api:
        token = make_token(engine)

        def called(format_: str, as_of: str) -> tuple[str, bytes]:
            answer = api.ask(f"/v1/participants.{format_}", token, as_of=as_of)
            return answer.headers["content-disposition"].partition("participants")[2], answer.content

        assert called("csv", "2020-01-02")[0] == '-movemint-0-as-of-2020-01-02.csv"'
        assert called("ndjson", "2020-01-02T03:04:05+01:00")[0] == '-movemint-0-as-of-2020-01-02T020405Z.ndjson"'
        name, sheet = called("xlsx", "2020-01-02T03:04:05Z")
    assert name == '-movemint-0-as-of-2020-01-02T030405Z.xlsx"'
    with zipfile.ZipFile(io.BytesIO(sheet)) as book:
        assert b'sheet name="participants 2020-01-02T030405Z"' in book.read("xl/workbook.xml")
        assert b"<oddHeader>&amp;Lparticipants 2020-01-02T030405Z" in book.read("xl/worksheets/sheet1.xml")


def test_a_format_that_is_not_installed_says_which_extra_it_needs(
    named: str, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(formats.FORMATS, "xlsx", formats.Format("xlsx", "application/x", "no_such_module"))
    with running(named) as api:
        answer = api.ask("/v1/participants.xlsx", make_token(engine))
    assert answer.status_code == 501
    assert "rosterlog[xlsx]" in answer.json()["detail"]


def test_more_rows_than_a_sheet_holds_are_refused(
    named: str,
    engine: Engine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The same program with a smaller sheet: a million rows take a minute."""
    script, program = tmp_path / "script.py", tmp_path / "program"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{script}" "$@"\n')
    script.write_text(
        "import sys\nimport projections.roster.export.convert as one\none._LARGEST_SHEET = 3\n"
        "from pathlib import Path\none.main(sys.argv[3], Path(sys.argv[4]))\n"
    )
    program.chmod(0o755)
    monkeypatch.setattr("projections.roster.export.files.sys.executable", str(program))
    with running(named) as api:
        answer = api.ask("/v1/participants.xlsx", make_token(engine))
    assert answer.status_code == 400
    assert "more rows than this format holds" in answer.json()["detail"]


def test_rows_are_asked_for_no_longer_once_the_file_cannot_be_made() -> None:
    is_open = True

    async def rows() -> AsyncGenerator[bytes]:
        nonlocal is_open
        try:
            while True:
                yield bytes(100_000)
        finally:
            is_open = False

    async def ask() -> None:
        endless = rows()
        with pytest.raises(NotMade, match="the writer of nothing failed"):
            await anext(made("nothing", endless, []))
        assert not is_open, "its query would go on in a session that another answer needs"

    asyncio.run(ask())


def test_whoever_goes_away_frees_the_session_at_once(database: str, engine: Engine, worker_engine: Engine) -> None:
    """Two hundred megabytes, of which the reader takes one piece."""
    model.append(database, [model.body(number, note="x" * 900_000) for number in range(220)])
    drain(worker_engine, limit=20)
    with running(database) as api:
        token = make_token(engine)

        async def read_a_little() -> None:
            sent = asyncio.Event()
            messages: list[Any] = []

            async def receive() -> Any:  # noqa: ANN401
                if not messages:
                    messages.append("request")
                    return {"type": "http.request", "body": b"", "more_body": False}
                await sent.wait()
                return {"type": "http.disconnect"}

            async def send(message: Any) -> None:  # noqa: ANN401
                if message["type"] == "http.response.body" and message["body"]:
                    assert exporting() == 1
                    sent.set()
                    await asyncio.Event().wait()  # the reader's buffers are full

            def exporting() -> int:
                rows = query(
                    database,
                    "select count(*) from pg_stat_activity where datname = current_database() and query like 'copy%%'",
                )
                return int(rows[0][0])

            scope = scope_of("/v1/participants.csv", token)
            await api.app(scope, receive, send)
            assert exporting() == 0

        api.runner.run(asyncio.wait_for(read_a_little(), 20))
