-- When a day begins in the zone of an event.
create or replace function reporting.day_begins(in_day date, in_event_id text default null)
returns timestamptz
language sql
stable
parallel safe
begin atomic
  select public.day_begins(in_day, c.changes, c.offsets)
  from reporting.calendar c
  where c.event_id = in_event_id or c.event_id is null
  order by c.event_id nulls last
  limit 1;
end;

comment on function reporting.day_begins(date, text)
  is 'The first moment of a day in the time zone of an event; without an event, in that of ROSTERLOG_TIME_ZONE.';
