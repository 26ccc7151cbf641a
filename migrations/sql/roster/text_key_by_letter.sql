-- The key of any text, letter by letter from the table `letter`. The function `reporting.text_key` is quicker for the
-- usual text, and is for everybody.
create or replace function text_key_by_letter(in_text text)
returns text
language sql
stable
parallel safe
security definer
set search_path = pg_catalog, public, pg_temp
as $$
  -- Each letter is looked up by itself: for a join all of the table would be hashed, for every text.
  select left(btrim(regexp_replace(string_agg(
    coalesce((select l.key from letter l where l.letter = c.letter collate "C"), c.letter), '' order by c.place
  ), ' +', ' ', 'g'), ' '), 100)
  from string_to_table(in_text, null) with ordinality as c (letter, place)
$$;
