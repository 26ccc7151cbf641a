"""What organisers' registration systems send, and the right value of it, by every door that shows a participant."""

import csv
import html
import io
import json
import re
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import duckdb
import psycopg
import pytest
from psycopg import sql

from ingest import postgres
from ingest.database import REPORTING_PII_ROLE, WORKER_ROLE, sync_engine
from ingest.log.event import Event
from projections.participants.discovery import Discovery
from projections.participants.fields import DECLARED
from projections.participants.fold import REGISTERED
from projections.rebuild.swap import swap
from projections.reports.report import reports, run_report, values_of
from tests import model
from tests.api_client import Api, make_token, running
from tests.conftest import create
from tests.fold_all import PARTICIPANTS, build_anew, drain, query

NO_DATE = "a date that stands for none"
FIRST_SECOND = "the beginning of 1970 as a time, which stands for no date"
REMOVED = "held NUL characters, or numbers beyond 1e+40 or 10000 characters; the delivery's body in the log has them"
CELL = re.compile(r'<c r="([A-Z]+)\d+"([^>]*)>(.*?)</c>', re.DOTALL)
A_TIME = "a time, which is another day in another zone; a date such as 1990-12-31 is none"
# The keys of a participant as they come, and what its columns are; a column with an error is null.
CASES: list[tuple[str, dict[str, str | None], dict[str, str]]] = [
    ('"team": {"id": 77, "name": "Hill Harriers"}, "wave": {"id": 3, "name": "Wave A"}',
     {"team": "Hill Harriers", "wave": "Wave A"}, {}),
    ('"team": ["Hill"], "team_name": "Owls", "athlete": {"first_name": {"en": "A"}}',
     {"team": "Owls", "first_name": None}, {"first_name": "not a text"}),
    ('"first_name": {"en": "Ann"}, "athlete": {"first_name": "Bo"}', {"first_name": "Bo"}, {}),
    ('"bib": 12.0, "zip_code": 2139.0, "age": 34.0, "event_id": 501.0, "athlete_id": -0',
     {"bib": "12", "zip_code": "2139", "age": "34", "event_id": "501", "athlete_id": "0"}, {}),
    ('"phone": 491701234567890123456.0, "athlete_id": 123456789012345678901234567890, "bib": 12345678901234567.5',
     {"phone": "491701234567890123456", "athlete_id": "123456789012345678901234567890", "bib": "12345678901234567.5"},
     {}),
    ('"bib": 1e3, "wave": 15.10, "zip_code": 0.50', {"bib": "1e3", "wave": "15.10", "zip_code": "0.50"}, {}),
    ('"dob": "1990-05-14T22:00:00.000Z"', {"dob": None}, {"dob": A_TIME}),
    ('"dob": "1990-05-14T00:00:00+02:00"', {"dob": None}, {"dob": A_TIME}),
    ('"dob": "1990-05-14T00:00:00Z"', {"dob": "1990-05-14"}, {}),
    ('"dob": "1990-05-14 00:00:00"', {"dob": "1990-05-14"}, {}),
    ('"dob": 0', {"dob": None}, {"dob": "not an ISO date such as 1990-12-31"}),
    ('"dob": "1970-01-01T00:00:00Z"', {"dob": None}, {"dob": FIRST_SECOND}),
    ('"dob": "0001-01-01", "created_at": "0001-01-01T00:00:00", "checked_in_at": "9999-12-31T23:59:59.999Z"',
     {"dob": None, "registered_at": None, "checked_in_at": None},
     {"dob": NO_DATE, "registered_at": NO_DATE, "checked_in_at": NO_DATE}),
    ('"dob": "1990-12-31500:00", "checked_in_at": "2026-05-01é10:00"', {"dob": None, "checked_in_at": None},
     {"dob": "not an ISO date such as 1990-12-31", "checked_in_at": "not an ISO time such as 2026-05-01T09:30:00Z"}),
    ('"gender": {"id": 2, "name": "F"}, "status": {"name": "paid"}, "country": {"code": "GB"}, "event": {"title": "R"}',
     {"gender": "F", "status": "paid", "country": "GB", "event_name": "R"}, {}),
    ('"event": 501, "sub_event": "Marathon", "sub_event_id": 1e1, "athlete_id": -0.0',
     {"event_id": None, "event_name": None, "sub_event_id": "10", "sub_event_name": None, "athlete_id": "0"},
     dict.fromkeys(("event_id", "event_name"), "not read: event is not an object")
     | {"sub_event_name": "not read: sub_event is not an object"}),
    (f'"bib": 0.{"3" * 400}, "wave": {"9" * 5_000}, "team": "Owls"',
     {"bib": f'0.{"3" * 400}', "wave": None, "team": "Owls"},
     {"wave": "not a finite number", "attributes": REMOVED}),
    ('"date_of_birth": "9999-12-31", "birth_date": "1990-05-14"', {"dob": "1990-05-14"}, {}),
]  # fmt: skip
EXACT = '"fee": 12.50, "chip": 12345678901234567890.5, "tenth": 1.10, "hundred": 1.00'


