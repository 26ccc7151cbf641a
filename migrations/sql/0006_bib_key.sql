-- What a bib is sorted by: 9 comes before 10, and both before A1.
create function bib_key(in_bib text)
returns text
language sql
immutable
parallel safe
return lpad(left(in_bib, 20), 20, '0')
