-- Whether each part of a word begins a word of a row, or the row has only the beginning of it, since a key of the row ends
-- there: keys have a hundred letters at the most. A part has neither quotes nor backslashes, which divide words.
create or replace function has_words_at_cut(in_words tsvector, in_keys text[], in_parts text[])
returns boolean
language sql
immutable
parallel safe
return (
  select bool_and(
    in_words @@ cast('''' || p.part || ''':*' as tsquery)
    or exists (
      select from generate_series(1, length(p.part)) as l (letters)
      cross join unnest(in_keys) as k (key)
      where length(k.key) = 100
        and left(p.part, l.letters) = any (tsvector_to_array(in_words))
        and left(p.part, l.letters) in (right(k.key, l.letters), right(translate(k.key, '''·', ''), l.letters))
    )
  )
  from unnest(in_parts) as p (part)
);

revoke all on function has_words_at_cut(tsvector, text[], text[]) from public;
grant execute on function has_words_at_cut(tsvector, text[], text[]) to rosterlog_api;
