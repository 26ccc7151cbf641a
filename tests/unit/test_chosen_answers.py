"""Which answer was given, where a row or a form also has those that were not."""

import pytest

from projections.participants.answers import Answer
from tests.answers_in_words import read_answers

UNKNOWN = "no answer under a key that is known"
WITHIN = "rows within an answer"
CHOICES = "choices, of which none is said to be chosen"


@pytest.mark.parametrize(
    ("entry", "left", "said"),
    [
        ({"12": {"title": "Shirt size", "selected": "M"}}, "", UNKNOWN),
        ({"12": {"label": "Shirt size", "answer_text": "M"}}, "", UNKNOWN),
        ({"4": {"name": "shirtSize", "text": "Shirt size", "type": "control_dropdown"}}, "", UNKNOWN),
        ({"4": {"name": "shirtSize", "type": "control_dropdown", "options": "S|M|L"}}, "", UNKNOWN),
        ({"12": {"label": "M"}}, "", UNKNOWN),
        ({"id": 12, "title": "Shirt size", "type": "dropdown", "options": ["S", "M"]}, "", CHOICES),
        ({"12": {"id": 3}}, "", UNKNOWN),
        ({"ice": {"name": "Eve Doe, +1 555 0100", "value": None}}, "", UNKNOWN),
        ({"question": "Shirt", "selected": "M"}, "", UNKNOWN),
        ({"page 1": [{"question": "Shirt", "answer": "M"}]}, None, WITHIN),
        ({"data": [{"question_id": 1, "answer": "M"}, {"question_id": 2, "answer": "Pasta"}]}, None, WITHIN),
        ({"data": [{"title": "Shirt", "answer": "M"}, {"title": "Meals", "answer": "Pasta"}]}, None, WITHIN),
        ({"data": [{"key": "shirt", "answer": 5}]}, None, WITHIN),
        ({"diet": [{"label": "Vegan", "answer": "no"}, {"label": "Nuts", "answer": "yes"}]}, None, WITHIN),
    ],
)  # fmt: skip
def test_what_an_entry_of_a_map_may_say_of_its_question_is_no_answer(
    entry: object, left: str | None, said: str
) -> None:
    answers, unread = read_answers(entry)
    assert ([answer.answer for answer in answers], unread) == ([left] if left is not None else [], f"row 1: {said}")
    assert "Eve" not in str(answers), "what is not known as the question's words is not shown as such"


@pytest.mark.parametrize(
    ("given", "texts"),
    [
        ([{"label": "Pasta", "selected": False}, {"label": "Pizza", "selected": True}], ["Pizza"]),
        ([{"label": "Pasta", "value": False}, {"label": "Pizza", "value": True}], ["Pizza"]),
        ([{"label": "Pasta", "is_checked": False}], [""]),
        ([{"label": "S"}, {"label": "M", "selected": True}, {"label": "L", "selected": None}], ["M"]),
        ([{"label": "S", "selected": False}, {"label": "M"}, "L"], [""]),
        ([{"label": "S", "selected": True}, "M"], ["S"]),
        ([{"label": "S", "selected": True}, {"id": 4, "selected": False}], ["S"]),
        ({"label": "Ja", "value": "yes"}, ["Ja"]),
        ([{"label": "No rush", "value": "no"}], ["No rush"]),
        ({"label": "I agree", "answer": False}, ["false"]),
        ({"name": "I agree", "answer": False}, ["false"]),
        ({"label": "Newsletter", "value": False}, ["false"]),
        ({"label": "Newsletter", "value": True}, ["Newsletter"]),
        ({"checked": False, "label": "I agree"}, ["false"]),
        ({"checked": True, "label": "I agree"}, ["I agree"]),
        ({"value": False}, ["false"]),
        ({"value": True}, ["true"]),
        ({"title": "Shirt size", "answer": "M"}, ["M"]),
        ({"name": "shirt_size", "answer": "M"}, ["M"]),
        ({"name": "shirt_size", "value": "M"}, ["M"]),
        ({"label": "Medium", "value": "M", "name": "medium", "archived": False}, ["Medium"]),
        ({"label": "", "value": 0}, ["0"]),
    ],
)
def test_an_object_is_an_answer_by_its_label_if_it_was_chosen(given: object, texts: list[str]) -> None:
    for key in ("answer", "value", "answers"):
        answers, unread = read_answers([{"question": "Q", key: given}])
        assert ([answer.answer for answer in answers], unread) == (texts, None)


