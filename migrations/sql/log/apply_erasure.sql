-- Carries out a recorded erasure, in the caller's transaction: empties the bodies of the events that the erasure names,
-- and removes its participant from every projection. Gives the positions emptied now: none when it is called again.
create or replace function apply_erasure(in_source text, in_erasure uuid)
returns bigint[]
language plpgsql
security definer
set search_path = pg_catalog, public, pg_temp
set lock_timeout = '15s'
as $$
declare
  erasure erasures%rowtype;
  found_at bigint[];
  emptied bigint[];
  projected text;
  is_being_built boolean;
begin
  -- A command that is stopped while it keeps workers waiting is ended.
  perform set_config('idle_in_transaction_session_timeout', '10s', true);
  -- Whoever has read a body of this source must commit before the rows are removed, and nobody may begin a batch of it
  -- meanwhile. What is of other sources goes on. In the order in which everybody locks: no swap is under way; no first
  -- build is being made, and of no build are the rows being counted; then the source in every build.
  lock table checkpoint in row exclusive mode;
  perform 1 from projection p order by p.projection for share;
  perform 1 from projection_build b order by b.projection, b.build for key share;
  -- A row that another transaction has just inserted is waited for; one that is there is locked.
  insert into checkpoint (source, projection, build, position)
  select in_source, b.projection, b.build, 0 from projection_build b order by b.projection, b.build
  on conflict on constraint checkpoint_pkey do nothing;
  perform 1 from checkpoint c where c.source = in_source order by c.projection, c.build for update;
  insert into published_source (source) values (in_source) on conflict on constraint published_source_pkey do nothing;
  perform 1 from published_source s where s.source = in_source for update;

  select * into strict erasure from erasures r where r.source = in_source and r.erasure_id = in_erasure;

  select
    array_agg(e.position order by e.position),
    array_agg(e.position order by e.position) filter (where e.body is not null)
  into found_at, emptied
  from event_log e
  where e.source = in_source and e.digest = any (erasure.digests) and (
    e.subject = erasure.subject or (e.subject is null and starts_with(e.event_type, 'event.participant.'))
  );

  if emptied is not null then
    update event_log e set body = null where e.source = in_source and e.position = any (emptied);
  end if;
  -- In a database restored from a backup an event may have another position than when it was erased, or be missing.
  update erasures r set positions = coalesce(found_at, '{}') where r.source = in_source and r.erasure_id = in_erasure;

  -- Followers of the roster must learn that the participant is gone.
  if exists (select from participants p where p.source = in_source and p.participant_id = erasure.subject) then
    perform note_roster_change(in_source, erasure.subject);
  end if;

  for projected, is_being_built in
    select quote_ident(n.nspname) || '.' || quote_ident(c.relname), exists (
      select from projection_build b
      join projection p on p.projection = b.projection
      cross join unnest(p.tables) as t (name)
      where c.relname = t.name || '_' || b.build
    )
    from kept_by_participant() as kept
    join pg_class c on c.oid = kept
    join pg_namespace n on n.oid = c.relnamespace
  loop
    begin
      -- While a rebuild makes the indexes of a table, a delete would wait for it, and all else for the lock above. The
      -- rebuild refolds the participants erased meanwhile before readers see that table, or drops the table.
      if is_being_built then
        execute format('lock table %s in row exclusive mode nowait', projected);
      end if;
      execute format('delete from %s where source = $1 and participant_id = $2', projected)
      using in_source, erasure.subject;
    exception when lock_not_available or undefined_table then
      if not is_being_built then
        raise;
      end if;
    end;
  end loop;
  return coalesce(emptied, '{}');
end
$$;

revoke all on function apply_erasure(text, uuid) from public;
grant execute on function apply_erasure(text, uuid) to rosterlog_operator;
