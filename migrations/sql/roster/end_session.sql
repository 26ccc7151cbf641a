-- Ends a session, when somebody signs out.
create or replace function end_session(in_digest bytea)
returns void
language sql
security definer
set search_path = pg_catalog, public, pg_temp
as $$
  delete from page_session s where s.digest = in_digest
$$;

revoke all on function end_session(bytea) from public;
grant execute on function end_session(bytea) to rosterlog_api;
