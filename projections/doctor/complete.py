"""Checks that whoever the log names is on the roster, or that it is known why not."""

from collections.abc import Iterator, Mapping

from sqlalchemy import Connection

from projections.doctor.finding import DoctorFinding, fail, first_few, ok
from projections.folding import builds
from projections.folding.inner_completeness import read_inner
from projections.truth.inner import InnerCount, Whereabouts, count_each

MOST_EVENTS = 2_000_000  # that are looked at: about a second
_MOST_NAMED = 5  # ids, sources


def check_complete(
    connection: Connection, name: str, logged: Mapping[str, int], most: int = MOST_EVENTS
) -> Iterator[DoctorFinding]:
    """Whether the roster of each source is complete, by its own log. `name`: of the projection."""
    connection.execution_options(isolation_level="REPEATABLE READ")
    events = sum(logged.values())
    build = builds.live(connection, name)
    if build is None or events > most:
        why = "nothing is folded yet" if build is None else f"not looked at in {events} events"
        yield ok("complete", f"{why} (rosterlog reconcile --inner compares log and roster){_last(connection)}")
        return
    counts = count_each(connection, build, sorted(logged))
    yield from first_few(
        (count.source, _of_fault(count, part, name))
        for count in sorted(counts, key=lambda count: -count.faults)
        for part in count.ids
    )
    if all(count.is_complete for count in counts):
        named = sum(count.named for count in counts)
        yield ok(
            "complete", f"each of the {named} participants that the log names is on the roster, or it is known why not"
        )


def _of_fault(count: InnerCount, part: Whereabouts, name: str) -> DoctorFinding:
    return fail(
        "complete",
        f"{count.source}: {count.parts[part]} {part.value}, such as {', '.join(count.ids[part][:_MOST_NAMED])}",
        f"rosterlog rebuild {name} folds the log again (rosterlog reconcile --inner shows the arithmetic)",
    )


def _last(connection: Connection) -> str:
    """What was found when it was looked at last; `status` tells of what differs."""
    found = sorted(read_inner(connection).items())
    return "".join(f"; {source}: {each.result} when it last did" for source, each in found[:_MOST_NAMED])
