"""The endpoints of the roster: participants, history, changes, events; they return data, not responses."""

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any

import msgspec
from pydantic_core import to_json

from projections.roster import changes, forms, history, page, questions, races
from projections.roster.changes import Change, Place
from projections.roster.compared import read_compared
from projections.roster.criteria import ParameterRefused
from projections.roster.history import HistoryState
from projections.roster.reading import Fits
from projections.roster.unmatched import empty_filters, excluding_nobody, unmatched
from projections.web.endpoint import Endpoint, EndpointRequest, One, Page
from projections.web.parameters import (
    DEFAULT_PAGE,
    ChangesParameters,
    EventsParameters,
    HistoryParameters,
    ListParameters,
    OfOne,
    ParticipantParameters,
    QuestionsParameters,
)
from projections.web.places import is_lost, place_text, read_place
from projections.web.question import NotYet, Question

_DEFAULT_EVENTS_PAGE = 20
_BACKWARDS = "before"  # in the cursor of a page before another


async def list_participants(question: Question, request: EndpointRequest[ListParameters]) -> Page:
    connection, roster, criteria = question.connection, question.roster, request.criteria
    limit = request.parameters.limit or DEFAULT_PAGE
    last, backwards = None, []
    try:
        if request.after is None:
            criteria = await questions.resolved(connection, roster, criteria)
        else:
            last, noted, *backwards = request.after
            criteria = await questions.resolved_as_noted(connection, roster, criteria, noted)
    except ParameterRefused as error:
        raise question.refused(error) from None
    more = {}
    if request.parameters.count is not None:  # before the page: nothing may follow a page that ends early
        is_estimate = request.parameters.count == "estimated" and await page.may_estimate(connection, roster, criteria)
        more["count"] = await (page.estimate if is_estimate else page.count)(connection, roster, criteria)
    compared = await read_compared(connection, roster, criteria, question.position)
    begin = question.allowance.begin
    warnings = list(empty_filters(criteria))
    if last is None:
        warnings += [warning async for warning in excluding_nobody(connection, roster, criteria)]
    participants = await page.find(
        connection, roster, criteria, last, limit, begin, request.shown, backwards=bool(backwards)
    )
    if not participants.rows and last is None:
        warnings += [warning async for warning in unmatched(connection, roster, criteria)]
    note = questions.note_of(roster, criteria)
    following = None if participants.last is None else (participants.last, note)
    previous = None if participants.first is None else (participants.first, note, _BACKWARDS)
    return Page(participants.rows, following, more, warnings, previous, compared)


async def get_participant(question: Question, request: EndpointRequest[ParticipantParameters]) -> One:
    participant = await page.participant(question.connection, question.roster, request.id, request.shown)
    if participant is None:
        raise question.not_there("participant")
    question.allowance.begin()(len(participant))
    return One(participant)


async def get_history(question: Question, request: EndpointRequest[HistoryParameters]) -> Page:
    limit = request.parameters.limit or DEFAULT_PAGE
    position, is_first = (0, True) if request.after is None else (request.after[0], False)
    # A later page also reads the state before it, to compare the page's first state with.
    number = limit + (1 if is_first else 2)
    states = history.states(question.connection, question.roster, request.id, position, number, request.shown)
    async with aclosing(states):
        data, last, has_more = await _page_of_states(states, limit, question.allowance.begin(), is_first=is_first)
    if last is None:
        raise question.not_there("participant")
    return Page(data, [last.position - 1] if has_more else None)


async def _page_of_states(
    states: AsyncIterator[HistoryState], limit: int, fits: Fits, *, is_first: bool
) -> tuple[list[bytes], HistoryState | None, bool]:
    """The states of a page as JSON, the last of them, and whether more follow."""
    data: list[bytes] = []
    before: HistoryState | None = None
    has_more = False
    async for state in states:
        has_more = len(data) == limit
        if has_more:
            continue  # to the end: there is no other state
        if is_first or before is not None:
            written = _state(before, state)
            if not fits(len(written)):
                return data, before, True
            data.append(written)
        before = state
    return data, before, has_more


