-- The first moment of a day in a zone, by the zone's changes and offsets as `event_calendar` has them; of the next day, if a
-- change of the zone left this one out.
create or replace function day_begins(in_day date, in_changes timestamptz[], in_offsets integer[])
returns timestamptz
language sql
immutable
parallel safe
return (
  select min(begin.at)
  from generate_series(1, cardinality(in_offsets)) as part (number)
  cross join lateral (
    select greatest(
      in_changes[part.number - 1],
      (in_day::timestamp - make_interval(secs => in_offsets[part.number])) at time zone 'UTC'
    )
  ) as begin (at)
  where in_changes[part.number] is null or begin.at < in_changes[part.number]
);
