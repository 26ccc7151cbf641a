-- Registrations per day in the event's time zone, and the running total, by event.
--
-- event text: only this event, by its id
-- sub_event text: only this race or category, by its id
-- since date: only from this day on; the running total counts earlier registrations too
-- until date: only up to this day
with days as (
  select d.event_id, d.day, sum(d.registrations)::bigint as registrations
  from reporting.registrations_daily d
  where d.source = :source
    and (cast(:event as text) is null or d.event_id = :event)
    and (cast(:sub_event as text) is null or d.sub_event_id = :sub_event)
  group by d.event_id, d.day
),
running as (
  select
    d.event_id, d.day, d.registrations,
    (sum(d.registrations) over (partition by d.event_id order by d.day))::bigint as cumulative
  from days d
)
select r.event_id, e.event_name, r.day, r.registrations, r.cumulative
from running r
left join reporting.events e on e.source = :source and e.event_id = r.event_id
where (cast(:since as date) is null or r.day >= :since)
  and (cast(:until as date) is null or r.day <= :until)
order by r.event_id nulls last, r.day
