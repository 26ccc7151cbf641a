"""Writes down what a comparison with a file found: the missing and the stale, as events of rosterlog's own in the log.

Who is not listed is counted alone: one look at a file does not prove an absence.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, field
from uuid import uuid4

from sqlalchemy import Connection, Engine, text

from ingest.log.observation import Drift, Observation, ObservationHeader
from ingest.log.observe import Fate, ObservationReceipt, write_down
from ingest.log.proof import BEGINNING
from projections.participants.fields import Fields
from projections.participants.overlay import Overlay
from projections.truth.comparison import FileLook, TakeDifference, compare_listing
from projections.truth.conclusion import NothingConcluded
from projections.truth.drift import EXPECTED, DriftKind, DriftTally, RosterDifference
from projections.truth.laying import Laid, Laying, NotLaid
from projections.truth.roster_lines import ComparedScope
from projections.truth.spool import DifferenceSpool

_MOST_STALE = 0.05  # of the people who were compared
_CHAIN = text("select chain from event_log where source = :source and position = :position")

Following = Callable[[int], AbstractContextManager[Callable[[int], None]]]
"""Shows how far the writing has come: of so many participants, what it gives gets the number of the next ones."""


@dataclass(frozen=True, slots=True)
class AppliedLook:
    """What was found, and what became of it.

    `position`: of the observation's header. `after`: the drift that is left once the log is folded; who was overtaken
    or withheld is unknowable in it. `left`: values that were not laid over their participants, and why.
    `missing_without_id`: who is never appended, since nobody can tell whether they are erased.
    """

    observation: Observation
    position: int
    tally: DriftTally
    fates: Counter[Fate]
    after: Drift
    left: Counter[NotLaid]
    missing_without_id: int

    @property
    def agrees(self) -> bool:
        """Whether no drift is left but what passes by itself, or is as it should be."""
        return _agrees(self.tally, self.after)

    def as_json(self) -> dict[str, object]:
        return {
            "observation": self.observation.observation_id,
            "position": self.position,
            "file_sha256": self.observation.file_digest,
            **{fate.value: self.fates[fate] for fate in (Fate.APPENDED, Fate.OVERTAKEN, Fate.WITHHELD)},
            "missing_without_id": self.missing_without_id,
            "not_laid_over": {reason.value: number for reason, number in self.left.items()},
            "after": {kind.value: getattr(self.after, kind.value) for kind in DriftKind},
            "agrees": self.agrees,
        }


def apply_listing(
    connection: Connection,
    operator: Engine,
    scope: ComparedScope,
    look: FileLook,
    fields: Fields,
    allowed: frozenset[str],
    take: TakeDifference,
    following: Following,
) -> AppliedLook:
    """Compare a file with the roster in the connection's snapshot, and append who is missing or stale.

    `allowed`: columns in which more than 5 % may be stale. Raises `NothingConcluded`, and then nothing is appended.
    """
    with closing(DifferenceSpool()) as spool:

        def keep(difference: RosterDifference) -> None:
            spool.add(difference)
            take(difference)

        tally = compare_listing(connection, scope, look, fields, keep)
        check_stale(tally, allowed)
        observation = Observation(str(uuid4()), _digest(look))
        laying = Laying(connection, scope, Overlay(fields))
        with following(spool.size) as advance:
            outcome = _Outcome(laying, tally, advance)
            writing = _Writing(scope, look, _chain(operator, scope), outcome)
            observed = laying.observed(spool.differences())
            fates, receipt = write_down(operator, scope.source, observation, observed, writing.header, outcome.take)
    assert receipt.position is not None  # noqa: S101 - a header is about nobody, so nothing hinders it
    without_id = 0 if look.matching.is_by_id else tally.kinds[DriftKind.MISSING]
    return AppliedLook(observation, receipt.position, tally, fates, outcome.after(), laying.left, without_id)


def check_stale(tally: DriftTally, allowed: frozenset[str]) -> None:
    """Raise `NothingConcluded` if more than 5 % of those compared are stale in a column that is not allowed.

    A heading that is mapped wrongly must not rewrite everybody.
    """
    compared = tally.agreeing + tally.kinds[DriftKind.STALE]
    many = {column: number for column, number in tally.columns.items() if number > _MOST_STALE * compared}
    refused = sorted(many.keys() - allowed)
    if refused:
        told = ", ".join(f"{many[column]} in {column}" for column in refused)
        options = " ".join(f"--allow-stale {column}" for column in refused)
        raise NothingConcluded(
            f"of {compared} people compared, more than 5 % are stale: {told}; nothing was written down. If no heading "
            f"is mapped wrongly and that is right, add {options}"
        )


@dataclass(slots=True)
class _Outcome:
    """What becomes of the participants, as receipts come in. `columns`: by column, how many are stale no longer."""

    laying: Laying
    tally: DriftTally
    advance: Callable[[int], None]
    settled: Counter[DriftKind] = field(default_factory=Counter)
    hindered: Counter[DriftKind] = field(default_factory=Counter)
    columns: Counter[str] = field(default_factory=Counter)

    def take(self, receipts: Sequence[ObservationReceipt]) -> None:
        for receipt in receipts:
            self._note(self.laying.waiting.popleft(), receipt.fate)
        self.advance(len(receipts))

    def _note(self, laid: Laid, fate: Fate) -> None:
        if fate in (Fate.APPENDED, Fate.KNOWN):
            self.settled[laid.kind] += not laid.unlaid
        else:
            self.hindered[laid.kind] += 1
        if laid.kind is DriftKind.STALE:
            self.columns.update(laid.columns)
            if fate in (Fate.OVERTAKEN, Fate.WITHHELD):
                self.columns.update(laid.unlaid)

    def after(self) -> Drift:
        """The drift that is left."""
        left = self.tally.kinds - self.settled - self.hindered
        return Drift(
            left[DriftKind.MISSING],
            left[DriftKind.STALE],
            left[DriftKind.UNLISTED],
            left[DriftKind.UNKNOWABLE] + self.hindered.total(),
            self.tally.columns - self.columns,
        )


@dataclass(frozen=True, slots=True)
class _Writing:
    """Makes the header. `chain`: its value at the position at which file and roster were compared."""

    scope: ComparedScope
    look: FileLook
    chain: bytes
    outcome: _Outcome

    def header(self, fates: Counter[Fate]) -> ObservationHeader:
        # No digests of the two sides: each spells its lines in its own way, which nobody could compute again.
        tally, after = self.outcome.tally, self.outcome.after()
        return ObservationHeader(
            kind=self.look.listing.kind,
            taken_at=self.look.taken_at,
            match=self.look.matching.columns,
            before=_drift(tally),
            after=after,
            position=self.scope.position,
            chain=self.chain,
            scope=self.scope.event_ids,
            rows=tally.rows,
            pages=self.look.listing.pages,
            overtaken=fates[Fate.OVERTAKEN],
            withheld=fates[Fate.WITHHELD],
            agrees=_agrees(tally, after),
        )


def _agrees(tally: DriftTally, after: Drift) -> bool:
    is_drift = after.missing or after.stale or after.unlisted
    return not is_drift and tally.reasons.keys() <= EXPECTED


def _drift(tally: DriftTally) -> Drift:
    return Drift(**{kind.value: tally.kinds[kind] for kind in DriftKind}, columns=tally.columns)


def _digest(look: FileLook) -> str:
    digest = look.listing.digest()
    if look.listing.is_changed:
        raise NothingConcluded(f"{look.listing.path} was changed after it was compared: run it again")
    return digest


def _chain(operator: Engine, scope: ComparedScope) -> bytes:
    with operator.connect() as connection:
        binds = {"source": scope.source, "position": scope.position}
        chain: bytes | None = connection.execute(_CHAIN, binds).scalar_one_or_none()
    return BEGINNING if chain is None else bytes(chain)
