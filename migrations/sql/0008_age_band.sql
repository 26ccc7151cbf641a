-- The band of an age in years, whole or not known.
create function reporting.age_band(in_age integer)
returns text
language sql
immutable
parallel safe
return case
  when in_age < 0 or in_age > 120 then null
  when in_age < 18 then 'under 18'
  when in_age < 25 then '18-24'
  when in_age < 35 then '25-34'
  when in_age < 45 then '35-44'
  when in_age < 55 then '45-54'
  when in_age < 65 then '55-64'
  when in_age >= 65 then '65+'
end
