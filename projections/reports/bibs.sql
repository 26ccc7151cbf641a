-- Bibs that are missing, or that several participants of one event have, by event.
-- They are compared without case, accents and the like and zeros before a number, and shown as they are written.
--
-- event text: only this event, by its id
-- status text: only participants of this status
with written as (
  select
    p.event_id, p.bib, count(*) as participants,
    regexp_replace(reporting.text_key(p.bib), '(^|[^0-9])0+(?=[0-9])', '\1', 'g') as key
  from reporting.participants p
  where p.source = :source
    and (cast(:event as text) is null or p.event_id = :event)
    and (cast(:status as text) is null or p.status = :status)
  group by p.event_id, p.bib
),
counted as (
  select
    w.event_id, nullif(w.key, '') as key, sum(w.participants)::bigint as participants,
    string_agg(btrim(w.bib), ', ' order by w.participants desc, w.bib collate "C") as bib
  from written w
  group by w.event_id, nullif(w.key, '')
),
problems as (
  select
    c.event_id, c.participants, case when c.key is not null then c.bib end as bib,
    case when c.key is null then 'missing' else 'double' end as problem
  from counted c
  where c.key is null or c.participants > 1
)
select p.event_id, e.event_name, p.problem, p.bib, p.participants
from problems p
left join reporting.events e on e.source = :source and e.event_id = p.event_id
order by p.event_id nulls last, p.problem desc, p.participants desc, p.bib
