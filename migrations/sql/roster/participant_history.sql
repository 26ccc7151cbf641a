-- Superseded states: each was the newest from `position` until `until_position`, that of the event that ended it.
create or replace view participant_history as
select
  p.source, p.participant_id,
  {p.columns},
  p.first_position, p.position, p.received_at,
  p.field_errors, p.until_position,
  coalesce(p.attributes, convert_from(e.body, 'UTF8')::jsonb #> '{data,object}') as attributes, p.answers,
  p.origin, p.unlisted_at{p.added_columns}
from participant_history_build p
left join event_log e on e.source = p.source and e.position = p.position
where p.build = (select r.live from projection r where r.projection = 'participants');

grant select on participant_history to rosterlog_api;
