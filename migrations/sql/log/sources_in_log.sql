-- Every source that has an event, by the log itself, whatever its appends have noted: one look into an index per source.
create or replace function sources_in_log()
returns table (source text)
language sql
stable
as $$
  with recursive sources as (
    (select e.source from event_log e order by e.source limit 1)
    union all
    select (select e.source from event_log e where e.source > s.source order by e.source limit 1)
    from sources s
    where s.source is not null
  )
  select s.source from sources s where s.source is not null
$$;
