"""Judges what differs: what is missing, stale or unlisted, and of whom nothing can be told, and why."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy import Connection, text

from ingest.cli.terminal import printable
from projections.truth.conclusion import NothingConcluded
from projections.truth.drift import DriftKind, RosterDifference, Why
from projections.truth.pairing import ListedTwice, Pair
from projections.truth.roster_lines import ComparedScope, cells_by_id
from projections.truth.values import Compared, ListedValues

AT_A_TIME = 1_000  # participants that are looked up at once
_EVENT = "event_id"
_NOTHING = Compared({}, (), is_ahead=False)

# The largest position is not read from the end of the log, as the planner would: most are far from it.
_KNOWN = """
select
  w.id,
  coalesce((select max(e.position + 0) from event_log e where e.source = :source and e.subject = w.id), 0) as newest,
  exists (
    select from erasures r where r.source = :source and r.subject = w.id and r.lifted_at is null
  ) as is_erased,
  exists (
    select from quarantine q
    where q.source = :source and q.projection = :projection and q.build = :build and q.participant_id = w.id
  ) as is_parked,
  p.participant_id is not null as is_on_roster,
  coalesce(p.event_id, '') as event_id
from unnest(cast(:ids as text[])) as w (id)
left join {table} p on p.source = :source and p.participant_id = w.id
"""
# What an observation of this very file wrote down is no newer than the file. Own bodies begin with what is asked for.
_TOLD = text("""
select distinct e.subject
from readable_log e
where e.source = :source and e.subject = any (cast(:ids as text[])) and e.position > :taken
  and (e.is_own and position(cast(:observed as bytea) in substr(e.body, 1, 400)) > 0) is not true
