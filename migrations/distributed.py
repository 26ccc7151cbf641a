"""What functions say on the distributed engine Citus, where it differs from `sql`; and which of them run at their data.

A coordinator plans statements otherwise than PostgreSQL does: a function that would be refused there, or wait for its
own caller, says the same in another way. Plain PostgreSQL has none of it.
"""

import re

_BODY = re.compile(r"(.*\n)(?:as \$\$\n|begin atomic\n)(.*?)\n(?:\$\$|end);(.*)", re.DOTALL)

_OF_DDL = """\
set search_path = pg_catalog, public, pg_temp
set citus.enable_ddl_propagation = on
set citus.enable_unsafe_triggers = on -- of the table that this one is a partition of
set citus.multi_shard_modify_mode = sequential -- one connection to a node has what another one has just made"""
_DDL = (("set search_path = pg_catalog, public, pg_temp", _OF_DDL),)
# A lock where the source's row is: one of a session's own node would hold up nobody who comes by another one, as while
# the source moves. A row that an append has inserted says nothing until it is noted.
_LOCK = """\
perform from source s where s.source = in_source for update;
  if not found then
    insert into source (source, head) values (in_source, 0) on conflict on constraint source_pkey do nothing;
    perform from source s where s.source = in_source for update;
  end if;"""
_LOCKS = (("perform pg_advisory_xact_lock(1919906927, hashtext(in_source));", _LOCK),)
# A plan for any source names no node.
_APPENDS = (*_LOCKS, ("set plan_cache_mode = force_generic_plan", "set plan_cache_mode = force_custom_plan"))
# A coordinator takes no recursive query over all sources.
_SOURCES_IN_LOG = """\
with recursive sources as (
    (select e.source from event_log e order by e.source limit 1)
    union all
    select (select e.source from event_log e where e.source > s.source order by e.source limit 1)
    from sources s
    where s.source is not null
  )
  select s.source from sources s where s.source is not null"""
_SOURCES = """\
sources as (
  (select e.source from public.event_log e order by e.source limit 1)
  union all
  select (select e.source from public.event_log e where e.source > s.source order by e.source limit 1)
  from sources s
  where s.source is not null
)"""
_NOTED_SOURCES = """\
sources as (
  select s.source from public.source s
)"""
_DISTRIBUTED_TOO = """\
    if not exists (
      select from pg_constraint c where c.conrelid = to_regclass('public.' || quote_ident(parent)) and c.contype = 'p'
    ) then
      execute format('alter table public.%I replica identity full', made); -- by which a row is known while it moves
    end if;
    perform create_distributed_table('public.' || quote_ident(made), 'source', colocate_with => 'public.event_log');
  end loop;
  return number;"""
_NOTED_TOO = """\
where p.projection = in_projection;
  -- On plain PostgreSQL a trigger does it; here it would run on each node.
  if in_projection = 'participants' and exists (
    select from projection p where p.projection = in_projection and p.previous <> p.live
  ) then
    insert into roster_change (source, number, position, subject, event_ids)
    select c.source, coalesce(max(n.number), 0) + 1, c.position, null, '{}'
    from checkpoint c
    left join roster_change n on n.source = c.source
    where c.projection = 'participants' and c.build = in_build
    group by c.source, c.position;
  end if;"""
