-- The day of a moment in the zone of an event. It reads `reporting.calendar` for each call: for many rows of few events
-- join the calendar and call `local_day`.
create or replace function reporting.day_of(in_moment timestamptz, in_event_id text default null)
returns date
language sql
stable
parallel safe
begin atomic
  select public.local_day(in_moment, c.changes, c.offsets)
  from reporting.calendar c
  where c.event_id = in_event_id or c.event_id is null
  order by c.event_id nulls last
  limit 1;
end;

comment on function reporting.day_of(timestamptz, text)
  is 'The day of a time in the time zone of an event; without an event, in that of ROSTERLOG_TIME_ZONE.';
