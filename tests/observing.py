"""Observations, for tests: appended by the function that the operator's command calls."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import uuid4

from sqlalchemy import Engine

from ingest.log.observation import Drift, Observation, ObservationHeader, ObservedParticipant
from ingest.log.observe import Fate, ObservationReceipt, append_header, append_observed, write_down

FIRST, SECOND = Observation("0d5e0000-0000-4000-8000-000000000001", "ab" * 32), Observation("second")


def listed(id_: object, base: int, **fields: object) -> ObservedParticipant:
    return ObservedParticipant(str(id_), base, {"id": id_, **fields})


def unlisted(id_: object, base: int, **fields: object) -> ObservedParticipant:
    return ObservedParticipant(str(id_), base, {"id": id_, **fields}, absence={"looks": 2})


def observe(operator: Engine, *observed: ObservedParticipant, look: Observation = FIRST) -> list[ObservationReceipt]:
    """Append participants in one transaction."""
    with operator.begin() as connection:
        return append_observed(connection, "movemint", look, observed)


def fates(receipts: list[ObservationReceipt]) -> list[str]:
    return [receipt.fate.value for receipt in receipts]


def header(counted: Counter[Fate], position: int = 2) -> ObservationHeader:
    """What two stale participants come to."""
    return ObservationHeader(
        kind="file",
        taken_at=datetime(2026, 5, 3, 10, tzinfo=UTC),
        match=("id",),
        before=Drift(stale=2, unknowable=1, columns={"bib": 2}),
        after=Drift(stale=2 - counted[Fate.APPENDED], unknowable=1, columns={"bib": 2 - counted[Fate.APPENDED]}),
        position=position,
        chain=b"\x07" * 32,
        scope=("501",),
        rows=412,
        listed_digest="11" * 32,
        roster_digest="22" * 32,
        overtaken=counted[Fate.OVERTAKEN],
        withheld=counted[Fate.WITHHELD],
    )


def write_header(operator: Engine, *observed: ObservedParticipant, look: Observation = FIRST) -> ObservationReceipt:
    """Append participants and the header of their observation."""
    return write_down(operator, "movemint", look, observed, header)[1]


def compared(
    operator: Engine,
    scope: Sequence[str] | None,
    after: Drift,
    position: int,
    *,
    agrees: bool | None = None,
    source: str = "movemint",
    kind: str = "file",
    taken_at: datetime = datetime(2026, 5, 3, 23, 30, tzinfo=UTC),
) -> int:
    """Append the header of a comparison that wrote nobody down; gives its position."""
    looked = ObservationHeader(
        kind, taken_at, ("participant_id",), after, after, position, bytes(32), scope, rows=9, agrees=agrees
    )
    with operator.begin() as connection:
        receipt = append_header(connection, source, Observation(str(uuid4())), looked)
    assert receipt.position is not None
    return receipt.position
