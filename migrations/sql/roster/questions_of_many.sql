-- The words and the ids of questions that every reader may see: those that ten people or more have. Whoever writes the
-- form writes them for all; what one participant alone has under a question may be that participant's own words.
-- Of one source; of all if it is null.
create or replace function questions_of_many(in_source text)
returns table (source text, question_id text, question text)
language sql
stable
parallel safe
as $$
  with asked as (
    select distinct a.source, a.question_id, a.question, coalesce(p.athlete_id, p.participant_id) as person
    from participant_answers a
    join participants p on p.source = a.source and p.participant_id = a.participant_id
    where in_source is null or a.source = in_source
  )
  select q.source, q.question_id, q.question
  from asked q
  group by grouping sets ((q.source, q.question_id), (q.source, q.question))
  having count(distinct q.person) >= 10
$$;

revoke all on function questions_of_many(text) from public;
grant execute on function questions_of_many(text) to rosterlog_api;
