"""What `rosterlog fields` tells of the keys that really arrived."""

import pytest

from ingest.delivery import read_envelope
from ingest.log.event import Event
from projections.participants.discovery import Discovery
from projections.participants.fields import DECLARED
from tests import model
from tests.discovered import columns_of


def test_what_was_seen_tells_keys_types_shapes_and_columns_and_keeps_no_value() -> None:
    seen = Discovery(DECLARED)
    for position, content in enumerate((
        model.body(1, dob="31/12/1990", phone="+44 20 7946", tags=["fast", {"n": 1}], address={"city": "Leeds"}),
        model.body(2, phone=None, new_key=1.5),
    )):  # fmt: skip
        seen.add(Event("movemint", position, "", "event.participant.created", read_envelope(content).subject, content))
    keys = {key.path: key for key in seen.keys}
    assert (keys["dob"].columns, dict(keys["dob"].unconverted)) == (["dob"], {"dob": 1})
    assert (keys["phone"].events, dict(keys["phone"].types), keys["phone"].shapes) == (
        2, {"string": 1, "null": 1}, ["+99 99 9999"],
    )  # fmt: skip
    assert keys["address.city"].columns == ["city"]
    assert dict(keys["tags[]"].types) == {"string": 1, "object": 1}
    assert seen.unmapped == ["new_key", "tags[]", "tags[].n"]
    assert "Leeds" not in str([key.as_json() for key in seen.keys])


def test_a_key_is_mapped_if_the_fold_took_a_value_from_it() -> None:
    team = columns_of({"team": {"id": 77, "name": "Hill Harriers"}, "wave": {"name": {"en": "A"}}, "bib": None})
    assert (team["team"], team["team.name"], team["team.id"]) == ([], ["team"], [])
    assert (team["wave"], team["bib"], team["id"]) == (["wave"], ["bib"], ["participant_id"])
    assert team["(unmapped)"] == ["team.id", "wave.name.en"]
    both = columns_of({"registered_at": "2026-05-01T00:00:00Z", "created_at": "2026-04-01T00:00:00Z", "dob": "?",
                       "birth_date": "1990-05-14"})  # fmt: skip
    assert (both["registered_at"], both["created_at"], both["dob"], both["birth_date"]) == (
        ["registered_at"], [], [], ["dob"],
    )  # fmt: skip
    assert both["(unmapped)"] == ["created_at", "dob"]
    answers = columns_of({"answers": {"7": {"value": "M"}}, "custom_fields": [{"id": 7, "answer": "M"}]})
    assert (answers["answers"], answers["answers.7.value"], answers["custom_fields[].id"]) == (
        ["answers"],
        ["answers"],
        [],
    )
    row = {"question": 12, "question_identifier": "WY3", "answer": "M", "options": [4], "field": {"x": 1}, "id": 12}
    within = columns_of({"answers": [row, {"title": "Size", "response": {"label": "L", "id": 4}}]})
    assert [path for path in within if within[path] == ["answers"]] == [
        "answers", "answers[]", "answers[].answer", "answers[].question", "answers[].response",
        "answers[].response.label", "answers[].title",
    ]  # fmt: skip
    assert within["(unmapped)"] == [
        "answers[].field.x", "answers[].id", "answers[].options[]", "answers[].question_identifier",
        "answers[].response.id",
    ]  # fmt: skip
    assert columns_of({"id": [1], "city": "Leeds"})["city"] == ["city"], "whatever the id is"


def test_a_key_is_known_by_its_letters_whatever_dots_and_brackets_are_in_it() -> None:
    answers = {"Dr. name": "X", "Emergency contact (name, tel.)": "Eve", "Meals[]": "Pasta"}
    seen = columns_of(
        {"answers": answers, "team.name": "Owls", "team": {"name": "Hill"}, "custom_answers": {"a.b": ""}}
    )
    assert seen["(unmapped)"] == ['"team.name"', 'custom_answers."a.b"']
    assert {key for key, columns in seen.items() if columns == ["answers"]} == {
        "answers", 'answers."Dr. name"', 'answers."Emergency contact (name, tel.)"', 'answers."Meals[]"',
    }  # fmt: skip
    assert (seen["team.name"], seen['"team.name"']) == (["team"], [])


@pytest.mark.parametrize("empty", [None, "", "  "])
def test_a_key_that_never_had_a_value_is_of_the_column_that_would_read_it(empty: object) -> None:
    seen = columns_of({"bib": empty, "new_key": empty, "city": "Leeds"}, {"bib": None})
    assert (seen["bib"], seen["new_key"]) == (["bib"], [])
    assert "bib" not in seen["(unmapped)"]


def test_a_form_and_the_answers_beside_it_are_both_taken() -> None:
    seen = columns_of({"questions": [{"id": 1, "title": "Shirt size"}], "custom_fields": {"1": "M"}})
    assert (seen["questions"], seen["custom_fields"]) == (["answers"], ["answers"])
    assert (seen["questions[].title"], seen["custom_fields.1"]) == (["answers"], ["answers"])


def test_a_key_of_answers_that_nothing_is_read_from_is_unmapped() -> None:
    seen = columns_of(
        {"answers": [{"question": "Size", "selected": "M"}], "questions": [{"title": "Cap", "options": ["S"]}]}
    )
    assert (seen["answers[].selected"], seen["questions[].options[]"]) == ([], [])
    assert seen["answers[].question"] == ["answers"]


@pytest.mark.parametrize(
    ("row", "key"),
    [
        ({"question_id": 4, "answer": {"first": "A", "last": "B"}}, "answers[].answer.first"),
        ({"question": "Size", "answer": {"id": 4}}, "answers[].answer.id"),
    ],
)
def test_a_key_that_only_keeps_a_row_from_being_read_is_unmapped(row: dict[str, object], key: str) -> None:
    seen = columns_of({"answers": [{"question": "Cap", "answer": "S"}, row]})
    assert (seen[key], key in seen["(unmapped)"]) == ([], True)
    assert seen["answers[].question"] == ["answers"]


def test_ever_new_keys_do_not_fill_the_memory() -> None:
    seen = Discovery(DECLARED)
    for number in range(30):
        content = model.body(1, answers={f"question {number} {n}": "x" for n in range(100)})
        seen.add(Event("movemint", number, "", "event.participant.created", "1", content))
    assert len(seen.keys) == 2_000
    assert seen.left_out > 900


def test_long_keys_many_types_and_large_participants_do_not_fill_the_memory_either() -> None:
    seen = Discovery(DECLARED)
    nested: object = "x"
    for _ in range(60):
        nested = {"k" * 150: nested}
    for content in (model.body(1, nested=nested), model.body(2, short={"k" * 201: {"inner": 1}})):
        seen.add(Event("movemint", 1, "", "event.participant.created", "1", content))
    assert max(len(key.path) for key in seen.keys) <= 200
    assert seen.left_out == 2
    seen.add(Event("movemint", 1, "", "event.participant.created", "3", model.body(3, x=["x"] * 20_000, city="Leeds")))
    assert (seen.left_out, {key.path for key in seen.keys} & {"city", "x[]"}) == (3, {"city"})
    for number in range(1_100):
        content = b'{"type": "type %d", "data": {"object": {}}}' % number
        seen.add(Event("movemint", 1, "", f"type {number}", None, content))
    assert len(seen.other_types) == 1_001
    assert seen.other_types.total() == 1_100
