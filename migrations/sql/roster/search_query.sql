-- The query that finds the participants who have, for each of these words, a word that begins with it, in any order.
-- Null if the text has no word.
create or replace function search_query(in_text text)
returns tsquery
language sql
immutable
parallel safe
return (
  select string_agg('''' || replace(replace(word, '\', '\\'), '''', '''''') || ''':*', ' & ')::tsquery
  from unnest(words(in_text)) as word
);
