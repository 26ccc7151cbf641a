-- A list for race day, by bib: who starts where, with the answers to the questions that are asked for, one column each.
-- A question's column has its newest words as its name, as in exports; several answers to it stand in one cell, as they
-- came. A question that nobody was asked has null words in the list, and no column.
--
-- event text: only this event, by its id
-- sub_event text: only this race or category, by its id
-- status text: only participants of this status
-- questions texts: answers to these questions, each by its id; if there is none, by newest words; if none, by words it had
with people as (
  select p.participant_id, p.bib, p.last_name, p.first_name, p.sub_event_id, p.sub_event_name, p.status
  from reporting.participants p
  where p.source = :source
    and (cast(:event as text) is null or p.event_id = :event)
    and (cast(:sub_event as text) is null or p.sub_event_id = :sub_event)
    and (cast(:status as text) is null or p.status = :status)
),
listed as (
  select
    m.key, m.question, coalesce(m.question_id, case when m.key is null then m.name end) as question_id,
    min(m.place) as place
  from reporting.questions_meant(:source, :event, coalesce(cast(:questions as text[]), '{}')) m
  group by 1, 2, 3
),
answered as (
  select
    a.participant_id, coalesce('i' || a.question_id, 'w' || a.question) as key,
    string_agg(a.answer, '; ' order by a.place) as answer
  from reporting.participant_answers a
  where a.source = :source and cardinality(cast(:questions as text[])) > 0
  group by 1, 2
),
filled as (
  select
    p.participant_id,
    json_agg(
      json_build_object('question', l.question, 'question_id', l.question_id, 'answer', a.answer)
      order by l.place, l.question, l.question_id nulls first
    ) as columns
  from people p
  cross join listed l
  left join answered a on a.participant_id = p.participant_id and a.key = l.key
  group by p.participant_id
)
select
  p.bib, p.last_name, p.first_name, coalesce(p.sub_event_name, p.sub_event_id) as sub_event, p.status, f.columns
from people p
left join filled f on f.participant_id = p.participant_id
order by cast(substring(p.bib from '[0-9]+') as numeric) nulls last, p.bib, p.last_name, p.first_name, p.participant_id
