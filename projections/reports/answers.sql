-- How often each answer to a question was given, such as shirt sizes, and its share of the participants who answered it.
--
-- A question is one by its id, under its newest words; without an id by its words. A participant who chose several
-- answers counts once for each of them, so the shares of such a question add up to more than 100.
--
-- question text: only this question, by its wording or its id
-- event text: only participants of this event, by its id
-- most integer: only questions with at most this many different answers (50); free text has more
with given as (
  select
    coalesce(a.question_id, a.question) as key, a.question_id is null as is_words, a.question, a.answer,
    a.participant_id, a.position
  from reporting.participant_answers a
  where a.source = :source
    and (
      cast(:event as text) is null
      or a.participant_id in (
        select p.participant_id from reporting.participants p where p.source = :source and p.event_id = :event
      )
    )
),
named as (
  select
    g.key, g.is_words, (array_agg(g.question order by g.position desc, g.participant_id))[1] as question,
    count(distinct g.answer) as answers,
    count(distinct g.participant_id) filter (where g.answer is not null) as answered
  from given g
  group by g.key, g.is_words
  having cast(:question as text) is null or g.key = :question or bool_or(g.question = :question)
),
counted as (
  select g.key, g.is_words, g.answer, count(distinct g.participant_id) as participants
  from given g
  where g.answer is not null
  group by g.key, g.is_words, g.answer
)
select
  n.question, case when not n.is_words then n.key end as question_id, c.answer, c.participants,
  round(100.0 * c.participants / n.answered, 1) as percent
from counted c
join named n on n.key = c.key and n.is_words = c.is_words
where n.answers <= coalesce(cast(:most as integer), 50)
order by n.question, n.key, c.participants desc, c.answer
