-- Makes one index of a loaded table before the table is attached, so that several sessions can make indexes at once.
-- An index that is there already is left as it is.
create or replace function make_index(in_projection text, in_build integer, in_table text, in_index text)
returns void
language plpgsql
security definer
set search_path = pg_catalog, public, pg_temp
set lock_timeout = '30s'
as $$
declare
  definition text;
begin
  select pg_get_indexdef(i.indexrelid) into definition
  from projection p
  join projection_build b on b.projection = p.projection
  join pg_index i on i.indrelid = to_regclass('public.' || quote_ident(in_table))
  join pg_class c on c.oid = i.indexrelid
  where p.projection = in_projection and b.build = in_build and in_table = any (p.tables) and c.relname = in_index;
  if definition is null then
    raise exception '% is no index of build % of %', in_index, in_build, in_projection;
  end if;
  execute replace(
    definition,
    format(' INDEX %I ON ONLY public.%I ', in_index, in_table),
    format(' INDEX IF NOT EXISTS %I ON public.%I ', in_index || '_' || in_build, in_table || '_' || in_build)
  );
end
$$;

revoke all on function make_index(text, integer, text, text) from public;
grant execute on function make_index(text, integer, text, text) to rosterlog_worker;
