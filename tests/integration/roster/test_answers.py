"""Answers to questions: found, listed and exported by one rule of what a question is, as of now and of the past."""

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from ingest import postgres
from ingest.database import OPERATOR_ROLE, REPORTING_PII_ROLE, WORKER_ROLE, sync_engine
from projections.reports.report import reports, run_report, values_of
from tests import model
from tests.api_client import Api, make_token, running
from tests.conftest import create
from tests.erased_person import erase
from tests.fold_all import drain

LONG = "I have read all of this, " * 20  # longer than a name of PostgreSQL's, and than a key of a question


def answered(*rows: tuple[int | None, str, object]) -> list[dict[str, object]]:
    return [{"question_id": id_, "question": words, "answer": answer} for id_, words, answer in rows]


# Question 1 got other words; 2 has the words that 1 had; one without an id has them too.
PEOPLE = [
    model.body(1, event_id=1, answers=answered((1, "Shirt size", "M"), (2, "Shirt size", "M"), (5, "Meals", []))),
    model.body(2, event_id=1, answers=answered((1, "Shirt size", "L"), (5, "Meals", ["Pasta", "Pizza, thin"]))),
    model.body(3, event_id=2, bib="=3", answers=answered((1, "T-shirt size", "M"), (5, "Meals", ["Pasta"]))),
    model.body(4, event_id=2, answers=answered((None, "Shirt size", "S"), (None, LONG + "1", "yes"))),
    model.body(5, answers=answered((None, LONG + "2", "no"), (None, "=bib", "+1"), (None, "TEAM", "x"))),
    model.body(6, event_id=1),
]


@dataclass(frozen=True)
class World:
    """An API over a database in which each example has a source of its own."""

    conninfo: str
    api: Api
    worker: Engine
    owner: Engine

    def told(self, bodies: list[bytes], source: str) -> str:
        """Fold these deliveries; gives a token."""
        model.append(self.conninfo, bodies, source)
        drain(self.worker, source)
        return make_token(self.owner, source, source)

    def found(self, token: str, **asked: Any) -> list[str]:  # noqa: ANN401 - parameters
        return [row["participant_id"] for row in self.api.listed("/v1/participants", token, **asked)]

    def exported(self, token: str, **asked: Any) -> list[dict[str, str]]:  # noqa: ANN401
        answer = self.api.ask("/v1/participants.csv", token, **asked)
        assert answer.status_code == 200, answer.text
        return list(csv.DictReader(io.StringIO(answer.text, newline="")))

    def lines(self, token: str, **asked: Any) -> list[dict[str, Any]]:  # noqa: ANN401
        answer = self.api.ask("/v1/participants.ndjson", token, **asked)
        assert answer.status_code == 200, answer.text
        return [json.loads(line) for line in answer.text.splitlines()]


@pytest.fixture(scope="module")
def world(server: postgres.Server, template: str) -> Iterator[World]:
    conninfo = create(server, template)
    worker, owner = sync_engine(conninfo, WORKER_ROLE), sync_engine(conninfo)
    with running(conninfo) as api:
        yield World(conninfo, api, worker, owner)
    for engine in (worker, owner):
        engine.dispose()


@pytest.fixture(scope="module")
def token(world: World) -> str:
    return world.told(PEOPLE, "movemint")


@pytest.mark.parametrize(
    ("name", "value", "ids"),
    [
        ("1", "M", "13"),
        ("T-shirt size", "M", "13"),
        ("T-shirt size", "L", "2"),
        ("Shirt size", "M", "1"),
        ("Shirt size", "S", "4"),
        ("Shirt size__in", "S,M", "14"),
        ("Meals", "Pasta", "23"),
        ("Meals", "Pizza, thin", "2"),
        ("Meals__in", 'Pasta,"Pizza, thin"', "23"),
        ("Meals__ne", "Pizza, thin", "13456"),
        ("5__ne", "Pasta", "1456"),
        ("Meals__isnull", "false", "23"),
        ("Meals__isnull", "true", "1456"),
        ("Meals__eq", "Pasta", "23"),
        (LONG + "1", "yes", "4"),
        (LONG + "2", "yes", ""),
        (LONG + "2", "no", "5"),
        ("meals", "Pasta", ""),
        ("nothing__ne", "Pasta", "123456"),
        ("nothing__isnull", "true", "123456"),
        ("nothing__isnull", "false", ""),
    ],
)
def test_a_filter_means_a_question_by_its_id_or_by_its_newest_words(
    world: World, token: str, name: str, value: str, ids: str
) -> None:
    asked = {f"answer.{name}": value}
    assert world.found(token, **asked) == [*ids]
    assert world.found(token, **asked, as_of=6) == [*ids]
    assert [row["participant_id"] for row in world.exported(token, **asked)] == [*ids]


