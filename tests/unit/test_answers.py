"""Answers to questions, in the shapes seen among platforms. Which one Movemint sends is not published."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.participants import answers as answers_of_keys
from projections.participants.answer_row import read_row
from projections.participants.answers import Answer, joined
from tests.answers_in_words import in_words, read_answers

UNKNOWN = "no answer under a key that is known"
WITHIN = "rows within an answer"
BESIDE = "several answers beside a key that is not known, which may say which of them were given"
CHOICES = "choices, of which none is said to be chosen"
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
        ([{"question": "12", "question_label": "Size", "answer": "M"}, {"question": "13", "title": "x", "answer": "M"}],
         [("12", "Size", "M"), ("", "13", "M")]),
        *([[{"question_id": id_, "question": "12", "question_title": "Size", "answer": "M"}], [("5", "Size", "M")]]
          for id_ in (5, "5")),
        ([{"question_title": "Size", "answer": "M"}, {"question_label": "Cap", "value": "L", "question_id": 3}],
         [("", "Size", "M"), ("3", "Cap", "L")]),
        ([{"question": "Size", "name": "size", "answer": None}], [("", "Size", "")]),
        ([{"type": "text", "text": "Owls", "field": {"id": "a1"}}], [("a1", "a1", "Owls")]),
        ([{"type": "choice", "choice": {"label": "M"}, "field": {"id": "a1", "title": "Size"}}],
         [("a1", "Size", "M")]),
        ([{"type": "choice", "choice": {"other": "Own words"}, "field": {"id": "a1"}}], [("a1", "a1", "Own words")]),
        ([{"type": "choices", "choices": {"ids": ["x", "y"], "labels": ["Pasta", "Pizza, thin"], "refs": ["r", "s"]},
           "field": {"id": "a1"}},
          {"type": "choices", "choices": {"labels": ["Pasta"], "other": "Soup"}, "field": {"id": "a2"}},
          {"type": "choices", "choices": {"labels": []}, "field": {"id": "a3"}}],
         [("a1", "a1", "Pasta"), ("a1", "a1", "Pizza, thin"), ("a2", "a2", "Pasta"), ("a2", "a2", "Soup"),
          ("a3", "a3", "")]),
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
        ([{"type": "boolean", "boolean": True, "field": {"id": "b1", "title": "Ok?"}}], [("b1", "Ok?", "true")]),
        ([{"type": "email", "email": "x@example.org", "field": {"id": "c1"}}], [("c1", "c1", "x@example.org")]),
        ([{"type": "question", "question": "Size"}, {"type": ["x"], "question": "Meal"}],
         [("", "Size", ""), ("", "Meal", "")]),
        ({"question": "Shirt size", "answer": "M"}, [("", "Shirt size", "M")]),
        ({"question_id": 7, "answer": ["M", "L"]}, [("7", "7", "M"), ("7", "7", "L")]),
        ({"q1": {"question": {"id": 7, "title": "Shirt"}, "answer": "M"}}, [("7", "Shirt", "M")]),
        ({"q1": {"question": "Shirt", "id": 900, "answer": "M"}}, [("q1", "Shirt", "M")]),
        ([{"question": "Size", "answer": "", "choices": ["S", "M"]}], [("", "Size", "")]),
        ([{"question": "Size", "type": "select", "select": "M", "options": ["S", "M"]}], [("", "Size", "M")]),
        ([{"question": "Meals", "answers": [], "choices": ["Pasta", "Pizza"]}], [("", "Meals", "")]),
        ([{"question": "Meals", "answers": None, "choices": ["Pasta"]}], [("", "Meals", "")]),
        ([{"question": "Meals", "values": [], "options": ["Pasta"]}], [("", "Meals", "")]),
        ({"4": {"name": "shirtSize", "text": "Shirt size", "type": "dropdown", "answer": "M"}}, [("4", "4", "M")]),
        ({"q": {"question": "Shirt size"}}, [("q", "Shirt size", "")]),
        ({"0": {"question_id": 0, "answer": "M"}, "x": {"question_id": 0.0, "answer": "M"}}, [("0", "x", "M")]),
        ({"id": 12, "title": "Shirt size", "answer": "M"}, [("12", "Shirt size", "M")]),
        ({"name": "shirt", "value": "M"}, [("", "shirt", "M")]),
        ({"id": 12, "title": "Shirt size"}, [("12", "Shirt size", "")]),
        ({"key": "a", "identifier": "b"}, [("key", "key", "a"), ("identifier", "identifier", "b")]),
        ({"title": "Mr", "answer": "yes", "shirt": "M"}, [
            ("title", "title", "Mr"), ("answer", "answer", "yes"), ("shirt", "shirt", "M"),
        ]),
        ([{"question": 12, "question_text": "Size", "answer": "M"}], [("12", "Size", "M")]),
        ([{"question": {"id": 12}, "title": "Size", "answer": "M"}], [("12", "Size", "M")]),
        ([{"question": {"id": 0, "text": "Size"}, "id": 900, "answer": "M"}], [("0", "Size", "M")]),
        ([{"question_id": 7, "question": 12, "answer": "M"}], [("7", "7", "M")]),
        ([{"question_id": 1e1, "answer": "M"}], [("10", "10", "M")]),
        ([{"question": "  ", "title": "Size", "answer": "M"}], [("", "Size", "M")]),
        ([{"question": "Size", "answer": " \u00a0\t"}, {"question": "Cap", "answer": ["  ", "M "]}],
         [("", "Size", ""), ("", "Cap", "M ")]),
        ([{"question": "Meals", "answer": ["M", "M", {"label": "M"}]}], [("", "Meals", "M")]),
        ([{"question_id": 42, "participant_id": 7, "created_at": "2026-05-01", "required": True, "hidden": False}],
         [("42", "42", "")]),
        ([], []),
        ({}, []),
        ([{"question": "12", "question_text": "Size", "answer": "M"}], [("12", "Size", "M")]),
        ([{"question": "12", "answer": "M"}], [("", "12", "M")]),
        ([{"question_id": 7, "question": "12", "question_text": "Size", "answer": "M"}], [("7", "Size", "M")]),
        ([{"question_id": True, "id": 7, "question": "Size", "answer": "M"}], [("7", "Size", "M")]),
        ([{"question": "Size", "text": "M"}, {"question_id": 3, "text": "L"}], [("", "Size", "M"), ("3", "3", "L")]),
        ([{"label": "Vegan", "value": "vegan", "checked": False}], [("", "Vegan", "false")]),
        ([{"label": "Vegan", "value": "vegan", "checked": True}], [("", "Vegan", "vegan")]),
        ({"vegan": {"value": "1", "checked": False}}, [("vegan", "vegan", "false")]),
        ([{"question": "Size", "options": [{"label": "M", "selected": True}], "values": []}], [("", "Size", "M")]),
        ([{"question": "Size", "options": [{"label": "M", "selected": True}], "choices": []}], [("", "Size", "M")]),
        ([{"question": "Size", "values": ["M"], "options": ["S", "M"]}], [("", "Size", "M")]),
        ([{"question": "Meals", "answer": None, "options": [
            {"label": "Pasta", "selected": True}, {"label": "Pizza", "selected": False}]}], [("", "Meals", "Pasta")]),
        ([{"question": "Meals", "required": True, "choices": [{"label": "Pasta", "checked": True}, {"label": "Soup"}]}],
         [("", "Meals", "Pasta")]),
        ([{"question": "Meals", "options": [{"label": "Pasta", "selected": False}], "order": 3}], [("", "Meals", "")]),
        ([{"question": "Meals", "values": ["Pasta"], "selected": True}], [("", "Meals", "Pasta")]),
        ([{"question": "Size", "question_type": "dropdown", "is_required": False, "description": "Of the shirt",
           "sort_order": 3, "answer": None}], [("", "Size", "")]),
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
        ({"question": "  ", "answer": "M"}, "neither a question nor the id of one"),
        ({"question": "Size", "answer": {"name": "s", "title": "M"}}, "an answer that is an object of several labels"),
        ({"question": "Size", "answer": {"name": "s", "other": "M"}}, "an answer that is an object of several labels"),
        ({"question": "Size", "answer": {"labels": ["S", "M"], "values": [False, True]}},
         "an answer that is an object without a label"),
        ({"question": "Size", "answer": [{"question": "Size", "answer": "M"}]}, WITHIN),
        ({"question": "Size", "answer": [{"question_title": "Size", "answer": "M"}]}, WITHIN),
        ({"question": "Box", "answer": [{"label": "A", "value": "yes"}, {"label": "B", "value": "no"}, {}]},
         "an answer of which it is not said by true or false whether it is chosen"),
        ({"question": "Size", "answer": {"label": "M", "selected": 0}},
         "an answer of which it is not said by true or false whether it is chosen"),
        ({"question": "Size", "answer": {"label": "M", "value": None}},
         "an answer that is an object whose value is empty"),
    ],
)  # fmt: skip
def test_a_row_that_cannot_be_read_is_named_and_loses_nothing_beside_it(bad: object, said: str) -> None:
    good = [{"question": words, "answer": "M"} for words in ("Shirt size", "Cap size")]
    assert read_answers([good[0], bad, good[1]]) == (
        [Answer("", "Shirt size", "M"), Answer("", "Cap size", "M")], f"row 2: {said}",
    )  # fmt: skip
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
        ({"question": "Meals", "selected": "Pasta", "options": ["Pasta", "Pizza"]}, "", UNKNOWN),
        ({"question": "Meals", "selected_option": {"label": "Pasta"}, "choices": ["Pasta", "Pizza"]}, "", UNKNOWN),
        ({"question": "Meals", "selected": ["Pasta"]}, "", UNKNOWN),
        ({"question": "Meals", "selected": {"label": "Pasta"}}, "", UNKNOWN),
        ({"question": "Children", "number": 0}, "", UNKNOWN),
        ({"question": "Shirt", "answer": "", "other_text": "XL tall"}, "", UNKNOWN),
        ({"question": "Shirt", "type": "select", "select": [], "other_text": "XL tall"}, "", UNKNOWN),
        ({"question": "Meals", "answer": [{"label": "Pasta", "selected": False}], "other_text": "Soup"}, "", UNKNOWN),
        ({"question_id": 1, "answer_id": 17}, "", UNKNOWN),
        ({"question_id": 1, "option_ids": [17]}, "", UNKNOWN),
        ({"id": 5, "text": "Shirt size"}, "", UNKNOWN),
        ({"id": 5, "type": "text", "text": "Shirt size"}, "", UNKNOWN),
        ({"question": "Shirt size", "type": "dropdown", "text": "Please choose"}, "", UNKNOWN),
        ({"question": "Shirt size", "type": "dropdown", "options": ["S", "M"]}, "", CHOICES),
        ({"question": "Shirt size", "options": "S|M|L"}, "", CHOICES),
        ({"question": "Meals", "values": ["Pasta", "Pizza"], "selected": ["Pasta"]}, "", BESIDE),
        ({"question": "Meals", "answers": ["Pasta", "Pizza"], "selected_options": "Pasta"}, "", BESIDE),
        *(({"question": "Size", "values": ["S", "M"], name: "M"}, "", BESIDE)
          for name in ("picked", "user_answer", "is_selected", "default", "text")),
        ({"question": "Size", "type": "options", "options": ["S", "M"], "selected": "M"}, "", UNKNOWN),
        ({"question": "Size", "type": "values", "values": ["S", "M"], "selected": "M"}, "", BESIDE),
        ({"question": "Size", "answer": None, "text": "Of the shirt"}, "", UNKNOWN),
    ],
)  # fmt: skip
def test_what_cannot_be_told_apart_is_named_and_no_answer(row: object, left: str, said: str) -> None:
    answers, unread = read_answers([row])
    assert ([answer.answer for answer in answers], unread) == ([left], f"row 1: {said}")


def test_a_question_is_in_it_once_per_answer_and_under_its_words() -> None:
    rows = [
        {"question_id": 1, "answer": ""}, {"question_id": 1, "question": "Size", "answer": "M"},
        {"question_id": 1, "answer": "M"}, {"question_id": 1, "answer": "L"}, {"question": "Cap", "answer": None},
        {"question": "Cap", "answer": None},
    ]  # fmt: skip
    assert read_answers(rows) == ([Answer("1", "Size", "M"), Answer("1", "Size", "L"), Answer("", "Cap", "")], None)


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


TEXTS = st.sampled_from(["M", "  ", "", " M", "\u00a0", "false", "7"])
USUAL = st.fixed_dictionaries(
    {"question_id": st.integers() | TEXTS | st.booleans(), "question": TEXTS, "answer": TEXTS},
    optional={"options": st.just(["S", "M"]), "field": st.just({"id": 8, "title": "Size"}), "type": st.just("options")},
)


@given(USUAL, st.booleans())
def test_the_usual_row_is_read_quickly_as_it_is_read_carefully(row: dict[str, object], is_form: bool) -> None:  # noqa: FBT001
    question, texts, reason = read_row(None, row, is_form=is_form)
    answers, unread = read_answers([row], is_form=is_form)
    assert answers == [Answer(*question, text) for text in texts]
    assert unread == (None if reason is None else f"row 1: {reason}")


@given(st.lists(JSON, max_size=4), JSON, st.booleans())
def test_what_was_given_in_a_row_is_the_same_whatever_stands_beside_it(
    rows: list[object],
    row: object,
    is_form: bool,  # noqa: FBT001
) -> None:
    def given_in(*some: object) -> set[tuple[str, str]]:
        answers = read_answers([*some], is_form=is_form)[0]
        assert len(set(answers)) == len(answers)
        return {(answer.question_id or answer.question, answer.answer) for answer in answers if answer.answer}

    assert given_in(*rows, row) == given_in(*rows) | given_in(row)


WHOLE = "neither a list of answers nor a map of them"
UNREADABLE = {"question": "Size", "answer": {"size": "M"}}
NO_LABEL = "row 1: an answer that is an object without a label"
SIZE, CAP = {"question": "Size", "answer": "M"}, {"question": "Cap", "answer": "L"}
FORM = {"title": "Size", "options": ["S", "M"]}


@pytest.mark.parametrize(
    ("first", "later", "are_forms", "left", "said"),
    [
        ([UNREADABLE], [CAP], (False, False), ["L"], NO_LABEL),
        ([UNREADABLE], [SIZE], (False, False), ["M"], None),
        ([CAP, {"question": "Size"}], [UNREADABLE], (False, False), ["L", ""], NO_LABEL),
        ([CAP], [UNREADABLE], (False, False), ["L"], None),
        ([7], [SIZE], (False, False), ["M"], "row 1: not an object"),
        (7, [SIZE], (False, False), ["M"], WHOLE),
        (7, [SIZE], (True, False), ["M"], None),
        ([{"question": "Size", "answer": ["M", {"id": 3}]}], [CAP], (False, False), ["M"], NO_LABEL),
        ([{"question": "Size", "answer": ["M", {"id": 3}]}], [FORM], (False, True), ["M"], NO_LABEL),
        ([CAP, UNREADABLE], [SIZE], (False, False), ["L", "M"], None),
        ([{"question": "Size", "answer": ["M", {"id": 3}]}], [SIZE], (False, False), ["M"], NO_LABEL),
        (7, 7, (False, False), [], WHOLE),
        ([FORM], [CAP], (True, False), ["", "L"], None),
        ([UNREADABLE], [CAP], (True, False), ["L"], NO_LABEL),
        ([{"question": "Cap"}], [FORM], (False, True), ["", ""], None),
    ],
)
def test_of_two_keys_a_row_that_neither_could_read_is_named(
    first: object, later: object, are_forms: tuple[bool, bool], left: list[str], said: str | None
) -> None:
    of_first, of_later = (
        answers_of_keys.read_answers(value, is_form=is_form)
        for value, is_form in zip((first, later), are_forms, strict=True)
    )
    answers, unread = in_words(joined(of_first, of_later, are_forms=are_forms))
    assert ([answer.answer for answer in answers], unread) == (left, said)
