-- Answers to questions, one row a question. What somebody wrote is for those who may see it; what many chose, for all.
create view reporting.participant_answers as
select
  a.source, a.participant_id, a.place, a.question_id, a.question,
  case
    when (select reporting.sees_personal_data()) then a.answer
    when (a.source, a.question, a.answer) in (
      select m.source, m.question, m.answer from reporting.answers_of_many() m
    ) then a.answer
  end as answer,
  a.position
from public.participant_answers a
