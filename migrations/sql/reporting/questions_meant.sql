-- Which questions a name means, the same as in the API: that of this id; if there is none, those whose newest words these
-- are; if there is none either, those that anybody was asked in these words. A row per name and question, `place` that of
-- the name; without a question if nobody was asked such a one; without names each question of a source, or of an event.
create or replace function reporting.questions_meant(in_source text, in_event text, in_names text[])
returns table (name text, place bigint, key text, question_id text, question text)
language sql
stable
parallel safe
as $$
  with asked as (
    select a.question_id, a.question, a.position, a.place
    from reporting.participant_answers a
    where a.source = in_source
      and (in_event is null or a.participant_id in (
        select p.participant_id from reporting.participants p where p.source = in_source and p.event_id = in_event
      ))
  ),
  called as (
    select
      coalesce('i' || a.question_id, 'w' || a.question) as key, a.question_id, array_agg(distinct a.question) as words,
      coalesce(
        (
          array_agg(a.question order by a.position desc, a.place)
          filter (where a.question is not null and a.question is distinct from a.question_id)
        )[1],
        a.question_id
      ) as question
    from asked a
    where coalesce(a.question_id, a.question) is not null
    group by 1, 2
  ),
  ways as (
    select
      n.name, n.place, c.key, c.question_id, c.question,
      dense_rank() over (partition by n.place order by c.question_id is distinct from n.name, c.question <> n.name) as way
    from unnest(in_names) with ordinality as n (name, place)
    left join called c on n.name in (c.question_id, c.question) or n.name = any (c.words)
  )
  select w.name, w.place, w.key, w.question_id, w.question from ways w where w.way = 1
  union all
  select null, null, c.key, c.question_id, c.question from called c where in_names is null
$$;

comment on function reporting.questions_meant(text, text, text[]) is
  'The questions of a source, or of one of its events, that are meant by ids, else by their newest words, else by words they had.';
