-- Registrations of each day (in UTC), and how many there are by then, by event and sub-event.
create or replace view reporting.registrations_daily as
select
  d.source, d.event_id, d.sub_event_id, d.day, d.registrations,
  (sum(d.registrations) over (partition by d.source, d.event_id, d.sub_event_id order by d.day))::bigint as cumulative
from public.registrations_daily d;

grant select on reporting.registrations_daily to rosterlog_reporting, rosterlog_reporting_pii;
comment on view reporting.registrations_daily
  is 'Registrations by event, sub-event and day of registration, whatever became of them.';
comment on column reporting.registrations_daily.source
  is 'Whose deliveries these are; movemint unless you have several.';
comment on column reporting.registrations_daily.event_id is 'The event; null for participants in none.';
comment on column reporting.registrations_daily.sub_event_id is 'The race or category; null where none is named.';
comment on column reporting.registrations_daily.day
  is 'Day of registration, in UTC; of arrival where Movemint does not say when.';
comment on column reporting.registrations_daily.registrations is 'Registrations on that day.';
comment on column reporting.registrations_daily.cumulative
  is 'Registrations up to and with that day, of the same event and sub-event.';
