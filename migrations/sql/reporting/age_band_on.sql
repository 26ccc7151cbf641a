-- The band of an age on a day: by the date of birth, else by the age that Movemint sent.
create or replace function reporting.age_band(in_dob date, in_age integer, in_day date)
returns text
language sql
immutable
parallel safe
return coalesce(
  reporting.age_band(extract(year from age(in_day::timestamp, in_dob::timestamp))::integer),
  reporting.age_band(in_age)
);

comment on function reporting.age_band(date, integer, date)
  is 'The band of an age on a day: by the date of birth, else by the given age.';