""")


class _Known(NamedTuple):
    """What log and roster know of a participant. `newest`: the position of the newest event, 0 if there is none."""

    newest: int = 0
    is_erased: bool = False
    is_parked: bool = False
    is_on_roster: bool = False
    event_id: str = ""


_UNKNOWN = _Known()


@dataclass(slots=True)
class Judge:
    """Judges pairs. `taken`: the last position that was received before the file was taken. `digest`: gives the file's.

    What was seen meanwhile: `met`, pairs of the scope; `same`, of these, pairs of which nothing differs; by event
    `elsewhere`, who is listed and on the roster in another one, `unlisted`, `written_down`, who is not listed and
    was observed not to be before, and `not_listed`, all who are not, also those of whom nothing can be told; by column
    `unreadable` values.
    """

    connection: Connection
    scope: ComparedScope
    values: ListedValues
    taken: int
    digest: Callable[[], str]
    met: int = 0
    same: int = 0
    elsewhere: Counter[str] = field(default_factory=Counter)
    unlisted: Counter[str] = field(default_factory=Counter)
    written_down: Counter[str] = field(default_factory=Counter)
    not_listed: Counter[str] = field(default_factory=Counter)
    unreadable: Counter[str] = field(default_factory=Counter)

    def differences(self, pairs: Sequence[Pair]) -> Iterator[RosterDifference]:
        """The differences among pairs that are not alike. Raises `NothingConcluded` for a row of another event."""
        judged: list[tuple[Pair, Compared]] = []
        for pair in self._found(pairs):
            compared = self._compared(pair)
            if pair.listed is None or pair.stored is None or compared.stale or compared.unreadable or pair.why:
                judged.append((pair, compared))
            else:
                self.same += 1
        known = self._known([pair.participant_id for pair, _ in judged if pair.participant_id is not None])
        younger = self._younger([id_ for id_, each in known.items() if each.newest > self.taken])
        for pair, compared in judged:
            id_ = pair.participant_id or ""
            each = known.get(id_, _UNKNOWN)
            if pair.listed is None and pair.why is not Why.AMBIGUOUS:
                self.not_listed[each.event_id] += 1
            if _is_written_down(pair) and each.newest <= self.scope.position:
                self.written_down[each.event_id] += 1
            else:
                yield self._difference(pair, compared, each, is_younger=id_ in younger)

    def _found(self, pairs: Sequence[Pair]) -> Iterator[Pair]:
        """The pairs, of those who are listed also with what the roster has of them outside of the scope."""
        ids = [pair.participant_id for pair in pairs if pair.stored is None and pair.participant_id is not None]
        outside = self.scope.event_ids is not None and ids
        columns = (*self.values.columns, _EVENT)
        elsewhere = cells_by_id(self.connection, self.scope, ids, columns) if outside else {}
        for pair in pairs:
            cells = elsewhere.get(pair.participant_id or "") if pair.stored is None else None
            if cells is not None:
                *stored, event_id = cells
                if event_id in (self.scope.event_ids or ()):
                    raise ListedTwice(pair.participant_id or "")  # its partner is paired with another row
                self.elsewhere[event_id] += 1
                yield pair._replace(stored=stored, outside=event_id)
                continue
            self.met += pair.stored is not None and (pair.listed is not None or pair.why is Why.AMBIGUOUS)
            yield pair

    def _compared(self, pair: Pair) -> Compared:
        if pair.listed is None or pair.why is not None:
            return _NOTHING
        self._refuse_another_event(pair.listed)
        if pair.stored is None:
            compared = self.values.read(pair.listed)
        else:
            compared = self.values.compared(pair.listed, pair.stored)
        self.unreadable.update(compared.unreadable)
        if pair.outside is not None and _EVENT not in compared.stale:  # the file does not say which of several it is
            return compared._replace(stale={**compared.stale, _EVENT: ("", pair.outside)})
        return compared

    def _refuse_another_event(self, listed: Sequence[str]) -> None:
        event_id = self.values.event_of(listed)
        if event_id and self.scope.event_ids is not None and event_id not in self.scope.event_ids:
            raise NothingConcluded(
                f"the file lists people of the event {printable(event_id)}, which --event does not name: is it another "
                "event's file? Name each of its events with --event"
            )

    def _known(self, ids: Sequence[str]) -> dict[str, _Known]:
        if not ids:
            return {}
        build = self.scope.track.build
        binds = {**self.scope.track.key, "build": build.number, "ids": list(ids)}
        rows = self.connection.execute(text(_KNOWN.format(table=self.scope.table)), binds)
        return {row[0]: _Known(*row[1:]) for row in rows}

    def _younger(self, ids: Sequence[str]) -> frozenset[str]:
        """Those of whom something arrived after the file was taken that is not from the file."""
        if not ids:
            return frozenset()
        observed = f'"file_sha256":"{self.digest()}"'.encode()
        binds = {"source": self.scope.source, "ids": list(ids), "taken": self.taken, "observed": observed}
        return frozenset(row.subject for row in self.connection.execute(_TOLD, binds))

    def _difference(self, pair: Pair, compared: Compared, known: _Known, *, is_younger: bool) -> RosterDifference:
        if pair.why is not None:
            return RosterDifference(DriftKind.UNKNOWABLE, pair.participant_id, {}, known.newest, pair.why)
        kind = (
            DriftKind.UNLISTED if pair.listed is None else DriftKind.MISSING if pair.stored is None else DriftKind.STALE
        )
        if kind is DriftKind.MISSING and known.is_on_roster and pair.participant_id is not None:
            raise ListedTwice(pair.participant_id)  # its partner is paired with another row
        why = self._why(kind, compared, known, is_younger=is_younger)
        if why is not None:
            return RosterDifference(DriftKind.UNKNOWABLE, pair.participant_id, compared.stale, known.newest, why)
        if kind is DriftKind.UNLISTED:
            self.unlisted[known.event_id] += 1
        return RosterDifference(kind, pair.participant_id, compared.stale, known.newest)

    def _why(self, kind: DriftKind, compared: Compared, known: _Known, *, is_younger: bool) -> Why | None:
        """Why nothing can be told; None if it can."""
        if kind is DriftKind.MISSING and known.is_erased:
            return Why.ERASED
        if known.newest > self.scope.position:
            return Why.WAITING
        if is_younger:
            return Why.YOUNGER
        if known.is_parked:  # what is written down would be newer, and nobody would read the parked event any more
            return Why.PARKED
        if kind is not DriftKind.STALE:
            return None
        if compared.is_ahead:
            return Why.AHEAD
        return None if compared.stale else Why.UNREADABLE


def _is_written_down(pair: Pair) -> bool:
    """Whether the roster says already that the participant is not listed: in the last of the compared columns."""
    return pair.listed is None and pair.why is None and pair.stored is not None and bool(pair.stored[-1])
