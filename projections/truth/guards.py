"""Guards of a comparison: from a look that did not finish, or that is of something else, nothing is concluded."""

from collections.abc import Iterable

from sqlalchemy import Connection, text

from ingest.cli.terminal import printable
from projections.folding import builds
from projections.folding.projection import Build, Projection
from projections.truth.conclusion import NothingConcluded
from projections.truth.drift import DriftKind, DriftTally, Why
from projections.truth.lines import RowsRead
from projections.truth.listing import Listing
from projections.truth.roster_lines import ComparedScope
from projections.truth.verdict import Judge

_MOST_NAMED = 5  # events
_FEW_YOUNGER = 10  # people


def folded_build(connection: Connection, projection: Projection) -> Build:
    """The live build of the roster. Raises `NothingConcluded` if this program does not write into it."""
    build = builds.live(connection, projection.name)
    if build is None:
        raise NothingConcluded("there is no roster yet: rosterlog worker folds the log into one")
    if build.definition != projection.definition:
        raise NothingConcluded(
            f"{projection.name} was folded by another definition: run rosterlog rebuild {projection.name} first, or "
            "bring back that definition"
        )
    return build


def check_unchanged(listing: Listing) -> None:
    """Raise `NothingConcluded` if a file was changed since its reading began."""
    if listing.is_changed:
        raise NothingConcluded(f"{listing.called} was changed while it was read: wait until it is whole")


def check_read(listing: Listing, seen: RowsRead, expected: int | None) -> None:
    """Raise `NothingConcluded` if a file has fewer rows than it should have, or none, or few that have a key."""
    check_unchanged(listing)
    if expected is not None and seen.rows < expected:
        raise NothingConcluded(
            f"{listing.called} lists {seen.rows}, and --expect says {expected}: is it whole? Export it again, without "
            "a filter"
        )
    if not seen.rows:
        raise NothingConcluded(f"{listing.called} lists nobody: export it again, without a filter")
    if 2 * len(seen.without_key) > seen.rows:
        raise NothingConcluded(
            f"{len(seen.without_key)} of {seen.rows} rows lack what people are found by: is a heading mapped wrongly? "
            "Another --match may find them"
        )


def check_conclusion(scope: ComparedScope, judge: Judge, tally: DriftTally, allowed_unlisted: int) -> None:
    """Raise `NothingConcluded` if what was found says that the file is not what it was compared with.

    `allowed_unlisted`: of the events that are named, so many people may be all that there are.
    """
    _check_readable(tally)
    elsewhere = judge.elsewhere.total()
    if elsewhere > judge.met:
        raise NothingConcluded(
            f"of those listed, {elsewhere} are on the roster in {_named(judge.elsewhere)}, and {judge.met} in "
            f"{_named(scope.event_ids or ())}: it is another event's file"
        )
    if tally.on_roster and not judge.met and not elsewhere:
        raise NothingConcluded(
            f"nobody of the file is among the {tally.on_roster} on the roster: is it of another event or source, or is "
            "a heading mapped wrongly?"
        )
    if scope.event_ids is None or len(scope.event_ids) > 1:
        _check_events(scope, judge, allowed_unlisted)


def check_times(judge: Judge, tally: DriftTally, updated: str, taken: int) -> None:
    """Raise `NothingConcluded` if times say of so many that nothing can be told of them that a time must be wrong.

    `updated`: the heading that is updated_at. `taken`: the position of the log when the file was taken.
    """
    ahead, younger = tally.reasons[Why.AHEAD], tally.reasons[Why.YOUNGER]
    compared = tally.agreeing + tally.kinds[DriftKind.STALE] + ahead
    if 2 * ahead > compared:
        raise NothingConcluded(
            f"{ahead} of {compared} people were updated later than {printable(updated)!r} says: are its times of "
            'another zone? Write them with their zone, or let it not be compared ("" in the file of --map)'
        )
    if not younger:
        return
    is_old = younger > _FEW_YOUNGER and 2 * younger > tally.on_roster
    if is_old or 2 * (_new_since(judge, taken) - younger) > tally.rows:
        raise NothingConcluded(
            "the file is older than what it is compared with: most people arrived, or changed, after it was taken. Say "
            "with --taken-at when that was, or export it again; of an API, look whether its clock is right"
        )


def _new_since(judge: Judge, taken: int) -> int:
    """How many on the roster were not known at a position."""
    scope = judge.scope
    of_events = "" if scope.event_ids is None else "and p.event_id = any (cast(:event_ids as text[]))"
    statement = text(f"""
        select count(*) from {scope.table} p where p.source = :source and p.first_position > :taken {of_events}
    """)  # noqa: S608 - our own table
    binds = {"source": scope.source, "taken": taken}
    if scope.event_ids is not None:
        binds["event_ids"] = list(scope.event_ids)
    number: int = judge.connection.execute(statement, binds).scalar_one()
    return number


def _check_readable(tally: DriftTally) -> None:
    for column, number in tally.unreadable.most_common():
        if 2 * number > tally.rows:
            raise NothingConcluded(
                f"{number} of {tally.rows} values of {column} cannot be read: give --date-format if they are dates, or "
                f'let the heading not be compared ("" in the file of --map)'
            )


def _check_events(scope: ComparedScope, judge: Judge, allowed_unlisted: int) -> None:
    """A file of one event does not say that everybody of another one is gone."""
    if not judge.unlisted:
        return
    statement = text(f"""
        select coalesce(p.event_id, '') as event_id, count(*) as people
        from {scope.table} p
        where p.source = :source
        group by 1
    """)  # noqa: S608 - our own table
    people = {row.event_id: row.people for row in judge.connection.execute(statement, {"source": scope.source})}
    # Younger and parked ones among them do not make it a file of their event; where all are younger, it may be one.
    gone = [event_id for event_id in judge.unlisted if judge.not_listed[event_id] == people.get(event_id)]
    if gone and scope.event_ids is None:
        raise NothingConcluded(
            f"the file lists nobody of {_named(gone)}: name the events that it is of, each with --event"
        )
    number = sum(judge.unlisted[event_id] for event_id in gone)
    if number > allowed_unlisted:
        raise NothingConcluded(
            f"nobody of {_named(gone)} is listed, and {number} are on the roster: leave out each --event that was not "
            f"exported; if they are gone, --apply --allow-unlisted {number} lets it count"
        )


def _named(event_ids: Iterable[str]) -> str:
    ids = [*event_ids]
    shown = ", ".join(printable(id_) if id_ else "no event" for id_ in sorted(ids)[:_MOST_NAMED])
    more = f" and {len(ids) - _MOST_NAMED} more" if len(ids) > _MOST_NAMED else ""
    return f"event{'' if len(ids) == 1 else 's'} {shown}{more}"
