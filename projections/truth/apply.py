"""Writes down what a comparison with a file found, as events of rosterlog's own in the log.

The missing and the stale at once; whoever is not listed only if the absence is known otherwise than by one look.
"""

from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from itertools import chain
from uuid import uuid4

from sqlalchemy import Connection, Engine, text

from ingest.log.observation import Drift, Observation, ObservationHeader
from ingest.log.observe import Fate, write_down
from ingest.log.proof import BEGINNING
from projections.participants.fields import Fields
from projections.participants.overlay import Overlay
from projections.truth.absence import Absences, DirectAnswer, LookTime, note_absences
from projections.truth.aftermath import Aftermath
from projections.truth.allowed_drift import AllowedDrift, check_stale, check_unlisted
from projections.truth.comparison import FileLook, TakeDifference, compare_listing
from projections.truth.conclusion import NothingConcluded
from projections.truth.drift import EXPECTED, DriftKind, DriftTally, RosterDifference, Why
from projections.truth.laying import Laying, NotLaid
from projections.truth.roster_lines import ComparedScope
from projections.truth.spool import DifferenceSpool

_CHAIN = text("select chain from event_log where source = :source and position = :position")

Following = Callable[[int], AbstractContextManager[Callable[[int], None]]]
"""Shows how far the writing has come: of so many participants, what it gives gets the number of the next ones."""


@dataclass(frozen=True, slots=True)
class AppliedLook:
    """What was found, and what became of it.

    `position`: of the observation's header. `after`: the drift that is left once the log is folded; who was overtaken
    or withheld is unknowable in it. `left`: values that were not laid over their participants, and why.
    `missing_without_id`: who is never appended, since nobody can tell whether they are erased. `unplaced`: rows of
    nobody who is known, because of which nobody who is not listed is taken for gone.
    """

    observation: Observation
    position: int
    tally: DriftTally
    fates: Counter[Fate]
    after: Drift
    left: Counter[NotLaid]
    missing_without_id: int
    unplaced: int

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
            "rows_of_nobody_known": self.unplaced,
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
    allowed: AllowedDrift,
    take: TakeDifference,
    following: Following,
    answer: DirectAnswer | None = None,
) -> AppliedLook:
    """Compare a file with the roster in the connection's snapshot, and append who is missing, stale or gone.

    `answer`: what the source says of one person, if it can be asked. Raises `NothingConcluded`, and then nothing is
    appended.
    """
    with closing(_Found(take)) as found:
        tally = compare_listing(
            connection, scope, look, fields, found.keep, has_digests=True, allowed_unlisted=allowed.unlisted
        )
        check_stale(tally, allowed)
        if answer is not None and not allowed.unlisted:
            check_unlisted(tally, tally.kinds[DriftKind.UNLISTED], allowed)  # before so many are asked for
        digest = _digest(look)
        observation = Observation(str(uuid4()), digest)
        counts = look.is_of_one_time and not found.unplaced
        time = LookTime(look.taken_at, digest, is_of_file=look.has_file_time, counts=counts)
        Absences(connection, scope, time, answer).divide(found.unlisted.differences(), found.gone, found.waiting)
        check_unlisted(tally, found.gone.size, allowed)
        laying = Laying(connection, scope, Overlay(fields))
        with following(found.listed.size + found.gone.size) as advance:
            aftermath = Aftermath(laying, tally, advance)
            writing = _Writing(scope, look, _chain(operator, scope), aftermath)
            observed = laying.observed(chain(found.listed.differences(), found.gone.differences()))
            fates, receipt = write_down(operator, scope.source, observation, observed, writing.header, aftermath.take)
        assert receipt.position is not None  # noqa: S101 - a header is about nobody, so nothing hinders it
        note_absences(operator, scope, receipt.position, time, found.waiting.differences())
    without_id = 0 if look.matching.is_by_id else tally.kinds[DriftKind.MISSING]
    after = aftermath.left()
    return AppliedLook(observation, receipt.position, tally, fates, after, laying.left, without_id, found.unplaced)


class _Found:
    """What a comparison finds that could be written down. Close it.

    `unplaced`: rows of nobody known, each of which may be anybody who seems not to be listed: without an id, or under
    another key.
    """

    def __init__(self, take: TakeDifference) -> None:
        self.listed, self.unlisted, self.gone, self.waiting = (DifferenceSpool() for _ in range(4))
        self.unplaced = 0
        self._take = take

    def keep(self, difference: RosterDifference) -> None:
        self.unplaced += difference.participant_id is None or difference.why is Why.AMBIGUOUS
        (self.unlisted if difference.kind is DriftKind.UNLISTED else self.listed).add(difference)
        self._take(difference)

    def close(self) -> None:
        for spool in (self.listed, self.unlisted, self.gone, self.waiting):
            spool.close()


@dataclass(frozen=True, slots=True)
class _Writing:
    """Makes the header. `chain`: its value at the position at which file and roster were compared."""

    scope: ComparedScope
    look: FileLook
    chain: bytes
    aftermath: Aftermath

    def header(self, fates: Counter[Fate]) -> ObservationHeader:
        tally, after = self.aftermath.tally, self.aftermath.left()
        listed_digest, roster_digest = tally.digests or (None, None)
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
            listed_digest=listed_digest,
            roster_digest=roster_digest,
            overtaken=fates[Fate.OVERTAKEN],
            withheld=fates[Fate.WITHHELD],
            written_down=tally.written_down,
            grace=self.look.grace,
            reading=self.look.reading()
            if self.look.listing.kind == "file"
            else None,  # a list of an API is kept nowhere
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
