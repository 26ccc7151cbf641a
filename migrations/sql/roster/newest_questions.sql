-- The questions of each event, each with the words of the newest participant who was asked it in words; where nobody was,
-- with its id, as the newest participant has it. One look-up in an index per event and question, however many the answers
-- are. Of these events, or of all, those of participants in no event too.
create or replace function newest_questions(in_source text, in_event_ids text[])
returns table (
  event_id text, question_key text, question_id text, question text, "position" bigint, participant_id text
)
language sql
stable
parallel safe
as $$
  with recursive of_all as (
    (
      select a.event_id, a.question_key, a.question_id, a.question, a.position, a.participant_id
      from participant_answers a
      where a.source = in_source and in_event_ids is null
      order by coalesce(a.event_id, ''), a.question_key, (a.question is not distinct from a.question_id), a.position desc, a.place
      limit 1
    )
    union all
    select following.*
    from of_all o
    cross join lateral (
      select a.event_id, a.question_key, a.question_id, a.question, a.position, a.participant_id
      from participant_answers a
      where a.source = in_source and (coalesce(a.event_id, ''), a.question_key) > (coalesce(o.event_id, ''), o.question_key)
      order by coalesce(a.event_id, ''), a.question_key, (a.question is not distinct from a.question_id), a.position desc, a.place
      limit 1
    ) following
  ),
  of_some as (
    select
      wanted.event_id, '' collate "C" as question_key, null collate "C" as question_id, null::text as question,
      0::bigint as position, null collate "C" as participant_id
    from (select distinct e.event_id collate "C" as event_id from unnest(in_event_ids) as e (event_id)) wanted
    union all
    select following.*
    from of_some o
    cross join lateral (
      select a.event_id, a.question_key, a.question_id, a.question, a.position, a.participant_id
      from participant_answers a
      where a.source = in_source and coalesce(a.event_id, '') = o.event_id and a.question_key > o.question_key
      order by a.question_key, (a.question is not distinct from a.question_id), a.position desc, a.place
      limit 1
    ) following
  )
  select o.event_id, o.question_key, o.question_id, o.question, o.position, o.participant_id from of_all o
  union all
  select o.event_id, o.question_key, o.question_id, o.question, o.position, o.participant_id
  from of_some o
  where o.question is not null
$$;

revoke all on function newest_questions(text, text[]) from public;
grant execute on function newest_questions(text, text[]) to rosterlog_api;
