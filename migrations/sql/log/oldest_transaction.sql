-- When the oldest open transaction of this database began; null if there is none. A service's role may not see it: the
-- sessions that are looked at are those that the owner of this function may look at, which are those of its login.
create or replace function oldest_transaction()
returns timestamptz
language sql
security definer
set search_path = pg_catalog, public, pg_temp
as $$
  select min(a.xact_start)
  from pg_stat_activity a
  where a.datname = current_database() and a.pid <> pg_backend_pid() and a.backend_type = 'client backend'
$$;

revoke all on function oldest_transaction() from public;
grant execute on function oldest_transaction() to rosterlog_api, rosterlog_operator, rosterlog_worker;
