-- What a valid token may see, and the revision of its source's roster, in one row; none if the token is unknown, revoked or
-- expired. PostgreSQL takes the function's query in place of its call.
create or replace function scope_of(in_digest bytea)
returns table (
  source text, event_ids text[], sees_personal_data boolean, build integer, "position" bigint, change bigint, mark text
)
language sql
stable
as $$
  select
    found.source, found.event_ids, found.sees_personal_data, found.build, found.position, found.change,
    coalesce(lineage_at(found.source, found.position, found.change), '')
  from (
    select
      t.source, t.event_ids, t.sees_personal_data,
      (select coalesce(max(p.live), 0) from projection p where p.projection = 'participants') as build,
      (
        select coalesce(max(c.position), 0)
        from checkpoint c
        where c.source = t.source and c.projection = 'participants'
          and c.build = (select coalesce(max(p.live), 0) from projection p where p.projection = 'participants')
      ) as position,
      (select coalesce(max(r.number), 0) from roster_change r where r.source = t.source) as change
    from api_token t
    where t.digest = in_digest and t.revoked_at is null and (t.expires_at is null or t.expires_at > now())
  ) found
$$;

revoke all on function scope_of(bytea) from public;
grant execute on function scope_of(bytea) to rosterlog_api;
