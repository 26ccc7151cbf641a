-- The roster as it was at a time: of everybody the state that held then. Who asks sees what they see of the views.
create function reporting.participants_as_of(in_moment timestamptz)
returns setof reporting.participants
language sql
stable
parallel safe
begin atomic
  select
    h.source, h.participant_id, h.event_id, h.event_name, h.sub_event_id, h.sub_event_name, h.athlete_id, h.status,
    h.first_name, h.last_name, h.email, h.phone, h.bib, h.gender, h.dob, h.age, h.team, h.wave, h.city, h.state,
    h.country, h.zip_code, h.checked_in_at, h.registered_at, h.updated_at, h.first_position, h.position, h.received_at,
    h.field_errors, h.attributes, h.age_band
  from reporting.participant_history h
  where h.valid_from <= in_moment and (h.valid_to is null or h.valid_to > in_moment);
end
