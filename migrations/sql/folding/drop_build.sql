-- Drops one table of a build that is not live. If a transaction is reading the table, it gives up at once, since other
-- readers would queue behind the lock that it waits for: call it again.
create or replace function drop_build(in_projection text, in_build integer, in_table text)
returns void
language plpgsql
security definer
set search_path = pg_catalog, public, pg_temp
set lock_timeout = '40ms'
as $$
begin
  if not exists (
    select from projection p
    where p.projection = in_projection and in_table = any (p.tables) and p.live is distinct from in_build
  ) then
    raise exception '% is no table of a build of % that could be dropped', in_table, in_projection;
  end if;
  execute format('drop table if exists public.%I', in_table || '_' || in_build);
end
$$;

revoke all on function drop_build(text, integer, text) from public;
grant execute on function drop_build(text, integer, text) to rosterlog_worker;
