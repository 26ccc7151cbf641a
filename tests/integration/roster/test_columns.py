"""`columns` chooses the columns of participants and their order, by every way of reading them."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from ingest import postgres
from ingest.database import WORKER_ROLE, sync_engine
from projections.roster.criteria import Criteria
from projections.roster.page import page_of
from projections.roster.reading import for_psycopg
from projections.roster.roster import Roster
from projections.roster.shown import Shown
from tests import model
from tests.api_client import Api, make_token, running
from tests.conftest import create
from tests.fold_all import drain, query

ASKED = "last_name,bib,age"
FORM = [{"question_id": 4, "question": 'it\'s = "size", in cm', "answer": "=9"}, {"question": "Last_Name", "answer": 8}]
PEOPLE = [
    model.body(number, event_id=1, first_name=f"n{number}", last_name="Cruz", bib=str(number), age=30, answers=FORM)
    for number in range(5)
]


@pytest.fixture(scope="module")
def told(server: postgres.Server, template: str) -> Iterator[tuple[str, Api, str]]:
    conninfo = create(server, template)
    model.append(conninfo, PEOPLE)
    worker, owner = sync_engine(conninfo, WORKER_ROLE), sync_engine(conninfo)
    drain(worker)
    with running(conninfo) as api:
        yield conninfo, api, make_token(owner)
    worker.dispose()
    owner.dispose()


def test_only_these_columns_are_told_in_their_order(told: tuple[str, Api, str]) -> None:
    _, api, token = told
    expected = {"last_name": "Cruz", "bib": "3", "age": 30}
    listed = [
        api.listed("/v1/participants", token, columns=ASKED, limit=2)[3],
        api.ask("/v1/participants", token, columns=ASKED, q="n3").json()["data"][0],
        api.ask("/v1/participants", token, columns=ASKED, as_of=4).json()["data"][3],
        api.ask("/v1/participants/3", token, columns=ASKED).json(),
        api.listed("/v1/changes", token, columns=ASKED, after=0)[3]["participant"],
        json.loads(api.ask("/v1/participants.ndjson", token, columns=ASKED).text.splitlines()[3]),
    ]
    for participant in listed:
        assert participant == expected
        assert list(participant) == ASKED.split(",")
    with_answers = api.ask("/v1/participants/3", token, columns="bib", include="answers").json()
    assert list(with_answers) == ["bib", "answers"]
    rows = list(csv.reader(io.StringIO(api.ask("/v1/participants.csv", token, columns=ASKED).text)))
    assert (rows[0], rows[4]) == (ASKED.split(","), ["Cruz", "3", "30"])


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        (
            "bib,colour,hue",
            "columns takes columns, and colour, hue is none of them; there are participant_id, event_id,",
        ),
        ("answers", "columns takes columns; for the answers to questions there is include=answers."),
        ("bib,bib", "columns takes each column once; bib is there more than once."),
        ("", "columns takes one or more columns, with commas between."),
        ("bib,", "columns takes columns, and a name is none of them"),
        ("source", "columns takes columns, and source is none of them"),
        ('"', "columns takes one or more columns, with commas between."),
    ],
)
def test_what_is_no_column_is_named(told: tuple[str, Api, str], columns: str, says: str) -> None:
    _, api, token = told
    for path in ("/v1/participants", "/v1/participants/3", "/v1/changes", "/v1/participants.csv"):
        answer = api.ask(path, token, columns=columns)
        assert (answer.status_code, answer.json()["parameter"]) == (400, "columns")
        assert answer.json()["detail"].startswith(says)


def test_a_cursor_and_an_etag_are_of_the_columns_that_were_asked_for(told: tuple[str, Api, str]) -> None:
    _, api, token = told
    for path in ("/v1/participants", "/v1/changes"):
        first = api.ask(path, token, columns="bib", limit=2)
        other = api.ask(path, token, columns="age", limit=2, headers={"If-None-Match": first.headers["etag"]})
        assert other.status_code == 200
        for asked in ({}, {"columns": "age"}, {"columns": "bib", "include": "answers"}):
            assert api.ask(path, token, limit=2, cursor=first.json()["next"], **asked).status_code == 400
        assert api.ask(path, token, columns="bib", limit=2, cursor=first.json()["next"]).status_code == 200


def test_no_body_is_read_for_columns_without_the_object(told: tuple[str, Api, str]) -> None:
    """Every participant's body would be parsed for it."""
    conninfo, _, _ = told

    def plan(shown: Shown) -> str:
        statement, values = for_psycopg(page_of(Roster("movemint"), Criteria(), None, 10, shown))
        named = {
            f"%({name})s": f"'{value}'" if isinstance(value, str) else str(value) for name, value in values.items()
        }
        for name, value in named.items():
            statement = statement.replace(name, value)
        return str(query(conninfo, f"explain {statement}"))

    assert "event_log" in plan(Shown())
    assert "event_log" not in plan(Shown(("participant_id", "bib")))


def test_files_of_other_programs_have_the_same_columns_and_the_answers(
    told: tuple[str, Api, str], tmp_path: Path
) -> None:
    _, api, token = told
    asked = {"columns": ASKED, "answers": "columns", "sort": "bib"}
    titles = ["last_name", "bib", "age", 'it\'s = "size", in cm', "Last_Name (2)"]
    path = tmp_path / "people.parquet"
    path.write_bytes(api.ask("/v1/participants.parquet", token, **asked).content)
    with duckdb.connect() as database:
        described = {row[0]: row[1] for row in database.execute(f"describe select * from '{path}'").fetchall()}
        rows = database.execute(f"select * from '{path}'").fetchall()
    assert described == dict.fromkeys(titles, "VARCHAR") | {"age": "INTEGER"}
    assert rows[3] == ("Cruz", "3", 30, "=9", "8")
    kept = api.ask("/v1/participants.csv", token, **asked, formulas="keep").text
    assert list(csv.reader(io.StringIO(kept)))[0::4] == [titles, ["Cruz", "3", "30", "=9", "8"]]
    sheet = api.ask("/v1/participants.xlsx", token, **asked)
    assert (sheet.status_code, sheet.content[:2]) == (200, b"PK")


def test_a_table_has_no_more_columns_than_postgresql_selects(
    told: tuple[str, Api, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, api, token = told
    monkeypatch.setattr("projections.roster.export.table._MOST_COLUMNS", 4)
    answer = api.ask("/v1/participants.csv", token, columns=ASKED, answers="columns")
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith(
        "The table would have 5 columns, 2 of them for answers, and the most is 4: filter by"
    )
    assert api.ask("/v1/participants.csv", token, columns="bib", answers="columns").status_code == 200
