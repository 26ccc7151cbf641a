-- A mark of the rows of beside_rows(): two databases with the same mark have the same rows. When a token was used last is
-- left out; of redeliveries, which can be as many as events, the numbers are added up, which each of them makes larger.
create or replace function beside_mark(
  in_source text, in_table text, in_after bigint default 0, in_last bigint default 9223372036854775807
)
returns text
language plpgsql
stable
security definer
set search_path = pg_catalog, public, pg_temp
as $$
begin
  if in_table = 'event_redelivery' then
    return (
      select concat_ws(' ', count(*), coalesce(sum(r.redeliveries), 0))
      from event_redelivery r
      where r.source = in_source and r.position > in_after and r.position <= in_last
    );
  end if;
  return (
    select concat_ws(
      ' ', count(*),
      coalesce(sum(('x' || left(md5((b - 'last_used_at')::text), 16))::bit(64)::bigint::numeric), 0)
    )
    from beside_rows(in_source, in_table) as b
  );
end
$$;

revoke all on function beside_mark(text, text, bigint, bigint) from public;
grant execute on function beside_mark(text, text, bigint, bigint) to rosterlog_operator;
