-- Records that another build is live: any row of the roster may differ, so followers of the changes begin again.
create or replace function note_new_roster()
returns trigger
language plpgsql
security definer
set search_path = pg_catalog, public, pg_temp
as $$
begin
  insert into roster_change (source, number, position, subject, event_ids)
  select
    c.source,
    coalesce((select max(n.number) from roster_change n where n.source = c.source), 0) + 1,
    c.position,
    null,
    '{}'
  from checkpoint c
  where c.projection = new.projection and c.build = new.live;
  return null;
end
$$;
