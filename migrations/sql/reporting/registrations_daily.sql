-- Registrations per day in the event's zone, and their running total, by event and sub-event.
create or replace view reporting.registrations_daily as
with live as (
  select r.live from public.projection r where r.projection = 'registrations'
)
select
  d.source, d.event_id, d.sub_event_id, d.day, d.registrations,
  (sum(d.registrations) over (partition by d.source, d.event_id, d.sub_event_id order by d.day))::bigint as cumulative,
  coalesce(
    z.time_zone,
    (
      select o.time_zone from public.event_calendar o
      where o.projection = 'registrations' and o.build = (select r.live from live r) and o.event_id is null
    )
  ) as time_zone
from public.registrations_daily d
left join public.event_calendar z
  on z.projection = 'registrations' and z.build = (select r.live from live r) and z.event_id = d.event_id;

grant select on reporting.registrations_daily to rosterlog_reporting, rosterlog_reporting_pii;
comment on view reporting.registrations_daily
  is 'Registrations by event, sub-event and day of registration, whatever their status.';
comment on column reporting.registrations_daily.source
  is 'The source of the deliveries; movemint unless you have several.';
comment on column reporting.registrations_daily.event_id is 'The event; null if the delivery names none.';
comment on column reporting.registrations_daily.sub_event_id
  is 'The race or category; null if the delivery names none.';
comment on column reporting.registrations_daily.day
  is 'Day of registration in time_zone; the day of arrival if Movemint does not say when.';
comment on column reporting.registrations_daily.registrations is 'Registrations on that day.';
comment on column reporting.registrations_daily.cumulative
  is 'Registrations up to and including that day, of the same event and sub-event.';
comment on column reporting.registrations_daily.time_zone is 'IANA name of the time zone in which the day is.';
