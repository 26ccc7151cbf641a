-- How far the log of each source is, how far the roster is, and how many events are parked.
create or replace view reporting.freshness as
with recursive live as (
  select r.live as build from public.projection r where r.projection = 'participants'
),
sources as (
  (select e.source from public.event_log e order by e.source limit 1)
  union all
  select (select e.source from public.event_log e where e.source > s.source order by e.source limit 1)
  from sources s
  where s.source is not null
),
reached as (
  select
    s.source, h.position as head, h.received_at as head_received_at,
    coalesce(c.position, 0) as checkpoint, c.moved_at as checkpoint_moved_at,
    (
      select count(*) from public.quarantine q
      where q.source = s.source and q.projection = 'participants' and q.build = l.build
        and not exists (select from public.dismissed_event d where d.source = q.source and d.position = q.position)
    ) as quarantined
  from sources s
  cross join lateral (
    select e.position, e.received_at from public.event_log e where e.source = s.source order by e.position desc limit 1
  ) h
  left join live l on true
  left join public.checkpoint c on c.source = s.source and c.projection = 'participants' and c.build = l.build
)
select
  r.source, r.head, r.head_received_at, r.checkpoint, r.checkpoint_moved_at, r.head - r.checkpoint as lag,
  r.quarantined
from reached r;

grant select on reporting.freshness to rosterlog_reporting, rosterlog_reporting_pii;
comment on view reporting.freshness is 'How current the roster is, one row per source.';
comment on column reporting.freshness.source is 'The source of the deliveries; movemint unless you have several.';
comment on column reporting.freshness.head is 'Log position of the newest delivery.';
comment on column reporting.freshness.head_received_at is 'When the newest delivery arrived.';
comment on column reporting.freshness.checkpoint is 'Log position that the roster reflects.';
comment on column reporting.freshness.checkpoint_moved_at is 'When the roster got to that position.';
comment on column reporting.freshness.lag is 'Number of deliveries that the roster does not reflect yet.';
comment on column reporting.freshness.quarantined
  is 'Number of deliveries that could not be folded, are parked, and were not dismissed; rosterlog quarantine list.';
