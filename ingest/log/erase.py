"""Writes down and lifts erasures; the database function `apply_erasure` carries them out and alone empties bodies.

Every function but `sweep` works in the caller's transaction, whose role is the operator's.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Engine, bindparam, exists, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError

from ingest.delivery import PARTICIPANT_TYPES, read_envelope
from ingest.failures import WrongUsage
from ingest.log.event import Erasure
from ingest.log.table import erasures, event_log
from ingest.sqlstate import DatabaseUnusable, unusable

# Inserts nothing if no event has a body and an erasure is in force already.
_WRITE_DOWN = text("""
insert into erasures (source, subject, operator, reason, positions, digests)
select
  e.source, :subject, :operator, :reason,
  coalesce(array_agg(e.position order by e.position) filter (where e.body is not null), '{}'),
  coalesce(array_agg(e.digest order by e.position) filter (where e.body is not null), '{}')
from event_log e
where e.source = :source
  and (e.subject = :subject or (e.subject is null and e.position = any (cast(:without_subject as bigint[]))))
group by e.source
having bool_or(e.body is not null) or not exists (
  select from erasures r where r.source = :source and r.subject = :subject and r.lifted_at is null
)
returning erasure_id
""")

_AT_ONCE = 100  # events in memory; a body may have a megabyte

_CARRY_OUT = text("select apply_erasure(:source, :erasure_id)")

_WITH_BODIES = text("""
select
  r.source, r.erasure_id, r.subject, r.operator, r.reason, r.erased_at, r.positions, r.digests,
  r.lifted_at, r.lifted_by, b.named, b.later
from erasures r
cross join lateral (
  select
    coalesce(array_agg(e.position order by e.position) filter (where e.digest = any (r.digests)), '{}') as named,
    coalesce(array_agg(e.position order by e.position) filter (where not exists (
      select from erasures o where o.source = r.source and o.subject = r.subject and e.digest = any (o.digests)
    )), '{}') as later
  from event_log e
  where e.source = r.source and e.body is not null
    and (e.subject = r.subject or (e.subject is null and e.digest = any (r.digests)))
) b
order by r.source, r.erased_at, r.erasure_id
""")

_WITHOUT_ERASURE = text("""
select e.position
from event_log e
where e.source = :source and e.subject = :subject and e.body is not null and not exists (
  select from erasures r where r.source = e.source and r.subject = e.subject and e.digest = any (r.digests)
)
order by e.position
""")

# Tables that have both columns of participants but are not rosterlog's own.
_LEFT_ALONE = text("""
select c.oid::regclass::text
from pg_class c
where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'm') and not c.relispartition
  and 2 = (
    select count(*) from pg_attribute a
    where a.attrelid = c.oid and not a.attisdropped and a.attname in ('source', 'participant_id')
  )
  and c.oid not in (select kept_by_participant())
""")

_OWNS = text("select pg_has_role(c.relowner, 'usage') from pg_class c where c.oid = 'public.event_log'::regclass")


@dataclass(frozen=True, slots=True)
class Listed:
    """An erasure, and which of its participant's positions have a body.

    `undone`: positions that this erasure names. `later`: positions that no erasure names.
    """

    erasure: Erasure
    undone: Sequence[int]
    later: Sequence[int]


class Contradiction(WrongUsage):
    """An erasure is known under the same id with other contents; nothing was taken over."""

    def __init__(self, known: Erasure) -> None:
        super().__init__(f"the erasure {known.erasure_id} is known with other contents; nothing was taken over")


def bodies_of(connection: Connection, source: str, subject: str) -> list[int] | None:
    """The positions of a participant's events that have a body; None if the log has no event of the participant."""
    log = event_log.c
    events = select(log.position, log.body.is_not(None)).where(log.source == source, log.subject == subject)
    rows = connection.execute(events).all()
    without_subject = _without_subject(connection, source, subject)
    if not rows and not without_subject:
        return None
    return sorted([position for position, has_body in rows if has_body] + without_subject)


def _without_subject(connection: Connection, source: str, subject: str) -> list[int]:
    """The positions of a participant's events that the log has under no subject: the id was not read when they came."""
    log = event_log.c
    events = select(log.position, log.body).where(
        log.source == source,
        log.subject.is_(None),
        log.body.is_not(None),
        func.starts_with(log.event_type, PARTICIPANT_TYPES),
    )
    rows = connection.execute(events.order_by(log.position), execution_options={"yield_per": _AT_ONCE})
    return [position for position, body in rows if read_envelope(body).subject == subject]


