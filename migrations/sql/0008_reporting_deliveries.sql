-- What arrived and when, without what was in it.
create view reporting.deliveries as
select
  e.source, e.position, e.received_at, e.event_type, e.subject as participant_id,
  octet_length(e.body) as size_bytes,
  e.body is null as is_erased,
  exists (
    select from public.quarantine q
    where q.source = e.source and q.projection = 'participants' and q.position = e.position
      and q.build = (select r.live from public.projection r where r.projection = 'participants')
  ) as is_quarantined,
  coalesce(r.redeliveries, 0) as redeliveries,
  r.last_at as last_redelivered_at
from public.event_log e
left join public.event_redelivery r on r.source = e.source and r.position = e.position
