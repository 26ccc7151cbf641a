"""Checks the log's sources: their secrets, holes in their positions, a lost end, made-up people among real ones."""

from collections.abc import Iterator, Mapping

from sqlalchemy import Connection, Row, text

from ingest.cli.opening import is_demo
from ingest.listed import listed
from ingest.log.read import heads
from ingest.settings import DEFAULT_SOURCE, Settings, SettingsError
from ingest.simulator.demo import demo_digests
from ingest.sources import Secrets
from projections.doctor.finding import DoctorFinding, fail, first_few, ok, warn
from projections.folding.health import number_of

WINDOW = 10_000  # positions at each place that is looked at: some milliseconds, however large the log is
_MOST_SOURCES = 200  # whose positions are looked at
# Per source the first positions, the last ones, and those that a worker folds next.
_WINDOWS = text("""
with head as (
  select s.source, h.position
  from unnest(cast(:sources as text[])) as s (source)
  cross join lateral (
    select e.position from event_log e where e.source = s.source order by e.position desc limit 1
  ) h
),
place as (
  select head.source, head.position as head, begins.at
  from head
  cross join lateral (
    select 1 as at
    union
    select greatest(head.position - :size + 1, 1)
    union
    select c.position + 1
    from checkpoint c
    join projection p on p.projection = c.projection and p.live = c.build
    where c.source = head.source and c.position < head.position
  ) begins (at)
),
looked_at as (
  select source, at, least(at + :size - 1, head) as until from place
)
select w.source, w.at, w.until
from looked_at w
where (select count(*) from event_log e where e.source = w.source and e.position between w.at and w.until)
  <> w.until - w.at + 1
order by w.source, w.at
limit 1
""")
_FIRST_MISSING = text("""
select min(p.position)
from generate_series(cast(:at as bigint), cast(:until as bigint)) as p (position)
where not exists (select from event_log e where e.source = :source and e.position = p.position)
""")
# One statement, so that what is appended and folded meanwhile is in both.
_FOLDED_PAST_ITS_END = text("""
select c.source, c.projection, c.position, coalesce(head.position, 0) as head
from checkpoint c
join projection p on p.projection = c.projection and p.live = c.build
left join lateral (
  select e.position from event_log e where e.source = c.source order by e.position desc limit 1
) head on true
where c.position > coalesce(head.position, 0)
order by c.source, c.projection
""")
_OF_DEMO = text("select count(*) from event_log e where e.source = :source and e.digest = any (:digests)")


def check_log(connection: Connection) -> DoctorFinding:
    """How much is in the log."""
    logged = heads(connection)
    events = number_of(sum(logged.values()), "event", "events")
    return ok("log", f"{events} of {number_of(len(logged), 'source', 'sources')}")


def check_secrets(configured: Mapping[str, Secrets], logged: Mapping[str, int] | None) -> Iterator[DoctorFinding]:
    """Whether each source with events has a secret here. `logged`: the events by source, None if that is not known."""
    if not configured:
        yield warn(
            "secrets",
            "no source has a secret in this environment, so a server that is started with it takes no delivery",
            "set MOVEMINT_WEBHOOK_SECRET as the server has it (and run doctor with the server's environment)",
        )
    yield from first_few((source, _of_secrets(source, secrets, logged)) for source, secrets in configured.items())
    if configured and (without := sorted(set(logged or ()) - set(configured))):
        yield warn(
            "secrets",
            f"{listed(without)}: events in the log and no secret here: further deliveries are answered 404",
            "give it its secret in ROSTERLOG_SOURCES, or delete its subscription in Movemint",
        )


def _of_secrets(source: str, secrets: Secrets, logged: Mapping[str, int] | None) -> DoctorFinding:
    events = f"{logged[source]} events" if logged and source in logged else "no delivery was ever stored"
    came = "" if logged is None else f", {events}"
    return ok("secrets", f"{source} has {len(secrets)} secret{'s' if len(secrets) > 1 else ''}{came}")


def check_sources_file(settings: Settings) -> Iterator[DoctorFinding]:
    """Whether `ROSTERLOG_SOURCES_FILE` can be used, whole and only by who should."""
    if settings.sources_file is None:
        return
    try:
        found = settings.read_sources_file()
    except SettingsError as error:
        yield fail("sources", str(error), "a running server goes on with what it had, and none starts: mend the file")
        return
    yield ok("sources", f"{settings.sources_file} has {len(found.secrets)} sources")
    if found.faults:
        names = listed(sorted(found.faults))
        yield fail("sources", f"{names}: the file cannot be used", "rosterlog source check says why; mend it")
    if found.readable_by_all:
        names = listed(sorted(found.readable_by_all))
        yield warn("sources", f"{names}: every account of this machine may read the secrets", "chmod o-r")


def check_holes(connection: Connection, logged: Mapping[str, int], size: int = WINDOW) -> Iterator[DoctorFinding]:
    """Whether positions are missing at the beginning, at the end, or where a worker goes on; not in all of a log.

    And whether a log ends before what was folded of it, which its own positions do not tell.
    """
    lost = [(row.source, _of_lost_end(row)) for row in connection.execute(_FOLDED_PAST_ITS_END)]
    yield from first_few(lost)
    sources = sorted(logged)[:_MOST_SOURCES]
    looked_at = f"the first and the last {size} positions of {len(sources)} sources, and those that are folded next"
    row = connection.execute(_WINDOWS, {"sources": sources, "size": size}).one_or_none()
    if row is not None:
        place = {"source": row.source, "at": row.at, "until": row.until}
        missing = connection.execute(_FIRST_MISSING, place).scalar_one()
        yield fail(
            "holes",
            f"the log of {row.source} has no position {missing}: it was damaged",
            "run rosterlog verify, which names every such place, keep a copy, and restore a backup beside it",
        )
    elif not lost:
        yield ok("holes", f"no position is missing among {looked_at} (rosterlog verify proves the whole log)")


def _of_lost_end(row: Row[tuple[str, str, int, int]]) -> DoctorFinding:
    return fail(
        "holes",
        f"the log of {row.source} ends at position {row.head}, and {row.projection} has folded position {row.position} "
        "of it: its last events are gone, and as many that arrive now will not be folded",
        f"keep a copy as it is, and restore a backup beside it; if there is none, rosterlog rebuild {row.projection} "
        "folds what is left",
    )


def check_demo(connection: Connection, logged: Mapping[str, int]) -> DoctorFinding:
    """Whether the made-up people of a demo are among real ones."""
    if not is_demo(connection):
        return ok("demo", "none of the demo's made-up people is in the log")
    made_up = connection.execute(_OF_DEMO, {"source": DEFAULT_SOURCE, "digests": [*{*demo_digests()}]}).scalar_one()
    if made_up == sum(logged.values()):
        return ok("demo", "only made-up people of the demo are in the log: for real ones, use another database")
    return warn(
        "demo",
        f"{made_up} made-up deliveries of the demo are in the log, among {sum(logged.values()) - made_up} others: they "
        "stay in it",
        "begin with a new database for real registrations, or take the made-up people off the roster (rosterlog erase)",
    )
