-- Appends events of rosterlog's own to the log of one source, in the order of the arrays, in the caller's transaction:
-- under the same lock, positions and chain as deliveries, without a signature. Gives one row per event: its place in
-- the arrays (1, 2, ...), its position, and what became of it:
--   appended   it is new;
--   known      the log has the very same event already, at that position;
--   overtaken  the log has an event of its participant after `bases`, up to which the participant was compared;
--   withheld   an erasure of its participant is in force.
create or replace function append_observations(
  in_source text,
  bodies bytea[],
  event_types text[],
  subjects text[],
  bases bigint[]
)
returns table (ordinal bigint, event_position bigint, outcome text)
language plpgsql
security definer
set search_path = pg_catalog, public, pg_temp
set enable_seqscan = off -- a plan made while the table was small must not outlive that
set lock_timeout = '15s'
as $$
declare
  head_position bigint;
  head_chain bytea;
  appended_at timestamptz;
  source_field bytea := int4send(octet_length(in_source)) || convert_to(in_source, 'UTF8');
  events integer := coalesce(cardinality(bodies), 0);
  digests bytea[];
  outcomes text[]; -- but of events that can be appended
  positions bigint[]; -- of events that the log has
  chains bytea[]; -- of new events
  noted timestamptz;
  elsewhere text; -- where the source's deliveries are taken; null: here
begin
  for place in 1 .. events loop
    if bodies[place] is null or (
      event_types[place] in ('rosterlog.participant.observed', 'rosterlog.participant.unlisted')
      and subjects[place] <> '' and bases[place] >= 0
      or event_types[place] = 'rosterlog.observation' and place = events
      and subjects[place] is null and bases[place] is null
    ) is not true then
      raise exception 'append_observations takes participants, each with its base, and at the end the observation'
        using errcode = 'invalid_parameter_value';
    end if;
    digests[place] := sha256(bodies[place]);
  end loop;
  if exists (select from unnest(subjects) as s (subject) where subject <> '' group by subject having count(*) > 1) then
    raise exception 'append_observations takes each participant once'
      using errcode = 'invalid_parameter_value';
  end if;

  -- A command that is stopped while it keeps deliveries waiting is ended.
  perform set_config('idle_in_transaction_session_timeout', '10s', true);
  -- An erasure that is under way comes first, and the next one reads what is appended here. Before the source's lock, so
  -- that no delivery waits for an erasure.
  lock table erasures in share mode;
  {may_append}
  {lock_and_head}
  {at_home}

  select array_agg(l.position order by o.place), array_agg(
    case
      when l.position is not null then 'known'
      when exists (
        select from erasures r where r.source = in_source and r.subject = o.subject and r.lifted_at is null
      ) then 'withheld'
      when o.base > head_position or exists (
        select from event_log e where e.source = in_source and e.subject = o.subject and e.position > o.base
      ) then 'overtaken'
    end order by o.place
  )
  into positions, outcomes
  from unnest(digests, subjects, bases) with ordinality as o (digest, subject, base, place)
  cross join lateral (
    select (select e.position from event_log e where e.source = in_source and e.digest = o.digest) as position
  ) l;

  for place in 1 .. events loop
    if outcomes[place] is null then
      head_position := head_position + 1;
      {linked}
        || int4send(-1)
      );
      outcomes[place] := 'appended';
      positions[place] := head_position;
      chains[place] := head_chain;
    else
      chains[place] := null;
    end if;
    ordinal := place;
    event_position := positions[place];
    outcome := outcomes[place];
    return next;
  end loop;

  insert into event_log
    (source, position, received_at, event_type, subject, digest, body, signature, chain)
  select in_source, n.position, appended_at, n.event_type, n.subject, n.digest, n.body, null, n.chain
  from unnest(positions, event_types, subjects, digests, bodies, chains)
    as n (position, event_type, subject, digest, body, chain)
  where n.chain is not null;

  insert into source as s (source, head) select in_source, head_position where head_position > 0
  on conflict on constraint source_pkey do update set head = excluded.head, noted_at = excluded.noted_at;
  if event_types[events] = 'rosterlog.observation' and chains[events] is not null then
    perform note_reconciliation(
      in_source, positions[events], appended_at, convert_from(bodies[events], 'UTF8')::jsonb -> 'data'
    );
  end if;
end
$$;

revoke all on function append_observations(text, bytea[], text[], text[], bigint[]) from public;
grant execute on function append_observations(text, bytea[], text[], text[], bigint[]) to rosterlog_operator;
