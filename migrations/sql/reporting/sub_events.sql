-- The races and categories of events. The name of each is the one in the newest delivery that has one.
create or replace view reporting.sub_events as
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
group by n.source, n.event_id, n.sub_event_id;

grant select on reporting.sub_events to rosterlog_reporting, rosterlog_reporting_pii;
comment on view reporting.sub_events is 'The races and categories within events.';
comment on column reporting.sub_events.source is 'The source of the deliveries; movemint unless you have several.';
comment on column reporting.sub_events.event_id is 'The event in Movemint.';
comment on column reporting.sub_events.sub_event_id is 'The race or category in Movemint.';
comment on column reporting.sub_events.sub_event_name
  is 'Name of the race or category in the newest delivery that has one.';
comment on column reporting.sub_events.participants is 'Participants on the roster, whatever their status.';
