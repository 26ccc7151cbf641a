-- The roster for people who ask in SQL: everybody's newest state, some columns for those only who may see them.
create view reporting.participants as
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
  reporting.age_band(p.dob, p.age, coalesce(p.registered_at, p.received_at)) as age_band
from public.participants p
