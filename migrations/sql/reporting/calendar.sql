-- In which zone the days of events are: what the definition says that folded the live roster.
create or replace view reporting.calendar as
select c.event_id, c.time_zone, c.starts_on, c.previous_event_id, c.changes, c.offsets
from public.event_calendar c
where c.projection = 'participants'
  and c.build = (select r.live from public.projection r where r.projection = 'participants');

grant select on reporting.calendar to rosterlog_reporting, rosterlog_reporting_pii;
comment on view reporting.calendar
  is 'In which time zone the days of events are, as ROSTERLOG_TIME_ZONE and the file of ROSTERLOG_FIELDS say.';
comment on column reporting.calendar.event_id is 'The event; null: every event that has no row of its own.';
comment on column reporting.calendar.time_zone is 'IANA name of the time zone.';
comment on column reporting.calendar.starts_on is 'First day of the event; null if the file does not say it.';
comment on column reporting.calendar.previous_event_id
  is 'The previous edition of the event; null if the file names none.';
comment on column reporting.calendar.changes is 'The times from which the zone has another offset, for day_of().';
comment on column reporting.calendar.offsets
  is 'The offsets in seconds, east of UTC positive: before the first change, then from each change on.';
