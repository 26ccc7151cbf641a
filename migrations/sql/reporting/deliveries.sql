-- What arrived and when, without what was in it.
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
  r.last_at as last_redelivered_at
from public.event_log e
left join public.event_redelivery r on r.source = e.source and r.position = e.position;

grant select on reporting.deliveries to rosterlog_reporting, rosterlog_reporting_pii;
comment on view reporting.deliveries is 'What arrived: one row a delivery that was stored, without its content.';
comment on column reporting.deliveries.source is 'Whose delivery it is; movemint unless you have several.';
comment on column reporting.deliveries.position is 'Its place in the log of its source: 1, 2, 3 and so on.';
comment on column reporting.deliveries.received_at is 'When it arrived first.';
comment on column reporting.deliveries.event_type is 'What Movemint calls it; null if it was no readable envelope.';
comment on column reporting.deliveries.participant_id is 'Whom it is about; null if it does not say.';
comment on column reporting.deliveries.size_bytes is 'Size of its body; null once it was erased.';
comment on column reporting.deliveries.is_erased is 'Whether the body was erased at somebody''s wish.';
comment on column reporting.deliveries.is_quarantined
  is 'Whether it could not be read and is set aside; rosterlog quarantine list shows why.';
comment on column reporting.deliveries.redeliveries is 'How often the very same bytes arrived again.';
comment on column reporting.deliveries.last_redelivered_at is 'When they last did; null if never.';
