-- Every state that participants had and have, and from when until when it was what the log knew.
create view reporting.participant_history as
select
  p.source, p.participant_id, p.event_id, p.event_name, p.sub_event_id, p.sub_event_name, p.athlete_id, p.status,
  p.first_name, p.last_name,
  case when (select reporting.sees_personal_data()) then p.email end as email,
  case when (select reporting.sees_personal_data()) then p.phone end as phone,
  p.bib, p.gender,
  case when (select reporting.sees_personal_data()) then p.dob end as dob,
  case when (select reporting.sees_personal_data()) then p.age end as age,
  p.team, p.wave,
  case when (select reporting.sees_personal_data()) then p.city end as city,
  p.state, p.country,
  case when (select reporting.sees_personal_data()) then p.zip_code end as zip_code,
  p.checked_in_at, p.registered_at, p.updated_at, p.first_position, p.position, p.received_at,
  p.field_errors,
  case when (select reporting.sees_personal_data()) then p.attributes end as attributes,
  reporting.age_band(p.dob, p.age, coalesce(p.registered_at, p.received_at)) as age_band,
  p.position as valid_from_position,
  p.until_position as valid_to_position,
  p.received_at as valid_from,
  ended.received_at as valid_to
from (
  select
    h.source, h.participant_id, h.event_id, h.event_name, h.sub_event_id, h.sub_event_name, h.athlete_id, h.status,
    h.first_name, h.last_name, h.email, h.phone, h.bib, h.gender, h.dob, h.age, h.team, h.wave, h.city, h.state,
    h.country, h.zip_code, h.checked_in_at, h.registered_at, h.updated_at, h.first_position, h.position, h.received_at,
    h.field_errors, h.attributes, h.until_position
  from public.participant_history h
  union all
  select
    n.source, n.participant_id, n.event_id, n.event_name, n.sub_event_id, n.sub_event_name, n.athlete_id, n.status,
    n.first_name, n.last_name, n.email, n.phone, n.bib, n.gender, n.dob, n.age, n.team, n.wave, n.city, n.state,
    n.country, n.zip_code, n.checked_in_at, n.registered_at, n.updated_at, n.first_position, n.position, n.received_at,
    n.field_errors, n.attributes, null
  from public.participants n
) p
left join public.event_log ended on ended.source = p.source and ended.position = p.until_position