def test_the_words_are_those_of_the_events_that_are_asked_for(world: World, token: str) -> None:
    assert world.found(token, event_id="1", **{"answer.Shirt size": "M"}) == ["1"]
    assert world.found(token, event_id="1", **{"answer.Shirt size": "L"}) == ["2"]
    assert world.found(token, event_id__in="1,2", **{"answer.Shirt size": "L"}) == []
    warned = world.api.ask("/v1/participants", token, event_id="2", **{"answer.2": "M"})
    assert warned.headers["rosterlog-warning"].startswith("answer.2: nobody in such an event has answered it")


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("answer.Meals__isnull", "yes", "answer.QUESTION__isnull takes true or false."),
        ("answer.Meals__in", '"x', "answer.QUESTION__in takes an answer, or up to 1000 of them"),
        ("answer.Meals__in", ",".join("x" * 1001), "answer.QUESTION__in takes an answer"),
        ("answer.__in", "x", "answer. takes a question after the dot"),
        ("answers", "sheet", "answers takes columns, one-hot or rows."),
        ("include", "all", "include takes answers."),
    ],
)
def test_what_no_filter_takes_is_refused_by_name(world: World, token: str, name: str, value: str, says: str) -> None:
    answer = world.api.ask("/v1/participants.csv", token, **{name: value})
    assert (answer.status_code, answer.json()["parameter"]) == (400, name)
    assert answer.json()["detail"].startswith(says)


def test_the_questions_of_each_event_are_listed_with_how_many_answered(world: World, token: str) -> None:
    def form(event_id: str | None, *rows: tuple[str | None, str, int, int]) -> dict[str, Any]:
        names = ("question_id", "question", "asked", "answered")
        return {"event_id": event_id, "questions": [dict(zip(names, row, strict=True)) for row in rows]}

    meals = ("5", "Meals", 1, 1)
    forms = [
        form("1", ("1", "Shirt size", 2, 2), ("2", "Shirt size", 1, 1), ("5", "Meals", 2, 1)),
        form("2", (None, "Shirt size", 1, 1), (None, LONG + "1", 1, 1), ("1", "T-shirt size", 1, 1), meals),
        form(None, (None, LONG + "2", 1, 1), (None, "=bib", 1, 1), (None, "TEAM", 1, 1)),
    ]  # fmt: skip
    for asked in ({}, {"as_of": 6}):
        assert world.api.listed("/v1/questions", token, **asked) == forms
        assert world.api.listed("/v1/questions", token, **asked, limit=1) == forms
        assert world.api.listed("/v1/questions", token, **asked, event_id="2") == forms[1:2]
    assert world.api.listed("/v1/questions", token, event_id="9") == []
    assert world.api.listed("/v1/questions", token, as_of=1)[0]["questions"][2] == {
        "question_id": "5", "question": "Meals", "asked": 1, "answered": 0,
    }  # fmt: skip


def test_an_export_has_a_column_per_question_in_the_order_of_the_form(world: World, token: str) -> None:
    rows = world.exported(token, answers="columns", columns="participant_id,bib,team")
    titles = [LONG + "2", "'=bib", "TEAM (2)", "Shirt size", LONG + "1", "T-shirt size", "2", "Meals"]
    assert list(rows[0]) == ["participant_id", "bib", "team", *titles]
    assert [row["T-shirt size"] for row in rows] == ["M", "L", "M", "", "", ""]
    assert [row["2"] for row in rows] == ["M", "", "", "", "", ""]
    assert [row["Shirt size"] for row in rows] == ["", "", "", "S", "", ""]
    assert [row["Meals"] for row in rows] == ["", "Pasta; Pizza, thin", "Pasta", "", "", ""]
    assert (rows[2]["bib"], rows[4]["'=bib"]) == ("'=3", "+1")
    assert world.exported(token, answers="columns", columns="participant_id,bib,team", as_of=6) == rows
    assert list(world.exported(token, answers="columns", columns="bib", event_id="1")[0]) == ["bib", "1", "2", "Meals"]
    assert "=bib" in world.exported(token, answers="columns", columns="bib", formulas="keep")[0]
    lines = world.lines(token, answers="columns", columns="participant_id")
    assert [(line["participant_id"], line["2"]) for line in lines] == [("1", "M"), *((id_, None) for id_ in "23456")]
    [line] = world.lines(token, answers="columns", columns="bib", participant_id="2")
    nothing = dict.fromkeys(["bib", LONG + "2", "=bib", "TEAM", "Shirt size", LONG + "1"])
    assert line == {**nothing, "T-shirt size": "L", "2": None, "Meals": "Pasta; Pizza, thin"}
    assert list(line) == [*nothing, "T-shirt size", "2", "Meals"]


