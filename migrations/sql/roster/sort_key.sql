-- What a text is sorted by: without case and accents, and short enough for an index whatever somebody sent.
create or replace function sort_key(in_text text)
returns text
language sql
immutable
parallel safe
return left(unaccented(left(in_text, 100)), 100);
