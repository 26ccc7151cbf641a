"""Whether whom a look does not list is gone: two complete looks say so, or a direct answer for that person.

A look that missed somebody for the first time is noted in a table of the database's own: the log has no place for it,
since nothing is concluded of it yet, and its header has nobody's data.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import NamedTuple

from sqlalchemy import Connection, Engine, text

from ingest.delivery import JsonObject
from projections.truth.roster_lines import ComparedScope
from projections.truth.spool import DifferenceSpool, SpooledDifference

APART = timedelta(hours=1)  # two looks, at least
_AT_A_TIME = 500  # participants
_NOTED_AT_ONCE = 5_000  # by a transaction
_FIRST = text("""
select f.participant_id, f.position, f.base, f.taken_at, f.file_sha256
from first_absence f
where f.source = :source and f.participant_id = any (cast(:ids as text[]))
  and (f.event_ids is null or f.event_ids @> cast(:event_ids as text[]))
""")
_NOTE = text("select note_absences(:source, :position, :taken_at, :file_sha256, :counts, :event_ids, :ids, :bases)")
_FORGET = text("select forget_absences(:source, :position, :event_ids)")

DirectAnswer = Callable[[str], bool | None]
"""What the source answers when it is asked for one participant: True, absent; False, listed; None, no answer."""


class _FirstAbsence(NamedTuple):
    position: int
    base: int
    taken_at: datetime
    file_digest: str


@dataclass(frozen=True, slots=True)
class LookTime:
    """When a look was taken, and the SHA-256 of what it read.

    `is_of_file`: the time is when the file was changed last. A copy has another one, so the same bytes are no second
    look. `counts`: whether the look says that whom it does not list is not listed.
    """

    taken_at: datetime
    digest: str
    is_of_file: bool = False
    counts: bool = True


@dataclass(frozen=True, slots=True)
class Absences:
    """Tells who is gone of those whom a look does not list, in the connection's snapshot. `answer`: asked first."""

    connection: Connection
    scope: ComparedScope
    look: LookTime
    answer: DirectAnswer | None = None

    def divide(self, unlisted: Iterator[SpooledDifference], gone: DifferenceSpool, waiting: DifferenceSpool) -> None:
        """Divide participants into those who are gone, with how that is known, and those who wait for another look.

        Whoever is listed by a direct answer is neither.
        """
        while some := [*islice(unlisted, _AT_A_TIME)]:
            firsts = self._firsts([each.participant_id for each in some]) if self.look.counts else {}
            for each in some:
                answer = None if self.answer is None else self.answer(each.participant_id)
                first = firsts.get(each.participant_id)
                if answer:
                    gone.put(each._replace(absence={"verified_by": "direct answer"}))
                elif answer is None and first is not None and self._is_second(first, each.base):
                    gone.put(each._replace(absence=self._by_looks(first)))
                elif answer is None:
                    waiting.put(each)

    def _firsts(self, ids: Sequence[str]) -> dict[str, _FirstAbsence]:
        binds = {"source": self.scope.source, "ids": list(ids), "event_ids": _list(self.scope)}
        return {row[0]: _FirstAbsence(*row[1:]) for row in self.connection.execute(_FIRST, binds)}

    def _is_second(self, first: _FirstAbsence, base: int) -> bool:
        """Whether nothing happened to the participant since the first look, and time has passed."""
        if self.look.is_of_file and first.file_digest == self.look.digest:
            return False
        return first.base == base and abs(self.look.taken_at - first.taken_at) >= APART

    def _by_looks(self, first: _FirstAbsence) -> JsonObject:
        return {
            "verified_by": "two looks",
            "first": {"position": first.position, "taken_at": _utc(first.taken_at)},
            "second": {"taken_at": _utc(self.look.taken_at)},
        }


def note_absences(
    operator: Engine, scope: ComparedScope, position: int, look: LookTime, waiting: Iterator[SpooledDifference]
) -> None:
    """Note whom the look with the header at this position missed, if it counts; forget whom it did not miss any more.

    Beside the log and after it, so that deliveries do not wait; stopped in between, the next look is a first one.
    """
    of_look = {"source": scope.source, "position": position, "event_ids": _list(scope)}
    noted = {**of_look, "taken_at": look.taken_at, "file_sha256": look.digest, "counts": look.counts}
    while some := [*islice(waiting, _NOTED_AT_ONCE)]:
        people = {"ids": [each.participant_id for each in some], "bases": [each.base for each in some]}
        with operator.begin() as connection:
            connection.execute(_NOTE, {**noted, **people})
    with operator.begin() as connection:
        connection.execute(_FORGET, of_look)


def _list(scope: ComparedScope) -> list[str] | None:
    return None if scope.event_ids is None else list(scope.event_ids)


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()
