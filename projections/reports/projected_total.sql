-- Registrations projected to the start of the event: those so far, plus the recent daily pace for each day left.
-- A plain extrapolation: it knows of no deadline, price step or limit. Without a known start nothing is projected.
--
-- event text: only this event, by its id
-- start date with event: the first day of the event, if neither the file of fields nor deliveries say it
-- days integer: how many days up to yesterday give the pace (14, at least 1); fewer if registration opened later
-- today date: project as on this day, without later registrations (today, in the event's time zone)
with asked as (
  select
    d.event_id, coalesce(cast(:today as date), reporting.day_of(now(), d.event_id)) as today,
    greatest(coalesce(cast(:days as integer), 14), 1) as days
  from reporting.registrations_daily d
  where d.source = :source
    and d.event_id is not null
    and (cast(:event as text) is null or d.event_id = :event)
  group by d.event_id
),
paced as (
  select
    d.event_id, a.today,
    sum(d.registrations)::bigint as registrations,
    coalesce(sum(d.registrations) filter (where d.day >= a.today - a.days and d.day < a.today), 0)
      / greatest(least(a.days, a.today - min(d.day)), 1) as a_day
  from reporting.registrations_daily d
  join asked a on a.event_id = d.event_id and d.day <= a.today
  where d.source = :source
  group by d.event_id, a.today, a.days
)
select
  p.event_id, e.event_name, p.registrations, round(p.a_day, 1) as a_day, s.starts_on, left_.days as days_left,
  p.registrations + round(p.a_day * left_.days)::bigint as projected
from paced p
left join reporting.events e on e.source = :source and e.event_id = p.event_id
cross join lateral (select coalesce(cast(:start as date), e.starts_on) as starts_on) s
cross join lateral (select case when s.starts_on is not null then greatest(s.starts_on - p.today, 0) end as days) left_
order by p.event_id
