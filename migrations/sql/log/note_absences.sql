-- Notes whom an observation missed, in the caller's transaction, and that it missed once more whom one before did. `ids`:
-- participants who are on the roster and not listed; `bases`: of each the position of the newest event. `in_position`: of
-- the observation's header. `in_event_ids`: the events that it looked at, null for all. `in_counts`: whether the look
-- says that they are not listed; if not, nobody is missed for the first time by it, and nobody is listed either.
create or replace function note_absences(
  in_source text,
  in_position bigint,
  in_taken_at timestamptz,
  in_file_sha256 text,
  in_counts boolean,
  in_event_ids text[],
  ids text[],
  bases bigint[]
)
returns void
language plpgsql
security definer
set search_path = pg_catalog, public, pg_temp
set lock_timeout = '15s'
as $$
begin
  perform set_config('idle_in_transaction_session_timeout', '10s', true);
  -- An erasure that is under way comes first, and the next one removes what is noted here.
  lock table erasures in share mode;

  -- What happened to the participant since, or a look at fewer events than now, makes the earlier absence worthless.
  update first_absence f set confirmed = in_position
  from unnest(ids, bases) as n (id, base)
  where f.source = in_source and f.participant_id = n.id
    and (not in_counts or f.base = n.base and (f.event_ids is null or f.event_ids @> in_event_ids));

  if not in_counts then
    return;
  end if;

  insert into first_absence as f (source, participant_id, position, base, taken_at, file_sha256, event_ids, confirmed)
  select in_source, n.id, in_position, n.base, in_taken_at, in_file_sha256, in_event_ids, in_position
  from unnest(ids, bases) as n (id, base)
  where not exists (
    select from erasures r where r.source = in_source and r.subject = n.id and r.lifted_at is null
  )
  on conflict on constraint first_absence_pkey do update
  set position = excluded.position, base = excluded.base, taken_at = excluded.taken_at,
    file_sha256 = excluded.file_sha256, event_ids = excluded.event_ids, confirmed = excluded.confirmed
  where f.confirmed < excluded.confirmed;
end
$$;

revoke all on function note_absences(text, bigint, timestamptz, text, boolean, text[], text[], bigint[]) from public;
grant execute on function note_absences(text, bigint, timestamptz, text, boolean, text[], text[], bigint[]) to rosterlog_operator;
