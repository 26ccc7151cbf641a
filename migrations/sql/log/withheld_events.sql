-- Of the newest thousand erasures, by source: how many have a body in the log that they name (`undone`, as after the
-- restore of a backup), and how many participants were delivered again since (`delivered_since`), with so many events,
-- which nobody sees. Counts alone: whom it is about, and why, is for operators with the command.
create or replace function withheld_events()
returns table (source text, undone bigint, delivered_since bigint, events bigint)
language sql
stable
security definer
set search_path = pg_catalog, public, pg_temp
as $$
  with newest as (
    select r.source, r.erasure_id, r.subject, r.digests, r.lifted_at
    from erasures r
    order by r.erased_at desc
    limit 1000
  ),
  of_subject as (
    select
      n.source, n.subject,
      (
        select count(*) from event_log e
        where e.source = n.source and e.subject = n.subject and e.body is not null and not exists (
          select from erasures o where o.source = n.source and o.subject = n.subject and e.digest = any (o.digests)
        )
      ) as events
    from (select distinct d.source, d.subject from newest d where d.lifted_at is null) n
  ),
  unfinished as (
    select n.source, count(*) as undone
    from newest n
    where exists (
      select from unnest(n.digests) as d (digest)
      join event_log e on e.source = n.source and e.digest = d.digest
      where e.body is not null
    )
    group by n.source
  ),
  since as (
    select s.source, count(*) as delivered_since, sum(s.events)::bigint as events
    from of_subject s
    where s.events > 0
    group by s.source
  )
  select
    coalesce(u.source, s.source), coalesce(u.undone, 0), coalesce(s.delivered_since, 0), coalesce(s.events, 0)
  from unfinished u
  full join since s on s.source = u.source
$$;

revoke all on function withheld_events() from public;
grant execute on function withheld_events() to rosterlog_api;
