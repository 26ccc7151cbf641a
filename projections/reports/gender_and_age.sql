-- Participants by event, gender and age band, with their share of the event's participants.
-- The age is that on race day where the file of fields has the start, else on the day of registration: age_basis.
--
-- event text: only this event, by its id
-- status text: only participants of this status
with counted as (
  select p.event_id, p.gender, p.age_band, p.age_basis, count(*) as participants
  from reporting.participants p
  where p.source = :source
    and (cast(:event as text) is null or p.event_id = :event)
    and (cast(:status as text) is null or p.status = :status)
  group by p.event_id, p.gender, p.age_band, p.age_basis
),
bands as (
  select
    c.event_id, c.gender, c.age_band, sum(c.participants)::bigint as participants,
    string_agg(c.age_basis, ', ' order by c.age_basis) as age_basis
  from counted c
  group by c.event_id, c.gender, c.age_band
)
select
  b.event_id, e.event_name, b.gender, b.age_band, b.participants,
  round(100.0 * b.participants / sum(b.participants) over (partition by b.event_id), 1) as percent,
  b.age_basis
from bands b
left join reporting.events e on e.source = :source and e.event_id = b.event_id
order by b.event_id nulls last, b.gender nulls last, b.age_band <> 'under 18', b.age_band nulls last
