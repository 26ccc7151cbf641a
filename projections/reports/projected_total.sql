-- What registrations may come to by the start: those so far, and the pace of the last days for each day that is left.
-- A plain extrapolation: it knows of no deadline, price step or limit. Without a known start nothing is projected.
--
-- event text: only this event, by its id
-- start date: its first day, where deliveries do not say it
-- days integer: the days that the pace is taken from (14), the last of them yesterday
-- today date: instead of the day it is, in UTC
with asked as (
  select coalesce(cast(:today as date), (now() at time zone 'UTC')::date) as today,
    greatest(coalesce(cast(:days as integer), 14), 1) as days
),
paced as (
  select
    d.event_id,
    sum(d.registrations)::bigint as registrations,
    coalesce(sum(d.registrations) filter (where d.day >= a.today - a.days and d.day < a.today), 0) as lately
  from reporting.registrations_daily d
  cross join asked a
  where d.source = :source
    and d.event_id is not null
    and (cast(:event as text) is null or d.event_id = :event)
  group by d.event_id
),
started as (
  select p.event_id, e.event_name, p.registrations, p.lately, coalesce(cast(:start as date), e.starts_on) as starts_on
  from paced p
  left join reporting.events e on e.source = :source and e.event_id = p.event_id
)
select
  s.event_id, s.event_name, s.registrations, round(s.lately / a.days, 1) as a_day, s.starts_on,
  greatest(s.starts_on - a.today, 0) as days_left,
  s.registrations + round(s.lately / a.days * greatest(s.starts_on - a.today, 0))::bigint as projected
from started s
cross join asked a
order by s.event_id
