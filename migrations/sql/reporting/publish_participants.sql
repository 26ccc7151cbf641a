-- Publishes one batch of a source's participants, in the caller's transaction: those that changed since the last batch,
-- or after a rebuild all of them, in the order of their ids. Gives the number of participants compared.
create or replace function publish_participants(in_source text, in_limit integer)
returns integer
language plpgsql
security definer
set search_path = pg_catalog, public, pg_temp
as $$
declare
  state published_source%rowtype;
  live integer;
  reached bigint;
  changed bigint;
  ids text[];
  positions bigint[];
begin
  -- So that no swap happens during this transaction; an erasure of the source waits for the row below.
  lock table checkpoint in row exclusive mode;
  insert into published_source (source) values (in_source) on conflict do nothing;
  select * into state from published_source s where s.source = in_source for update skip locked;
  select c.build, c.position into live, reached
  from checkpoint c
  join projection r on r.projection = c.projection and r.live = c.build
  where c.source = in_source and c.projection = 'participants';
  if state.source is null or live is null then
    return 0;  -- another worker publishes this source, or no build is live
  end if;
  select coalesce(max(n.number), 0) into changed from roster_change n where n.source = in_source;

  if state.build <> live then
    state := (in_source, live, reached, changed, '');
  end if;
  if state.filled_to is not null then
    select coalesce(array_agg(next.participant_id order by next.participant_id), '{}') into ids
    from (
      (
        select p.participant_id from participants p
        where p.source = in_source and p.participant_id > state.filled_to order by p.participant_id limit in_limit
      )
      union
      (
        select p.participant_id from published_participants p
        where p.source = in_source and p.participant_id > state.filled_to order by p.participant_id limit in_limit
      )
      order by participant_id limit in_limit
    ) next;
    state.filled_to := case when cardinality(ids) = in_limit then ids[in_limit] end;
  else
    select
      coalesce(array_agg(next.participant_id), '{}'), coalesce(array_agg(next.position order by next.position), '{}')
    into ids, positions
    from (
      select p.participant_id, p.position from participants p
      where p.source = in_source and p.position > state.position order by p.position limit in_limit
    ) next;
    state.position := case when cardinality(ids) = in_limit then positions[in_limit] else reached end;
    ids := ids || array(
      select distinct n.subject from roster_change n
      where n.source = in_source and n.number > state.change and n.subject is not null
    );
    state.change := changed;
  end if;

  perform publish_these(in_source, ids);
  update published_source s
  set build = state.build, position = state.position, change = state.change, filled_to = state.filled_to
  where s.source = in_source;
  return cardinality(ids);
end
$$;

revoke all on function publish_participants(text, integer) from public;
grant execute on function publish_participants(text, integer) to rosterlog_worker;
