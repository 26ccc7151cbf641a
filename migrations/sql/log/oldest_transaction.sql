-- When the oldest transaction of this database that is open or prepared began; null if there is none. A service's role
-- may not see that. The owner of this function sees the sessions of its own login, and those of every login if it is a
-- superuser or has the role pg_read_all_stats.
create or replace function oldest_transaction()
returns timestamptz
language sql
security definer
set search_path = pg_catalog, public, pg_temp
as $$
  select min(began)
  from (
    select a.xact_start
    from pg_stat_activity a
    where a.datname = current_database() and a.pid <> pg_backend_pid() and a.backend_type = 'client backend'
    union all
    select p.prepared
    from pg_prepared_xacts p
    where p.database = current_database()
  ) as transactions (began)
$$;

revoke all on function oldest_transaction() from public;
grant execute on function oldest_transaction() to rosterlog_api, rosterlog_operator, rosterlog_worker;
