-- Bibs that are missing, or that several participants of one event have, by event.
--
-- event text: only this event, by its id
-- status text: only participants of this status
with counted as (
  select p.event_id, nullif(btrim(p.bib), '') as bib, count(*) as participants
  from reporting.participants p
  where p.source = :source
    and (cast(:event as text) is null or p.event_id = :event)
    and (cast(:status as text) is null or p.status = :status)
  group by p.event_id, nullif(btrim(p.bib), '')
),
problems as (
  select
    c.event_id, c.bib, c.participants,
    case when c.bib is null then 'missing' else 'double' end as problem
  from counted c
  where c.bib is null or c.participants > 1
)
select p.event_id, e.event_name, p.problem, p.bib, p.participants
from problems p
left join reporting.events e on e.source = :source and e.event_id = p.event_id
order by p.event_id nulls last, p.problem desc, p.participants desc, p.bib
