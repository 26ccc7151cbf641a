"""Checks the roles and what they may do, who owns the log, its triggers, and the login that programs use."""

from collections.abc import Iterator

from sqlalchemy import Connection, text

from ingest.database import INGEST_ROLE, OPERATOR_ROLE, ROLES
from ingest.listed import listed
from projections.doctor.finding import DoctorFinding, fail, ok, warn
from projections.doctor.grants import GRANTS, MEANT, RESTRICTED, Grant

_ROLES = text("""
select r.rolname::text as name,
  r.rolsuper or r.rolcreaterole or r.rolcreatedb or r.rolreplication or r.rolbypassrls as is_powerful,
  array(
    select g.rolname::text from pg_auth_members m join pg_roles g on g.oid = m.roleid where m.member = r.oid order by 1
  ) as member_of
from pg_roles r
where r.rolname = any (:roles)
""")
# Tables and views, columns, functions and the schema `reporting`; the owner's own rights and tables of builds left out.
_GRANTS = text(r"""
with object (name, owner, acl) as (
  select case n.nspname when 'public' then '' else n.nspname || '.' end || c.relname, c.relowner, c.relacl
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  where n.nspname in ('public', 'reporting') and c.relkind in ('r', 'p', 'v', 'm') and c.relname !~ '_build_\d+$'
  union all
  select case n.nspname when 'public' then '' else n.nspname || '.' end || c.relname || '(' || a.attname || ')',
    c.relowner, a.attacl
  from pg_attribute a
  join pg_class c on c.oid = a.attrelid
  join pg_namespace n on n.oid = c.relnamespace
  where n.nspname in ('public', 'reporting') and a.attacl is not null
  union all
  select case n.nspname when 'public' then '' else n.nspname || '.' end || p.proname, p.proowner,
    coalesce(p.proacl, acldefault('f', p.proowner))
  from pg_proc p
  join pg_namespace n on n.oid = p.pronamespace
  where n.nspname in ('public', 'reporting')
  union all
  select n.nspname, n.nspowner, n.nspacl from pg_namespace n where n.nspname = 'reporting'
)
select distinct coalesce(r.rolname, 'public')::text, lower(given.privilege_type), object.name
from object
cross join lateral aclexplode(object.acl) given
left join pg_roles r on r.oid = given.grantee
where given.grantee <> object.owner
""")
# What the webhook's role reaches by whatever way: its own grants, everybody's, those of roles that it is a member of.
_REACHES = text("""
select array(
  select c.oid::regclass::text
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  where n.nspname in ('public', 'reporting') and c.relkind in ('r', 'p', 'v', 'm')
    and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e')
    and (
      has_any_column_privilege(:role, c.oid, 'select, insert, update, references')
      or has_table_privilege(:role, c.oid, 'delete, truncate, trigger')
    )
  order by 1
)
""")
_LOG = text("""
select log.relowner::regrole::text as owner,
  (select r.rolsuper from pg_roles r where r.oid = log.relowner) as is_superuser,
  array(
    select t.tgname::text from pg_trigger t
    where t.tgname in ('event_log_is_append_only', 'event_log_body_is_only_erased', 'erasures_are_kept')
      and t.tgrelid in ('event_log'::regclass, 'erasures'::regclass) and t.tgenabled = 'A'
  ) as triggers,
  array(
    select p.oid::regproc::text from pg_proc p
    where p.pronamespace = 'public'::regnamespace
      and p.proname in (
        'append_events', 'append_events_together', 'append_observations', 'count_refused', 'apply_erasure'
      )
      and p.proowner <> log.relowner
    order by 1
  ) as of_others
from pg_class log
where log.oid = 'event_log'::regclass
""")
_LOGIN = text("""
select session_user::text as name,
  (select r.rolsuper from pg_roles r where r.rolname = session_user) as is_superuser,
  array(
    select r.rolname::text from pg_roles r
    where r.rolname = any (:roles) and pg_has_role(session_user, r.oid, 'member')
  ) as becomes
""")
_TRIGGERS = 3
_WRITES = ("insert", "update", "delete", "truncate", "trigger", "references", "maintain")
_MIGRATE = "run rosterlog migrate with the login that owns the tables"


