"""Answers to questions, in the shapes seen among platforms. Which one Movemint sends is not published."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.participants.answers import Answer, NoAnswers, read_answers

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
        ({"shirt": {"label": "Shirt size", "value": "M"}}, [("shirt", "Shirt size", "M")]),
        ({"shirt": "M", "diet": ["vegan", "halal"], "waiver": True}, [
            ("shirt", "shirt", "M"), ("diet", "diet", '["vegan","halal"]'), ("waiver", "waiver", "true"),
        ]),
        ({"41": {"value": None}}, [("41", "41", "")]),
        ({"41": {"size": "M"}}, [("41", "41", '{"size":"M"}')]),
        ([], []),
        ({}, []),
    ],
)  # fmt: skip
def test_each_shape_gives_rows(shape: object, expected: list[tuple[str, str, str]]) -> None:
    assert read_answers(shape) == [Answer(*row) for row in expected]


@pytest.mark.parametrize("shape", ["M", 7, [7], [{"answer": "M"}], [{"question_id": 1.5, "answer": "M"}], {"": "M"}])
def test_what_has_no_question_is_said_to_have_none(shape: object) -> None:
    with pytest.raises(NoAnswers):
        read_answers(shape)


@given(JSON)
def test_whatever_arrives_gives_texts_or_a_reason(shape: object) -> None:
    try:
        answers = read_answers(shape)
    except NoAnswers:
        return
    assert all(isinstance(text, str) for answer in answers for text in answer)
    assert all(answer.question for answer in answers)
