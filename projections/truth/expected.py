"""How many are on the roster, for an organiser who has nothing but a number."""

from dataclasses import dataclass

from sqlalchemy import Connection, text

from projections.truth.roster_lines import ComparedScope


@dataclass(frozen=True, slots=True)
class RosterCount:
    """`by_status`: how many have each status, the most frequent first; an empty text for none.

    `unlisted`: who is on the roster besides, and was written down as not listed.
    """

    position: int
    by_status: dict[str, int]
    unlisted: int

    @property
    def people(self) -> int:
        return sum(self.by_status.values())


def count_roster(connection: Connection, scope: ComparedScope) -> RosterCount:
    """How many the scope has."""
    of_events = "" if scope.event_ids is None else "and p.event_id = any (cast(:event_ids as text[]))"
    statement = text(f"""
        select coalesce(p.status, '') as status, count(*) as people
        from {scope.table} p
        where p.source = :source and p.unlisted_at is null {of_events}
        group by 1
        order by 2 desc, 1
    """)  # noqa: S608 - our own table
    binds = {"source": scope.source, **({} if scope.event_ids is None else {"event_ids": list(scope.event_ids)})}
    by_status = {row.status: row.people for row in connection.execute(statement, binds)}
    gone = text(f"""
        select count(*) from {scope.table} p where p.source = :source and p.unlisted_at is not null {of_events}
    """)  # noqa: S608 - our own table
    return RosterCount(scope.position, by_status, connection.execute(gone, binds).scalar_one())
