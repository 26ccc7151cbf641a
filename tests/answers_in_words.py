"""Answers, and what of them was not read in words, for tests."""

from projections.participants import answers as answers_of_keys
from projections.participants.answers import Answer, ReadAnswers, reason_of


def read_answers(value: object, *, is_form: bool = False) -> tuple[list[Answer], str | None]:
    """The answers, and what was not read in words."""
    return in_words(answers_of_keys.read_answers(value, is_form=is_form))


def in_words(read: ReadAnswers) -> tuple[list[Answer], str | None]:
    answers, unread = read
    return answers, reason_of(unread)
