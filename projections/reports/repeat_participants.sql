-- People in several events, identified by athlete_id; those in most events first.
--
-- least integer: only people in at least this many events (2)
-- most integer: at most this many people (100)
with entries as (
  select p.athlete_id, p.event_id, max(p.position) as position
  from reporting.participants p
  where p.source = :source and p.athlete_id is not null and p.event_id is not null
  group by p.athlete_id, p.event_id
),
people as (
  select
    n.athlete_id,
    count(*) as events,
    max(n.position) as position,
    string_agg(n.event_id, ', ' order by n.event_id) as ids
  from entries n
  group by n.athlete_id
  having count(*) >= coalesce(cast(:least as integer), 2)
),
counted as (
  select p.athlete_id, p.events, p.ids, p.position, count(*) over () as people
  from people p
  order by p.events desc, p.athlete_id
  limit coalesce(cast(:most as integer), 100)
)
select c.athlete_id, p.first_name, p.last_name, c.events, c.ids as event_ids, c.people as people_in_all
from counted c
left join reporting.participants p on p.source = :source and p.position = c.position
order by c.events desc, c.athlete_id
