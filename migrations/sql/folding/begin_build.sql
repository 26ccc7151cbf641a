-- Makes the tables of a new build of a projection, empty and without indexes, beside the tables that readers see, and
-- keeps the calendar that folds it: nobody may change that afterwards. Gives the number of the build. Two concurrent calls
-- take turns.
create or replace function begin_build(in_projection text, in_definition text, in_calendar jsonb)
returns integer
language plpgsql
security definer
set search_path = pg_catalog, public, pg_temp
as $$
declare
  number integer;
  parents text[];
  parent text;
  made text;
  unsampled text;
begin
  update projection p set last_build = p.last_build + 1
  where p.projection = in_projection
  returning p.last_build, p.tables into strict number, parents;
  insert into projection_build (projection, build, definition) values (in_projection, number, in_definition);
  insert into event_calendar (
    projection, build, event_id, time_zone, changes, offsets, starts_on, previous_event_id
  )
  select
    in_projection, number, c.event_id, c.time_zone, c.changes, c.offsets, c.starts_on, c.previous_event_id
  from jsonb_to_recordset(in_calendar) as c (
    event_id text, time_zone text, changes timestamptz[], offsets integer[], starts_on date, previous_event_id text
  );

  foreach parent in array parents loop
    made := parent || '_' || number;
    execute format(
      'create table public.%I (like public.%I including defaults including generated including storage)', made, parent
    );
    execute format('alter table public.%I alter column build set default %s', made, number);
    -- `like` does not take over of which columns the planner keeps no samples.
    for unsampled in
      select a.attname from pg_attribute a
      where a.attrelid = to_regclass('public.' || quote_ident(parent)) and a.attnum > 0 and a.attstattarget = 0
        and not a.attisdropped
    loop
      execute format('alter table public.%I alter column %I set statistics 0', made, unsampled);
    end loop;
    -- So that attaching the table need not check every row.
    execute format('alter table public.%I add constraint %I check (build = %s)', made, made || '_check', number);
    execute format('grant select, insert, update, delete on public.%I to rosterlog_worker', made);
  end loop;
  return number;
end
$$;

revoke all on function begin_build(text, text, jsonb) from public;
grant execute on function begin_build(text, text, jsonb) to rosterlog_worker;
