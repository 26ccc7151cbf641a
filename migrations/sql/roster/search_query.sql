-- What finds those who have a word for each of these words that begins with it, in any order. Null if there is no word.
create or replace function search_query(in_text text)
returns tsquery
language sql
immutable
parallel safe
return (
  select string_agg('''' || replace(replace(word, '\', '\\'), '''', '''''') || ''':*', ' & ')::tsquery
  from unnest(words(in_text)) as word
);
