-- The tables that have rows per participant: every table with these two columns that the owner of the log owns.
-- Tables of other owners are left out, so that no trigger on them ever runs with the owner's rights.
create or replace function kept_by_participant()
returns setof regclass
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select c.oid::regclass
  from pg_class c
  where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
    and c.relowner = (select log.relowner from pg_class log where log.oid = 'public.event_log'::regclass)
    and 2 = (
      select count(*) from pg_attribute a
      where a.attrelid = c.oid and not a.attisdropped and a.atttypid = 'text'::regtype
        and a.attname in ('source', 'participant_id')
    )
$$;
