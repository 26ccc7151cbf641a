"""Answers to questions: found and told by one rule of what a question is, as of now and of the past."""

import json
from typing import Any

import pytest

from ingest.database import OPERATOR_ROLE, sync_engine
from tests import model
from tests.answers_world import LONG, World, answered
from tests.erased_person import erase


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
    once_called = {"answers": "columns", "columns": "participant_id", "questions": "New words"}
    assert world.exported(token, **once_called) == [
        {"participant_id": "a", "Old words": "yes; no"}, {"participant_id": "b", "Old words": "canary-answer"},
    ]  # fmt: skip
    refused = world.api.ask("/v1/participants.csv", token, **once_called, as_of=1)
    assert refused.json()["detail"].startswith("questions takes ids or words, and nobody was asked New words")
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
