-- The band of an age at a time, on its day in UTC.
create or replace function reporting.age_band(in_dob date, in_age integer, in_at timestamptz)
returns text
language sql
immutable
parallel safe
return reporting.age_band(in_dob, in_age, (in_at at time zone 'UTC')::date);

comment on function reporting.age_band(date, integer, timestamptz)
  is 'The band of an age at a time, on its day in UTC: by the date of birth, else by the given age.';
