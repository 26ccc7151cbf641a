-- Begins a session of a token; false if the token is not valid. What has expired is deleted, and of the token's sessions
-- all but the newest fifty.
create or replace function begin_session(in_digest bytea, in_token bytea, in_seconds integer)
returns boolean
language plpgsql
security definer
set search_path = pg_catalog, public, pg_temp
as $$
begin
  delete from page_session s where s.expires_at < now();
  delete from page_session s
  where s.digest in (
    select o.digest from page_session o where o.token = in_token order by o.made_at desc, o.digest offset 49
  );
  delete from sign_in_link l where l.expires_at < now();
  insert into page_session (digest, token, expires_at)
  select in_digest, t.digest, least(now() + make_interval(secs => in_seconds), t.expires_at)
  from api_token t
  where t.digest = in_token and t.revoked_at is null and (t.expires_at is null or t.expires_at > now());
  return found;
end
$$;

revoke all on function begin_session(bytea, bytea, integer) from public;
grant execute on function begin_session(bytea, bytea, integer) to rosterlog_api;
