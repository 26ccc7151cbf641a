"""The order of a form's questions: decided by the newest participants who were asked them."""

import pytest

from projections.roster.questions import Asked, FormQuestion, in_form_order


def asked(forms: dict[int, str]) -> list[Asked]:
    """Each question as asked last in the newest form that has it."""
    last = {key: position for position in sorted(forms) for key in forms[position]}
    return [Asked(None, FormQuestion(key, None, key), position, str(position)) for key, position in last.items()]


@pytest.mark.parametrize(
    ("forms", "order"),
    [
        ({1: "abc"}, "abc"),
        ({1: "abc", 2: "acb"}, "acb"),
        ({1: "abcd", 2: "ad"}, "abcd"),
        ({1: "xab", 2: "ab"}, "xab"),
        ({1: "abx", 2: "ab", 3: "cab"}, "cabx"),
        ({1: "ab", 2: "cd"}, "cdab"),
        ({1: "axb", 2: "ayb", 3: "ab"}, "axyb"),
        ({}, ""),
    ],
)
def test_a_question_stands_where_the_newest_form_has_it_or_after_the_one_before_it(
    forms: dict[int, str], order: str
) -> None:
    assert "".join(in_form_order({position: [*form] for position, form in forms.items()}, asked(forms))) == order
