-- Carries out an erasure that is written down already, in the caller's transaction: empties the bodies of the events it
-- names, and removes its participant from every projection. Gives the positions emptied; a second time there are none.
create function apply_erasure(in_source text, in_erasure uuid)
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
  projected regclass;
begin
  -- A worker that has read a body must have committed before its rows are removed, and none may begin meanwhile.
  lock table checkpoint in exclusive mode;

  select * into strict erasure from erasures r where r.source = in_source and r.erasure_id = in_erasure;

  select
    array_agg(e.position order by e.position),
    array_agg(e.position order by e.position) filter (where e.body is not null)
  into found_at, emptied
  from event_log e
  where e.source = in_source and e.subject = erasure.subject and e.digest = any (erasure.digests);

  if emptied is not null then
    update event_log e set body = null where e.source = in_source and e.position = any (emptied);
  end if;
  -- In a database restored from a backup an event may stand at another position than when it was erased, or nowhere.
  update erasures r set positions = coalesce(found_at, '{}') where r.source = in_source and r.erasure_id = in_erasure;

  for projected in select kept_by_participant() loop
    execute format('delete from %s where source = $1 and participant_id = $2', projected)
    using in_source, erasure.subject;
  end loop;
  return coalesce(emptied, '{}');
end
$$
