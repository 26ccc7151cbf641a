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
  digests bytea[];
  fields bytea[]; -- of each delivery, what stands in its chain after the time
  positions bigint[]; -- of events that the log has already; then of all
  chains bytea[]; -- of new events
  is_whole boolean;
  has_twins boolean;
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

  -- What can be said of each delivery by itself is said in one statement: a statement per delivery costs more than its work.
  select
    array_agg(told.digest order by told.place),
    array_agg(told.digest || source_field || told.fields order by told.place),
    array_agg(told.known order by told.place),
    bool_and(told.digest is not null and told.fields is not null)
  into digests, fields, positions, is_whole
  from (
    select
      given.place, given.digest,
      (select e.position from event_log e where e.source = in_source and e.digest = given.digest) as known,
      -- Every column, each of a fixed length or with its length before it (-1: null), so that no two events look alike.
      coalesce(int4send(octet_length(given.event_type)) || convert_to(given.event_type, 'UTF8'), int4send(-1))
      || coalesce(int4send(octet_length(given.subject)) || convert_to(given.subject, 'UTF8'), int4send(-1))
      || int4send(octet_length(given.signature)) || convert_to(given.signature, 'UTF8') as fields
    from (
      select d.place, sha256(d.body) as digest, d.event_type, d.subject, d.signature
      from (
        select
          generate_subscripts(bodies, 1) as place, unnest(bodies) as body, unnest(signatures) as signature,
          unnest(event_types) as event_type, unnest(subjects) as subject
      ) d
      offset 0 -- or the digest would be computed wherever it stands
    ) given
  ) told;
  if not is_whole then
    raise exception 'append_events takes no delivery without its body and its signature'
      using errcode = 'null_value_not_allowed';
  end if;

  has_twins := cardinality(digests) > (select count(distinct d.digest) from unnest(digests) as d (digest));
  for place in 1 .. coalesce(cardinality(digests), 0) loop
    if has_twins then
      positions[place] := coalesce(positions[place], positions[nullif(array_position(digests, digests[place]), place)]);
    end if;
    if positions[place] is null then
      head_position := head_position + 1;
      head_chain := sha256(head_chain || int8send(head_position) || timestamptz_send(appended_at) || fields[place]);
      positions[place] := head_position;
      chains[place] := head_chain;
    else
      chains[place] := null;
    end if;
  end loop;

  insert into event_log
    (source, position, received_at, event_type, subject, digest, body, signature, chain)
  select
    in_source, n.position, appended_at, n.event_type, n.subject, n.digest, n.body, n.signature, n.chain
  from (
    select
      unnest(positions) as position, unnest(event_types) as event_type, unnest(subjects) as subject,
      unnest(digests) as digest, unnest(bodies) as body, unnest(signatures) as signature, unnest(chains) as chain
  ) n
  where n.chain is not null;

  if array_position(chains, null) is not null then
    insert into event_redelivery as counted (source, position, redeliveries, last_at)
    select in_source, r.position, count(*), appended_at
    from unnest(positions, chains) as r (position, chain)
    where r.chain is null
    group by r.position
    on conflict on constraint event_redelivery_pkey
    do update set redeliveries = counted.redeliveries + excluded.redeliveries, last_at = excluded.last_at;
  end if;

  return query
  select r.place, r.position, r.chain is not null
  from unnest(positions, chains) with ordinality as r (position, chain, place);
end
$$;

revoke all on function append_events(text, bytea[], text[], text[], text[]) from public;
grant execute on function append_events(text, bytea[], text[], text[], text[]) to rosterlog_ingest;
