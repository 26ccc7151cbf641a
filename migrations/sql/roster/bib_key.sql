-- The sort key of a bib: shorter bibs come first, so that 9 comes before 10 and A9 before A10.
create or replace function bib_key(in_bib text)
returns text
language sql
immutable
parallel safe
return lpad(left(in_bib, 20), 20, '0');
