"""A token without personal data sees by every door of the API what such a login sees in SQL, and may ask no more."""

import csv
import io
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest

from ingest import postgres
from ingest.database import REPORTING_ROLE, WORKER_ROLE, sync_engine
from projections.participants.fields import DECLARED
from projections.roster.criteria import SORTABLE, Sorted
from projections.roster.mask import PERSONAL
from projections.roster.roster import NAMES
from projections.web.access import tokens
from tests import model
from tests.api_client import Api, make_token, running
from tests.browser_session import Browser
from tests.conftest import create
from tests.fold_all import drain
from tests.integration.reports.test_own_words import BIRTHDAY, WORD, planted
from tests.secret_people import SECRETS, somebody, take

CANARIES = (WORD, BIRTHDAY, "canary")
CONTACT = {"question_id": 88, "question": "In an emergency"}
LISTS = ("/v1/participants", "/v1/changes", "/v1/participants.csv", "/v1/participants.ndjson")


@dataclass(frozen=True)
class Doors:
    """An API, a token without personal data, one with it, and the database of both."""

    api: Api
    plain: str
    full: str
    database: str

    def refusal(self, path: str, **query: Any) -> tuple[str, str]:  # noqa: ANN401 - parameters
        """The parameter that is refused to the plain token, and why; the full one may ask so."""
        assert self.api.ask(path, self.full, **query).status_code == 200
        answer = self.api.ask(path, self.plain, **query)
        assert answer.status_code == 400, (path, query, answer.text)
        return answer.json()["parameter"], answer.json()["detail"]

    def ids(self, token: str, **query: Any) -> list[str]:  # noqa: ANN401
        return [row["participant_id"] for row in self.api.listed("/v1/participants", token, **query)]


@pytest.fixture(scope="module")
def doors(server: postgres.Server, template: str) -> Iterator[Doors]:
    """The people of the test of own words, and one with secrets in all columns; one of them changed."""
    database = create(server, template)
    secret = [somebody(7001), somebody(7001, bib="13"), somebody(7002, team="canary-team")]
    coached = [somebody(7100 + number, answers=[{**CONTACT, "answer": f"canary {number}"}]) for number in range(12)]
    model.append(database, [*planted(4), *secret, *coached])
    worker, owner = sync_engine(database, WORKER_ROLE), sync_engine(database)
    drain(worker)
    with owner.begin() as connection:
        plain = tokens.create(connection, "plain", "movemint", (), None, sees_personal_data=False)
    with running(database) as api:
        yield Doors(api, plain, make_token(owner), database)
    for engine in (worker, owner):
        engine.dispose()


def every_answer(doors: Doors, token: str) -> Iterator[tuple[str, str]]:
    """What each door says to a token, as text."""
    position = str(doors.api.ask("/v1/status", token).json()["sources"][0]["head"])
    for path in ("/v1/participants", "/v1/changes", "/v1/events", "/v1/questions", f"/v1/changes?after={position}"):
        includes = {"include": "answers"} if path in LISTS and (path, token) != (LISTS[1], doors.plain) else {}
        yield path, str(doors.api.listed(path, token, **includes))
    yield "as of", str(doors.api.listed("/v1/participants", token, include="answers", as_of=position))
    yield "questions as of", str(doors.api.listed("/v1/questions", token, as_of=position))
    for id_ in (0, 7001, *range(1000, 1060)):
        yield f"one {id_}", doors.api.ask(f"/v1/participants/{id_}", token).text
        history = doors.api.listed(f"/v1/participants/{id_}/history", token, include="answers")
        yield f"history {id_}", str(history)
    browser = Browser(doors.api)
    browser.sign_in(token)
    for page in ("/", "/races/5", "/races/5?columns=bib,team", "/races/5?as_of=600", "/find?q=cruz"):
        yield f"page {page}", browser.open(page).text
    for id_ in (0, 7001, *range(1000, 1060)):
        yield f"page of {id_}", browser.open(f"/participants/{id_}").text
    for format_ in ("csv", "ndjson"):
        for form in ("columns", "one-hot", "rows"):
            yield f"{format_} {form}", doors.api.ask(f"/v1/participants.{format_}", token, answers=form).text
        yield format_, doors.api.ask(f"/v1/participants.{format_}", token, include="answers", as_of=position).text


