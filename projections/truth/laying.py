"""Makes whole participants of what was observed: the roster's own objects with the listed values laid over them."""

from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import islice
from typing import Any, NamedTuple

import psycopg
from sqlalchemy import Connection

from ingest.database import driver_connection
from ingest.delivery import JsonObject, has_room
from ingest.log.observation import ObservedParticipant
from projections.participants.overlay import Overlay, object_in, unopened_object_in
from projections.participants.taken import ID_KEY
from projections.truth.drift import DriftKind
from projections.truth.roster_lines import ComparedScope
from projections.truth.spool import SpooledDifference
from projections.truth.values import UNLISTED_AT

_AT_A_TIME = 500  # small objects in memory
_SMALL = 16_000  # bytes of a body; a larger one is read by itself, and may be as long as a delivery may be
_ANY = 2**31 - 1
_EVENT = "event_id"


Cursor = psycopg.Cursor[Any]


class NotLaid(Enum):
    """Why values are not written down. A person has to look."""

    WITHOUT_EVENT = "the file does not say in which event: map a heading to event_id, or give the --event that it is of"
    WITHOUT_OBJECT = "what the log has of the participant cannot be read"
    NOT_READ = "laid over the participant, the values would not be read, or others would change"


class _Before(NamedTuple):
    """What the log has of a participant: the whole object, if it can be read, and whether its body has room."""

    whole: JsonObject | None
    has_room: bool


_NOTHING = _Before(None, has_room=False)


class _Asked(NamedTuple):
    """The next differences, and what the server will say of their objects; None if none is needed."""

    differences: Sequence[SpooledDifference]
    objects: Cursor | None


@dataclass(frozen=True, slots=True)
class Laid:
    """A difference that is on its way into the log: those of its columns that are laid, and those that are not."""

    kind: DriftKind
    columns: tuple[str, ...]
    unlaid: tuple[str, ...]


@dataclass(slots=True)
class Laying:
    """Lays differences over what the roster has, in the connection's snapshot.

    `waiting`: of the participants that were given and of which nobody has told yet what became of them, in their order.
    `left`: why values were not laid.
    """

    connection: Connection
    scope: ComparedScope
    overlay: Overlay
    waiting: deque[Laid] = field(default_factory=deque)
    left: Counter[NotLaid] = field(default_factory=Counter)

    def observed(self, differences: Iterator[SpooledDifference]) -> Iterator[ObservedParticipant]:
        """The participants as they are to be. While some are made, the server reads the next ones."""
        driver = driver_connection(self.connection)
        with driver.pipeline():
            try:
                asked = self._asked(differences)
                while asked.differences:
                    objects = _read(asked.objects)  # before more is asked for, or it would wait for that as well
                    following = self._asked(differences)
                    for each in asked.differences:
                        yield from self._one(each, objects)
                    asked = following
            except BaseException:  # perhaps a signal: what is still asked may never be answered
                driver.pgconn.finish()
                raise

    def _asked(self, differences: Iterator[SpooledDifference]) -> "_Asked":
        """Ask the server for the small objects of the next differences."""
        some = [*islice(differences, _AT_A_TIME)]
        ids = [each.participant_id for each in some if each.kind is not DriftKind.MISSING]
        return _Asked(some, self._objects(ids, _SMALL) if ids else None)

    def _one(self, difference: SpooledDifference, objects: Mapping[str, _Before]) -> Iterator[ObservedParticipant]:
        id_, observed = difference.participant_id, dict(difference.observed)
        is_missing = difference.kind is DriftKind.MISSING
        # Listed in one of several events, and the file does not say in which.
        unsaid = not observed.get(_EVENT, "") if is_missing else self._is_unsaid(observed)
        if unsaid:
            self.left[NotLaid.WITHOUT_EVENT] += 1
            observed.pop(_EVENT, None)
            if is_missing or not observed:
                return
        if is_missing:
            before = _Before({ID_KEY: id_}, has_room=True)
        else:
            before = objects.get(id_) or _read(self._objects([id_], _ANY)).get(id_, _NOTHING)
        if before.whole is None:
            self.left[NotLaid.WITHOUT_OBJECT] += 1
            return
        # That somebody is listed again is what any event says that is not of the unlisted.
        over = {column: value or None for column, value in observed.items() if column != UNLISTED_AT}
        laid = self.overlay.laid_over(before.whole, over, has_room=before.has_room)
        if laid is None:
            self.left[NotLaid.NOT_READ] += 1
            return
        self.waiting.append(Laid(difference.kind, tuple(observed), (_EVENT,) if unsaid else ()))
        yield ObservedParticipant(id_, difference.base, laid, difference.absence)

    def _is_unsaid(self, observed: Mapping[str, str]) -> bool:
        return self.scope.event_ids is not None and observed.get(_EVENT) == ""

    def _objects(self, ids: Sequence[str], longest: int) -> Cursor:
        """The bodies of the states that the roster has, by id, of those that have so many bytes at most."""
        query = f"""
            select p.participant_id, e.body
            from {self.scope.table} p
            join readable_log e on e.source = p.source and e.position = p.position
            where p.source = %s and p.participant_id = any (%s) and octet_length(e.body) <= %s
        """  # noqa: S608 - our own table
        cursor = driver_connection(self.connection).cursor(binary=True)
        return cursor.execute(query.encode(), (self.scope.source, list(ids), longest))


def _read(objects: Cursor | None) -> dict[str, _Before]:
    """By id what the log has of the participants."""
    rows = () if objects is None else objects.fetchall()
    return {id_: _before(body) for id_, body in rows}


def _before(body: bytes) -> _Before:
    if has_room(body):
        return _Before(unopened_object_in(body), has_room=True)
    return _Before(object_in(body), has_room=False)
