-- Adds to the number of deliveries that were refused, of a source, for a reason, in an hour. The login of the webhook may
-- do nothing else but this and the append. Hours of more than a year ago are forgotten.
create or replace function count_refused(
  in_source text, in_reason text, in_hour timestamptz, in_count bigint, in_last_at timestamptz
)
returns void
language plpgsql
security definer
set search_path = pg_catalog, public, pg_temp
as $$
declare
  -- Not later than now, whatever the server's clock says.
  refused_at timestamptz := least(in_last_at, clock_timestamp());
  forgotten_before timestamptz := clock_timestamp() - interval '400 days';
  stored_at timestamptz;
  of_run bigint;
begin
  if in_source is null or in_count is null or in_count < 1 or in_last_at is null or in_reason is null or in_reason not in (
    'signature_missing', 'signature_malformed', 'signature_wrong', 'too_large', 'body_timeout', 'unavailable',
    'unknown_source'
  ) or octet_length(in_source) > 63 then
    raise exception 'count_refused takes a source, one of its reasons and a number'
      using errcode = 'invalid_parameter_value';
  end if;
  select e.received_at into stored_at from event_log e where e.source = in_source order by e.position desc limit 1;
  of_run := case when stored_at >= refused_at then 0 else in_count end;  -- written down after a later one was stored
  insert into refused_delivery as counted (source, reason, hour, count, last_at, run, run_since)
  values (in_source, in_reason, date_trunc('hour', in_hour, 'UTC'), in_count, refused_at, of_run, refused_at)
  on conflict on constraint refused_delivery_pkey do update set
    count = counted.count + excluded.count,
    last_at = excluded.last_at,
    run = case when stored_at >= counted.last_at then 0 else counted.run end + excluded.run,
    run_since = case when stored_at >= counted.last_at then excluded.run_since else counted.run_since end;
  delete from refused_delivery r
  where r.source = in_source and r.reason = in_reason and r.hour < forgotten_before;
end
$$;

revoke all on function count_refused(text, text, timestamptz, bigint, timestamptz) from public;
grant execute on function count_refused(text, text, timestamptz, bigint, timestamptz) to rosterlog_ingest;
