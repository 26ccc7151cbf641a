"""Writes registrations into a build, and counts them by day. Transactions are the caller's."""

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
{which}
group by source, event_id, sub_event_id, day
"""
_ADD = """
on conflict (source, event_id, sub_event_id, day, build)
do update set registrations = counted.registrations + excluded.registrations
"""
_THESE = "where source = :source and participant_id = any (cast(:ids as text[]))"


def save(connection: Connection, track: Track, registrations: Sequence[Registration]) -> None:
    """Write the newest registration of each participant, and count it on its day instead of that of the one before."""
    known = _known(connection, track, {registration.participant_id for registration in registrations})
    newest = advance(registrations, known).newest
    if not newest:
        return
    these = {"source": track.source, "ids": [accepted.state.participant_id for accepted in newest]}
    table = track.build.table(REGISTRATIONS)
    # A trigger takes what is deleted off the counts: erasures need it too.
    connection.execute(text(f"delete from {table} {_THESE}"), these)  # noqa: S608 - our own tables
    copy(
        connection,
        table,
        WRITTEN_COLUMNS[REGISTRATIONS],
        (_row(track.source, state, first) for state, first, _ in newest),
    )
    connection.execute(text(_count(track.build, _THESE) + _ADD), these)


def load(source: str, people: Sequence[Sequence[Registration]]) -> Rows:
    """The rows of participants of whom there are none yet, each with all registrations in the log's order."""
    return {
        REGISTRATIONS: [
            _row(source, state, first)
            for registrations in people
            for state, first, _ in advance(registrations, {}).newest
        ]
    }


def count_all(connection: Connection, build: Build) -> None:
    """Count by day what was loaded."""
    connection.execute(text(_count(build, "")))


def _count(build: Build, which: str) -> str:
    return _COUNT.format(daily=build.table(DAILY), registrations=build.table(REGISTRATIONS), which=which)


def _row(source: str, registration: Registration, first_position: int) -> Row:
    id_, position, event_id, sub_event_id, day, updated_at = registration
    updated = "" if updated_at is None else str(updated_at)
    return (source, id_, event_id, sub_event_id, day, updated, str(first_position), str(position))


def _known(connection: Connection, track: Track, ids: set[str]) -> dict[str, Known]:
    found = text(f"""
        select participant_id, first_position, position, updated_at
        from {track.build.table(REGISTRATIONS)}
        where source = :source and participant_id = any (cast(:ids as text[]))
    """)  # noqa: S608 - our own tables
    return {row[0]: Known(*row[1:]) for row in connection.execute(found, {"source": track.source, "ids": list(ids)})}