# By file: what stands there, and what in its place.
_CHANGES = {
    "append_events": _APPENDS,
    "copy_events": _APPENDS,
    "append_observations": _LOCKS,
    "begin_build": (*_DDL, ("  end loop;\n  return number;", _DISTRIBUTED_TOO)),
    # By its caller's connection to the node, which alone sees the erasure that the caller has just written down.
    "apply_erasure": (("security definer\n", ""),),
    "note_roster_change": (("security definer\n", ""),),
    "make_index": _DDL,
    "attach_build": _DDL,
    "analyze_build": _DDL,
    "drop_build": _DDL,
    "sources_in_log": ((_SOURCES_IN_LOG, "select distinct e.source from event_log e"),),
    "freshness": (("with recursive live", "with live"), (_SOURCES, _NOTED_SOURCES)),
    "make_live": (("where p.projection = in_projection;", _NOTED_TOO),),
}
# By file, all of it. A coordinator takes no recursive query over all sources: it asks for those that are noted.
_INSTEAD = {
    "arrivals": """
create or replace function arrivals()
returns table (source text, first_at timestamptz, delivered_at timestamptz, last_hour bigint)
language plpgsql
stable
as $$
#variable_conflict use_column
declare
  head event_log.position%type;
  border event_log.position%type;
begin
  for arrivals.source in select s.source from source s loop
    select e.position into head from event_log e where e.source = arrivals.source order by e.position desc limit 1;
    continue when not found;
    select e.received_at into arrivals.first_at
    from event_log e where e.source = arrivals.source order by e.position limit 1;
    select e.received_at into arrivals.delivered_at
    from event_log e
    where e.source = arrivals.source and (e.event_type is null or not starts_with(e.event_type, 'rosterlog.'))
    order by e.position desc limit 1;
    border := position_at(arrivals.source, now() - interval '1 hour');
    select head - border - count(*) into arrivals.last_hour
    from event_log e
    where e.source = arrivals.source and e.position > border and starts_with(e.event_type, 'rosterlog.');
    return next;
  end loop;
end
$$;
""",
    "scope_of": """
create or replace function scope_of(in_digest bytea)
returns table (
  source text, event_ids text[], sees_personal_data boolean, build integer, "position" bigint, change bigint, mark text
)
language plpgsql
stable
as $$
#variable_conflict use_column
begin
  select t.source, t.event_ids, t.sees_personal_data
  into scope_of.source, scope_of.event_ids, scope_of.sees_personal_data
  from api_token t
  where t.digest = in_digest and t.revoked_at is null and (t.expires_at is null or t.expires_at > now());
  if not found then
    return;
  end if;
  select coalesce(max(p.live), 0) into scope_of.build from projection p where p.projection = 'participants';
  select coalesce(max(c.position), 0) into scope_of.position
  from checkpoint c
  where c.source = scope_of.source and c.projection = 'participants' and c.build = scope_of.build;
  select coalesce(max(r.number), 0) into scope_of.change from roster_change r where r.source = scope_of.source;
  scope_of.mark := coalesce(lineage_at(scope_of.source, scope_of.position, scope_of.change), '');
  return next;
end
$$;

revoke all on function scope_of(bytea) from public;
grant execute on function scope_of(bytea) to rosterlog_api;
""",
    "note_heads": """
create or replace function note_heads()
returns void
language plpgsql
security definer
set search_path = pg_catalog, public, pg_temp
as $$
begin
  update source s set head = h.position, noted_at = now()
  from (
    select n.source, last.position
    from source n
    cross join lateral (
      select e.position from event_log e where e.source = n.source order by e.position desc limit 1
    ) last
  ) h
  where h.source = s.source and h.position > s.head;
end
$$;

revoke all on function note_heads() from public;
grant execute on function note_heads() to rosterlog_worker;
""",
}
# SQL functions whose parameters a coordinator cannot plan: by file, what a function in PL/pgSQL does with the query.
_IN_PLPGSQL = {
    "note_reconciliation": "{}",
    "note_roster_change": "{};",
    "lineage_at": "return (\n{}\n);",
    "forget_absences": "{}",
    "sources_in_log": "return query\n{};",
    "newest_questions": "return query\n{};",
    "answers_of_many": "return query\n{};",
    "questions_of_many": "return query\n{};",
}
# Run on the node that has their source, by the argument `in_source`.
DELEGATED = ("append_events", "count_refused", "lineage_at")


def as_distributed(name: str, sql: str) -> str:
    """The text of the file `name` of `sql` for a distributed database. Raises `ValueError` if it has changed since."""
    for plain, changed in _CHANGES.get(name, ()):
        if plain not in sql:
            raise ValueError(f"{name}.sql has changed: say in migrations/distributed.py how it is on Citus")
        sql = sql.replace(plain, changed)
    if name in _IN_PLPGSQL:
        sql = _in_plpgsql(sql, _IN_PLPGSQL[name])
    return _INSTEAD.get(name, sql)


def _in_plpgsql(sql: str, statement: str) -> str:
    """The text of a SQL function as one in PL/pgSQL, which plans its query with the values of its parameters."""
    parts = _BODY.fullmatch(sql)
    if parts is None:
        raise ValueError(f"no function in SQL: {sql}")
    head, query, tail = parts.groups()
    body = f"#variable_conflict use_column\nbegin\n{statement.format(query)}\nend"
    return f"{head.replace('language sql', 'language plpgsql')}as $$\n{body}\n$$;{tail}"
