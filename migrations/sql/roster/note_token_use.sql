-- Records that a token is in use, at most once per minute.
create or replace function note_token_use(in_digest bytea)
returns void
language sql
security definer
set search_path = pg_catalog, public, pg_temp
as $$
  update api_token t set last_used_at = now()
  where t.digest = in_digest and (t.last_used_at is null or t.last_used_at < now() - interval '1 minute')
$$;

revoke all on function note_token_use(bytea) from public;
grant execute on function note_token_use(bytea) to rosterlog_api;
