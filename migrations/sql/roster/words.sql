-- The words of a text for searching, split at blanks, hyphens, quotes and the like.
create or replace function words(in_text text)
returns text[]
language sql
immutable
parallel safe
return array_remove(
  string_to_array(
    regexp_replace(left(unaccented(in_text), 500), '[-/,;:()\[\]&"''\u2019\u2010-\u2013\u00a0\t\n\r\f\v]', ' ', 'g'),
    ' '
  ),
  ''
);