async def list_changes(question: Question, request: EndpointRequest[ChangesParameters]) -> Page:
    parameters = request.parameters
    if request.after is not None:
        position, change, base = request.after
        place = Place(position, change, base, request.seen)
    else:
        place = await read_place(question, parameters.after or "0")
    since = await changes.changes(
        question.connection,
        question.roster,
        question.revision,
        place,
        parameters.limit or DEFAULT_PAGE,
        question.allowance.begin(),
        is_lost=await is_lost(question, place, is_last=request.is_last),
        shown=request.shown,
    )
    if parameters.wait and not since.changes and since.is_all and not request.is_last:
        raise NotYet(question, parameters.wait)
    reached = [since.place.position, since.place.change, since.place.base]
    data = [_change(change) for change in since.changes]
    return Page(data, None if since.is_all else reached, {"after": place_text(since.place)})


async def list_events(question: Question, request: EndpointRequest[EventsParameters]) -> Page:
    limit = request.parameters.limit or _DEFAULT_EVENTS_PAGE
    after = None if request.after is None else request.after[0]
    fits = question.allowance.begin()
    data: list[bytes] = []
    last: list[str] | None = None
    async with aclosing(races.races(question.connection, question.roster, after, limit + 1)) as counted:
        async for race in counted:
            written = to_json(race)
            if len(data) == limit or not fits(len(written)):
                return Page(data, last)
            data.append(written)
            last = [race["event_id"]]
    return Page(data, None)


async def list_questions(question: Question, request: EndpointRequest[QuestionsParameters]) -> Page:
    limit = request.parameters.limit or _DEFAULT_EVENTS_PAGE
    only, after = request.parameters.event_id, None if request.after is None else tuple(request.after)
    fits = question.allowance.begin()
    data: list[bytes] = []
    last: list[object] | None = None
    for form in await forms.forms(question.connection, question.roster, only, after, limit + 1):
        written = to_json(form)
        if len(data) == limit or not fits(len(written)):
            return Page(data, last)
        data.append(written)
        last = list(forms.event_place(form["event_id"]))
    return Page(data, None)


async def get_event(question: Question, request: EndpointRequest[OfOne]) -> One:
    event = await races.race(question.connection, question.roster, request.id)
    if event is None:
        raise question.not_there("participant in an event")
    written = to_json(event)
    question.allowance.begin()(len(written))
    return One(written)


def _state(before: HistoryState | None, state: HistoryState) -> bytes:
    participant = msgspec.json.decode(state.participant, type=dict[str, msgspec.Raw])
    return msgspec.json.encode(
        {
            "position": state.position,
            "until_position": state.until_position,
            "received_at": participant["received_at"],
            "changed": history.differences(None if before is None else before.participant, state.participant),
            "participant": msgspec.Raw(state.participant),
        }
    )


def _change(change: Change) -> bytes:
    kind = "reset" if change.participant_id is None else "removed" if change.participant is None else "upserted"
    participant = msgspec.Raw(change.participant or b"null")
    return msgspec.json.encode(
        {
            "position": change.position,
            "change": kind,
            "participant_id": change.participant_id,
            "participant": participant,
        }
    )


ENDPOINTS: Sequence[Endpoint[Any]] = (
    Endpoint(
        "/v1/participants", "listParticipants", "The roster: filter, search, sort, page.", ListParameters,
        "Participants", list_participants, takes_answers=True,
    ),
    Endpoint(
        "/v1/participants/{participant_id}/history", "getHistory",
        "Every state a participant has had, oldest first, and what each changed.", HistoryParameters,
        "History", get_history, "participant_id",
    ),
    Endpoint(
        "/v1/participants/{participant_id}", "getParticipant", "One participant, with the answers to questions.",
        ParticipantParameters,
        "Participant", get_participant, "participant_id", has_answers=True,
    ),
    Endpoint(
        "/v1/changes", "listChanges", "What changed since a position: apply it to a copy, and the copy is the roster.",
        ChangesParameters, "ChangesFound", list_changes, is_followed=True,
    ),
    Endpoint(
        "/v1/events", "listEvents", "The events, with how many participants they have.", EventsParameters,
        "Events", list_events,
    ),
    Endpoint(
        "/v1/questions", "listQuestions", "The questions of each event's form, with how many answered.",
        QuestionsParameters, "Questions", list_questions, has_answers=True,
    ),
    Endpoint(
        "/v1/events/{event_id}", "getEvent", "One event, with how many participants it has.", OfOne,
        "EventCounts", get_event, "event_id",
    ),
)  # fmt: skip
