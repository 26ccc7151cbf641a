-- Writes events of another database's log of the same source, in the order of the arrays, where the log here ends, in the
-- caller's transaction; gives where it ends then. Only while the source is copied to here. Each event keeps its
-- position, time, digest and chain value, each of which is computed here once more: what does not follow is refused
-- (RL002), and an event without its body that no erasure here names (RL003). `in_after`: the position before the first.
create or replace function copy_events(
  in_source text,
  in_move uuid,
  in_after bigint,
  times timestamptz[],
  event_types text[],
  subjects text[],
  digests bytea[],
  bodies bytea[],
  signatures text[],
  chains bytea[]
)
returns bigint
language plpgsql
security definer
set search_path = pg_catalog, public, pg_temp
set enable_seqscan = off -- a plan made while the table was small must not outlive that
set plan_cache_mode = force_generic_plan
set lock_timeout = '15s'
as $$
declare
  head_position bigint;
  head_chain bytea;
  appended_at timestamptz;
  source_field bytea := int4send(octet_length(in_source)) || convert_to(in_source, 'UTF8');
  noted timestamptz;
  elsewhere text; -- where the source's deliveries are taken; null: here
begin
  perform set_config('idle_in_transaction_session_timeout', '10s', true);
  {may_append}
  {lock_and_head}
  if elsewhere is distinct from 'arriving' or head_position <> in_after
    or not exists (select from source s where s.source = in_source and s.move_id = in_move)
  then
    raise exception '% is not copied to here any more after position %: run the command again', in_source, in_after
      using errcode = 'RL002';
  end if;

  for place in 1 .. coalesce(cardinality(chains), 0) loop
    head_position := head_position + 1;
    appended_at := times[place];
    if bodies[place] is null then
      if not exists (
        select from erasures r
        where r.source = in_source and r.subject = subjects[place] and copy_events.digests[place] = any (r.digests)
      ) and (
        subjects[place] is not null
        or not exists (
          select from erasures r where r.source = in_source and copy_events.digests[place] = any (r.digests)
        )
      ) then
        raise exception 'position % of % has no body, and no erasure names it: run rosterlog verify where it comes from',
          head_position, in_source
          using errcode = 'RL003';
      end if;
    elsif sha256(bodies[place]) is distinct from digests[place] then
      raise exception 'position % of % was altered, its body is not the one that its digest is of: run rosterlog verify '
        'where it comes from', head_position, in_source
        using errcode = 'RL002';
    end if;
    {linked}
      || coalesce(int4send(octet_length(signatures[place])) || convert_to(signatures[place], 'UTF8'), int4send(-1))
    );
    if head_chain is distinct from chains[place] then
      raise exception 'position % of % does not follow what is here before it: the log that it comes from was altered, '
        'or is another one; run rosterlog verify there', head_position, in_source
        using errcode = 'RL002';
    end if;
  end loop;

  insert into event_log
    (source, position, received_at, event_type, subject, digest, body, signature, chain)
  select
    in_source, in_after + n.place, n.received_at, n.event_type, n.subject, n.digest, n.body, n.signature, n.chain
  from unnest(times, event_types, subjects, digests, bodies, signatures, chains)
    with ordinality as n (received_at, event_type, subject, digest, body, signature, chain, place);
  noted := clock_timestamp();
  update source s set head = head_position, noted_at = noted where s.source = in_source;
  return head_position;
end
$$;

revoke all on function copy_events(
  text, uuid, bigint, timestamptz[], text[], text[], bytea[], bytea[], text[], bytea[]
) from public;
grant execute on function copy_events(
  text, uuid, bigint, timestamptz[], text[], text[], bytea[], bytea[], text[], bytea[]
) to rosterlog_operator;
