-- `participants`, with the words by which each is searched: for the API, whose answers do not show them.
create view participants_searched as
select
  p.source, p.participant_id, p.event_id, p.event_name, p.sub_event_id, p.sub_event_name, p.athlete_id, p.status,
  p.first_name, p.last_name, p.email, p.phone, p.bib, p.gender, p.dob, p.age, p.team, p.wave, p.city, p.state,
  p.country, p.zip_code, p.checked_in_at, p.registered_at, p.updated_at, p.first_position, p.position, p.received_at,
  p.field_errors, p.words,
  coalesce(p.attributes, convert_from(e.body, 'UTF8')::jsonb #> '{data,object}') as attributes
from participants_build p
left join event_log e on e.source = p.source and e.position = p.position
where p.build = (select r.live from projection r where r.projection = 'participants')
