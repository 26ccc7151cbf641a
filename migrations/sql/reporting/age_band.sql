-- The band of an age in whole years; null below 0 and above 120.
create or replace function reporting.age_band(in_age integer)
returns text
language sql
immutable
parallel safe
return (array['under 18', '18-24', '25-34', '35-44', '45-54', '55-64', '65+'])[
  width_bucket(in_age, array[0, 18, 25, 35, 45, 55, 65, 121])
];

comment on function reporting.age_band(integer) is 'The band of an age in years.';
