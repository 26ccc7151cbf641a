-- Registrations of each day (in UTC), and how many there are by then, by event and sub-event.
create view reporting.registrations_daily as
select
  d.source, d.event_id, d.sub_event_id, d.day, d.registrations,
  (sum(d.registrations) over (partition by d.source, d.event_id, d.sub_event_id order by d.day))::bigint as cumulative
from public.registrations_daily d
