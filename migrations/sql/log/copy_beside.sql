-- Takes over what stands beside the log of a source in another database, in the caller's transaction: rows as that
-- database's beside_rows() gives them, instead of those that are here. Only while the source is copied to here. An
-- erasure is never removed, and is carried out at once if a body that it names is here; a token is not removed either.
create or replace function copy_beside(
  in_source text, in_move uuid, in_table text, in_rows jsonb,
  in_after bigint default 0, in_last bigint default 9223372036854775807
)
returns void
language plpgsql
security definer
set search_path = pg_catalog, public, pg_temp
set timezone = 'UTC'
set lock_timeout = '15s'
as $$
declare
  given jsonb := (
    select coalesce(jsonb_agg(r || jsonb_build_object('source', in_source)), '[]') from jsonb_array_elements(in_rows) as r
  );
  to_apply uuid[]; -- erasures that name a body which is here
begin
  perform set_config('idle_in_transaction_session_timeout', '10s', true);
  perform from source s
  where s.source = in_source and s.state = 'arriving' and s.move_id = in_move
  for share;
  if not found then
    raise exception '% is not copied to here any more: run the command again', in_source
      using errcode = 'RL002';
  end if;

  case in_table
    when 'erasures' then
      select array_agg(e.erasure_id) into to_apply
      from jsonb_populate_recordset(null::erasures, given) as e
      where exists (
        select from event_log l
        where l.source = in_source and l.digest = any (e.digests) and l.body is not null
          and (l.subject = e.subject or l.subject is null)
      );
      if to_apply is not null then
        lock table checkpoint in exclusive mode; -- before the erasures' rows, as every transaction does
      end if;
      insert into erasures as r
      select e.* from jsonb_populate_recordset(null::erasures, given) as e
      on conflict on constraint erasures_pkey do update
      set positions = excluded.positions, lifted_at = excluded.lifted_at, lifted_by = excluded.lifted_by;
      perform apply_erasure(in_source, a.erasure_id) from unnest(to_apply) as a (erasure_id);
    when 'api_token' then
      insert into api_token as t
      select g.* from jsonb_populate_recordset(null::api_token, given) as g
      on conflict on constraint api_token_pkey do update
      set event_ids = excluded.event_ids, expires_at = excluded.expires_at, revoked_at = excluded.revoked_at,
        sees_personal_data = excluded.sees_personal_data,
        last_used_at = greatest(t.last_used_at, excluded.last_used_at);
    when 'event_redelivery' then
      delete from event_redelivery r
      where r.source = in_source and r.position > in_after and r.position <= in_last;
      insert into event_redelivery select r.* from jsonb_populate_recordset(null::event_redelivery, given) as r;
    when 'redelivery_hour' then
      delete from redelivery_hour h where h.source = in_source;
      insert into redelivery_hour select h.* from jsonb_populate_recordset(null::redelivery_hour, given) as h;
    when 'reconciliation' then
      delete from reconciliation r where r.source = in_source;
      insert into reconciliation select r.* from jsonb_populate_recordset(null::reconciliation, given) as r;
    when 'first_absence' then
      delete from first_absence f where f.source = in_source;
      insert into first_absence select f.* from jsonb_populate_recordset(null::first_absence, given) as f;
    when 'dismissed_event' then
      delete from dismissed_event d where d.source = in_source;
      insert into dismissed_event select d.* from jsonb_populate_recordset(null::dismissed_event, given) as d;
    when 'roster_change' then
      -- Whoever numbers a change has a checkpoint locked.
      lock table checkpoint in exclusive mode;
      delete from roster_change c where c.source = in_source;
      insert into roster_change select c.* from jsonb_populate_recordset(null::roster_change, given) as c;
  end case;
end
$$;

revoke all on function copy_beside(text, uuid, text, jsonb, bigint, bigint) from public;
grant execute on function copy_beside(text, uuid, text, jsonb, bigint, bigint) to rosterlog_operator;
