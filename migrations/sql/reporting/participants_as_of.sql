-- The roster as it was at a time: the state of each participant that was the newest then. It runs with the rights of
-- the caller, who sees no more than in the views.
create or replace function reporting.participants_as_of(in_moment timestamptz)
returns setof reporting.participants
language sql
stable
parallel safe
begin atomic
  select
    h.source, h.participant_id,
    {h.columns},
    h.first_position, h.position, h.received_at,
    h.field_errors, h.attributes, h.age_band, h.age_basis, h.origin, h.unlisted_at{h.added_columns}
  from reporting.participant_history h
  where h.valid_from <= in_moment and (h.valid_to is null or h.valid_to > in_moment);
end;

comment on function reporting.participants_as_of(timestamptz)
  is 'The roster as it was at a time: the newest states at that time, with the columns of reporting.participants.';