@pytest.fixture(scope="module")
def told(server: postgres.Server, template: str) -> str:
    """A participant per case, each with an earlier state; folded, then folded again by a rebuild."""
    database = create(server, template)
    for state in ('"city": "earlier"', '"city": "now"'):
        model.append(database, [
            b'{"type": "event.participant.created", "data": {"object": {"id": %d.0, %b, %b, %b}}}'
            % (number, state.encode(), EXACT.encode(), keys.encode())
            for number, (keys, _, _) in enumerate(CASES)
        ])  # fmt: skip
    engine = sync_engine(database, WORKER_ROLE)
    drain(engine)
    before = query(database, "select to_jsonb(p)::text from participants p order by 1")
    swap(engine, PARTICIPANTS, build_anew(engine, PARTICIPANTS), 100)
    assert query(database, "select to_jsonb(p)::text from participants p order by 1") == before
    engine.dispose()
    return database


@pytest.fixture(scope="module")
def asked(told: str) -> Iterator[tuple[Api, str]]:
    engine = sync_engine(told)
    with running(told) as api:
        yield api, make_token(engine)
    engine.dispose()


Rows = list[Mapping[str, Any]]
Door = Callable[[Api, str, str, Path], Rows]


def listed(api: Api, token: str, _: str, __: Path) -> Rows:
    return list(api.listed("/v1/participants", token, sort="position"))


def one_by_one(api: Api, token: str, _: str, __: Path) -> Rows:
    return [api.ask(f"/v1/participants/{number}", token).json() for number in range(len(CASES))]


def past(api: Api, token: str, _: str, __: Path) -> Rows:
    return list(api.listed("/v1/participants", token, as_of=len(CASES), sort="position"))


def one_by_one_in_the_past(api: Api, token: str, _: str, __: Path) -> Rows:
    return [api.ask(f"/v1/participants/{number}", token, as_of=len(CASES)).json() for number in range(len(CASES))]


def history(api: Api, token: str, _: str, __: Path) -> Rows:
    paths = [f"/v1/participants/{number}/history" for number in range(len(CASES))]
    return [api.listed(path, token)[0]["participant"] for path in paths]


def changes(api: Api, token: str, _: str, __: Path) -> Rows:
    answer = api.ask("/v1/changes", token, after=0).json()
    return [change["participant"] for change in answer["data"] if change["participant"] is not None]


def ndjson(api: Api, token: str, _: str, __: Path) -> Rows:
    lines = api.ask("/v1/participants.ndjson", token, sort="position").text.splitlines()
    return [json.loads(line) for line in lines]


def from_csv(api: Api, token: str, _: str, __: Path) -> Rows:
    return list(csv.DictReader(io.StringIO(api.ask("/v1/participants.csv", token, sort="position").text, newline="")))


def parquet(api: Api, token: str, _: str, folder: Path) -> Rows:
    path = folder / "roster.parquet"
    path.write_bytes(api.ask("/v1/participants.parquet", token, sort="position").content)
    with duckdb.connect() as database:
        database.execute("set timezone = 'UTC'")
        found = database.execute(f"select * from '{path}'")
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def sheet(api: Api, token: str, _: str, __: Path) -> Rows:
    with zipfile.ZipFile(io.BytesIO(api.ask("/v1/participants.xlsx", token, sort="position").content)) as book:
        xml = book.read("xl/worksheets/sheet1.xml").decode()
    lines = [dict(map(cell_of, CELL.findall(row))) for row in re.findall(r"<row.*?</row>", xml, re.DOTALL)]
    return [{name: line.get(place) for place, name in lines[0].items() if name is not None} for line in lines[1:]]


