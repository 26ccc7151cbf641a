-- The words and the ids of questions that every reader may see: those that ten people or more have. Whoever writes the
-- form writes them for all; what one participant alone has under a question may be that participant's own words.
create or replace function reporting.questions_of_many()
returns table (source text, question_id text, question text)
language sql
stable
parallel safe
security definer
set search_path = pg_catalog, public, pg_temp
as $$
  with asked as (
    select distinct a.source, a.question_id, a.question, coalesce(p.athlete_id, p.participant_id) as person
    from participant_answers a
    join participants p on p.source = a.source and p.participant_id = a.participant_id
  )
  select q.source, q.question_id, q.question
  from asked q
  group by grouping sets ((q.source, q.question_id), (q.source, q.question))
  having count(distinct q.person) >= 10
$$;

comment on function reporting.questions_of_many()
  is 'Ids and words of questions that ten people or more have, a row each; every reader may see them.';
