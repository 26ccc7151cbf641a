-- Answers to questions in each participant's newest state, one row per participant, question and value.
create or replace view participant_answers as
select
  p.source, p.participant_id, p.place, p.question_id, p.question, p.answer, p.position, p.question_key,
  p.event_id
from participant_answers_build p
where p.build = (select r.live from projection r where r.projection = 'participants');

grant select on participant_answers to rosterlog_worker, rosterlog_api;
