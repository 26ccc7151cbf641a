-- A question keeps the newest words that it has, also where newer rows have only its id, which then stands for the words.
-- The new index is made first: readers go on meanwhile, and wait only for the moment in which the old one goes.
create index participant_answers_build_question_words
on participant_answers_build (
  source, (coalesce(event_id, '')), question_key, (question is not distinct from question_id), position desc, place
);
-- A partitioned index cannot be dropped concurrently.
-- squawk-ignore require-concurrent-index-deletion
drop index participant_answers_build_question;
