-- The band of an age at a time: by the date of birth, else by the age that Movemint sent.
create or replace function reporting.age_band(in_dob date, in_age integer, in_at timestamptz)
returns text
language sql
immutable
parallel safe
return coalesce(
  reporting.age_band(extract(year from age(in_at at time zone 'UTC', in_dob::timestamp))::integer),
  reporting.age_band(in_age)
);

comment on function reporting.age_band(date, integer, timestamptz)
  is 'The band of an age at a time: by the date of birth, else by the given age.';
