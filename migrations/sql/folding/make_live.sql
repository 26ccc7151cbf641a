-- Lets readers see a build from the commit on; the build that was live becomes the previous one.
create or replace function make_live(in_projection text, in_build integer)
returns void
language plpgsql
set search_path = pg_catalog, public, pg_temp
as $$
begin
  update projection p set live = in_build, previous = p.live where p.projection = in_projection;
end
$$;

revoke all on function make_live(text, integer) from public;
grant execute on function make_live(text, integer) to rosterlog_worker;
