"""The addresses that answer about the roster in JSON: lists, one participant, history, changes, events."""

from collections.abc import Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import RowMapping
from starlette.responses import Response

from projections.roster import changes, history, page, races
from projections.roster.changes import Change, Place
from projections.roster.history import Held
from projections.roster.roster import NAMES
from projections.roster.where import AnswersOfThePast
from projections.web import shapes
from projections.web.endpoint import Address, Given
from projections.web.question import ANSWERS_OF_THE_PAST, Asking, NotYet

_DEFAULT_EVENTS_PAGE = 20
_PLACE_SECONDS = 10.0  # how long is waited for a place that this roster has not come to
_NAMED = itemgetter(*NAMES)


async def participants(now: Asking, given: Given) -> Response:
    asked = given.parameters
    asking = await now.back_to(asked.as_of)
    criteria = given.criteria
    try:
        found = await page.page(
            asking.connection, asking.view, criteria, asking.after(asked.cursor), asked.limit or shapes.DEFAULT_PAGE
        )
    except AnswersOfThePast:
        raise asking.refuse(400, ANSWERS_OF_THE_PAST, parameter="as_of") from None
    more = {}
    if asked.count is not None:
        # What the planner guesses is of everybody's rows, so that it is not told to whoever may see only some.
        is_guess = asked.count == "estimated" and await page.sees_all(asking.connection, asking.view)
        more["count"] = await (page.estimate if is_guess else page.count)(asking.connection, asking.view, criteria)
    return asking.listed("Participants", [_as_json(row) for row in found.rows], found.last, **more)


async def participant(now: Asking, given: Given) -> Response:
    asking = await now.back_to(given.parameters.as_of)
    # NUL cannot be in an id, and PostgreSQL would refuse the question.
    row = None if "\x00" in given.part else await page.participant(asking.connection, asking.view, given.part)
    if row is None:
        raise asking.refuse(404, "This token sees no participant of this id.")
    return asking.answer("Participant", _as_json(row))


async def participant_history(asking: Asking, given: Given) -> Response:
    limit = given.parameters.limit or shapes.DEFAULT_PAGE
    after = asking.after(given.parameters.cursor)
    position, is_first = (0, True) if after is None else (after[0], False)
    states = (
        []
        if "\x00" in given.part
        else await history.states(asking.connection, asking.view, given.part, position, limit + (1 if is_first else 2))
    )
    if not states:
        raise asking.refuse(404, "This token sees no participant of this id.")
    # A later page begins with the state before it, which the first of its own is compared with.
    shown = states[:limit] if is_first else states[1 : limit + 1]
    before = [None, *shown[:-1]] if is_first else states[: len(shown)]
    data = [_held(*pair) for pair in zip(before, shown, strict=True)]
    is_all = states[-1] is shown[-1]
    return asking.listed("History", data, None if is_all else [shown[-1].row["position"] - 1])


def _held(before: Held | None, one: Held) -> dict[str, Any]:
    return {
        "position": one.row["position"],
        "until_position": one.until_position,
        "received_at": one.row["received_at"],
        "changed": {} if before is None else history.changed(before.row, one.row),
        "participant": _as_json(one.row),
    }


async def changed(asking: Asking, given: Given) -> Response:
    asked = given.parameters
    begun = asking.after(asked.cursor)
    place = Place(*begun) if begun is not None else await _place(asking, asked.after or "0")
    if place.position > asking.state.position:
        if not given.is_last:
            raise NotYet(asking, _PLACE_SECONDS)
        short = f"The roster is at position {asking.state.position} and not yet at {place.position}, as after says"
        detail = f"{short}: ask again. If that lasts, its log was restored from a backup: begin anew with after=0."
        raise asking.refuse(503, detail, {"Retry-After": "1"}, parameter="after")
    found = await changes.changes(
        asking.connection, asking.view, asking.state, place, asked.limit or shapes.DEFAULT_PAGE
    )
    if asked.wait and not found.found and found.is_all and not given.is_last:
        raise NotYet(asking, asked.wait)
    at = found.place
    following = None if found.is_all else [at.position, at.change, at.base]
    data = [_change(one) for one in found.found]
    return asking.listed("ChangesFound", data, following, after=f"{at.position}.{at.change}.{at.base}")


async def _place(asking: Asking, after: str) -> Place:
    position, *others = map(int, after.split("."))
    if others:
        return Place(position, *others)
    return await changes.place_at(asking.connection, asking.scope.source, asking.state, position)


async def every_event(now: Asking, given: Given) -> Response:
    asked = given.parameters
    asking = await now.back_to(asked.as_of)
    limit = asked.limit or _DEFAULT_EVENTS_PAGE
    after = asking.after(asked.cursor)
    found = await races.events(asking.connection, asking.view, None if after is None else after[0], limit + 1)
    following = [found[limit - 1]["event_id"]] if len(found) > limit else None
    return asking.listed("Events", found[:limit], following)


async def event(now: Asking, given: Given) -> Response:
    asking = await now.back_to(given.parameters.as_of)
    found = None if "\x00" in given.part else await races.event(asking.connection, asking.view, given.part)
    if found is None:
        raise asking.refuse(404, "This token sees nobody in an event of this id.")
    return asking.answer("EventCounts", found)


def _as_json(row: RowMapping) -> dict[str, Any]:
    """A participant as every answer shows them: the contract's columns in its order."""
    return dict(zip(NAMES, _NAMED(row), strict=True))


def _change(one: Change) -> dict[str, Any]:
    kind = "reset" if one.participant_id is None else "removed" if one.row is None else "upserted"
    row = None if one.row is None else _as_json(one.row)
    return {"position": one.position, "change": kind, "participant_id": one.participant_id, "participant": row}


ADDRESSES: Sequence[Address] = (
    Address(
        "/v1/participants", "listParticipants", "The roster: filter, search, sort, page.", shapes.ListAsked,
        "Participants", participants, takes_answers=True,
    ),
    Address(
        "/v1/participants/{participant_id:path}/history", "getHistory",
        "Every state a participant has had, oldest first, and what each changed.", shapes.HistoryAsked,
        "History", participant_history, "participant_id",
    ),
    Address(
        "/v1/participants/{participant_id:path}", "getParticipant", "One participant.", shapes.OfOne,
        "Participant", participant, "participant_id",
    ),
    Address(
        "/v1/changes", "listChanges", "What changed since a position: apply it to a copy, and the copy is the roster.",
        shapes.ChangesAsked, "ChangesFound", changed,
    ),
    Address(
        "/v1/events", "listEvents", "The events, with how many participants they have.", shapes.EventsAsked,
        "Events", every_event,
    ),
    Address(
        "/v1/events/{event_id:path}", "getEvent", "One event, with how many participants it has.", shapes.OfOne,
        "EventCounts", event, "event_id",
    ),
)  # fmt: skip
