-- `questions_of_many` of all sources, for every login that reports.
create or replace function reporting.questions_of_many()
returns table (source text, question_id text, question text)
language sql
stable
parallel safe
security definer
set search_path = pg_catalog, public, pg_temp
as $$
  select m.source, m.question_id, m.question from questions_of_many(null) m
$$;

comment on function reporting.questions_of_many()
  is 'Ids and words of questions that ten people or more have, a row each; every reader may see them.';
