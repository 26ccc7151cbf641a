"""Writes registrations into a build, and counts them by day. Transactions are the caller's."""

from collections.abc import Sequence

from sqlalchemy import Connection, text

from projections.folding.builds import Build
from projections.folding.copy import Row, copy
from projections.folding.projection import Rows
from projections.participants.fold import Known
from projections.registrations.fold import Registration, advance
from projections.registrations.table import registrations_build, registrations_daily_build

REGISTRATIONS, DAILY = registrations_build.name, registrations_daily_build.name
COLUMNS = {
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


def save(connection: Connection, build: Build, source: str, registrations: Sequence[Registration]) -> None:
    """Write the newest registration of each participant, and count it on its day instead of that of the one before."""
    newest = advance(registrations, _known(connection, build, source, {one.participant_id for one in registrations}))
    if not newest:
        return
    these = {"source": source, "ids": list(newest)}
    table = build.table(REGISTRATIONS)
    # A trigger takes what is deleted off the counts: erasures need it too.
    connection.execute(text(f"delete from {table} {_THESE}"), these)  # noqa: S608 - our own tables
    copy(connection, table, COLUMNS[REGISTRATIONS], (_row(source, *one) for one in newest.values()))
    connection.execute(text(_count(build, _THESE) + _ADD), these)


def load(source: str, people: Sequence[Sequence[Registration]]) -> Rows:
    """The rows of people of whom there are none yet, each with all of their registrations in the log's order."""
    return {REGISTRATIONS: [_row(source, *one) for theirs in people for one in advance(theirs, {}).values()]}


def count_all(connection: Connection, build: Build) -> None:
    """Count by day what was loaded."""
    connection.execute(text(_count(build, "")))


def _count(build: Build, which: str) -> str:
    return _COUNT.format(daily=build.table(DAILY), registrations=build.table(REGISTRATIONS), which=which)


def _row(source: str, one: Registration, first_position: int) -> Row:
    updated_at = "" if one.updated_at is None else str(one.updated_at)
    position = str(one.position)
    return (
        source,
        one.participant_id,
        one.event_id,
        one.sub_event_id,
        one.day,
        updated_at,
        str(first_position),
        position,
    )


def _known(connection: Connection, build: Build, source: str, ids: set[str]) -> dict[str, Known]:
    found = text(f"""
        select participant_id, first_position, position, updated_at
        from {build.table(REGISTRATIONS)}
        where source = :source and participant_id = any (cast(:ids as text[]))
    """)  # noqa: S608 - our own tables
    return {row[0]: Known(*row[1:]) for row in connection.execute(found, {"source": source, "ids": list(ids)})}
