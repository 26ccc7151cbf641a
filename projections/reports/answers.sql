-- How often each answer to a question was given, such as shirt sizes, and its share of the answers to that question.
--
-- question text: only this question, by its wording or its id
-- event text: only participants of this event, by its id
-- most integer: only questions with at most this many different answers (50); free text has more
with given as (
  select a.question, a.answer, count(*) as participants
  from reporting.participant_answers a
  where a.source = :source
    and (cast(:question as text) is null or a.question = :question or a.question_id = :question)
    and (
      cast(:event as text) is null
      or a.participant_id in (
        select p.participant_id from reporting.participants p where p.source = :source and p.event_id = :event
      )
    )
  group by a.question, a.answer
),
measured as (
  select
    g.question, g.answer, g.participants,
    count(*) over (partition by g.question) as answers,
    sum(g.participants) over (partition by g.question) as answered
  from given g
  where g.answer is not null
)
select m.question, m.answer, m.participants, round(100.0 * m.participants / m.answered, 1) as percent
from measured m
where m.answers <= coalesce(cast(:most as integer), 50)
order by m.question, m.participants desc, m.answer
