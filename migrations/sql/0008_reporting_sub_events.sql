-- The races and categories of events, called what the newest delivery calls them.
create view reporting.sub_events as
with named as (
  select p.source, p.event_id, p.sub_event_id, p.sub_event_name, count(*) as participants, max(p.position) as position
  from public.participants p
  where p.sub_event_id is not null
  group by p.source, p.event_id, p.sub_event_id, p.sub_event_name
)
select
  n.source, n.event_id, n.sub_event_id,
  (array_agg(n.sub_event_name order by n.position desc) filter (where n.sub_event_name is not null))[1]
    as sub_event_name,
  sum(n.participants)::bigint as participants
from named n
group by n.source, n.event_id, n.sub_event_id
