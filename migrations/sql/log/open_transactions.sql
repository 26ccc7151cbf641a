-- The transactions of this database that are open or prepared, but for the caller's own: whose, and since when. Those of
-- other logins are seen by a superuser or a role with pg_read_all_stats.
create or replace function open_transactions()
returns table (who text, began timestamptz)
language sql
stable
set search_path = pg_catalog, public, pg_temp
as $$
  select 'pid ' || a.pid || ' (' || coalesce(nullif(a.application_name, ''), a.usename, '?') || ')', a.xact_start
  from pg_stat_activity a
  where a.datname = current_database() and a.pid <> pg_backend_pid() and a.backend_type = 'client backend'
    and a.xact_start is not null
  union all
  select 'prepared ' || p.gid, p.prepared
  from pg_prepared_xacts p
  where p.database = current_database()
$$;
