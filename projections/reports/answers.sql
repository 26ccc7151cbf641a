-- How many participants gave each answer to a question, such as shirt sizes, and how many gave none.
-- The share is of those who answered; the line without an answer has those who did not.
--
-- A question is one by its id, under its newest words; without an id by its words. A participant who chose several
-- answers counts once for each of them, so the shares of such a question add up to more than 100. Did not answer: who is
-- in an event in which the question was asked; and without the right to see personal data, whose answer is not shown. A question
-- of fewer than ten people is left out without that right.
--
-- question text: only the question of this id; if there is none, of these newest words; if none, of words it ever had
-- event text: only participants of this event, by its id
-- most integer: only questions with at most this many different answers (50); free text has more
with people as (
  select p.participant_id, coalesce(p.event_id, '') as event_id
  from reporting.participants p
  where p.source = :source and (cast(:event as text) is null or p.event_id = :event)
),
given as (
  select
    coalesce('i' || a.question_id, 'w' || a.question) as key, a.answer, a.participant_id, p.event_id
  from reporting.participant_answers a
  join people p on p.participant_id = a.participant_id
  where a.source = :source
),
named as (
  select
    m.key, m.question, m.question_id, count(distinct g.answer) as answers,
    count(distinct g.participant_id) filter (where g.answer is not null) as answered
  from reporting.questions_meant(:source, :event, nullif(array[cast(:question as text)], '{null}')) m
  join given g on g.key = m.key
  group by m.key, m.question, m.question_id
),
asked as (
  select i.key, sum(n.participants)::bigint as participants
  from (select distinct g.key, g.event_id from given g) i
  join (select p.event_id, count(*) as participants from people p group by p.event_id) n on n.event_id = i.event_id
  group by i.key
),
counted as (
  select g.key, g.answer, count(distinct g.participant_id) as participants
  from given g
  where g.answer is not null
  group by g.key, g.answer
  union all
  select n.key, null, a.participants - n.answered
  from named n
  join asked a on a.key = n.key
  where a.participants > n.answered
)
select
  n.question, n.question_id, c.answer, c.participants,
  case when c.answer is not null then round(100.0 * c.participants / n.answered, 1) end as percent
from counted c
join named n on n.key = c.key
where n.answers <= coalesce(cast(:most as integer), 50)
order by n.question, n.question_id, c.answer is null, c.participants desc, c.answer
