-- The registrations that are counted: one row per participant, with the day of the registration in the event's zone.
create or replace view registrations as
select
  p.source, p.participant_id, p.event_id, p.sub_event_id, p.day, p.updated_at, p.first_position, p.position
from registrations_build p
where p.build = (select r.live from projection r where r.projection = 'registrations');

grant select on registrations to rosterlog_worker, rosterlog_api;
