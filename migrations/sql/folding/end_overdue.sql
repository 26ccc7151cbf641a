-- Ends the sessions that have locked a checkpoint and have waited for their program for longer than a batch may take, as
-- when that program is stopped in the middle of a COPY, where no time-out of PostgreSQL counts. Gives how many; less than 0
-- if the owner of this function has not the rights to end one, or to see what it waits for.
create or replace function end_overdue()
returns integer
language plpgsql
security definer
set search_path = pg_catalog, public, pg_temp
as $$
declare
  ended integer := 0;
  out_of_reach integer := 0;
  overdue integer;
begin
  select count(distinct l.pid)
  into out_of_reach
  from pg_locks l
  join pg_stat_activity a on a.pid = l.pid
  where l.locktype = 'relation' and l.relation = 'checkpoint'::regclass and l.granted
    and l.database = (select d.oid from pg_database d where d.datname = current_database())
    and l.mode in ('RowExclusiveLock', 'ExclusiveLock')
    and a.state is null and a.query = '<insufficient privilege>';
  for overdue in
    select distinct l.pid
    from pg_locks l
    join pg_stat_activity a on a.pid = l.pid
    where l.locktype = 'relation' and l.relation = 'checkpoint'::regclass and l.granted
      and l.database = (select d.oid from pg_database d where d.datname = current_database())
      and l.mode in ('RowExclusiveLock', 'ExclusiveLock')
      and a.state = 'active' and a.wait_event_type = 'Client'
      and a.query_start < clock_timestamp() - interval '8 seconds'
  loop
    begin
      ended := ended + pg_terminate_backend(overdue)::integer;
    exception when insufficient_privilege then
      out_of_reach := out_of_reach + 1; -- of a login that is not the owner's
    end;
  end loop;
  return case when ended > 0 then ended else -out_of_reach end;
end
$$;

revoke all on function end_overdue() from public;
grant execute on function end_overdue() to rosterlog_worker;
