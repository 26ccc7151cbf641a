"""Answers to questions, in the shapes seen among platforms. Which one Movemint sends is not published."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.participants.answers import Answer, read_answers

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children, max_size=3),
)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ([{"question": "Shirt size", "answer": "M"}], [("", "Shirt size", "M")]),
        ([{"question_id": 41, "question": "Shirt size", "answer": "M"}], [("41", "Shirt size", "M")]),
        ([{"question_id": 41, "answer": "M"}, {"question_id": "42"}], [("41", "41", "M"), ("42", "42", "")]),
        ([{"id": 41, "title": "Shirt size", "value": 7}], [("41", "Shirt size", "7")]),
        ([{"question": {"id": 41, "title": "Shirt size"}, "answer": "M"}], [("41", "Shirt size", "M")]),
        ([{"question": 12, "question_identifier": "WY3", "answer": "M", "options": [4]}], [("12", "12", "M")]),
        ([{"type": "text", "text": "Owls", "field": {"id": "a1"}}], [("a1", "a1", "Owls")]),
        ([{"type": "choice", "choice": {"label": "M"}, "field": {"id": "a1", "title": "Size"}}],
         [("a1", "Size", "M")]),
        ([{"question_text": "Size", "options": [{"id": 4, "label": "M"}]}], [("", "Size", "M")]),
        ([{"question": "Size", "answer": None, "options": ["S", "M"]}], [("", "Size", "")]),
        ([{"question": "Size", "response": "M"}, {"label": "Diet", "choices": ["vegan", "halal"]}], [
            ("", "Size", "M"), ("", "Diet", "vegan"), ("", "Diet", "halal"),
        ]),
        ([{"question_id": 5, "question": "Meals", "answer": []}, {"question": "Team", "answer": ""}], [
            ("5", "Meals", ""), ("", "Team", ""),
        ]),
        ([{"question": "Meals", "answer": ["Pasta", None, "", "Pizza, thin"]}], [
            ("", "Meals", "Pasta"), ("", "Meals", "Pizza, thin"),
        ]),
        ([{"question_id": 1, "question": "Size", "answer": "M"},
          {"question_id": 2, "question": "Size", "answer": "L"}],
         [("1", "Size", "M"), ("2", "Size", "L")]),
        ([{"question": "Laps", "answer": 12.0}, {"question": "Km", "answer": 10.5},
          {"question": "Ok", "answer": False}],
         [("", "Laps", "12"), ("", "Km", "10.5"), ("", "Ok", "false")]),
        ({"shirt": {"label": "Shirt size", "value": "M"}}, [("shirt", "Shirt size", "M")]),
        ({"shirt": "M", "diet": ["vegan", "halal"], "waiver": True}, [
            ("shirt", "shirt", "M"), ("diet", "diet", "vegan"), ("diet", "diet", "halal"), ("waiver", "waiver", "true"),
        ]),
        ({"41": {"value": None}}, [("41", "41", "")]),
        ({"ice": {"name": "Eve Doe, +1 555 0100", "value": None}}, [("ice", "ice", "")]),
        ([{"type": "boolean", "boolean": True, "field": {"id": "b1", "title": "Ok?"}}], [("b1", "Ok?", "true")]),
        ([{"type": "email", "email": "x@example.org", "field": {"id": "c1"}}], [("c1", "c1", "x@example.org")]),
        ([{"type": "question", "question": "Size"}, {"type": ["x"], "question": "Meal"}],
         [("", "Size", ""), ("", "Meal", "")]),
        ({"question": "Shirt size", "answer": "M"}, [("", "Shirt size", "M")]),
        ({"question_id": 7, "answer": ["M", "L"]}, [("7", "7", "M"), ("7", "7", "L")]),
        ({"q1": {"question": {"id": 7, "title": "Shirt"}, "answer": "M"}}, [("7", "Shirt", "M")]),
        ({"q1": {"question": "Shirt", "id": 900, "answer": "M"}}, [("q1", "Shirt", "M")]),
        ([{"question": "Size", "answer": "", "choices": ["S", "M"]}], [("", "Size", "")]),
        ([{"question_id": 42, "participant_id": 7, "created_at": "2026-05-01", "required": True, "hidden": False}],
         [("42", "42", "")]),
        ([], []),
        ({}, []),
    ],
)  # fmt: skip
def test_each_shape_gives_rows(shape: object, expected: list[tuple[str, str, str]]) -> None:
    assert read_answers(shape) == ([Answer(*row) for row in expected], None)


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (7, "not an object"),
        (None, "not an object"),
        ({"answer": "M"}, "neither a question nor the id of one"),
        ({"title": "", "answer": "yes"}, "neither a question nor the id of one"),
        ({"question_id": 1.5, "answer": "M"}, "neither a question nor the id of one"),
        ({"question": "Size", "answer": {"size": "M"}}, "an answer that is an object without a label"),
        ({"question": "Size", "answer": [["M"]]}, "an answer that is a list of lists"),
    ],
)
def test_a_row_that_cannot_be_read_is_named_and_loses_nothing_beside_it(bad: object, said: str) -> None:
    good = {"question": "Shirt size", "answer": "M"}
    assert read_answers([good, bad, good]) == ([Answer("", "Shirt size", "M")] * 2, f"row 2: {said}")
    assert read_answers([bad]) == ([], f"row 1: {said}")


@pytest.mark.parametrize(
    ("row", "left", "said"),
    [
        ({"question": "Size", "selected": "M"}, "", "no answer under a key that is known"),
        ({"question_id": 5, "question": "Age group", "number": 3}, "", "no answer under a key that is known"),
        ({"question": "Waiver", "checked": True}, "", "no answer under a key that is known"),
        ({"question": "Size", "answer": None, "answers": ["S", "M"]}, "",
         "several answers beside an empty one: which of them were given is not said"),
        ({"question": "Size", "value": "", "values": ["S"]}, "",
         "several answers beside an empty one: which of them were given is not said"),
        ({"question": "Meals", "answer": ["Pasta", {"id": 3}]}, "Pasta", "an answer that is an object without a label"),
    ],
)  # fmt: skip
def test_what_cannot_be_told_apart_is_named_and_no_answer(row: object, left: str, said: str) -> None:
    answers, unread = read_answers([row])
    assert ([answer.answer for answer in answers], unread) == ([left], f"row 1: {said}")


def test_many_bad_rows_are_named_in_a_few_words() -> None:
    answers, said = read_answers([7] * 100)
    assert answers == []
    assert said is not None
    assert said.endswith("row 5: not an object; and 95 more rows")


@pytest.mark.parametrize("value", ["M", 7, True])
def test_what_is_no_list_and_no_map_is_named(value: object) -> None:
    assert read_answers(value) == ([], "neither a list of answers nor a map of them")


@given(JSON)
def test_whatever_arrives_gives_texts_and_reasons(shape: object) -> None:
    answers, said = read_answers(shape)
    assert said != ""
    assert all(isinstance(text, str) for answer in answers for text in answer)
    assert all(answer.question for answer in answers)


@given(st.lists(JSON, max_size=4), JSON)
def test_a_row_is_read_the_same_whatever_stands_beside_it(rows: list[object], row: object) -> None:
    assert read_answers([*rows, row])[0] == read_answers(rows)[0] + read_answers([row])[0]
