-- Participants by event, sub-event and status, with the share of each status in its sub-event.
--
-- event text: only this event, by its id
with counted as (
  select p.event_id, p.sub_event_id, p.status, count(*) as participants
  from reporting.participants p
  where p.source = :source
    and (cast(:event as text) is null or p.event_id = :event)
  group by p.event_id, p.sub_event_id, p.status
)
select
  c.event_id, e.event_name, c.sub_event_id, s.sub_event_name, c.status, c.participants,
  round(100.0 * c.participants / sum(c.participants) over (partition by c.event_id, c.sub_event_id), 1) as percent
from counted c
left join reporting.events e on e.source = :source and e.event_id = c.event_id
left join reporting.sub_events s
  on s.source = :source and coalesce(s.event_id, '') = coalesce(c.event_id, '') and s.sub_event_id = c.sub_event_id
order by c.event_id nulls last, c.sub_event_id nulls last, c.participants desc, c.status
