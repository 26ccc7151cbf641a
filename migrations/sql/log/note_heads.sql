-- Notes the sources of the log and their heads, where no append has: of a log that was restored into a new database, of an
-- append that began before there was a table of them. Workers call it each minute, and every migrate does.
create or replace function note_heads()
returns void
language sql
security definer
set search_path = pg_catalog, public, pg_temp
begin atomic
  insert into source as s (source, head)
  with recursive sources as (
    (select e.source from event_log e order by e.source limit 1)
    union all
    select (select e.source from event_log e where e.source > s.source order by e.source limit 1)
    from sources s
    where s.source is not null
  )
  select l.source, head.position
  from sources l
  cross join lateral (
    select e.position from event_log e where e.source = l.source order by e.position desc limit 1
  ) head
  where not exists (select from source n where n.source = l.source and n.head >= head.position)
  order by l.source
  on conflict on constraint source_pkey do update set head = greatest(s.head, excluded.head), noted_at = now();
end;

revoke all on function note_heads() from public;
grant execute on function note_heads() to rosterlog_worker;
