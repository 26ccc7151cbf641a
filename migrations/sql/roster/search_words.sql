-- The words by which a participant is found. Not those of the e-mail address, which is nobody else's: so many different
-- words would make the index of them four times as slow to write, and the address has an index of its own.
create or replace function search_words(in_first_name text, in_last_name text, in_bib text, in_team text)
returns tsvector
language sql
immutable
parallel safe
return array_to_tsvector(words(
  coalesce(left(in_first_name, 100), '') || ' ' || coalesce(left(in_last_name, 100), '') || ' '
  || coalesce(left(in_bib, 100), '') || ' ' || coalesce(left(in_team, 100), '')
));