def test_check_boxes_have_a_column_per_answer_where_that_is_asked_for(world: World, token: str) -> None:
    rows = world.exported(token, answers="one-hot", columns="participant_id", event_id__in="1,2")
    assert list(rows[0]) == ["participant_id", "Shirt size", LONG + "1", "T-shirt size", "2", "Meals: Pasta",
                             "Meals: Pizza, thin"]  # fmt: skip
    assert [row["Meals: Pasta"] for row in rows] == ["0", "1", "1", "", ""]
    assert [row["Meals: Pizza, thin"] for row in rows] == ["0", "1", "0", "", ""]
    assert rows[0]["T-shirt size"] == "M"
    [line] = world.lines(token, answers="one-hot", columns="bib", participant_id="2")
    assert (line["Meals: Pasta"], line["T-shirt size"]) == (1, "L")


def test_rows_are_the_answers_beside_the_columns_that_are_asked_for(world: World, token: str) -> None:
    rows = world.exported(token, answers="rows", event_id="2", sort="-participant_id")
    assert [[*row.values()] for row in rows] == [
        ["4", "", "Shirt size", "S"], ["4", "", LONG + "1", "yes"], ["3", "1", "T-shirt size", "M"],
        ["3", "5", "Meals", "Pasta"],
    ]  # fmt: skip
    assert list(rows[0]) == ["participant_id", "question_id", "question", "answer"]
    [first, *_] = world.lines(token, answers="rows", columns="bib,participant_id", participant_id="1")
    assert first == {"bib": None, "participant_id": "1", "question_id": "1", "question": "T-shirt size", "answer": "M"}
    unanswered = world.lines(token, answers="rows", participant_id="1")[-1]
    assert (unanswered["question"], unanswered["answer"]) == ("Meals", None)


def test_answers_are_told_with_one_participant_and_elsewhere_where_they_are_asked_for(world: World, token: str) -> None:
    answers = [
        {"question_id": "1", "question": "Shirt size", "answer": "L"},
        {"question_id": "5", "question": "Meals", "answer": "Pasta"},
        {"question_id": "5", "question": "Meals", "answer": "Pizza, thin"},
    ]
    one = world.api.ask("/v1/participants/2", token)
    assert one.json()["answers"] == answers
    assert world.api.ask("/v1/participants/2", token, as_of=6).content == one.content
    included = {"include": "answers", "participant_id": "2"}
    listed = world.api.ask("/v1/participants", token, **included)
    assert one.content in listed.content, "the same bytes"
    assert world.api.ask("/v1/participants.ndjson", token, **included).content == one.content + b"\n"
    assert json.loads(world.exported(token, **included)[0]["answers"]) == answers
    changes = {row["participant_id"]: row["participant"] for row in
               world.api.listed("/v1/changes", token, after=0, include="answers", limit=2)}  # fmt: skip
    assert (changes["2"], changes["6"]["answers"]) == (one.json(), [])
    [state] = world.api.listed("/v1/participants/2/history", token, include="answers")
    assert state["participant"] == one.json()
    for path in ("/v1/participants", "/v1/changes", "/v1/participants/2/history"):
        assert "answers" not in world.api.ask(path, token).json()["data"][0].get("participant", {})


def test_answers_of_the_past_are_those_of_the_state_that_held(world: World) -> None:
    """By every way: one participant, filters, questions, exports, history; after an erasure by none."""
    first, second = (
        [model.body(id_, event_id=1, answers=answered((7, words, answer))) for id_ in ("a", "b")]
        for words, answer in (("Old words", "canary-answer"), ("New words", ["yes", "no"]))
    )
    token = world.told([first[0], second[0], first[1]], "past")
    told = world.api.ask("/v1/participants/a", token, as_of=1)
    assert told.json()["answers"] == [{"question_id": "7", "question": "Old words", "answer": "canary-answer"}]
    assert world.found(token, **{"answer.7": "canary-answer"}) == ["b"]
    assert world.found(token, as_of=1, **{"answer.Old words": "canary-answer"}) == ["a"]
    assert world.found(token, as_of=2, **{"answer.New words__in": "no,maybe"}) == ["a"]
    assert world.exported(token, as_of=1, answers="columns", columns="participant_id") == [
        {"participant_id": "a", "Old words": "canary-answer"}
    ]
    words = [world.api.listed("/v1/questions", token, as_of=n)[0]["questions"][0]["question"] for n in (1, 2, 3)]
    assert words == ["Old words", "New words", "Old words"]
    history = world.api.listed("/v1/participants/a/history", token, include="answers")
    assert history[0]["participant"] == told.json()
    assert history[1]["changed"]["answers"]["from"] == told.json()["answers"]
    operator = sync_engine(world.conninfo, OPERATOR_ROLE)
    erase(operator, "a", "past")
    operator.dispose()
    assert world.api.ask("/v1/participants/a", token, as_of=1).status_code == 404
    assert world.exported(token, as_of=2, answers="columns", columns="bib") == []