def is_in_force(connection: Connection, source: str, subject: str) -> bool:
    """Whether an erasure of this participant is in force, that is, not lifted."""
    return connection.execute(select(exists().where(_in_force(source, subject)))).scalar_one()


def erase(connection: Connection, source: str, subject: str, operator: str, reason: str) -> list[int]:
    """Erase a participant: bodies, and rows in every projection. Gives the positions emptied; [] if no body was left.

    Events that arrive afterwards are kept, but no projection sees their bodies until the erasure is lifted.
    """
    without_subject = _without_subject(connection, source, subject)
    asked = {"subject": subject, "operator": operator, "reason": reason, "without_subject": without_subject}
    erasure_id = connection.execute(_WRITE_DOWN, {"source": source, **asked}).scalar()
    return [] if erasure_id is None else carry_out(connection, source, erasure_id)


def carry_out(connection: Connection, source: str, erasure_id: UUID) -> list[int]:
    """Carry out an erasure, for the first time or again; gives the positions whose bodies were emptied now."""
    emptied: list[int] = connection.execute(_CARRY_OUT, {"source": source, "erasure_id": erasure_id}).scalar_one()
    return emptied


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep did. `left_alone`: tables with columns `source` and `participant_id` that are not rosterlog's own.

    `error`: why old row versions stay until the next vacuum; None if they are removed, except those that an open
    transaction can still see.
    """

    left_alone: Sequence[str]
    error: DatabaseUnusable | None


def sweep(engine: Engine) -> Swept:
    """Remove what erasures left behind: old row versions, and samples of them in the planner's statistics.

    The erasures stand even if this fails. `engine`: in no role, but of the login that owns the tables.
    """
    left_alone: list[str] = []
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        try:
            connection.execute(text("set lock_timeout = '10s'"))
            left_alone += connection.execute(_LEFT_ALONE).scalars()
            tables = connection.execute(text("select kept_by_participant()::text union all select 'event_log'"))
            connection.execute(text(f"vacuum (analyze, truncate false) {', '.join(tables.scalars())}"))
            if not connection.execute(_OWNS).scalar_one():  # PostgreSQL only warns
                return Swept(left_alone, DatabaseUnusable("this login may not vacuum the tables of another owner"))
        except DBAPIError as error:
            return Swept(left_alone, unusable(error))
        finally:
            connection.invalidate()  # the pool must not reuse a session with another time-out
    return Swept(left_alone, None)


def without_erasure(connection: Connection, source: str, subject: str) -> list[int]:
    """The positions of a participant's events that have a body and that no erasure names, lifted or not."""
    return list(connection.execute(_WITHOUT_ERASURE, {"source": source, "subject": subject}).scalars())


def mark_lifted(connection: Connection, source: str, subject: str, operator: str) -> int:
    """Lift a participant's erasures, so that projections see the events since; gives how many were in force.

    The projections' checkpoints are past those events already: refold the participant in the same transaction.
    """
    lifted = update(erasures).values(lifted_at=func.now(), lifted_by=operator)
    return connection.execute(lifted.where(_in_force(source, subject))).rowcount


def all_erasures(connection: Connection) -> list[Listed]:
    """Every erasure, oldest first."""
    return [Listed(Erasure(*row[:-2]), row[-2], row[-1]) for row in connection.execute(_WITH_BODIES)]


def take_over(connection: Connection, exported: Sequence[Erasure]) -> int:
    """Write down erasures from an export; gives how many were not known. No body is emptied before `carry_out`.

    A known erasure becomes lifted if the exported one is. Raises `Contradiction` if their contents differ.
    """
    known = {listed.erasure.erasure_id: listed.erasure for listed in all_erasures(connection)}
    number = len(known)
    for erasure in exported:
        before = known.setdefault(erasure.erasure_id, erasure)
        if (before.source, before.subject, *before.digests) != (erasure.source, erasure.subject, *erasure.digests):
            raise Contradiction(before)
    new = insert(erasures).values({field.name: bindparam(field.name) for field in fields(Erasure)})
    is_lifted_only_now = erasures.c.lifted_at.is_(None) & new.excluded.lifted_at.is_not(None)
    merged = new.on_conflict_do_update(
        constraint="erasures_pkey",
        set_={"lifted_at": new.excluded.lifted_at, "lifted_by": new.excluded.lifted_by},
        where=is_lifted_only_now,
    )
    for erasure in exported:
        connection.execute(merged, asdict(erasure))
    return len(known) - number


def _in_force(source: str, subject: str) -> ColumnElement[bool]:
    return (erasures.c.source == source) & (erasures.c.subject == subject) & erasures.c.lifted_at.is_(None)
