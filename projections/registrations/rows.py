"""Writes registrations into a build and counts them by day, in the caller's transaction."""

from collections.abc import Sequence

from sqlalchemy import Connection, text

from projections.folding.copy import Row, copy
from projections.folding.projection import Build, Rows, Track
from projections.participants.newest import Known, advance
from projections.registrations.fold import Registration
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
{where}
group by source, event_id, sub_event_id, day
"""
_ADD = """
on conflict (source, event_id, sub_event_id, day, build)
do update set registrations = counted.registrations + excluded.registrations
"""
_OF_PARTICIPANTS = "where source = :source and participant_id = any (cast(:ids as text[]))"


def save(connection: Connection, track: Track, registrations: Sequence[Registration]) -> None:
    """Write the newest registration of each participant, and count it in place of the one that it supersedes."""
    known = _known(connection, track, {registration.participant_id for registration in registrations})
    newest = advance(registrations, known).newest
    if not newest:
        return
    binds = {"source": track.source, "ids": [accepted.state.participant_id for accepted in newest]}
    table = track.build.table(REGISTRATIONS)
    # A trigger subtracts deleted rows from the counts, since an erasure deletes rows as well.
    connection.execute(text(f"delete from {table} {_OF_PARTICIPANTS}"), binds)  # noqa: S608 - our own tables
    copy(
        connection,
        table,
        WRITTEN_COLUMNS[REGISTRATIONS],
        (_row(track.source, state, first) for state, first, _ in newest),
    )
    connection.execute(text(_count(track.build, _OF_PARTICIPANTS) + _ADD), binds)


def load(source: str, people: Sequence[Sequence[Registration]]) -> Rows:
    """The rows of participants that a build has no rows of. `people`: per participant all states in the log's order."""
    return {
        REGISTRATIONS: [
            _row(source, state, first)
            for registrations in people
            for state, first, _ in advance(registrations, {}).newest
        ]
    }


def count_all(connection: Connection, build: Build) -> None:
    """Count all registrations of a loaded build by day."""
    connection.execute(text(_count(build, "")))


def _count(build: Build, where: str) -> str:
    return _COUNT.format(daily=build.table(DAILY), registrations=build.table(REGISTRATIONS), where=where)


def _row(source: str, registration: Registration, first_position: int) -> Row:
    id_, position, event_id, sub_event_id, day, updated_at = registration
    updated = "" if updated_at is None else str(updated_at)
    return (source, id_, event_id, sub_event_id, day, updated, str(first_position), str(position))


def _known(connection: Connection, track: Track, ids: set[str]) -> dict[str, Known]:
    query = text(f"""
        select participant_id, first_position, position, updated_at
        from {track.build.table(REGISTRATIONS)}
        {_OF_PARTICIPANTS}
    """)  # noqa: S608 - our own tables
    return {row[0]: Known(*row[1:]) for row in connection.execute(query, {"source": track.source, "ids": list(ids)})}
