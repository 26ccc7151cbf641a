-- Puts one loaded table of a build in its place, and makes the indexes that its like have.
-- Nobody has to wait: readers and writers of the other builds may go on.
create function attach_build(in_projection text, in_build integer, in_table text)
returns void
language plpgsql
security definer
set search_path = pg_catalog, public, pg_temp
set lock_timeout = '30s'
as $$
declare
  made text := in_table || '_' || in_build;
begin
  if not exists (
    select from projection p
    join projection_build b on b.projection = p.projection
    where p.projection = in_projection and b.build = in_build and in_table = any (p.tables)
  ) then
    raise exception '% is no table of build % of %', in_table, in_build, in_projection;
  end if;
  execute format('alter table public.%I attach partition public.%I for values in (%s)', in_table, made, in_build);
  execute format('alter table public.%I drop constraint %I', made, made || '_check');
end
$$
