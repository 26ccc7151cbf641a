-- The answers that every reader may see: those to questions that people answer by choosing, not by writing, which means
-- that nine of ten answers to the question were each given by ten people or more. Answers of fewer people are left out,
-- long answers too, and any that could be an e-mail address or a phone number. `question`: its id, else its words.
-- Of one source; of all if it is null.
create or replace function answers_of_many(in_source text)
returns table (source text, question text, answer text)
language sql
stable
parallel safe
as $$
  with given as (
    select distinct
      a.source, coalesce(a.question_id, a.question) as question, a.answer,
      coalesce(p.athlete_id, p.participant_id) as person
    from participant_answers a
    join participants p on p.source = a.source and p.participant_id = a.participant_id
    where a.answer is not null and (in_source is null or a.source = in_source)
  ),
  counted as (
    select g.source, g.question, g.answer, count(*) as people
    from given g
    group by g.source, g.question, g.answer
  ),
  measured as (
    select
      c.source, c.question, c.answer, c.people,
      sum(c.people) filter (where c.people >= 10) over of_question as by_many,
      sum(c.people) over of_question as by_all
    from counted c
    window of_question as (partition by c.source, c.question)
  )
  select m.source, m.question, m.answer
  from measured m
  where m.people >= 10
    and m.by_many >= 0.9 * m.by_all
    and length(m.answer) <= 100
    and m.answer !~ '@|([0-9][^0-9]{0,2}){6}'
$$;

revoke all on function answers_of_many(text) from public;
grant execute on function answers_of_many(text) to rosterlog_api;
