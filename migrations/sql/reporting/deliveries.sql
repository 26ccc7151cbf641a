-- The events of the log without their content: the deliveries that were stored, and what was observed at the source.
create or replace view reporting.deliveries as
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
  r.last_at as last_redelivered_at,
  case when e.signature is null then 'observation' else 'delivery' end as origin
from public.event_log e
left join public.event_redelivery r on r.source = e.source and r.position = e.position;

grant select on reporting.deliveries to rosterlog_reporting, rosterlog_reporting_pii;
comment on view reporting.deliveries
  is 'The deliveries that were stored, one row per delivery, without their content; and the events of observations.';
comment on column reporting.deliveries.source is 'The source of the delivery; movemint unless you have several.';
comment on column reporting.deliveries.position is 'Log position: 1, 2, 3 and so on within the source.';
comment on column reporting.deliveries.received_at is 'When the delivery first arrived.';
comment on column reporting.deliveries.event_type is 'Type of the event in Movemint; null if the body names none.';
comment on column reporting.deliveries.participant_id is 'The participant that it is about; null if it names none.';
comment on column reporting.deliveries.size_bytes is 'Size of the body; null if the body was erased.';
comment on column reporting.deliveries.is_erased is 'Whether the body was erased.';
comment on column reporting.deliveries.is_quarantined
  is 'Whether it could not be folded and is parked; rosterlog quarantine list shows why.';
comment on column reporting.deliveries.redeliveries is 'How often the same bytes were delivered again.';
comment on column reporting.deliveries.origin
  is 'delivery; or observation, where rosterlog itself wrote the event when the roster was compared with the source.';
comment on column reporting.deliveries.last_redelivered_at is 'When the same bytes last arrived again; null if never.';
