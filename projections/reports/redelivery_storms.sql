-- Hours (of UTC) with many redeliveries, by the last one of each delivery: Movemint had got no answer, or not in time.
--
-- since date: only from this day on
-- least integer: only hours with at least this many redeliveries (10)
with again as (
  select
    date_trunc('hour', d.last_redelivered_at, 'UTC') as hour,
    count(*) as deliveries,
    sum(d.redeliveries)::bigint as redeliveries,
    max(d.redeliveries) as most,
    min(d.position) as first_position,
    max(d.position) as last_position
  from reporting.deliveries d
  where d.source = :source
    and d.last_redelivered_at is not null
    and (cast(:since as date) is null or d.last_redelivered_at >= (select reporting.day_begins(cast(:since as date))))
  group by date_trunc('hour', d.last_redelivered_at, 'UTC')
)
select
  a.hour, a.deliveries, a.redeliveries, a.most as most_of_one_delivery, a.first_position, a.last_position
from again a
where a.redeliveries >= coalesce(cast(:least as integer), 10)
order by a.hour
