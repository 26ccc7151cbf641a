-- When the oldest of open_transactions() began; null if there is none. A service's role may not see that. The owner of
-- this function sees the sessions of its own login, and those of every login if it is a superuser or has the role
-- pg_read_all_stats.
create or replace function oldest_transaction()
returns timestamptz
language sql
security definer
set search_path = pg_catalog, public, pg_temp
as $$
  select min(t.began) from open_transactions() t
$$;

revoke all on function oldest_transaction() from public;
grant execute on function oldest_transaction() to rosterlog_api, rosterlog_operator, rosterlog_worker;
