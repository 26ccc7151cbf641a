-- The events that participants are in. An event is called what the newest delivery about it calls it.
create view reporting.events as
with named as (
  select
    p.source, p.event_id, p.event_name,
    count(*) as participants,
    min(p.registered_at) as first_registered_at,
    max(p.registered_at) as last_registered_at,
    max(p.position) as position
  from public.participants p
  where p.event_id is not null
  group by p.source, p.event_id, p.event_name
),
counted as (
  select
    n.source, n.event_id,
    (array_agg(n.event_name order by n.position desc) filter (where n.event_name is not null))[1] as event_name,
    sum(n.participants)::bigint as participants,
    min(n.first_registered_at) as first_registered_at,
    max(n.last_registered_at) as last_registered_at,
    max(n.position) as position
  from named n
  group by n.source, n.event_id
)
select
  c.source, c.event_id, c.event_name, c.participants, c.first_registered_at, c.last_registered_at,
  -- A guess at Movemint's keys, and no date unless it is one.
  (
    select reporting.iso_date(coalesce(p.attributes #>> '{event,start_date}', p.attributes ->> 'event_start_date'))
    from public.participants p
    where p.source = c.source and p.position = c.position
  ) as starts_on
from counted c