def test_nothing_of_ones_own_leaves_by_any_door(doors: Doors, tmp_path: Path) -> None:
    for door, text in every_answer(doors, doors.plain):
        for canary in CANARIES[:2]:
            assert canary not in text, f"{door}: {text[max(0, text.index(canary) - 200) : text.index(canary) + 60]}"
        assert "canary" not in text.replace("canary-team", ""), door
    assert all(any(canary in text for _, text in every_answer(doors, doors.full)) for canary in CANARIES)
    sheet = zipfile.ZipFile(io.BytesIO(doors.api.ask("/v1/participants.xlsx", doors.plain, answers="columns").content))
    text = "".join(sheet.read(name).decode() for name in sheet.namelist())
    parquet = tmp_path / "p.parquet"
    parquet.write_bytes(doors.api.ask("/v1/participants.parquet", doors.plain, answers="columns").content)
    text += str(duckdb.read_parquet(str(parquet)).fetchall())
    assert WORD not in text.replace("canary-team", "")
    assert "canary-mail" not in text


def test_the_plain_columns_and_answers_are_those_of_sql(doors: Doors) -> None:
    names = [name for name in NAMES if name not in PERSONAL]
    shown = doors.api.listed("/v1/participants", doors.plain, include="answers", limit=1000)
    assert [*shown[0]] == [*names, "answers"]
    with psycopg.connect(doors.database) as connection:
        take(connection, REPORTING_ROLE)
        masked = "select participant_id, to_jsonb(p) from reporting.participants p"
        of_sql: dict[str, dict[str, Any]] = dict(connection.execute(masked.encode()).fetchall())
        answers = connection.execute(
            "select participant_id, question_id, coalesce(question, question_id), answer"
            " from reporting.participant_answers where coalesce(question_id, question) is not null"
        ).fetchall()
    for row in shown:
        own = of_sql[row["participant_id"]]
        assert {name: row[name] for name in names if not name.endswith("_at")} == {
            name: own[name] for name in names if not name.endswith("_at")
        }
        assert all(own[name] is None for name in PERSONAL)
    given = [
        (row["participant_id"], each["question_id"], each["question"], each["answer"])
        for row in shown
        for each in row["answers"]
    ]
    assert sorted(given, key=str) == sorted(answers, key=str)
    assert any(answer == "M" for *_, answer in given)
    assert any(answer is None for *_, answer in given)


def test_each_filter_by_a_hidden_column_is_refused(doors: Doors) -> None:
    values = {"isnull": "true", "in": "5,6", "number": "5"}
    for name in Sorted.model_fields:
        column, _, operator = name.partition("__")
        if column in PERSONAL:
            kind = next(field.kind.name for field in DECLARED.columns if field.column == column)
            value = values.get(operator, "1990-05-05" if kind == "DATE" else "5")
            value = "1990-05-05" if kind == "DATE" and operator == "in" else value
            for path in ("/v1/participants", "/v1/participants.csv"):
                parameter, detail = doors.refusal(path, **{name: value})
                assert parameter == name
                assert detail.startswith(f"{column} is personal, and hidden from this token")


def test_sorting_by_and_showing_hidden_columns_is_refused(doors: Doors) -> None:
    hidden = [column for column in SORTABLE if column in PERSONAL]
    assert hidden == ["email", "age"]
    for column in hidden:
        assert doors.refusal("/v1/participants", sort=f"bib,-{column}")[0] == "sort"
        assert doors.refusal("/v1/participants.ndjson", sort=column)[0] == "sort"
    for column in sorted(PERSONAL):
        for path in ("/v1/participants", "/v1/participants/7001", *LISTS[1:]):
            parameter, detail = doors.refusal(path, columns=f"bib,{column}")
            assert parameter == "columns"
            assert column in detail
    unknown = doors.api.ask("/v1/participants", doors.plain, columns="nonsense").json()["detail"]
    assert "email" not in unknown
    assert [*doors.api.ask("/v1/participants/7001", doors.plain, columns="bib,team").json()] == ["bib", "team"]


def test_nobody_is_found_by_a_hidden_email(doors: Doors) -> None:
    for words in (SECRETS["email"], str(SECRETS["email"])[:8], "canary-mail"):
        assert "7001" in doors.ids(doors.full, q=words)
        assert doors.ids(doors.plain, q=words) == []
        assert doors.api.ask("/v1/participants", doors.plain, q=words, as_of=600).json()["data"] == []
        assert doors.api.ask("/v1/participants", doors.plain, q=words, count="exact").json()["count"] == 0
        assert doors.api.ask("/v1/participants.ndjson", doors.plain, q=words).text == ""
    assert doors.ids(doors.plain, q="cruz canary") == ["7002"]  # by the name and the team
    assert doors.ids(doors.plain, q="cruz", bib="13") == ["7001"]


