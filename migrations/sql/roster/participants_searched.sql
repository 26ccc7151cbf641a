-- `participants` with the words by which each participant is searched, for the API; its answers do not show the words.
create or replace view participants_searched as
select
  p.source, p.participant_id,
  {p.columns},
  p.first_position, p.position, p.received_at,
  p.field_errors, p.words,
  coalesce(p.attributes, convert_from(e.body, 'UTF8')::jsonb #> '{data,object}') as attributes{p.added_columns}
from participants_build p
left join event_log e on e.source = p.source and e.position = p.position
where p.build = (select r.live from projection r where r.projection = 'participants');

grant select on participants_searched to rosterlog_api;
