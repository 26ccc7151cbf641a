"""Checks as which logins the services are connected: whether one could do more than its own work."""

from collections.abc import Iterator

from sqlalchemy import Connection, Row, text

from ingest.database import SERVICE_ROLES, application_name
from ingest.listed import listed
from ingest.session import has_no_more
from projections.doctor.finding import DoctorFinding, ok, warn
from projections.doctor.grants import MEANT

# Sessions of other logins show their name and their login to everybody.
_CONNECTED = text(f"""
select distinct service.role, a.usename::text as login, r.rolsuper as is_superuser,
  not coalesce({has_no_more("service.role")}, false) as has_more,
  coalesce(pg_has_role(r.oid, log.relowner, 'member'), false) as owns_the_log,
  array(
    select other.role from unnest(cast(:roles as text[])) as other (role)
    where other.role <> service.role and pg_has_role(r.oid, to_regrole(other.role)::oid, 'member')
    order by 1
  ) as others
from pg_stat_activity a
join unnest(cast(:roles as text[]), cast(:names as text[])) as service (role, name) on service.name = a.application_name
join pg_roles r on r.oid = a.usesysid
left join pg_class log on log.oid = to_regclass('public.event_log')
where a.datname = current_database()
order by 1, 2
""")  # noqa: S608 - of our own SQL alone
_DO = "give it a login of its own: rosterlog migrate --roles --logins makes them, docs/scale.md shows where they go"


def check_services(connection: Connection) -> Iterator[DoctorFinding]:
    """Whether each service that is connected is its role, and cannot take another one."""
    names = [application_name(role) for role in SERVICE_ROLES]
    rows = connection.execute(_CONNECTED, {"roles": [*SERVICE_ROLES], "names": names}).all()
    for row in rows:
        if (more := _more(row)) is not None:
            says = f"{_service(row)} is connected as {row.login}, which {more}: taken over, it could do all of that"
            yield warn("services", says, _DO)
    well = [f"{_service(row)} as {row.login}" for row in rows if _more(row) is None]
    if well:
        yield ok("services", f"{listed(well)}: each can do its own work alone")
    if not rows:
        yield ok("services", "none is connected now, so that it is not known which logins they have")


def _service(row: Row[tuple[object, ...]]) -> str:
    return str(row.role).removeprefix("rosterlog_")


def _more(row: Row[tuple[object, ...]]) -> str | None:
    """What a login could do beside its service's work; None if nothing."""
    if row.is_superuser:
        return "is a superuser"
    if row.owns_the_log:
        return "owns the log"
    others = [role for role in row.others if (row.role, role) not in MEANT]
    if others:
        return f"can take {listed(others)}, too"
    return f"has rights of its own, or those of yet another role, beside {row.role}" if row.has_more else None