def test_answers_of_few_are_not_there_and_questions_without_answers_are_refused(doors: Doors) -> None:
    size = {"answer.41": "M"}
    assert doors.ids(doors.plain, **size) == doors.ids(doors.full, **size)
    assert len(doors.ids(doors.plain, **size)) > 600
    own = next(
        each["answer"]
        for row in doors.api.listed("/v1/participants", doors.full, include="answers")
        for each in row["answers"]
        if each["question_id"] == "41" and each["answer"] and WORD in each["answer"]
    )
    assert len(doors.ids(doors.full, **{"answer.41": own})) == 1
    assert doors.ids(doors.plain, **{"answer.41": own}) == []
    assert doors.ids(doors.plain, **{"answer.41__ne": own}) == doors.ids(doors.plain)
    assert doors.ids(doors.plain, **{"answer.41__in": f"{own},XXL"}) == []
    words = next(
        each["question"]
        for row in doors.api.listed("/v1/participants", doors.full, include="answers")
        for each in row["answers"]
        if each["question_id"] == "41" and WORD in each["question"]
    )
    assert "M" in {
        each["answer"]
        for row in doors.api.listed("/v1/participants", doors.full, include="answers", **{f"answer.{words}": "M"})
        for each in row["answers"]
    }
    assert doors.ids(doors.plain, **{f"answer.{words}": "M"}) == []
    missing = doors.api.ask("/v1/participants", doors.plain, **{"answer.41": own})
    assert "nobody on this roster has answered so" in missing.headers["Rosterlog-Warning"]
    unknown = doors.api.ask("/v1/participants", doors.plain, **{"answer.Anything else?": "canary-answer"})
    assert "questions are compared exactly" in unknown.headers["Rosterlog-Warning"]
    assert unknown.json()["data"] == []


def test_a_question_of_which_no_answer_is_shown_is_counted_and_no_filter(doors: Doors) -> None:
    [in_an_emergency] = [
        question
        for form in doors.api.listed("/v1/questions", doors.plain, event_id="5")
        for question in form["questions"]
        if question["question_id"] == "88"
    ]
    assert in_an_emergency == {**CONTACT, "question_id": "88", "asked": 12, "answered": 0}
    for name in ("answer.88", "answer.88__isnull", "answer.In an emergency", "answer.88__ne"):
        for path in ("/v1/participants", "/v1/participants.csv"):
            parameter, detail = doors.refusal(path, **{name: "true"})
            assert name.startswith(parameter)
            assert detail.startswith("The answers to this question are personal, and hidden from this token")
    header, row, *_ = csv.reader(
        io.StringIO(doors.api.ask("/v1/participants.csv", doors.plain, answers="columns").text)
    )
    assert "In an emergency" in header
    assert row[header.index("In an emergency")] == ""


def test_an_estimate_of_who_answered_so_is_a_count(doors: Doors) -> None:
    """Of what a mask hides the planner knows nothing."""
    asked = {"answer.41": "M", "limit": 1}
    exact, estimated = (
        doors.api.ask("/v1/participants", doors.plain, count=count, **asked).json()["count"]
        for count in ("exact", "estimated")
    )
    assert exact == estimated > 600


def test_what_many_answered_is_counted_again_after_a_change(doors: Doors) -> None:
    extra = {"event_id": 5, "answers": [{"question_id": 90, "question": "Meal", "answer": "Soup"}]}
    worker = sync_engine(doors.database, WORKER_ROLE)
    for numbers, is_shown in ((range(8000, 8009), False), (range(8009, 8010), True)):
        model.append(doors.database, [model.body(number, **extra) for number in numbers])
        drain(worker)
        deadline = time.monotonic() + 60
        while (doors.ids(doors.plain, **{"answer.Meal": "Soup"}) != []) is not is_shown:
            assert time.monotonic() < deadline
    worker.dispose()


def test_while_answers_are_being_counted_the_roster_is_there(doors: Doors) -> None:
    with running(doors.database) as api, psycopg.connect(doors.database) as connection:
        connection.execute("lock participant_answers_build in access exclusive mode")
        assert api.ask("/v1/participants", doors.plain, limit=1).status_code == 200
        refused = api.ask("/v1/participants", doors.plain, include="answers", limit=1)
        assert refused.status_code == 503
        assert refused.headers["Retry-After"] == "2"
        assert "is being counted" in refused.json()["detail"]
        connection.rollback()
        deadline = time.monotonic() + 60
        while api.ask("/v1/participants", doors.plain, include="answers", limit=1).status_code != 200:
            assert time.monotonic() < deadline


def test_the_boxes_that_find_a_person_offer_no_email_that_they_do_not_search(doors: Doors) -> None:
    for token, is_offered in ((doors.plain, False), (doors.full, True)):
        browser = Browser(doors.api)
        browser.sign_in(token)
        for page in ("/", "/races/5"):
            assert ("name, bib, e-mail, team" in browser.open(page).text) is is_offered
