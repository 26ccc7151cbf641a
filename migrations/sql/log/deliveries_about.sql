-- The newest deliveries about a participant, the oldest first: when each came, of which type, how often again and when
-- last, whether the roster's live build has parked it, and of those whose body is there and not large what it says under
-- `in_keys` of data.object, by the name of the key. Nothing else of a body is given.
create or replace function deliveries_about(in_source text, in_subject text, in_keys text[], in_limit integer)
returns table (
  event_position bigint, received_at timestamptz, event_type text, redeliveries bigint, last_at timestamptz,
  is_parked boolean, said jsonb
)
language plpgsql
stable
security definer
set search_path = pg_catalog, public, pg_temp
as $$
declare
  event record;
  object json;
begin
  for event in
    select newest.*
    from (
      select e.position, e.received_at, e.event_type, r.redeliveries, r.last_at,
        case when octet_length(e.body) <= 65536 then e.body end as body,
        exists (
          select from quarantine q
          join projection p on p.projection = q.projection and p.live = q.build
          where q.source = e.source and q.projection = 'participants' and q.position = e.position
        ) as is_parked
      from readable_log e
      left join event_redelivery r on r.source = e.source and r.position = e.position
      where e.source = in_source and e.subject = in_subject
      order by e.position desc
      limit in_limit
    ) newest
    order by newest.position
  loop
    event_position := event.position;
    received_at := event.received_at;
    event_type := event.event_type;
    redeliveries := coalesce(event.redeliveries, 0);
    last_at := event.last_at;
    is_parked := event.is_parked;
    said := null;
    begin
      object := convert_from(event.body, 'UTF8')::json #> '{data,object}';
      select jsonb_object_agg(k.key, object #>> string_to_array(k.key, '.')) into said from unnest(in_keys) as k (key);
    exception when data_exception or program_limit_exceeded then
      said := null; -- not JSON, or none that PostgreSQL reads
    end;
    return next;
  end loop;
end
$$;

revoke all on function deliveries_about(text, text, text[], integer) from public;
grant execute on function deliveries_about(text, text, text[], integer) to rosterlog_api;
