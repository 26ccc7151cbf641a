-- Participants unchanged since they registered, by event and sub-event, as far as Movemint says when they registered.
--
-- event text: only this event, by its id
-- days integer: only participants who registered at least this many days ago (0)
with registered as (
  select
    p.event_id, p.sub_event_id, p.registered_at,
    coalesce(p.updated_at <= p.registered_at, true) as is_as_registered
  from reporting.participants p
  where p.source = :source
    and p.registered_at <= now() - make_interval(hours => 24 * coalesce(cast(:days as integer), 0))
    and (cast(:event as text) is null or p.event_id = :event)
),
counted as (
  select
    r.event_id, r.sub_event_id,
    count(*) as participants,
    count(*) filter (where r.is_as_registered) as not_updated,
    min(r.registered_at) filter (where r.is_as_registered) as oldest
  from registered r
  group by r.event_id, r.sub_event_id
)
select
  c.event_id, e.event_name, c.sub_event_id, c.participants, c.not_updated,
  round(100.0 * c.not_updated / c.participants, 1) as percent,
  c.oldest
from counted c
left join reporting.events e on e.source = :source and e.event_id = c.event_id
order by c.event_id nulls last, c.sub_event_id nulls last
