-- Appends deliveries of one source to the log, in the order of the arrays, in the caller's transaction.
-- Gives one row per delivery: its place in the arrays (1, 2, ...), its event's position, and whether the event is new.
create or replace function append_events(
  in_source text,
  bodies bytea[],
  signatures text[],
  event_types text[],
  subjects text[]
)
returns table (ordinal bigint, event_position bigint, is_stored boolean)
language plpgsql
security definer
set search_path = pg_catalog, public, pg_temp
set enable_seqscan = off -- a plan made while the table was small must not outlive that
as $$
declare
  head_position bigint;
  head_chain bytea;
  appended_at timestamptz;
  source_field bytea := int4send(octet_length(in_source)) || convert_to(in_source, 'UTF8');
  delivery record;
begin
  -- A snapshot taken before the lock would show an old head.
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'append_events needs the isolation level read committed'
      using errcode = 'invalid_transaction_state';
  end if;
  -- An answer to a delivery promises that its commit survives a crash.
  if current_setting('synchronous_commit') in ('off', 'local') then
    perform set_config('synchronous_commit', 'on', true);
  end if;

  -- Held until the commit, so that positions become visible in their order. 1919906927 tells this lock from others.
  perform pg_advisory_xact_lock(1919906927, hashtext(in_source));

  select e.position, e.chain, greatest(clock_timestamp(), e.received_at)
  into head_position, head_chain, appended_at
  from event_log e
  where e.source = in_source
  order by e.position desc
  limit 1;
  if not found then
    head_position := 0;
    head_chain := decode(repeat('00', 32), 'hex');
    appended_at := clock_timestamp();
  end if;

  for delivery in
    select given.place, given.body, given.signature, given.event_type, given.subject, sha256(given.body) as digest
    from unnest(bodies, signatures, event_types, subjects)
      with ordinality as given (body, signature, event_type, subject, place)
  loop
    if delivery.body is null or delivery.signature is null then
      raise exception 'append_events takes no delivery without its body and its signature'
        using errcode = 'null_value_not_allowed';
    end if;
    ordinal := delivery.place;

    select e.position into event_position
    from event_log e
    where e.source = in_source and e.digest = delivery.digest;
    is_stored := not found;

    if is_stored then
      head_position := head_position + 1;
      event_position := head_position;
      -- Every column, each of a fixed length or with its length before it (-1: null), so that no two events look alike.
      head_chain := sha256(
        head_chain || int8send(head_position) || timestamptz_send(appended_at) || delivery.digest || source_field
        || coalesce(
          int4send(octet_length(delivery.event_type)) || convert_to(delivery.event_type, 'UTF8'), int4send(-1)
        )
        || coalesce(int4send(octet_length(delivery.subject)) || convert_to(delivery.subject, 'UTF8'), int4send(-1))
        || int4send(octet_length(delivery.signature)) || convert_to(delivery.signature, 'UTF8')
      );
      insert into event_log
        (source, position, received_at, event_type, subject, digest, body, signature, chain)
      values
        (in_source, head_position, appended_at, delivery.event_type, delivery.subject, delivery.digest,
         delivery.body, delivery.signature, head_chain);
    else
      insert into event_redelivery as counted (source, position, redeliveries, last_at)
      values (in_source, event_position, 1, appended_at)
      on conflict on constraint event_redelivery_pkey
      do update set redeliveries = counted.redeliveries + 1, last_at = excluded.last_at;
    end if;
    return next;
  end loop;
end
$$;

revoke all on function append_events(text, bytea[], text[], text[], text[]) from public;
grant execute on function append_events(text, bytea[], text[], text[], text[]) to rosterlog_ingest;
