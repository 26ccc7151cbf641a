-- A text without case and accents, for searching: "Łukasz" and "LUKASZ" are the same. ASCII, as most texts are, takes
-- the quick way. Letters that Unicode does not decompose into a letter and an accent are replaced one by one.
create or replace function unaccented(in_text text)
returns text
language sql
immutable
parallel safe
return case
  when octet_length(in_text) = length(in_text) then lower(in_text)
  else replace(replace(replace(replace(
    translate(
      lower(regexp_replace(normalize(in_text, NFKD), '[' || U&'\0300-\036F' || ']+', '', 'g')),
      'øłđðıħŧŋ', 'olddihtn'
    ),
    'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe'), 'þ', 'th')
end;
