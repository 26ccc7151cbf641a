-- `answers_of_many` of all sources, for every login that reports.
create or replace function reporting.answers_of_many()
returns table (source text, question text, answer text)
language sql
stable
parallel safe
security definer
set search_path = pg_catalog, public, pg_temp
as $$
  select m.source, m.question, m.answer from answers_of_many(null) m
$$;

comment on function reporting.answers_of_many()
  is 'Answers that people chose, not wrote; every reader may see them.';
