"""What can be chosen beside a roster: facets, each value with its number and the address of those who have it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from sqlalchemy.ext.asyncio import AsyncConnection

from projections.roster.answer_filters import ANSWER
from projections.roster.criteria import Criteria, Filter
from projections.roster.facets import AnswerFacet, Facet, answer_facets, facets
from projections.roster.questions import FormQuestion
from projections.roster.roster import Roster
from projections.web.pages.words import name_in_words

_COLUMNS = ("sub_event_name", "status", "gender", "team", "wave")
_BIBS = {"missing": Filter("bib", "isnull", True), "double": Filter("bib", "double", True)}
_UNLISTED = {"not on it any more": Filter("unlisted_at", "isnull", False)}
_CHECKED_IN = {"yes": Filter("checked_in_at", "isnull", False), "no": Filter("checked_in_at", "isnull", True)}

Chosen = Mapping[str, str]
"""The parameters of the address that select and order the participants."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A value, with how many participants have it; `href`: the address of the page that shows them."""

    words: str
    number: int
    href: str


@dataclass(frozen=True, slots=True)
class Section:
    title: str
    choices: Sequence[Choice]
    has_more: bool = False


@dataclass(frozen=True, slots=True)
class ChoiceNumbers:
    """The numbers behind the sections."""

    columns: Sequence[Facet]
    bibs: Sequence[int]
    unlisted: Sequence[int]
    checked_in: Sequence[int]
    answers: Sequence[AnswerFacet]


async def count_choices(
    connection: AsyncConnection, roster: Roster, criteria: Criteria, event_id: str, questions: Sequence[FormQuestion]
) -> ChoiceNumbers:
    """Count what can be chosen of the participants of an event who meet the criteria."""
    filters = (*_BIBS.values(), *_UNLISTED.values(), *_CHECKED_IN.values())
    columns, (missing, double, unlisted, *checked_in) = await facets(connection, roster, criteria, _COLUMNS, filters)
    answers = await answer_facets(connection, roster, criteria, event_id, questions)
    return ChoiceNumbers(columns, (missing, double), (unlisted,), checked_in, answers)


def sections(counted: ChoiceNumbers, chosen: Chosen) -> list[Section]:
    """The sections of which something can be chosen."""
    listed = [_of_column(facet, chosen) for facet in counted.columns]
    listed.append(_of_filters("checked_in_at", _CHECKED_IN, counted.checked_in, chosen))
    listed += [_of_question(facet, chosen) for facet in counted.answers]
    # One value alone tells nothing, but of what somebody should look at.
    alarming = [_of_filters("bib", _BIBS, counted.bibs, chosen), _of_unlisted(counted.unlisted, chosen)]
    return [section for section in alarming if section.choices] + [each for each in listed if len(each.choices) > 1]


def _of_unlisted(numbers: Sequence[int], chosen: Chosen) -> Section:
    return replace(_of_filters("unlisted_at", _UNLISTED, numbers, chosen), title="Movemint's list")


def _of_column(facet: Facet, chosen: Chosen) -> Section:
    plain = _without(chosen, facet.column)
    choices = [
        Choice("none" if value is None else value, number, _address(plain, _is(facet.column, value)))
        for value, number in facet.values
    ]
    return Section(name_in_words(facet.column), choices, facet.has_more)


def _is(column: str, value: str | None) -> dict[str, str]:
    return {f"{column}__isnull": "true"} if value is None else {column: value}


def _of_filters(column: str, filters: Mapping[str, Filter], numbers: Sequence[int], chosen: Chosen) -> Section:
    plain = _without(chosen, column)
    named = {words: {filter_.name: "true" if filter_.value is True else "false"} for words, filter_ in filters.items()}
    choices = [
        Choice(words, number, _address(plain, more))
        for (words, more), number in zip(named.items(), numbers, strict=True)
        if number and not more.items() <= chosen.items()
    ]
    return Section(name_in_words(column), choices)


def _of_question(facet: AnswerFacet, chosen: Chosen) -> Section:
    question = facet.question
    plain = _without(chosen, *(ANSWER + name for name in (question.question_id, question.words) if name))
    name = ANSWER + address_name(question)
    # A question whose own words end like an operator is written with one.
    name = f"{name}__eq" if "__" in name else name
    choices = [Choice(answer, number, _address(plain, {name: answer})) for answer, number in facet.answers]
    return Section(question.words, choices)


def address_name(question: FormQuestion) -> str:
    """By what an address names a question: its id, else its words."""
    return question.question_id or question.words


def _without(chosen: Chosen, *names: str) -> dict[str, str]:
    """The address without the filters of these names, whatever their operators."""
    return {
        each: value for each, value in chosen.items() if each not in names and each.rpartition("__")[0] not in names
    }


def _address(plain: Chosen, more: Mapping[str, str]) -> str:
    return "?" + urlencode({**plain, **more})
