-- The sort key of a text: without case and accents, and cut so that a text of any length fits into an index.
create or replace function sort_key(in_text text)
returns text
language sql
immutable
parallel safe
return left(unaccented(left(in_text, 100)), 100);
