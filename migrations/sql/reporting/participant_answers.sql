-- Answers to questions, one row per participant, question and value: check boxes give several. Answers that people wrote are null without the right to
-- see personal data; answers that many people chose are shown to every reader.
create or replace view reporting.participant_answers as
select
  a.source, a.participant_id, a.place, a.question_id, a.question,
  case
    when (select reporting.sees_personal_data()) then a.answer
    when (a.source, a.question, a.answer) in (
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
comment on column reporting.participant_answers.question_id is 'The question in Movemint, where the answer names it.';
comment on column reporting.participant_answers.question
  is 'The wording of the question; its key or its id if there is no wording.';
comment on column reporting.participant_answers.answer
  is 'The answer, or one of several that were chosen; null if the question was not answered. Without rosterlog_reporting_pii null unless many people chose it; see docs/reporting.md.';
comment on column reporting.participant_answers.position is 'Log position of the delivery that the answer comes from.';
