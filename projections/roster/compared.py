"""How a roster was compared with its source last, as its pages, answers and files say it, by what was known then.

The newest look at all that the roster shows counts; one at another race says nothing of it. A later delivery changes no
word of it, so the position at which the two were compared stays in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from ingest.log.reconciliation import STANDING, Reconciled
from projections.roster.criteria import Criteria
from projections.roster.questions import narrowed
from projections.roster.reading import driver_of
from projections.roster.roster import Roster

_NEVER, _NEVER_WHOLE = "never compared with the source", "never compared with the source as a whole"


@dataclass(frozen=True, slots=True)
class LastComparison:
    """`taken_at`: of when what the source listed is, `position`: up to which the roster was compared with it; both None
    if that never was, which `result` then says. Nothing in it is personal.
    """

    taken_at: datetime | None
    position: int | None
    result: str

    @property
    def sentence(self) -> str:
        """All of it, for programs and files: in ASCII, its time in UTC."""
        if self.taken_at is None:
            return self.result
        taken_at = self.taken_at.astimezone(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z")
        return f"compared with the source of {taken_at} at position {self.position}: {self.result}"


async def read_compared(
    connection: AsyncConnection, roster: Roster, criteria: Criteria, position: int
) -> LastComparison:
    """How what meets the criteria was compared last, in all its events together, as was known at a position."""
    shown = narrowed(roster, criteria).event_ids
    cursor = (await driver_of(connection)).cursor()
    await cursor.execute(STANDING, {"source": roster.source, "until": position})
    stands = [Reconciled(*row) for row in await cursor.fetchall()]
    covering = [each for each in stands if _covers(each, shown)]
    if not covering:
        is_in_parts = any(shown is None or not set(shown).isdisjoint(each.event_ids or ()) for each in stands)
        return LastComparison(None, None, _NEVER_WHOLE if is_in_parts else _NEVER)
    last = max(covering, key=lambda each: (each.taken_at, each.position))
    return LastComparison(last.taken_at, last.compared_at, _result(last, roster, shown))


def _covers(comparison: Reconciled, shown: Sequence[str] | None) -> bool:
    return comparison.event_ids is None or (shown is not None and set(shown) <= set(comparison.event_ids))


def _result(last: Reconciled, roster: Roster, shown: Sequence[str] | None) -> str:
    """What was found. Of how many in other events tells nobody who does not see these."""
    compared = None if last.event_ids is None else set(last.event_ids)
    if compared == (None if shown is None else set(shown)):
        return last.result
    if roster.event_ids is not None and (compared is None or not compared <= set(roster.event_ids)):
        if last.is_complete:
            return "complete, but for some who could not be judged" if last.unknowable else "complete"
        return "not complete, here or in other events"
    return last.result if last.is_complete else f"{last.result}, in {_number(compared)}"


def _number(compared: set[str] | None) -> str:
    return "all events" if compared is None else f"{len(compared):,} events"
