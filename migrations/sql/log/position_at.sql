-- The last position of a source that was received at or before a time; 0 if there is none. Along the log received_at
-- never decreases, so a binary search finds the position without an index on time.
create or replace function position_at(in_source text, in_moment timestamptz)
returns bigint
language plpgsql
stable
set search_path = pg_catalog, public, pg_temp
as $$
declare
  low bigint := 0;
  high bigint := (select e.position from event_log e where e.source = in_source order by e.position desc limit 1);
  middle bigint;
begin
  while low < coalesce(high, 0) loop
    middle := (low + high + 1) / 2;
    if (select e.received_at from event_log e where e.source = in_source and e.position = middle) <= in_moment then
      low := middle;
    else
      high := middle - 1;
    end if;
  end loop;
  return low;
end
$$;
