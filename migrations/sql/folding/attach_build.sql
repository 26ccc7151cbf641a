-- Attaches one loaded table of a build as a partition, and makes the indexes that `make_index` has not made.
-- Readers and writers of the other builds do not wait.
create or replace function attach_build(in_projection text, in_build integer, in_table text)
returns void
language plpgsql
security definer
set search_path = pg_catalog, public, pg_temp
set lock_timeout = '30s'
as $$
declare
  made text := in_table || '_' || in_build;
  key record;
begin
  if not exists (
    select from projection p
    join projection_build b on b.projection = p.projection
    where p.projection = in_projection and b.build = in_build and in_table = any (p.tables)
  ) then
    raise exception '% is no table of build % of %', in_table, in_build, in_projection;
  end if;
  -- A key needs its constraint as well as its index.
  for key in
    select conname || '_' || in_build as index, case contype when 'p' then 'primary key' else 'unique' end as kind
    from pg_constraint
    where conrelid = to_regclass('public.' || quote_ident(in_table)) and contype in ('p', 'u')
  loop
    if to_regclass('public.' || quote_ident(key.index)) is not null then
      execute format('alter table public.%I add constraint %I %s using index %I', made, key.index, key.kind, key.index);
    end if;
  end loop;
  execute format('alter table public.%I attach partition public.%I for values in (%s)', in_table, made, in_build);
  execute format('alter table public.%I drop constraint %I', made, made || '_check');
end
$$;

revoke all on function attach_build(text, integer, text) from public;
grant execute on function attach_build(text, integer, text) to rosterlog_worker;
