-- Participants by event, gender and age band, with their share of the event's participants.
-- The age is that on race day where the file of fields has the start, else on the day of registration: age_basis.
--
-- event text: only this event, by its id
-- status text: only participants of this status
with counted as (
  select p.event_id, p.gender, p.age_band, string_agg(distinct p.age_basis, ', ') as age_basis, count(*) as participants
  from reporting.participants p
  where p.source = :source
    and (cast(:event as text) is null or p.event_id = :event)
    and (cast(:status as text) is null or p.status = :status)
  group by p.event_id, p.gender, p.age_band
)
select
  c.event_id, e.event_name, c.gender, c.age_band, c.participants,
  round(100.0 * c.participants / sum(c.participants) over (partition by c.event_id), 1) as percent,
  c.age_basis
from counted c
left join reporting.events e on e.source = :source and e.event_id = c.event_id
order by c.event_id nulls last, c.gender nulls last, c.age_band <> 'under 18', c.age_band nulls last
