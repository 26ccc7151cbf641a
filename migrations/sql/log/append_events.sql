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
set plan_cache_mode = force_generic_plan -- to plan a statement costs as much as to append a delivery
as $$
declare
  head_position bigint;
  head_chain bytea;
  appended_at timestamptz;
  source_field bytea := int4send(octet_length(in_source)) || convert_to(in_source, 'UTF8');
  deliveries integer := coalesce(cardinality(bodies), 0);
  digests bytea[];
  positions bigint[]; -- of events that the log has already; then of all
  chains bytea[]; -- of new events
  has_twins boolean := false;
  noted timestamptz; -- when the source's head was
  elsewhere text; -- where the source's deliveries are taken; null: here
begin
  {may_append}
  {lock_and_head}
  {at_home}

  {digested}
  -- One look-up for all: a statement for each would cost more than what it does.
  select array_agg(
    (select e.position from event_log e where e.source = in_source and e.digest = d.digest) order by d.place
  )
  into positions
  from unnest(digests) with ordinality as d (digest, place);
  if deliveries > 1 then
    has_twins := deliveries > (select count(distinct d.digest) from unnest(digests) as d (digest));
  end if;

  for place in 1 .. deliveries loop
    if has_twins and positions[place] is null then
      positions[place] := positions[nullif(array_position(digests, digests[place]), place)];
    end if;
    is_stored := positions[place] is null;
    if is_stored then
      head_position := head_position + 1;
      {linked}
        || int4send(octet_length(signatures[place])) || convert_to(signatures[place], 'UTF8')
      );
      positions[place] := head_position;
      chains[place] := head_chain;
    else
      chains[place] := null;
    end if;
    ordinal := place;
    event_position := positions[place];
    return next;
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
  if found then
    {noted}
  end if;

  if array_position(chains, null) is not null then
    insert into event_redelivery as counted (source, position, redeliveries, last_at)
    select in_source, r.position, count(*), appended_at
    from unnest(positions, chains) as r (position, chain)
    where r.chain is null
    group by r.position
    on conflict on constraint event_redelivery_pkey
    do update set redeliveries = counted.redeliveries + excluded.redeliveries, last_at = excluded.last_at;
    -- By hour, too; hours of more than a year ago are forgotten.
    insert into redelivery_hour as counted (source, hour, count)
    select in_source, date_trunc('hour', appended_at, 'UTC'), count(*)
    from unnest(chains) as c (chain)
    where c.chain is null
    on conflict on constraint redelivery_hour_pkey do update set count = counted.count + excluded.count;
    delete from redelivery_hour h where h.source = in_source and h.hour < appended_at - interval '400 days';
  end if;
end
$$;

revoke all on function append_events(text, bytea[], text[], text[], text[]) from public;
grant execute on function append_events(text, bytea[], text[], text[], text[]) to rosterlog_ingest;
