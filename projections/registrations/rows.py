"""Writes registrations into a build and counts them by day, in the caller's transaction."""

from collections import Counter
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, text

from projections.folding.copy import Row, copy
from projections.folding.projection import Build, Rows, Track
from projections.participants.newest import Known, advance
from projections.registrations.fold import Registration, counted_content
from projections.registrations.table import registrations_build, registrations_daily_build

REGISTRATIONS, DAILY = registrations_build.name, registrations_daily_build.name
WRITTEN_COLUMNS = {
    table.name: [column.name for column in table.c if column.name != "build"]
    for table in (registrations_build, registrations_daily_build)
}

_COUNT = """
insert into {daily} as counted (source, event_id, sub_event_id, day, registrations)
select source, event_id, sub_event_id, day, count(*)
from {registrations}
group by source, event_id, sub_event_id, day
"""
# The counts that are none any more are deleted by where they are.
_ADD = """
with counts as (
  insert into {daily} as counted (source, event_id, sub_event_id, day, registrations)
  select :source, nullif(event_id, ''), nullif(sub_event_id, ''), day, number
  from unnest(
    cast(:event_ids as text[]), cast(:sub_event_ids as text[]), cast(:days as date[]), cast(:numbers as bigint[])
  ) as added (event_id, sub_event_id, day, number)
  on conflict (source, event_id, sub_event_id, day, build)
  do update set registrations = counted.registrations + excluded.registrations
  returning ctid, registrations
)
select ctid::text from counts where registrations = 0
"""
_DELETE = "delete from {daily} where ctid = any (cast(:places as tid[]))"
_UPDATE = """
update {registrations} r
set
  event_id = nullif(n.event_id, ''), sub_event_id = nullif(n.sub_event_id, ''), day = n.day, updated_at = n.updated_at,
  position = n.position
from unnest(
  cast(:ids as text[]), cast(:event_ids as text[]), cast(:sub_event_ids as text[]), cast(:days as date[]),
  cast(:times as timestamptz[]), cast(:positions as bigint[])
) as n (participant_id, event_id, sub_event_id, day, updated_at, position)
where r.source = :source and r.participant_id = n.participant_id
"""
_STORED = """
select
  participant_id, position, coalesce(event_id, ''), coalesce(sub_event_id, ''), day::text, updated_at, first_position
from {registrations}
where source = :source and participant_id = any (cast(:ids as text[]))
"""

Counted = tuple[str, str, str]  # the event, the sub-event and the day that a registration is counted for


def save(connection: Connection, track: Track, registrations: Sequence[Registration]) -> None:
    """Write the newest registration of each participant, and count it in place of the one that it supersedes.

    What says the same as before is not written.
    """
    stored, known = _stored(connection, track, {registration.participant_id for registration in registrations})
    contents = {id_: counted_content(registration) for id_, registration in stored.items()}
    newest = advance(registrations, known, contents, counted_content).newest
    new = [accepted for accepted in newest if accepted.state.participant_id not in stored]
    rows = (_row(track.source, state, first) for state, first, _ in new)
    copy(connection, track.build.table(REGISTRATIONS), WRITTEN_COLUMNS[REGISTRATIONS], rows)
    _update(connection, track, [state for state, _, _ in newest if state.participant_id in stored])
    moved: Counter[Counted] = Counter()
    for state, _, _ in newest:
        moved[_counted(state)] += 1
        if state.participant_id in stored:
            moved[_counted(stored[state.participant_id])] -= 1
    _count(connection, track, {counted: number for counted, number in moved.items() if number})


def load(source: str, people: Sequence[Sequence[Registration]]) -> Rows:
    """The rows of participants that a build has no rows of. `people`: per participant all states in the log's order."""
    return {
        REGISTRATIONS: [
            _row(source, state, first)
            for registrations in people
            for state, first, _ in advance(registrations, {}, {}, counted_content).newest
        ]
    }


def count_all(connection: Connection, build: Build) -> None:
    """Count all registrations of a loaded build by day."""
    connection.execute(text(_in(build, _COUNT)))


def _in(build: Build, statement: str) -> str:
    return statement.format(daily=build.table(DAILY), registrations=build.table(REGISTRATIONS))


def _counted(registration: Registration) -> Counted:
    return registration.event_id, registration.sub_event_id, registration.day


def _count(connection: Connection, track: Track, moved: Mapping[Counted, int]) -> None:
    """Add to the counts, and take off where a number is below 0."""
    if not moved:
        return
    event_ids, sub_event_ids, days = zip(*moved, strict=True)
    binds = {
        "source": track.source,
        "event_ids": [*event_ids],
        "sub_event_ids": [*sub_event_ids],
        "days": [*days],
        "numbers": [*moved.values()],
    }
    empty = connection.execute(text(_in(track.build, _ADD)), binds).scalars().all()
    if empty:
        connection.execute(text(_in(track.build, _DELETE)), {"places": [*empty]})


def _update(connection: Connection, track: Track, registrations: Sequence[Registration]) -> None:
    """Write over the rows of these participants. No key changes, so no index does."""
    if not registrations:
        return
    ids, positions, event_ids, sub_event_ids, days, times = zip(*registrations, strict=True)
    binds = {
        "source": track.source,
        "ids": [*ids],
        "positions": [*positions],
        "event_ids": [*event_ids],
        "sub_event_ids": [*sub_event_ids],
        "days": [*days],
        "times": [*times],
    }
    connection.execute(text(_in(track.build, _UPDATE)), binds)


def _row(source: str, registration: Registration, first_position: int) -> Row:
    id_, position, event_id, sub_event_id, day, updated_at = registration
    updated = "" if updated_at is None else str(updated_at)
    return (source, id_, event_id, sub_event_id, day, updated, str(first_position), str(position))


def _stored(connection: Connection, track: Track, ids: set[str]) -> tuple[dict[str, Registration], dict[str, Known]]:
    """The stored registrations of these participants, and what later ones are compared with."""
    stored: dict[str, Registration] = {}
    known: dict[str, Known] = {}
    binds = {"source": track.source, "ids": list(ids)}
    for *registration, first_position in connection.execute(text(_in(track.build, _STORED)), binds):
        registered = Registration(*registration)
        stored[registered.participant_id] = registered
        known[registered.participant_id] = Known(first_position, registered.position, registered.updated_at)
    return stored, known
