-- Answers that ten participants or more gave to a question: chosen ones, or none that tells anything about anybody.
create function reporting.answers_of_many()
returns table (source text, question text, answer text)
language sql
stable
parallel safe
security definer
set search_path = pg_catalog, public, pg_temp
as $$
  select a.source, a.question, a.answer
  from participant_answers a
  where a.answer is not null
  group by a.source, a.question, a.answer
  having count(*) >= 10
$$
