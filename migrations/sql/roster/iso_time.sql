-- A time as every answer and export spells it: in UTC, such as 2026-05-01T09:30:00Z; with its microseconds, in six digits,
-- where they are not zero.
create or replace function iso_time(in_moment timestamptz)
returns text
language sql
stable strict parallel safe
return replace(to_char(in_moment at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), '.000000Z', 'Z');
