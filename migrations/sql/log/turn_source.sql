-- Changes where a source's deliveries are taken, in the caller's transaction, if that is right here and now; `is_done`
-- says whether it is so then, and the other columns how the source is in any case. `in_turn`, at the old place (where
-- the source is) or at the new place (which it is copied to):
--   arrive    new: from now on it is copied to here. Its log here is empty, or was left behind by an earlier move.
--   leave     old: from now on its deliveries are refused here. `in_move`: the one that the new place gave.
--   complete  new: from now on they are taken here. The log ends at `in_position` with `in_chain`, as the old one does.
--   decline   new: they are not taken here after all. Nothing was appended here after `in_position`.
--   stay      old: they are taken here again.
-- Each is repeated without harm. An append that is under way comes first, and the next one sees what is done here.
create or replace function turn_source(
  in_source text,
  in_turn text,
  in_place text,
  in_move uuid default null,
  in_position bigint default null,
  in_chain bytea default null
)
returns table (is_done boolean, state text, move_id uuid, other_place text, head bigint, chain bytea)
language plpgsql
security definer
set search_path = pg_catalog, public, pg_temp
set lock_timeout = '15s'
as $$
#variable_conflict use_column
declare
  head_position bigint;
  head_chain bytea;
  appended_at timestamptz;
  noted timestamptz;
  elsewhere text; -- where the source's deliveries are taken; null: here
  known uuid; -- the last move
  becomes text;
begin
  -- A command that is stopped while it keeps deliveries waiting is ended.
  perform set_config('idle_in_transaction_session_timeout', '10s', true);
  -- An erasure that is under way comes first, and the next one sees what is done here.
  lock table erasures in share mode;
  {may_append}
  {lock_and_head}
  select s.move_id into known from source s where s.source = in_source;

  becomes := case in_turn when 'arrive' then 'arriving' when 'leave' then 'moved' when 'decline' then 'moved' end;
  is_done := case in_turn
    when 'arrive' then elsewhere is not null or head_position = 0
    when 'leave' then elsewhere is null or elsewhere = 'moved' and known = in_move
    when 'complete' then known = in_move and (
      elsewhere = 'arriving' and head_position = in_position and head_chain = in_chain or elsewhere is null
    )
    when 'decline' then known = in_move and (elsewhere is not null or head_position = in_position)
    when 'stay' then known = in_move and (elsewhere is null or elsewhere = 'moved')
  end is true;
  if is_done and (elsewhere is distinct from becomes) then
    insert into source as s (source, head, state, move_id, other_place)
    values (in_source, head_position, becomes, coalesce(in_move, gen_random_uuid()), in_place)
    on conflict on constraint source_pkey do update
    set state = excluded.state, move_id = excluded.move_id, other_place = excluded.other_place;
  end if;

  return query
  select is_done, s.state, s.move_id, s.other_place, head_position, head_chain
  from (select) as one
  left join source s on s.source = in_source;
end
$$;

revoke all on function turn_source(text, text, text, uuid, bigint, bytea) from public;
grant execute on function turn_source(text, text, text, uuid, bigint, bytea) to rosterlog_operator;
