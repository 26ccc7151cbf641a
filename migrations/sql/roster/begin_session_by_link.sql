-- Begins a session of a link's token, and uses the link up; false if it was used, has expired or never was.
create or replace function begin_session_by_link(in_digest bytea, in_link bytea, in_seconds integer)
returns boolean
language plpgsql
security definer
set search_path = pg_catalog, public, pg_temp
as $$
declare
  of_token bytea;
begin
  delete from sign_in_link l where l.digest = in_link and l.expires_at > now() returning l.token into of_token;
  return of_token is not null and begin_session(in_digest, of_token, in_seconds);
end
$$;

revoke all on function begin_session_by_link(bytea, bytea, integer) from public;
grant execute on function begin_session_by_link(bytea, bytea, integer) to rosterlog_api;
