"""What happened to a participant: its newest states, each with what it changed, in words."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic_core import from_json, to_json

from projections.participants.fields import ANSWERS, DECLARED
from projections.web.endpoint import EndpointRequest
from projections.web.endpoints import get_history
from projections.web.parameters import LARGEST_PAGE, HistoryParameters
from projections.web.question import Question

MOST_STATES = 100
_OBJECT = "attributes."
_READ_FROM = DECLARED.keys  # the keys by column


@dataclass(frozen=True, slots=True)
class ChangedValue:
    """What was one value and is another, as a person reads them; a time is left to the page, `is_time`."""

    name: str
    was: str | None
    now: str | None
    is_time: bool = False


@dataclass(frozen=True, slots=True)
class Happened:
    """The newest states, the newest first, with their changes. `left_out`: how many older ones there are."""

    states: Sequence[Mapping[str, Any]]
    left_out: int


async def happened(question: Question, request: EndpointRequest[Any]) -> Happened:
    """What happened to the participant of the request."""
    asked = replace(request, parameters=HistoryParameters(limit=LARGEST_PAGE), after=None, is_last=True)
    newest: deque[dict[str, Any]] = deque(maxlen=MOST_STATES)
    number = 0
    while True:
        page = await get_history(question, asked)
        newest.extend(from_json(state) for state in page.data if isinstance(state, bytes))
        number += len(page.data)
        if page.following is None:  # a page of large states ends early, and the next one may know of newer states
            break
        asked = replace(asked, after=page.following)
    states = [{**state, "changes": [*changed_values(state["changed"])]} for state in reversed(newest)]
    return Happened(states, number - len(newest))


def changed_values(changed: Mapping[str, Any]) -> Iterator[ChangedValue]:
    """The changes of a state, without those of the object that a column shows."""
    shown = {key.partition(".")[0] for column in changed for key in _READ_FROM.get(column, ())}
    for name, change in changed.items():
        if name.startswith(_OBJECT) and name.removeprefix(_OBJECT) in shown:
            continue
        was, now = change["from"], change["to"]
        if name == ANSWERS:
            yield from _answers(was or (), now or ())
        else:
            yield ChangedValue(name, _text(was), _text(now), is_time=name.endswith("_at"))


def _answers(was: Sequence[Mapping[str, Any]], now: Sequence[Mapping[str, Any]]) -> Iterator[ChangedValue]:
    """The changes of answers, by question."""
    before, after = _by_question(was), _by_question(now)
    for question in dict.fromkeys((*before, *after)):
        if before.get(question) != after.get(question):
            yield ChangedValue(question, before.get(question), after.get(question))


def _by_question(answers: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    given: dict[str, list[str]] = {}
    for answer in answers:
        question = answer["question"] or answer["question_id"] or ""
        given.setdefault(question, []).extend([] if answer["answer"] is None else [answer["answer"]])
    return {question: "; ".join(texts) for question, texts in given.items()}


def _text(value: object) -> str | None:
    return value if value is None or isinstance(value, str) else to_json(value).decode()
