-- Refuses to erase, or to lift an erasure, where a source has moved away from or is still being copied to: the other
-- place would not know of it. What was done there before is taken over here, too: a copy that is left behind must not
-- outlast an erasure. The functions that copy write as the owner of the table.
create or replace function refuse_erasure_elsewhere()
returns trigger
language plpgsql
set search_path = pg_catalog, public, pg_temp
as $$
begin
  if current_user = (select pg_get_userbyid(c.relowner) from pg_class c where c.oid = tg_relid) then
    return new;
  end if;
  if (case tg_op when 'INSERT' then new.erased_at else new.lifted_at end) < now()
    and exists (select from source s where s.source = new.source and s.state = 'moved')
  then
    return new;
  end if;
  perform refuse_elsewhere(new.source);
  return new;
end
$$;
