-- Appends deliveries of several sources to the log, as `append_events` does those of one: to `sources[n]`, in their
-- order, those from `firsts[n]` to `lasts[n]`, so that what a statement costs whatever it gets is paid once for all.
-- Each source is given once, and their deliveries one after the other, without a gap.
create or replace function append_events_together(
  sources text[],
  firsts integer[],
  lasts integer[],
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
  in_source text;
  first_place integer;
  last_place integer;
  head_position bigint;
  head_chain bytea;
  appended_at timestamptz;
  noted timestamptz; -- when the source's head was
  elsewhere text; -- where the source's deliveries are taken; null: here
  source_field bytea;
  digests bytea[];
  positions bigint[]; -- of events that the log has already; then of all
  chains bytea[]; -- of new events
  origins text[]; -- the source of each delivery
  moments timestamptz[]; -- when each is appended
  has_twins boolean; -- perhaps of two sources
  redelivered text[]; -- sources
  kept_since timestamptz;
begin
  {may_append}
  -- In the order of the locks, so that no two transactions wait for each other.
  perform count(pg_advisory_xact_lock(1919906927, l.key))
  from (select hashtext(s.source) as key from unnest(sources) as s (source) order by 1) l;

  {digested}
  select array_agg(
    (select e.position from event_log e where e.source = s.source and e.digest = digests[d.place]) order by d.place
  )
  into positions
  from unnest(sources, firsts, lasts) as s (source, first, last)
  cross join lateral generate_series(s.first, s.last) as d (place);
  has_twins := cardinality(digests) > (select count(distinct d.digest) from unnest(digests) as d (digest));

  for in_source, first_place, last_place, head_position, head_chain, appended_at, noted, elsewhere in
    select
      s.source, s.first, s.last, coalesce(h.position, 0), coalesce(h.chain, decode(repeat('00', 32), 'hex')),
      greatest(clock_timestamp(), h.received_at), n.noted_at, n.state
    from unnest(sources, firsts, lasts) as s (source, first, last)
    left join lateral (select n.noted_at, n.state from source n where n.source = s.source limit 1) n on true
    left join lateral (
      select e.position, e.chain, e.received_at
      from event_log e
      where e.source = s.source
      order by e.position desc
      limit 1
    ) h on true
  loop
    {at_home}
    source_field := int4send(octet_length(in_source)) || convert_to(in_source, 'UTF8');
    for place in first_place .. last_place loop
      if has_twins and positions[place] is null then
        positions[place] := positions[nullif(array_position(digests, digests[place], first_place), place)];
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
      origins[place] := in_source;
      moments[place] := appended_at;
      ordinal := place;
      event_position := positions[place];
      return next;
    end loop;
    if array_position(chains, head_chain, first_place) is not null then -- it has a new event
      {noted}
    end if;
  end loop;

  insert into event_log
    (source, position, received_at, event_type, subject, digest, body, signature, chain)
  select
    n.source, n.position, n.moment, n.event_type, n.subject, n.digest, n.body, n.signature, n.chain
  from (
    select
      unnest(origins) as source, unnest(positions) as position, unnest(moments) as moment,
      unnest(event_types) as event_type, unnest(subjects) as subject, unnest(digests) as digest,
      unnest(bodies) as body, unnest(signatures) as signature, unnest(chains) as chain
  ) n
  where n.chain is not null;

  if array_position(chains, null) is not null then
    insert into event_redelivery as counted (source, position, redeliveries, last_at)
    select r.source, r.position, count(*), max(r.moment)
    from unnest(origins, positions, moments, chains) as r (source, position, moment, chain)
    where r.chain is null
    group by r.source, r.position
    on conflict on constraint event_redelivery_pkey
    do update set redeliveries = counted.redeliveries + excluded.redeliveries, last_at = excluded.last_at;
    -- By hour, too; hours of more than a year ago are forgotten.
    insert into redelivery_hour as counted (source, hour, count)
    select r.source, date_trunc('hour', r.moment, 'UTC'), count(*)
    from unnest(origins, moments, chains) as r (source, moment, chain)
    where r.chain is null
    group by 1, 2
    on conflict on constraint redelivery_hour_pkey do update set count = counted.count + excluded.count;
    redelivered := array(
      select distinct r.source from unnest(origins, chains) as r (source, chain) where r.chain is null
    );
    kept_since := clock_timestamp() - interval '400 days'; -- a variable, by which the index can be read
    delete from redelivery_hour h where h.source = any (redelivered) and h.hour < kept_since;
  end if;
end
$$;

revoke all on function append_events_together(text[], integer[], integer[], bytea[], text[], text[], text[])
from public;
grant execute on function append_events_together(text[], integer[], integer[], bytea[], text[], text[], text[])
to rosterlog_ingest;
