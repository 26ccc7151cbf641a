-- The key of a text, by which the roster is searched, sorted and compared: without case, accents, width and invisible
-- letters. The same as `text_key` of projections/participants/keys.py, on every server.
create or replace function reporting.text_key(in_text text)
returns text
language sql
stable
parallel safe
return case
  when octet_length(in_text) = length(in_text) and in_text !~ '[\x01-\x1f`]|^ |  | $'
    then left(lower(in_text collate "C"), 100)
  else public.text_key_by_letter(in_text)
end;

comment on function reporting.text_key(text) is
  'The form of a text in which the roster compares it: without case, accents, width and invisible letters.';