def check_rights(connection: Connection) -> Iterator[DoctorFinding]:
    """Whether the roles are there, may do what the migrations grant, and nothing else."""
    roles = {row.name: row for row in connection.execute(_ROLES, {"roles": list(ROLES)})}
    missing = [name for name in ROLES if name not in roles]
    if missing:
        yield fail(
            "roles", f"missing: {listed(missing)}", "run rosterlog migrate --roles with a login that may make roles"
        )
        return
    powerful = [name for name, role in roles.items() if role.is_powerful]
    others = {name: [each for each in role.member_of if (name, each) not in MEANT] for name, role in roles.items()}
    members = [f"{name} in {listed(member_of)}" for name, member_of in others.items() if member_of]
    if powerful:
        says = f"{listed(powerful)}: may do more than a service needs"
        yield fail("roles", says, "alter role ... nosuperuser nocreaterole nocreatedb noreplication nobypassrls")
    if members:
        yield fail("roles", f"a role is a member of another: {listed(members)}", "revoke the one from the other")
    if not powerful and not members:
        yield ok("roles", f"all {len(ROLES)} are there, with no rights of another role")
    yield from _check_grants(connection)


def _check_grants(connection: Connection) -> Iterator[DoctorFinding]:
    given: set[Grant] = {(row[0], row[1], row[2]) for row in connection.execute(_GRANTS)}
    missing = sorted(GRANTS - given)
    more = sorted(grant for grant in given - GRANTS if _matters(grant))
    if missing:
        yield fail("grants", f"missing: {listed([*map(_told, missing)])}", _MIGRATE)
    harmful = [grant for grant in more if _is_harmful(grant)]
    if harmful:
        yield fail("grants", f"too much: {listed([*map(_told, harmful)])}", "revoke it: nobody needs it")
    if others := [grant for grant in more if not _is_harmful(grant)]:
        yield warn(
            "grants", f"more than rosterlog grants: {listed([*map(_told, others)])}", "revoke it if it was not meant"
        )
    reached: list[str] = connection.execute(_REACHES, {"role": INGEST_ROLE}).scalar_one()
    if reached and not harmful:
        says = f"{INGEST_ROLE}, the webhook's role, can reach {listed(reached)}"
        yield fail(
            "grants", says, "revoke what public or another role was granted: it needs two functions and no other table"
        )
    if not more and not missing and not reached:
        yield ok(
            "grants", f"all {len(GRANTS)} are as they should be; {INGEST_ROLE} may append and count refusals alone"
        )


def check_ownership(connection: Connection) -> Iterator[DoctorFinding]:
    """Whether the log's owner is no service, and whether the triggers that refuse changes are on."""
    log = connection.execute(_LOG).one()
    if log.owner in ROLES:
        says = f"{log.owner} owns event_log, so that a service could switch off what keeps it from being changed"
        yield fail("owner", says, "alter table event_log owner to the login that migrates")
    elif log.of_others:
        says = (
            f"{listed(log.of_others)}: owned by another role than event_log, so they may not be able to do their work"
        )
        yield fail("owner", says, f"alter function ... owner to {log.owner}, and {_MIGRATE}")
    else:
        yield ok("owner", f"{log.owner} owns the log, no service does")
    if len(log.triggers) < _TRIGGERS:
        says = "a trigger that refuses changes of the log or of erasures is missing or off: the log can be changed"
        do = "alter table ... enable always trigger ..., then rosterlog verify: was something changed meanwhile?"
        yield fail("triggers", says, do)
    else:
        yield ok("triggers", "changes of the log and of erasures are refused, for the owner too")


def check_login(connection: Connection, *, is_embedded: bool) -> DoctorFinding:
    """Whether the login of `DATABASE_URL` is one that programs should use."""
    login = connection.execute(_LOGIN, {"roles": list(ROLES)}).one()
    if login.is_superuser and not is_embedded:
        return warn(
            "login",
            f"{login.name} is a superuser: a program that was taken over could do anything to the server",
            "make a login that owns the database and is a member of the roles, and set DATABASE_URL to it",
        )
    if login.is_superuser:
        return ok("login", f"{login.name}, the superuser of the embedded database, which serves nothing else")
    if not login.becomes:
        says = f"{login.name} can take none of the roles, so that no program can work with it"
        return fail("login", says, f"grant {INGEST_ROLE}, ..., {OPERATOR_ROLE} to it, those that its programs need")
    return ok("login", f"{login.name} is no superuser and can take {listed(login.becomes, len(ROLES))}")


def _matters(grant: Grant) -> bool:
    """Whether a grant that the migrations do not make is of rosterlog's concern: a person may let others read."""
    grantee, privilege, name = grant
    table = name.partition("(")[0]
    of_log = table == "event_log" and privilege in _WRITES
    return grantee in ROLES or of_log or (grantee == "public" and table in RESTRICTED)


def _is_harmful(grant: Grant) -> bool:
    grantee, privilege, _ = grant
    return grantee in ("public", INGEST_ROLE) or privilege in _WRITES or privilege == "execute"


def _told(grant: Grant) -> str:
    grantee, privilege, name = grant
    return f"{privilege} on {name} to {grantee}"
