"""The place of a follower of `/v1/changes`: as text, and whether the roster can go on from there."""

from dataclasses import replace

from projections.roster import changes
from projections.roster.changes import Place
from projections.roster.revision import Lineage, is_same_lineage
from projections.web.question import NotYet, Question

_PLACE_SECONDS = 10.0  # how long a request waits for a place that the roster has not reached


def place_text(place: Place) -> str:
    """A place as followers keep it: `POSITION.CHANGE.BASE`, then `-POSITION.CHANGE-MARK` if it has a lineage."""
    text = f"{place.position}.{place.change}.{place.base}"
    return text if place.seen is None else f"{text}-{place.seen.position}.{place.seen.change}-{place.seen.mark}"


async def read_place(question: Question, text: str) -> Place:
    """The place in a text of the form `parameters.PLACE`. A bare position is a place of no lineage."""
    place, *lineage = text.split("-")
    position, *others = map(int, place.split("."))
    if not others:
        return await changes.place_at(question.connection, question.scope.source, question.revision, position)
    change, base = others
    return Place(position, change, base, _lineage(*lineage) if lineage else None)


def _lineage(at: str, mark: str) -> Lineage:
    position, change = map(int, at.split("."))
    return Lineage(position, change, mark)


async def exported_place(question: Question) -> Place:
    """The place from which a copy that begins with an export of this question goes on."""
    revision = question.revision
    if question.as_of is None:
        return Place(revision.position, revision.change, revision.position, revision.lineage)
    place = await changes.place_at(question.connection, question.scope.source, revision, question.as_of)
    return replace(place, seen=revision.lineage)


async def is_lost(question: Question, place: Place, *, is_last: bool) -> bool:
    """Whether the place is of another lineage, and so nothing can follow it.

    Raises `NotYet` while the roster has not reached the place (503 if there is no more time).
    """
    if place.seen is not None:
        is_same = await is_same_lineage(question.connection, question.scope.source, place.seen)
        if is_same is False:
            return True
        if is_same is None:
            raise _not_yet(question, place.seen.position, is_last=is_last)
    if place.position > question.revision.position:
        raise _not_yet(question, place.position, is_last=is_last)
    return False


def _not_yet(question: Question, position: int, *, is_last: bool) -> Exception:
    if not is_last:
        return NotYet(question, _PLACE_SECONDS)
    short = f"The roster is at position {question.revision.position} and not yet at {position}, as after says"
    detail = f"{short}: ask again. If that lasts, its log was restored from a backup: begin anew with after=0."
    return question.refuse(503, detail, {"Retry-After": "1"}, parameter="after")
