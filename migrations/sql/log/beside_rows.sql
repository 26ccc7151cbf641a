-- What stands beside the log of a source in one of the tables that are copied with it: the rows as JSON, of those of
-- redeliveries only the ones of positions after `in_after` and up to `in_last`.
create or replace function beside_rows(
  in_source text, in_table text, in_after bigint default 0, in_last bigint default 9223372036854775807
)
returns setof jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, public, pg_temp
set timezone = 'UTC'
set bytea_output = 'hex'
as $$
begin
  if in_table not in (
    'erasures', 'api_token', 'event_redelivery', 'redelivery_hour', 'reconciliation', 'first_absence', 'dismissed_event',
    'roster_change'
  ) then
    raise exception '% is not copied with a source', in_table
      using errcode = 'invalid_parameter_value';
  end if;
  return query execute format('select to_jsonb(t) from public.%I t where t.source = $1', in_table)
    || case in_table when 'event_redelivery' then ' and t.position > $2 and t.position <= $3' else '' end
  using in_source, in_after, in_last;
end
$$;

revoke all on function beside_rows(text, text, bigint, bigint) from public;
grant execute on function beside_rows(text, text, bigint, bigint) to rosterlog_operator;
