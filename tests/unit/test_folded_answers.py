"""Which key the answers of a participant are taken from, and what of them stays named."""

import pytest

from tests.folded import state

SIZE = [{"question": "Shirt size", "answer": "M"}]


@pytest.mark.parametrize("first", [5, "none", [], {}, [None], [{"question": ""}], {"a": {"b": False}}])
def test_answers_that_cannot_be_read_are_left_to_the_next_key_and_stay_named(first: object) -> None:
    folded = state(answers=first, question_answers=first, custom_answers=SIZE)
    assert ([answer.answer for answer in folded.answers], bool(folded.errors)) == (["M"], bool(first))
    assert bool(state(answers=first).errors) == bool(first)


def test_what_everybody_may_choose_is_no_answer() -> None:
    form = [{"id": 5, "title": "Shirt size", "options": ["S", "M"]}, {"id": 6, "title": "Meal", "choices": ["Soup"]}]
    for key in ("questions", "custom_questions"):
        folded = state(**{key: form})
        assert [(answer.question, answer.answer) for answer in folded.answers] == [("Shirt size", ""), ("Meal", "")]
        named = "choices, of which none is said to be chosen"
        assert folded.errors == {"answers": f"row 1: {named}; row 2: {named}"}
    chosen = [answer.answer for answer in state(answers=form).answers]
    assert chosen == ["S", "M", "Soup"], "under a key of answers they are answers"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"questions": [{"id": 1, "title": "Shirt size"}], "custom_fields": {"1": "M"}}, [("1", "Shirt size", "M")]),
        ({"custom_answers": {"1": "M"}, "questions": [{"id": 1, "title": "Shirt size", "options": ["S", "M"]}]},
         [("1", "Shirt size", "M")]),
        ({"answers": [{"question": "A", "answer": None}], "custom_answers": [{"question": "A", "answer": "M"}]},
         [("", "A", "M")]),
        ({"answers": [{"question": "A", "answer": "S"}, {"question": "B", "answer": ""}],
          "custom_answers": [{"question": "B", "answer": "M"}, {"question": "A", "answer": "L"}, {"question": "C"}]},
         [("", "A", "S"), ("", "B", "M")]),
        ({"answers": [{"question_id": 1, "answer": "M"}], "questions": {"1": {"title": "Size", "values": ["S", "M"]}}},
         [("1", "Size", "M")]),
        ({"answers": [{"question": "A"}], "questions": [{"title": "A", "options": ["x"]}]}, [("", "A", "")]),
        ({"questions": [{"title": "A", "options": ["x"]}], "custom_fields": [{"question": "A"}]}, [("", "A", "")]),
        ({"answers": [{"question": "A", "selected": "M"}], "custom_answers": [{"question": "A", "answer": "M"}]},
         [("", "A", "M")]),
        ({"answers": [{"question_id": 1, "question": "A", "answer": "S"}, {"question_id": 2, "answer": {"x": 1}}],
          "custom_answers": [{"question_id": 2, "question": "B", "answer": "M"}]}, [("1", "A", "S"), ("2", "B", "M")]),
        ({"questions": "see the form", "custom_fields": [{"question": "A", "answer": "M"}]}, [("", "A", "M")]),
    ],
)  # fmt: skip
def test_answers_are_read_beside_a_form_and_beside_a_key_without_any(
    fields: dict[str, object], expected: list[tuple[str, str, str]]
) -> None:
    folded = state(**fields)
    assert (folded.answers, folded.errors) == (expected, {})


def test_what_no_other_key_answers_stays_named() -> None:
    named = {"answers": "row 1: no answer under a key that is known"}
    rows = [{"question": "A", "selected": "M"}]
    for fields in (
        {"answers": rows, "custom_answers": [{"question": "B", "answer": "M"}]},
        {"answers": rows, "questions": [{"title": "A", "options": ["S", "M"]}]},
        {"questions": 5, "custom_fields": rows},
        {"questions": [{"title": "A", "options": ["S", "M"]}], "custom_fields": rows},
    ):
        assert state(**fields).errors == named, fields