@pytest.mark.parametrize(
    "given",
    [
        {"label": "I agree", "accepted": False},
        [{"label": "S", "isSelected": True}, {"label": "M", "isSelected": False}],
        [{"label": "S", "value": "s", "isSelected": True}, {"label": "M", "value": "m", "isSelected": False}],
        [{"label": "S", "value": "s", "active": True}],
        [{"label": "Vegan", "value": "false"}, {"label": "Nuts", "value": "true"}],
        [{"label": "Vegan", "value": 0}, {"label": "Nuts", "value": 1}],
        [{"title": "Vegan", "value": "no"}, {"title": "Nuts", "value": "yes"}],
        {"label": "Newsletter", "value": "false"},
    ],
)
def test_what_may_say_whether_an_object_was_chosen_is_named(given: object) -> None:
    answers, unread = read_answers([{"question": "Q", "answer": given}])
    assert [answer.answer for answer in answers if answer.answer] == []
    assert unread is not None
    assert unread.startswith("row 1: an answer of which it is not said by true or false")


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"12": {"title": "Shirt size", "options": ["S", "M", "L"]}}, "Shirt size"),
        ({"12": {"title": "Shirt size", "answers": ["S", "M", "L"]}}, "Shirt size"),
        ({"Shirt size": ["S", "M", "L"]}, "Shirt size"),
        ([{"title": "Shirt size", "values": ["S", "M", "L"]}], "Shirt size"),
        ([{"title": "Shirt size", "answers": ["S", "M", "L"]}], "Shirt size"),
        ([{"title": "Shirt size", "type": "choices", "choices": ["S", "M"]}], "Shirt size"),
    ],
)
def test_a_form_has_no_answers_wherever_it_stands(form: object, words: str) -> None:
    answers, unread = read_answers(form, is_form=True)
    assert [(answer.question, answer.answer) for answer in answers] == [(words, "")]
    assert unread == f"row 1: {CHOICES}"


def test_in_a_form_a_text_may_be_the_words_of_the_question_and_an_answer_is_an_answer() -> None:
    assert read_answers({"12": "Shirt size"}, is_form=True) == ([Answer("12", "12", "")], f"row 1: {UNKNOWN}")
    assert read_answers({"12": {"title": "Shirt size"}}, is_form=True) == ([Answer("12", "Shirt size", "")], None)
    both = {"12": 7, "13": {"title": "Shirt size", "answer": "M"}}
    assert read_answers(both, is_form=True) == ([Answer("12", "12", "7"), Answer("13", "Shirt size", "M")], None)


def test_in_a_form_options_are_answers_where_they_say_so_themselves() -> None:
    options = [{"label": "S", "selected": False}, {"label": "M", "selected": True}]
    assert read_answers([{"title": "Size", "options": options}], is_form=True) == ([Answer("", "Size", "M")], None)


@pytest.mark.parametrize(
    "nothing",
    [{"label": None, "value": None}, {"value": ""}, {"value": []}, {"id": None, "name": " "}, [{"label": None}],
     [None, {}, []]],
)  # fmt: skip
def test_an_object_or_a_list_of_nothing_is_no_answer_and_no_fault(nothing: object) -> None:
    by_type = {"question": "Size", "type": "select", "select": nothing}
    rows: tuple[object, ...] = ([{"question": "Size", "answer": nothing}], [by_type], {"Size": nothing})
    for row in rows:
        answers, unread = read_answers(row)
        assert ([(each.question, each.answer) for each in answers], unread) == ([("Size", "")], None)


@pytest.mark.parametrize(
    ("given", "texts"),
    [
        ({"value": ["M", "L"]}, ["M", "L"]),
        ([{"choice": "S"}], ["S"]),
        ({"text": "Red", "choice": 3}, ["Red"]),
        ([None, {"choice": 3}], ["3"]),
    ],
)
def test_a_choice_and_a_list_within_an_answer_are_read(given: object, texts: list[str]) -> None:
    answers, unread = read_answers([{"question": "Size", "answer": given}])
    assert ([each.answer for each in answers], unread) == (texts, None)
