-- What a question is known by ("i" and its id; without an id "w" and its words, or "h" and the SHA-256 of many words), and
-- the event that the participant is in: so the questions of an event are found without reading its answers.
alter table participant_answers_build
  add column question_key text collate "C",
  add column event_id text collate "C";
update participant_answers_build a
set
  question_key = case
    when a.question_id is not null then 'i' || a.question_id
    when length(a.question) <= 200 then 'w' || a.question
    else 'h' || encode(sha256(convert_to(a.question, 'UTF8')), 'hex')
  end,
  event_id = p.event_id
from participants_build p
where p.source = a.source and p.participant_id = a.participant_id and p.build = a.build;
-- Every row was just written by this transaction, which therefore holds back the table's writers already.
-- squawk-ignore adding-not-nullable-field
alter table participant_answers_build alter column question_key set not null;
-- A partitioned index cannot be dropped concurrently.
-- squawk-ignore require-concurrent-index-deletion
drop index participant_answers_build_question;
create index participant_answers_build_answer
on participant_answers_build (source, question_key, ("left"(answer, 100)), participant_id);
create index participant_answers_build_question
on participant_answers_build (source, (coalesce(event_id, '')), question_key, position desc, place);

-- The answers of a superseded state, as one list.
alter table participant_history_build add column answers jsonb;

-- Few participants have these values until the day of the race: an index of those that there are costs little.
create index participants_build_checked_in on participants_build (source, checked_in_at, participant_id)
where checked_in_at is not null;
create index participants_build_age on participants_build (source, age, participant_id) where age is not null;
