-- The day of a moment in a zone, by the zone's changes and offsets as `event_calendar` has them: the rules are those that
-- folded the build, whatever PostgreSQL knows of the zone.
create or replace function local_day(in_moment timestamptz, in_changes timestamptz[], in_offsets integer[])
returns date
language sql
immutable
parallel safe
return (
  (in_moment at time zone 'UTC')
  + make_interval(secs => in_offsets[width_bucket(in_moment, in_changes) + 1])
)::date;
