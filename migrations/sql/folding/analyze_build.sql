-- Makes the planner's statistics of one table of a build, which only the table's owner may do.
create or replace function analyze_build(in_projection text, in_build integer, in_table text)
returns void
language plpgsql
security definer
set search_path = pg_catalog, public, pg_temp
as $$
begin
  if not exists (select from projection p where p.projection = in_projection and in_table = any (p.tables)) then
    raise exception '% is no table of %', in_table, in_projection;
  end if;
  execute format('analyze public.%I', in_table || '_' || in_build);
end
$$;

revoke all on function analyze_build(text, integer, text) from public;
grant execute on function analyze_build(text, integer, text) to rosterlog_worker;
