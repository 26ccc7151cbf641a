"""Answers of the shapes that organisers' systems send, by every door; as of now and before."""

import zipfile
from io import BytesIO
from typing import Any

import pytest

from ingest.database import REPORTING_PII_ROLE, sync_engine
from projections.reports.report import reports, run_report, values_of
from tests import model
from tests.answers_world import World
from tests.fold_all import query

UNKNOWN = "row 1: no answer under a key that is known"
CHOICES = "row 1: choices, of which none is said to be chosen"
# What a participant has beside the id; the answers by question; what field_errors says of them.
CASES: list[tuple[dict[str, object], dict[str, list[str]], str | None]] = [
    ({"answers": [{"question": "Meals", "selected": "Pasta", "options": ["Pasta", "Pizza"]}]}, {"Meals": []}, UNKNOWN),
    ({"answers": [{"question": "Meals", "answers": [], "choices": ["Pasta", "Pizza"]}]}, {"Meals": []}, None),
    ({"answers": [{"question": "Meals", "answer": [
        {"label": "Pasta", "selected": False}, {"label": "Pizza", "selected": True},
    ]}]}, {"Meals": ["Pizza"]}, None),
    ({"answers": [{"question": "Waiver", "answer": {"label": "Yes", "checked": False}}]}, {"Waiver": ["false"]}, None),
    ({"questions": {"Cap": ["S", "M"]}}, {"Cap": []}, CHOICES),
    ({"answers": {"4": {"name": "capSize", "text": "Cap", "type": "dropdown"}}}, {"4": []}, UNKNOWN),
    ({"answers": {"id": 30, "title": "Shoes", "answer": "44"}}, {"Shoes": ["44"]}, None),
    ({"questions": [{"id": 31, "title": "Bag"}], "custom_fields": {"31": "L"}}, {"Bag": ["L"]}, None),
    ({"answers": [{"question": "Bus", "answer": None}], "custom_answers": [{"question": "Bus", "answer": "yes"}]},
     {"Bus": ["yes"]}, None),
    ({"answers": [{"question": "Meals", "answer": ["M", "M"]}] * 2}, {"Meals": ["M"]}, None),
    ({"answers": [{"question": 12, "question_identifier": "WY3", "answer": "M", "options": [4]}]}, {"12": ["M"]}, None),
    ({"answers": [{"question": "Shirt size", "answer": "M"}, None]}, {"Shirt size": ["M"]}, "row 2: not an object"),
    ({"answers": [{"question": "Shirt size", "answer": "M"}, {"title": "", "answer": "yes"}]}, {"Shirt size": ["M"]},
     "row 2: neither a question nor the id of one"),
    ({"answers": [{"type": "text", "text": "I have epilepsy", "field": {"id": "a1"}}]}, {"a1": ["I have epilepsy"]},
     None),
    ({"answers": {"ice": {"name": "Eve Doe, +1 555 0100", "value": None}}}, {"ice": []}, UNKNOWN),
    ({"answers": [
        {"type": "choices", "choices": {"labels": ["Pasta", "Rice"], "other": "Soup"}, "field": {"id": "a2"}},
    ]}, {"a2": ["Pasta", "Rice", "Soup"]}, None),
    ({"answers": [{"question": "Note", "answer": "  "}, {"question": " ", "answer": "x"}]}, {"Note": []},
     "row 2: neither a question nor the id of one"),
]  # fmt: skip


def shown(rows: list[dict[str, Any]]) -> dict[str, list[str]]:
    """The answers by question; as of now or before, listed or alone."""
    answers: dict[str, list[str]] = {}
    for row in rows:
        answers.setdefault(row["question"], []).extend([row["answer"]] if row["answer"] not in (None, "") else [])
    return answers


@pytest.fixture(scope="module")
def told(world: World) -> str:
    token = world.told([model.body(number, **fields) for number, (fields, _, _) in enumerate(CASES)], "everywhere")
    world.tell([model.body(number, bib="later") for number in range(len(CASES))], "everywhere")
    world.tell([model.body(number, **fields, bib="now") for number, (fields, _, _) in enumerate(CASES)], "everywhere")
    return token


