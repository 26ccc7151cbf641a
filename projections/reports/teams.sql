-- The teams of each event by size, their names compared without case, accents and the like.
--
-- event text: only this event, by its id
-- least integer: only teams with at least this many members (2)
with members as (
  select p.event_id, reporting.text_key(p.team) as key, p.team, count(*) as participants
  from reporting.participants p
  where p.source = :source
    and reporting.text_key(p.team) <> ''
    and (cast(:event as text) is null or p.event_id = :event)
  group by p.event_id, p.team
),
teams as (
  select
    m.event_id, m.key,
    (array_agg(m.team order by m.participants desc, m.team collate "C"))[1] as team,
    sum(m.participants)::bigint as members
  from members m
  group by m.event_id, m.key
)
select t.event_id, e.event_name, t.team, t.members
from teams t
left join reporting.events e on e.source = :source and e.event_id = t.event_id
where t.members >= coalesce(cast(:least as integer), 2)
order by t.members desc, t.event_id nulls last, t.key collate "C"
