-- Refuses what is to be written about a source whose deliveries are not taken here, and says where they are.
create or replace function refuse_elsewhere(in_source text)
returns void
language plpgsql
security definer
set search_path = pg_catalog, public, pg_temp
as $$
declare
  told source%rowtype;
begin
  select * into told from source s where s.source = in_source;
  if told.state = 'moved' then
    raise exception '% has moved to %: do it there; here it can only be read', in_source, told.other_place
      using errcode = 'RL001';
  elsif told.state = 'arriving' then
    raise exception '% is being copied to here from %: do it there, until rosterlog source move has ended',
      in_source, told.other_place
      using errcode = 'RL001';
  end if;
end
$$;

revoke all on function refuse_elsewhere(text) from public;
grant execute on function refuse_elsewhere(text) to rosterlog_operator;