VALUES = st.sampled_from(["M", "Pasta", "Pizza, thin", 7, True, "", None])
QUESTIONS = st.sampled_from(
    [(1, "Shirt size"), (2, "Shirt size"), (1, "T-shirt size"), (3, "1"), (None, "Shirt size"), (None, "1")]
)  # fmt: skip
FORMS = st.lists(
    st.tuples(QUESTIONS, VALUES | st.lists(VALUES, max_size=3)),
    max_size=4, unique_by=lambda row: (row[0][0], row[0][1] if row[0][0] is None else ""),
)  # fmt: skip
STATES = st.lists(st.tuples(st.sampled_from("abcde"), st.sampled_from([1, 2, None]), FORMS), min_size=1, max_size=8)
_sources = iter(range(10_000))


@given(states=STATES, event=st.sampled_from([None, "1"]))
@settings(max_examples=25)
def test_columns_report_and_filters_agree_on_how_many_answered_so(
    world: World, states: list[tuple[str, int | None, Any]], event: str | None
) -> None:
    """And all of them with a count over what was delivered, in plain Python."""
    bodies = []
    for number, (id_, event_id, form) in enumerate(states):
        answers = answered(*((*asked, value) for asked, value in form))
        bodies.append(model.body(id_, event_id=event_id, number=number, answers=answers))
    source = f"generated-{next(_sources)}"
    token = world.told(bodies, source)
    newest = {id_: (event_id, form) for id_, event_id, form in states}
    people = {id_: form for id_, (event_id, form) in newest.items() if event is None or str(event_id) == event}
    order = {id_: number for number, (id_, _, _) in enumerate(states)}
    words: dict[str, str] = {}
    expected: Counter[tuple[str, str]] = Counter()
    for _, form in sorted(people.items(), key=lambda person: order[person[0]]):
        for (id_, text), value in form:
            key = f"id {id_}" if id_ is not None else text
            words[key] = text
            given = {shown(each) for each in (value if isinstance(value, list) else [value])} - {""}
            expected.update((key, answer) for answer in given)
    of_event = {} if event is None else {"event_id": event}
    assert reported(world.conninfo, source, of_event.get("event_id")) == Counter(
        {(key.removeprefix("id ") if key.startswith("id ") else None, words[key], answer): number
         for (key, answer), number in expected.items()}
    )  # fmt: skip
    for name in {*words.values(), *(key.removeprefix("id ") for key in words if key.startswith("id "))}:
        meant = [f"id {name}"] if f"id {name}" in words else [key for key in words if words[key] == name]
        for answer in ("M", "Pizza, thin"):
            asked = {**of_event, f"answer.{name}": answer}
            there = sum(
                any((f"id {id_}" if id_ is not None else text) in meant
                    and answer in (value if isinstance(value, list) else [value]) for (id_, text), value in form)
                for form in people.values()
            )  # fmt: skip
            assert len(world.found(token, **asked)) == there
            assert world.api.ask("/v1/participants", token, count="exact", **asked).json()["count"] == there
    rows = world.exported(token, answers="columns", columns="participant_id", formulas="keep", **of_event)
    cells = Counter(answer for row in rows for title, cell in row.items() if title != "participant_id"
                    for answer in {*cell.split("; ")} - {""})  # fmt: skip
    by_answer: Counter[str] = Counter()
    for (_, answer), number in expected.items():
        by_answer[answer] += number
    assert cells == by_answer
    assert len(rows) == len(people)
    assert not rows or len(rows[0]) == 1 + len(words)
    lines = world.lines(token, answers="columns", columns="participant_id", **of_event)
    assert [{title: cell or "" for title, cell in line.items()} for line in lines] == rows
    told = Counter((row["question_id"] or row["question"], row["answer"]) for row in
                   [dict(t) for t in {tuple(row.items()) for row in world.exported(token, answers="rows", **of_event)}]
                   if row["answer"])  # fmt: skip
    assert sum(told.values()) == sum(expected.values())


def shown(value: object) -> str:
    return "" if value is None else "true" if value is True else str(value)


def reported(conninfo: str, source: str, event: str | None) -> Counter[tuple[str | None, str, str]]:
    engine = sync_engine(conninfo, REPORTING_PII_ROLE)
    report = reports()["answers"]
    given = {} if event is None else {"event": event}
    with engine.connect() as connection:
        rows = run_report(connection, report, source, values_of(report, given)).rows
    engine.dispose()
    return Counter({(row[1], row[0], row[2]): row[3] for row in rows if row[2] is not None})
