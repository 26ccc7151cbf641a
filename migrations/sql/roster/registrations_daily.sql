-- The number of registrations per day in the event's zone, event and sub-event, by the newest state of each participant.
create or replace view registrations_daily as
select
  p.source, p.event_id, p.sub_event_id, p.day, p.registrations
from registrations_daily_build p
where p.build = (select r.live from projection r where r.projection = 'registrations');

grant select on registrations_daily to rosterlog_worker, rosterlog_api;
