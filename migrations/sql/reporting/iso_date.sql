-- The ISO 8601 date that a text begins with; null if it begins with none, or if there is no such day.
create or replace function reporting.iso_date(in_text text)
returns date
language sql
immutable
parallel safe
return case
  when in_text ~ '^[1-9][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])([^0-9]|$)' then (
    select case when to_char(day, 'YYYY-MM-DD') = left(in_text, 10) then day end
    from (
      select
        make_date(left(in_text, 4)::integer, substr(in_text, 6, 2)::integer, 1)
        + substr(in_text, 9, 2)::integer - 1
    ) as found (day)
  )
end;

comment on function reporting.iso_date(text) is 'The date, such as 2026-05-31, that a text begins with; else null.';
