-- A list for race day, by bib: who starts where, with the answers to the questions that are asked for, one column each.
-- A question's column has its newest words as its name, as in exports; several answers to it stand in one cell, as they
-- came. A question that nobody was asked has null words in the list, and no column.
--
-- event text: only this event, by its id
-- sub_event text: only this race or category, by its id
-- status text: only participants of this status
-- questions texts: answers to these questions, by their wording or their ids
with people as (
  select p.participant_id, p.bib, p.last_name, p.first_name, p.sub_event_id, p.sub_event_name, p.status
  from reporting.participants p
  where p.source = :source
    and (cast(:event as text) is null or p.event_id = :event)
    and (cast(:sub_event as text) is null or p.sub_event_id = :sub_event)
    and (cast(:status as text) is null or p.status = :status)
),
given as (
  select
    coalesce(a.question_id, a.question) as key, a.question_id is null as is_words, a.question, a.answer,
    a.participant_id, a.position, a.place
  from reporting.participant_answers a
  where a.source = :source and cardinality(cast(:questions as text[])) > 0
),
named as (
  select
    g.key, g.is_words, (array_agg(g.question order by g.position desc, g.participant_id))[1] as question,
    array_agg(distinct w.word) as words, min(array_position(cast(:questions as text[]), w.word)) as place
  from given g
  cross join lateral (values (g.key), (g.question)) w (word)
  group by g.key, g.is_words
  having bool_or(w.word = any (cast(:questions as text[])))
),
listed as (
  select n.key, n.is_words, n.question, case when not n.is_words then n.key end as question_id, n.place
  from named n
  union all
  select null, null, null, u.word, null
  from (select unnest(cast(:questions as text[]))) as u (word)
  where not exists (select from named n where u.word = any (n.words))
),
answered as (
  select g.participant_id, g.key, g.is_words, string_agg(g.answer, '; ' order by g.place) as answer
  from given g
  group by g.participant_id, g.key, g.is_words
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
  left join answered a on a.participant_id = p.participant_id and a.key = l.key and a.is_words = l.is_words
  group by p.participant_id
)
select
  p.bib, p.last_name, p.first_name, coalesce(p.sub_event_name, p.sub_event_id) as sub_event, p.status, f.columns
from people p
left join filled f on f.participant_id = p.participant_id
order by cast(substring(p.bib from '[0-9]+') as numeric) nulls last, p.bib, p.last_name, p.first_name, p.participant_id
