-- `participants` with the keys by which each participant is sorted, compared and searched, for the API; its answers do
-- not show the keys.
create or replace view participants_keyed as
select
  p.source, p.participant_id,
  {p.columns},
  p.first_position, p.position, p.received_at,
  p.field_errors, p.last_name_key, p.first_name_key, p.email_key, p.team_key, p.bib_key, p.bib_number, p.words,
  coalesce(p.attributes, convert_from(e.body, 'UTF8')::jsonb #> '{data,object}') as attributes,
  p.origin, p.unlisted_at{p.added_columns}
from participants_build p
left join event_log e on e.source = p.source and e.position = p.position
where p.build = (select r.live from projection r where r.projection = 'participants');

grant select on participants_keyed to rosterlog_api;
