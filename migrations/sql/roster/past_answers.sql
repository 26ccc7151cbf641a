-- Answers to questions in superseded states, one row per state, question and value, as `participant_answers` has them of
-- the newest states.
create or replace view past_answers as
select
  p.source, p.participant_id, a.place::integer as place, a.answer ->> 'question_id' as question_id,
  a.answer ->> 'question' as question, a.answer ->> 'answer' as answer, p.position,
  a.answer ->> 'question_key' as question_key, p.event_id, p.until_position
from participant_history_build p
cross join jsonb_array_elements(p.answers) with ordinality as a (answer, place)
where p.build = (select r.live from projection r where r.projection = 'participants');

grant select on past_answers to rosterlog_api;
