-- Answers to questions, one row per participant, question and value: check boxes give several. Without the right to see
-- personal data, an answer is null unless many people chose it, and a question's id or words unless many people have it.
create or replace view reporting.participant_answers as
with many as materialized (
  select q.source, q.question_id, q.question from reporting.questions_of_many() q
)
select
  a.source, a.participant_id, a.place,
  case
    when (select reporting.sees_personal_data()) then a.question_id
    when (a.source, a.question_id) in (select m.source, m.question_id from many m) then a.question_id
  end as question_id,
  case
    when (select reporting.sees_personal_data()) then a.question
    when (a.source, a.question) in (select m.source, m.question from many m) then a.question
  end as question,
  case
    when (select reporting.sees_personal_data()) then a.answer
    when (a.source, coalesce(a.question_id, a.question), a.answer) in (
      select m.source, m.question, m.answer from reporting.answers_of_many() m
    ) then a.answer
  end as answer,
  a.position
from public.participant_answers a;

grant select on reporting.participant_answers to rosterlog_reporting, rosterlog_reporting_pii;
comment on view reporting.participant_answers
  is 'Answers to questions in the newest state of each participant, one row per participant, question and value.';
comment on column reporting.participant_answers.source
  is 'The source of the deliveries; movemint unless you have several.';
comment on column reporting.participant_answers.participant_id is 'The participant who answered.';
comment on column reporting.participant_answers.place
  is 'Place of the row among the participant''s answers, from 1.';
comment on column reporting.participant_answers.question_id
  is 'The question in Movemint, where the answer names it. Without rosterlog_reporting_pii null unless ten people have it.';
comment on column reporting.participant_answers.question
  is 'The wording of the question, else its id. Without rosterlog_reporting_pii null unless ten people have it.';
comment on column reporting.participant_answers.answer
  is 'The answer, or one of several that were chosen; null if the question was not answered. Without rosterlog_reporting_pii null unless many people chose it; see docs/reporting.md.';
comment on column reporting.participant_answers.position is 'Log position of the delivery that the answer comes from.';