def cell_of(cell: tuple[str, str, str]) -> tuple[str, str | None]:
    """Its column's letters; its text or number. A birthday is the number of days that sheets count from 1900."""
    place, more, content = cell
    text = html.unescape(re.sub(r"<[^>]*>", "", content))
    is_day = "inlineStr" not in more and text.isdigit() and 10_000 < int(text) < 50_000
    return place, (date(1899, 12, 30) + timedelta(days=int(text))).isoformat() if is_day else text or None


def view(_: Api, __: str, database: str, ___: Path) -> Rows:
    return in_sql(database, "select * from reporting.participants order by position")


def view_of_the_past(_: Api, __: str, database: str, ___: Path) -> Rows:
    statement = "select * from reporting.participant_history where valid_to_position is not null order by position"
    return in_sql(database, statement)


def in_sql(database: str, statement: str) -> Rows:
    """The rows in the zone of a reader far west, to whom the year 1 would be a year that no program has."""
    with psycopg.connect(database) as connection:
        connection.execute("set time zone 'America/Denver'")
        found = connection.execute(sql.SQL(statement))
        names = [column.name for column in found.description or ()]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


DOORS: list[Door] = [
    listed, one_by_one, past, one_by_one_in_the_past, history, changes, ndjson, from_csv, parquet, sheet, view,
    view_of_the_past,
]  # fmt: skip


@pytest.mark.parametrize("door", DOORS)
def test_each_has_the_right_value_by_every_door(asked: tuple[Api, str], told: str, tmp_path: Path, door: Door) -> None:
    rows = door(*asked, told, tmp_path)
    assert [row["participant_id"] for row in rows] == [str(number) for number in range(len(CASES))]
    for row, (keys, columns, errors) in zip(rows, CASES, strict=True):
        for column, value in columns.items():
            shown = str(row[column])[: len(value)] if row[column] not in (None, "") and value else row[column]
            assert (shown or None) == value, (keys, column)
        named = row["field_errors"]
        assert (json.loads(named) if isinstance(named, str) else named) == errors, keys


@pytest.mark.parametrize("path", ["", "/1", "/1/history", ".ndjson", ".csv", "?as_of=1"])
def test_digits_leave_the_api_as_they_came(asked: tuple[Api, str], path: str) -> None:
    api, token = asked
    written = api.ask(urljoin("/v1/", "participants") + path, token).text.replace('""', '"').replace(" ", "")
    for pair in EXACT.split(", "):
        assert pair.replace(" ", "") in written


@pytest.mark.parametrize("door", [parquet, view, sheet])
def test_digits_leave_files_and_sql_as_they_came(asked: tuple[Api, str], told: str, tmp_path: Path, door: Door) -> None:
    for row in door(*asked, told, tmp_path):
        written = str(row["attributes"]).replace(" ", "")
        if door is view:
            [(written,)] = query(
                told,
                "select attributes::text from reporting.participants where participant_id = %s",
                row["participant_id"],
            )
        for pair in EXACT.split(", "):
            assert pair.replace(" ", "") in written.replace(" ", "")


def test_the_report_of_unreadable_values_has_each_of_them(told: str) -> None:
    report = reports()["unreadable_values"]
    engine = sync_engine(told, REPORTING_PII_ROLE)
    with engine.connect() as connection:
        found = run_report(connection, report, "movemint", values_of(report, {})).rows
    engine.dispose()
    assert {row[:3] for row in found} == {
        (*named, number) for named, number in Counter(each for _, _, e in CASES for each in e.items()).items()
    }


@pytest.mark.parametrize(("keys", "columns", "errors"), CASES)
def test_fields_tell_which_columns_were_taken_and_which_values_did_not_convert(
    keys: str, columns: dict[str, str | None], errors: dict[str, str]
) -> None:
    body = b'{"type": "event.participant.created", "data": {"object": {"id": 1, %b}}}' % keys.encode()
    found = Discovery(DECLARED)
    found.add(Event("movemint", 1, "", REGISTERED, "1", body))
    taken = {column for key in found.keys for column in key.taken}
    assert taken == {"participant_id", *(column for column, value in columns.items() if value is not None)}
    not_objects = {column for column, reason in errors.items() if reason.startswith("not read: ")}
    named = {column for key in found.keys for column in key.unconverted}
    assert named == errors.keys() - not_objects - {"attributes"}
    for column in not_objects:
        assert errors[column].split()[2] in found.unmapped