@pytest.mark.parametrize("number", range(len(CASES)))
def test_each_has_the_right_answers_by_every_door(world: World, told: str, number: int) -> None:
    _, answers, said = CASES[number]
    one = world.api.ask(f"/v1/participants/{number}", told)
    assert one.json()["field_errors"].get("answers") == said
    assert shown(one.json()["answers"]) == answers
    before = world.api.ask(f"/v1/participants/{number}", told, as_of=len(CASES))
    assert (shown(before.json()["answers"]), before.json()["field_errors"].get("answers")) == (answers, said)
    [listed] = world.api.listed("/v1/participants", told, participant_id=str(number), include="answers")
    assert listed == one.json()
    states = world.api.listed(f"/v1/participants/{number}/history", told, include="answers")
    assert [shown(state["participant"]["answers"]) for state in states] == [answers, {}, answers]
    exported = world.exported(told, participant_id=str(number), answers="rows", columns="participant_id")
    words = {row["question"] for row in exported}
    assert [row["answer"] for row in exported] == [each for given in answers.values() for each in given or [""]]
    assert words == {*answers}
    [cells] = world.lines(told, participant_id=str(number), answers="columns", columns="participant_id")
    assert {question: cells[question] for question in answers} == {
        question: "; ".join(given) or None for question, given in answers.items()
    }
    in_sql = query(
        world.conninfo,
        "select question, answer from reporting.participant_answers "
        "where source = 'everywhere' and participant_id = %s",
        str(number),
    )
    assert shown([{"question": question, "answer": answer} for question, answer in in_sql]) == answers


def test_a_question_keeps_the_newest_words_that_it_had_where_newer_rows_have_only_its_id(world: World) -> None:
    """By the list of questions, filters, exports and reports; as of now and as of then."""
    bodies = [
        model.body(1, event_id=1, answers=[{"question_id": 12, "question": "Shirt", "answer": "M"}]),
        model.body(2, event_id=1, answers=[{"question_id": 12, "question": "Shirt size", "answer": "M"}]),
        model.body(3, event_id=1, answers=[{"question_id": 12, "answer": "L"}]),
        model.body(4, event_id=2, answers={"12": "L"}),
    ]
    token = world.told(bodies, "wordless")
    for as_of in ({}, {"as_of": 4}):
        first, second = world.api.listed("/v1/questions", token, **as_of)
        assert [each["question"] for each in (*first["questions"], *second["questions"])] == ["Shirt size", "12"]
        assert first["questions"][0]["asked"] == 3
        assert world.found(token, **as_of, **{"answer.Shirt size": "L"}) == ["3", "4"]
        rows = world.exported(token, answers="columns", columns="participant_id", **as_of)
        assert [row["Shirt size"] for row in rows] == [*"MMLL"]
        rows = world.exported(token, answers="rows", columns="participant_id", **as_of)
        assert {row["question"] for row in rows} == {"Shirt size"}
    engine = sync_engine(world.conninfo, REPORTING_PII_ROLE)
    with engine.connect() as connection:
        answers, checklist = (reports()[name] for name in ("answers", "checklist"))
        counted = run_report(connection, answers, "wordless", values_of(answers, {})).rows
        listed = run_report(connection, checklist, "wordless", values_of(checklist, {"questions": "12"}))
    engine.dispose()
    assert {(row[0], row[1]) for row in counted} == {("Shirt size", "12")}
    assert listed.columns[-1] == "Shirt size"


def test_a_title_that_begins_like_a_formula_is_a_text_in_a_sheet_as_its_cells_are(world: World) -> None:
    body = model.body(1, answers=[{"question": "=1+1", "answer": "=2+2"}, {"question": "Size", "answer": "M"}])
    token = world.told([body], "formulas")
    for formulas, quoted in (({}, 1), ({"formulas": "keep"}, 0)):
        asked = {"answers": "columns", "columns": "participant_id", **formulas}
        with zipfile.ZipFile(BytesIO(world.api.ask("/v1/participants.xlsx", token, **asked).content)) as book:
            xml, styles = (book.read(f"xl/{name}.xml").decode() for name in ("worksheets/sheet1", "styles"))
        assert styles.count('quotePrefix="1"') == quoted
        cells = dict(_cells(xml))
        assert ("s=" in cells["B1"], "s=" in cells["B2"], "s=" in cells["C1"]) == (bool(quoted), bool(quoted), False)


def _cells(xml: str) -> list[tuple[str, str]]:
    return [(part.split('"')[1], part.split(">")[0]) for part in xml.split("<c ")[1:]]
