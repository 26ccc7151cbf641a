-- The roster as readers see it: the rows of the live build. `attributes` is read from the event's body; the build has a
-- copy only of an object that PostgreSQL could not read there.
create or replace view participants as
select
  p.source, p.participant_id,
  {p.columns},
  p.first_position, p.position, p.received_at,
  p.field_errors,
  coalesce(p.attributes, convert_from(e.body, 'UTF8')::jsonb #> '{data,object}') as attributes,
  p.origin, p.unlisted_at{p.added_columns}
from participants_build p
left join event_log e on e.source = p.source and e.position = p.position
where p.build = (select r.live from projection r where r.projection = 'participants');

grant select on participants to rosterlog_api;
