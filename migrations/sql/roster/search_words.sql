-- The words by which a participant is found. The e-mail address is left out: nearly every address is a different word,
-- which would make the index on the words four times as slow to write, and addresses have their own index.
create or replace function search_words(in_first_name text, in_last_name text, in_bib text, in_team text)
returns tsvector
language sql
immutable
parallel safe
return array_to_tsvector(words(
  coalesce(left(in_first_name, 100), '') || ' ' || coalesce(left(in_last_name, 100), '') || ' '
  || coalesce(left(in_bib, 100), '') || ' ' || coalesce(left(in_team, 100), '')
));
