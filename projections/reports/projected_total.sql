-- What registrations may come to by the start: those so far, and the pace of the last days for each day that is left.
-- A plain extrapolation: it knows of no deadline, price step or limit. Without a known start nothing is projected.
--
-- event text: only this event, by its id
-- start date with event: its first day, where deliveries do not say it
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
  select
    p.event_id, e.event_name, p.registrations, p.lately / a.days as a_day, s.starts_on,
    case when s.starts_on > a.today then s.starts_on - a.today when s.starts_on <= a.today then 0 end as days_left
  from paced p
  cross join asked a
  left join reporting.events e on e.source = :source and e.event_id = p.event_id
  cross join lateral (select coalesce(cast(:start as date), e.starts_on) as starts_on) s
)
select
  s.event_id, s.event_name, s.registrations, round(s.a_day, 1) as a_day, s.starts_on, s.days_left,
  s.registrations + round(s.a_day * s.days_left)::bigint as projected
from started s
order by s.event_id
