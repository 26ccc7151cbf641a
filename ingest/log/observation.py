"""An observation of the source as events of the log: each participant that differed, and the header. No database.

The whole object of a participant is in each event, where a delivery has it, so one event is one whole state.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from ingest.delivery import JsonObject
from ingest.exact_json import write_json
from ingest.log.own_types import OBSERVATION_MADE, PARTICIPANT_OBSERVED, PARTICIPANT_UNLISTED


@dataclass(frozen=True, slots=True)
class Observation:
    """One look at the source. `file_digest`: the SHA-256 of the file in hexadecimal; None if there was no file.

    Both are in every event, since a value may go from A to B and back: the same bytes would be a redelivery.
    """

    observation_id: str
    file_digest: str | None = None


@dataclass(frozen=True, slots=True)
class ObservedParticipant:
    """A participant that differed. `participant`: the whole object as it is to be from now on.

    `base`: the position up to which the events of the participant were compared; a later one makes this one overtaken.
    `absence`: how it was verified that the source does not list the participant; None if the source does.
    """

    subject: str
    base: int
    participant: JsonObject
    absence: JsonObject | None = None

    @property
    def event_type(self) -> str:
        return PARTICIPANT_OBSERVED if self.absence is None else PARTICIPANT_UNLISTED


@dataclass(frozen=True, slots=True)
class Drift:
    """How many participants differ, by kind. `columns`: of the stale ones, how many by column."""

    missing: int = 0
    stale: int = 0
    unlisted: int = 0
    unknowable: int = 0
    columns: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ObservationHeader:
    """What an observation was and found, without personal data. `kind`: what was read, `file`, `api` or `number`.

    `scope`: the ids of the races that were compared; None for all of the source. `match`: the columns by which people
    were paired. `rows`, `pages`: how much was read; None where there is none. `listed_digest`, `roster_digest`: of both
    sides as sets, in hexadecimal. `position`, `chain`: how far the log was when the two were compared, and the
    chain's value there. `overtaken`, `withheld`: how many could not be appended. `written_down`: how many are not
    listed, and were observed not to be before. `grace`: how long before `taken_at` the list may have been made.
    `reading`: how a file was read, for whoever wants to read it again. `agrees`: of what is unknowable, all passes by
    itself or is as it should be, and nothing else is left; None where only the numbers say so.
    """

    kind: str
    taken_at: datetime
    match: Sequence[str]
    before: Drift
    after: Drift
    position: int
    chain: bytes
    scope: Sequence[str] | None = None
    rows: int | None = None
    pages: int | None = None
    listed_digest: str | None = None
    roster_digest: str | None = None
    overtaken: int = 0
    withheld: int = 0
    written_down: int = 0
    grace: timedelta = timedelta(0)
    reading: JsonObject | None = None
    agrees: bool | None = None


def participant_body(observation: Observation, observed: ObservedParticipant) -> bytes:
    """The body of a participant's event."""
    absence = {} if observed.absence is None else {"absence": observed.absence}
    return write_json({
        "type": observed.event_type,
        **_shared(observation),
        "base": observed.base,
        **absence,
        "data": {"object": observed.participant},
    })  # fmt: skip


def header_body(observation: Observation, header: ObservationHeader) -> bytes:
    """The body of an observation's header."""
    told = {
        "kind": header.kind,
        "taken_at": header.taken_at.astimezone(UTC).isoformat(),
        "scope": None if header.scope is None else [*header.scope],
        "match": [*header.match],
        "rows": header.rows,
        "pages": header.pages,
        "before": _counts(header.before),
        "after": _counts(header.after),
        "overtaken": header.overtaken,
        "withheld": header.withheld,
        "unlisted_written_down": header.written_down,
        "grace_seconds": round(header.grace.total_seconds()),
        "reading": header.reading,
        "agrees": header.agrees,
        "listed_digest": header.listed_digest,
        "roster_digest": header.roster_digest,
        "position": header.position,
        "chain": header.chain.hex(),
    }
    return write_json({"type": OBSERVATION_MADE, **_shared(observation), "data": told})


def _shared(observation: Observation) -> JsonObject:
    return {"observation": observation.observation_id, "file_sha256": observation.file_digest}


def _counts(drift: Drift) -> JsonObject:
    return {
        "missing": drift.missing,
        "stale": drift.stale,
        "unlisted": drift.unlisted,
        "unknowable": drift.unknowable,
        "columns": {**drift.columns},
    }
