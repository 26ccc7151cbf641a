"""Makes whole participants of what was observed: the roster's own objects with the listed values laid over them."""

from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import islice
from typing import NamedTuple

from sqlalchemy import Connection

from ingest.database import driver_connection
from ingest.delivery import JsonObject, has_room
from ingest.log.observation import ObservedParticipant
from projections.participants.overlay import Overlay, object_in
from projections.participants.taken import ID_KEY
from projections.truth.drift import DriftKind
from projections.truth.roster_lines import ComparedScope
from projections.truth.spool import SpooledDifference
from projections.truth.values import UNLISTED_AT

_AT_A_TIME = 500  # small objects in memory
_SMALL = 16_000  # bytes of a body; a larger one is read by itself, and may be as long as a delivery may be
_ANY = 2**31 - 1
_EVENT = "event_id"


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
        """The participants as they are to be."""
        while some := [*islice(differences, _AT_A_TIME)]:
            ids = [each.participant_id for each in some if each.kind is not DriftKind.MISSING]
            objects = self._objects(ids, _SMALL)
            for each in some:
                yield from self._one(each, objects)

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
            before = objects.get(id_) or self._objects([id_], _ANY).get(id_, _NOTHING)
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

    def _objects(self, ids: Sequence[str], longest: int) -> dict[str, _Before]:
        """By id the object of the state that the roster has, of those whose bodies have so many bytes at most."""
        if not ids:
            return {}
        query = f"""
            select p.participant_id, e.body
            from {self.scope.table} p
            join readable_log e on e.source = p.source and e.position = p.position
            where p.source = %s and p.participant_id = any (%s) and octet_length(e.body) <= %s
        """  # noqa: S608 - our own table
        cursor = driver_connection(self.connection).cursor(binary=True)
        rows = cursor.execute(query.encode(), (self.scope.source, list(ids), longest)).fetchall()
        return {id_: _Before(object_in(body), has_room(body)) for id_, body in rows}
