-- What the tables are, who writes them, and what is read instead of them. A name with () is a function.
--
-- LOG          Movemint's deliveries, as they came. Only what the arrows show changes it.
--
--   webhook --> append_events() ----+--> event_log ............ readable_log   what projections read: no erased body
--       append_events_together() ---+--> source <-- note_heads()               each source's head, as noted last
--                                   +--> event_redelivery, redelivery_hour     the same bytes again, counted
--   operator --> append_observations() --> event_log           what was observed at the source: events of rosterlog's own
--                note_reconciliation() --> reconciliation      what each observation came to: how the roster was compared
--   operator --> note_absences(), forget_absences() --> first_absence   whom a look missed: two looks make an absence
--   operator --> erasures --> apply_erasure() --> empties bodies in event_log, removes the participant from every table
--                (kept_by_participant() names these tables), and records it in roster_change
--   webhook --> count_refused() --> refused_delivery           how many were refused, and why; nothing of what was sent
--   operator: verify --> verification                          when the log was last proved, and what was found
--   operator --> turn_source() --> source                       where its deliveries are taken: refuse_elsewhere() elsewhere
--   operator --> copy_events(), copy_beside() --> event_log and the tables beside it, of a source that another database has
--                beside_rows(), beside_mark(): these tables there and here
--   withheld_events(), deliveries_about(): what erasures hide, what was delivered about a person
--   open_transactions(), oldest_transaction(), slots(): what keeps a database from being tidied up
--   refuse_change(), refuse_change_but_erasure(), refuse_erasure_elsewhere(): the triggers that refuse all else
--   position_at(): position by time      sources_in_log(), arrivals(): by source whether there is an event, when they came
--
-- FOLDING      For every projection. A build is one set of a projection's tables; readers see the live build.
--
--   begin_build() make_index() attach_build() analyze_build() make_live() drop_build() --> projection --> projection_build
--   begin_build() --> event_calendar                            in which zone the days of each race are in a build
--   worker --> worker_seen: when it looked at the log last      end_overdue(): whose lock of a checkpoint lasts too long
--   worker --> checkpoint, quarantine, unknown_event_type: how far, what could not be folded; deleted with their build
--   reconcile --api --apply --> failed_look                     scheduled comparisons that failed: since when, and why
--   reconcile --inner --> inner_completeness                    whether the roster has whom the log names, when last looked
--   quarantine dismiss --> dismissed_event                      of these, what nobody has to look at again; outlasts builds
--
-- ROSTER       Tables with a partition per build                 Views of the live build
--
--   worker --> participants_build ............................. participants, participants_keyed, participants_counted
--              participant_history_build ...................... participant_history, participant_history_keyed, past_answers
--              participant_answers_build ...................... participant_answers, newest_questions(),
--                                                               answers_of_many(), questions_of_many()
--              registrations_build ............................ registrations
--              registrations_daily_build (uncount_registration()) registrations_daily
--   note_roster_change(), note_new_roster() --> roster_change   what changed without an event
--   lineage_at(): a mark that another history of log and roster has not, so that a follower notices a restored backup
--   token create --> api_token <-- note_token_use()             scope_of(): what a token sees, and the roster's revision
--   pages: begin_session() end_session() --> page_session      token create --link --> sign_in_link --> begin_session_by_link()
--   iso_time(): how times are written in answers      local_day() day_begins(): days in a zone of event_calendar
--   letter: what each letter is compared as (text_key_by_letter(), text_key()); the fold has the same table
--
-- REPORTING    Views for SQL, in the schema reporting. Personal columns are null unless sees_personal_data().
--
--   participants, participant_history --> participants_as_of()     participant_answers (answers_of_many(), questions_of_many())
--   events, sub_events, registrations_daily                        deliveries, freshness        questions_meant(): by a name
--   reconciliations: the headers of observations in event_log
--   age_band() iso_date() text_key(): computed from a participant's columns      calendar, day_of(), day_begins(): days of an event
--   worker --> publish_participants(), publish_these() --> published_participants, published_source
--              the publication rosterlog_reporting, for a warehouse that subscribes

CREATE SCHEMA reporting;

COMMENT ON SCHEMA reporting IS 'The roster for people and tools that ask in SQL. Views keep their columns.';

CREATE FUNCTION public.analyze_build(in_projection text, in_build integer, in_table text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
begin
  if not exists (select from projection p where p.projection = in_projection and in_table = any (p.tables)) then
    raise exception '% is no table of %', in_table, in_projection;
  end if;
  execute format('analyze public.%I', in_table || '_' || in_build);
end
$$;

CREATE FUNCTION public.answers_of_many(in_source text) RETURNS TABLE(source text, question text, answer text)
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
  with given as (
    select distinct
      a.source, coalesce(a.question_id, a.question) as question, a.answer,
      coalesce(p.athlete_id, p.participant_id) as person
    from participant_answers a
    join participants p on p.source = a.source and p.participant_id = a.participant_id
    where a.answer is not null and (in_source is null or a.source = in_source)
  ),
  counted as (
    select g.source, g.question, g.answer, count(*) as people
    from given g
    group by g.source, g.question, g.answer
  ),
  measured as (
    select
      c.source, c.question, c.answer, c.people,
      sum(c.people) filter (where c.people >= 10) over of_question as by_many,
      sum(c.people) over of_question as by_all
    from counted c
    window of_question as (partition by c.source, c.question)
  )
  select m.source, m.question, m.answer
  from measured m
  where m.people >= 10
    and m.by_many >= 0.9 * m.by_all
    and length(m.answer) <= 100
    and m.answer !~ '@|([0-9][^0-9]{0,2}){6}'
$$;

CREATE FUNCTION public.append_events(in_source text, bodies bytea[], signatures text[], event_types text[], subjects text[]) RETURNS TABLE(ordinal bigint, event_position bigint, is_stored boolean)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
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
  -- A snapshot taken before the lock would show an old head.
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'to append to the log needs the isolation level read committed'
      using errcode = 'invalid_transaction_state';
  end if;
  -- An answer to a delivery promises that its commit survives a crash.
  if current_setting('synchronous_commit') in ('off', 'local') then
    perform set_config('synchronous_commit', 'on', true);
  end if;
  -- Held until the commit, so that positions become visible in their order. 1919906927 tells this lock from others.
  perform pg_advisory_xact_lock(1919906927, hashtext(in_source));

  select coalesce(h.position, 0), coalesce(h.chain, decode(repeat('00', 32), 'hex')),
    greatest(clock_timestamp(), h.received_at), s.noted_at, s.state
  into head_position, head_chain, appended_at, noted, elsewhere
  from (select) as one
  left join source s on s.source = in_source
  left join lateral (
    select e.position, e.chain, e.received_at
    from event_log e
    where e.source = in_source
    order by e.position desc
    limit 1
  ) h on true;
  if elsewhere is not null then
    perform refuse_elsewhere(in_source);
  end if;

  for place in 1 .. coalesce(cardinality(bodies), 0) loop
    if bodies[place] is null or signatures[place] is null then
      raise exception 'no delivery is appended without its body and its signature'
        using errcode = 'null_value_not_allowed';
    end if;
    digests[place] := sha256(bodies[place]);
  end loop;
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
      -- Every column, each of a fixed length or with its length before it (-1: null), so that no two events look alike.
      head_chain := sha256(
        head_chain || int8send(head_position) || timestamptz_send(appended_at) || digests[place] || source_field
        || coalesce(
          int4send(octet_length(event_types[place])) || convert_to(event_types[place], 'UTF8'), int4send(-1)
        )
        || coalesce(int4send(octet_length(subjects[place])) || convert_to(subjects[place], 'UTF8'), int4send(-1))
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
    -- Once a second at most: while a snapshot is held, no version of the row can be removed.
    if noted is null then
      insert into source (source, head, noted_at) values (in_source, head_position, clock_timestamp())
      on conflict on constraint source_pkey do nothing;
    elsif noted not between clock_timestamp() - interval '1 second' and clock_timestamp() + interval '1 second' then
      noted := clock_timestamp();
      update source s set head = head_position, noted_at = noted where s.source = in_source;
    end if;
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

CREATE FUNCTION public.append_events_together(sources text[], firsts integer[], lasts integer[], bodies bytea[], signatures text[], event_types text[], subjects text[]) RETURNS TABLE(ordinal bigint, event_position bigint, is_stored boolean)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
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
  -- A snapshot taken before the lock would show an old head.
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'to append to the log needs the isolation level read committed'
      using errcode = 'invalid_transaction_state';
  end if;
  -- An answer to a delivery promises that its commit survives a crash.
  if current_setting('synchronous_commit') in ('off', 'local') then
    perform set_config('synchronous_commit', 'on', true);
  end if;
  -- In the order of the locks, so that no two transactions wait for each other.
  perform count(pg_advisory_xact_lock(1919906927, l.key))
  from (select hashtext(s.source) as key from unnest(sources) as s (source) order by 1) l;

  for place in 1 .. coalesce(cardinality(bodies), 0) loop
    if bodies[place] is null or signatures[place] is null then
      raise exception 'no delivery is appended without its body and its signature'
        using errcode = 'null_value_not_allowed';
    end if;
    digests[place] := sha256(bodies[place]);
  end loop;
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
    if elsewhere is not null then
    perform refuse_elsewhere(in_source);
  end if;
    source_field := int4send(octet_length(in_source)) || convert_to(in_source, 'UTF8');
    for place in first_place .. last_place loop
      if has_twins and positions[place] is null then
        positions[place] := positions[nullif(array_position(digests, digests[place], first_place), place)];
      end if;
      is_stored := positions[place] is null;
      if is_stored then
        head_position := head_position + 1;
        -- Every column, each of a fixed length or with its length before it (-1: null), so that no two events look alike.
      head_chain := sha256(
        head_chain || int8send(head_position) || timestamptz_send(appended_at) || digests[place] || source_field
        || coalesce(
          int4send(octet_length(event_types[place])) || convert_to(event_types[place], 'UTF8'), int4send(-1)
        )
        || coalesce(int4send(octet_length(subjects[place])) || convert_to(subjects[place], 'UTF8'), int4send(-1))
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
      -- Once a second at most: while a snapshot is held, no version of the row can be removed.
    if noted is null then
      insert into source (source, head, noted_at) values (in_source, head_position, clock_timestamp())
      on conflict on constraint source_pkey do nothing;
    elsif noted not between clock_timestamp() - interval '1 second' and clock_timestamp() + interval '1 second' then
      noted := clock_timestamp();
      update source s set head = head_position, noted_at = noted where s.source = in_source;
    end if;
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

CREATE FUNCTION public.append_observations(in_source text, bodies bytea[], event_types text[], subjects text[], bases bigint[]) RETURNS TABLE(ordinal bigint, event_position bigint, outcome text)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET lock_timeout TO '15s'
    AS $$
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
  -- A snapshot taken before the lock would show an old head.
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'to append to the log needs the isolation level read committed'
      using errcode = 'invalid_transaction_state';
  end if;
  -- An answer to a delivery promises that its commit survives a crash.
  if current_setting('synchronous_commit') in ('off', 'local') then
    perform set_config('synchronous_commit', 'on', true);
  end if;
  -- Held until the commit, so that positions become visible in their order. 1919906927 tells this lock from others.
  perform pg_advisory_xact_lock(1919906927, hashtext(in_source));

  select coalesce(h.position, 0), coalesce(h.chain, decode(repeat('00', 32), 'hex')),
    greatest(clock_timestamp(), h.received_at), s.noted_at, s.state
  into head_position, head_chain, appended_at, noted, elsewhere
  from (select) as one
  left join source s on s.source = in_source
  left join lateral (
    select e.position, e.chain, e.received_at
    from event_log e
    where e.source = in_source
    order by e.position desc
    limit 1
  ) h on true;
  if elsewhere is not null then
    perform refuse_elsewhere(in_source);
  end if;

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
      -- Every column, each of a fixed length or with its length before it (-1: null), so that no two events look alike.
      head_chain := sha256(
        head_chain || int8send(head_position) || timestamptz_send(appended_at) || digests[place] || source_field
        || coalesce(
          int4send(octet_length(event_types[place])) || convert_to(event_types[place], 'UTF8'), int4send(-1)
        )
        || coalesce(int4send(octet_length(subjects[place])) || convert_to(subjects[place], 'UTF8'), int4send(-1))
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

CREATE FUNCTION public.apply_erasure(in_source text, in_erasure uuid) RETURNS bigint[]
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    SET lock_timeout TO '15s'
    AS $_$
declare
  erasure erasures%rowtype;
  found_at bigint[];
  emptied bigint[];
  projected text;
  is_being_built boolean;
begin
  -- A command that is stopped while it keeps workers waiting is ended.
  perform set_config('idle_in_transaction_session_timeout', '10s', true);
  -- Whoever has read a body of this source must commit before the rows are removed, and nobody may begin a batch of it
  -- meanwhile. What is of other sources goes on. In the order in which everybody locks: no swap is under way; no first
  -- build is being made, and of no build are the rows being counted; then the source in every build.
  lock table checkpoint in row exclusive mode;
  perform 1 from projection p order by p.projection for share;
  perform 1 from projection_build b order by b.projection, b.build for key share;
  -- A row that another transaction has just inserted is waited for; one that is there is locked.
  insert into checkpoint (source, projection, build, position)
  select in_source, b.projection, b.build, 0 from projection_build b order by b.projection, b.build
  on conflict on constraint checkpoint_pkey do nothing;
  perform 1 from checkpoint c where c.source = in_source order by c.projection, c.build for update;
  insert into published_source (source) values (in_source) on conflict on constraint published_source_pkey do nothing;
  perform 1 from published_source s where s.source = in_source for update;

  select * into strict erasure from erasures r where r.source = in_source and r.erasure_id = in_erasure;

  select
    array_agg(e.position order by e.position),
    array_agg(e.position order by e.position) filter (where e.body is not null)
  into found_at, emptied
  from event_log e
  where e.source = in_source and e.digest = any (erasure.digests) and (
    e.subject = erasure.subject or (e.subject is null and starts_with(e.event_type, 'event.participant.'))
  );

  if emptied is not null then
    update event_log e set body = null where e.source = in_source and e.position = any (emptied);
  end if;
  -- In a database restored from a backup an event may have another position than when it was erased, or be missing.
  update erasures r set positions = coalesce(found_at, '{}') where r.source = in_source and r.erasure_id = in_erasure;

  -- Followers of the roster must learn that the participant is gone.
  if exists (select from participants p where p.source = in_source and p.participant_id = erasure.subject) then
    perform note_roster_change(in_source, erasure.subject);
  end if;

  for projected, is_being_built in
    select quote_ident(n.nspname) || '.' || quote_ident(c.relname), exists (
      select from projection_build b
      join projection p on p.projection = b.projection
      cross join unnest(p.tables) as t (name)
      where c.relname = t.name || '_' || b.build
    )
    from kept_by_participant() as kept
    join pg_class c on c.oid = kept
    join pg_namespace n on n.oid = c.relnamespace
  loop
    begin
      -- While a rebuild makes the indexes of a table, a delete would wait for it, and all else for the lock above. The
      -- rebuild refolds the participants erased meanwhile before readers see that table, or drops the table.
      if is_being_built then
        execute format('lock table %s in row exclusive mode nowait', projected);
      end if;
      execute format('delete from %s where source = $1 and participant_id = $2', projected)
      using in_source, erasure.subject;
    exception when lock_not_available or undefined_table then
      if not is_being_built then
        raise;
      end if;
    end;
  end loop;
  return coalesce(emptied, '{}');
end
$_$;

CREATE FUNCTION public.arrivals() RETURNS TABLE(source text, first_at timestamp with time zone, delivered_at timestamp with time zone, last_hour bigint)
    LANGUAGE sql STABLE
    AS $$
  select s.source, first.received_at, delivered.received_at,
    head.position - hour.position - own.events as last_hour
  from source s
  cross join lateral (
    select e.position, e.received_at from event_log e where e.source = s.source order by e.position desc limit 1
  ) head
  cross join lateral (
    select e.received_at from event_log e where e.source = s.source order by e.position limit 1
  ) first
  -- Of most sources all events came before the last hour, or in it: only of the others the border is searched for.
  cross join lateral (
    select case
      when head.received_at < now() - interval '1 hour' then head.position
      when first.received_at > now() - interval '1 hour' then 0
      else position_at(s.source, now() - interval '1 hour')
    end as position
  ) hour
  -- What rosterlog itself wrote says nothing of Movemint.
  cross join lateral (
    select count(*) as events from event_log e
    where e.source = s.source and e.position > hour.position and starts_with(e.event_type, 'rosterlog.')
  ) own
  left join lateral (
    select e.received_at from event_log e
    where e.source = s.source and (e.event_type is null or not starts_with(e.event_type, 'rosterlog.'))
    order by e.position desc limit 1
  ) delivered on true
$$;

CREATE FUNCTION public.attach_build(in_projection text, in_build integer, in_table text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    SET lock_timeout TO '30s'
    AS $$
declare
  made text := in_table || '_' || in_build;
  key record;
begin
  if not exists (
    select from projection p
    join projection_build b on b.projection = p.projection
    where p.projection = in_projection and b.build = in_build and in_table = any (p.tables)
  ) then
    raise exception '% is no table of build % of %', in_table, in_build, in_projection;
  end if;
  -- A key needs its constraint as well as its index.
  for key in
    select conname || '_' || in_build as index, case contype when 'p' then 'primary key' else 'unique' end as kind
    from pg_constraint
    where conrelid = to_regclass('public.' || quote_ident(in_table)) and contype in ('p', 'u')
  loop
    if to_regclass('public.' || quote_ident(key.index)) is not null then
      execute format('alter table public.%I add constraint %I %s using index %I', made, key.index, key.kind, key.index);
    end if;
  end loop;
  execute format('alter table public.%I attach partition public.%I for values in (%s)', in_table, made, in_build);
  execute format('alter table public.%I drop constraint %I', made, made || '_check');
end
$$;

CREATE FUNCTION public.begin_build(in_projection text, in_definition text, in_calendar jsonb) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
declare
  number integer;
  parents text[];
  parent text;
  made text;
  unsampled text;
begin
  update projection p set last_build = p.last_build + 1
  where p.projection = in_projection
  returning p.last_build, p.tables into strict number, parents;
  insert into projection_build (projection, build, definition) values (in_projection, number, in_definition);
  insert into event_calendar (
    projection, build, event_id, time_zone, changes, offsets, starts_on, previous_event_id
  )
  select
    in_projection, number, c.event_id, c.time_zone, c.changes, c.offsets, c.starts_on, c.previous_event_id
  from jsonb_to_recordset(in_calendar) as c (
    event_id text, time_zone text, changes timestamptz[], offsets integer[], starts_on date, previous_event_id text
  );

  foreach parent in array parents loop
    made := parent || '_' || number;
    execute format(
      'create table public.%I (like public.%I including defaults including generated including storage)', made, parent
    );
    execute format('alter table public.%I alter column build set default %s', made, number);
    -- `like` does not take over of which columns the planner keeps no samples.
    for unsampled in
      select a.attname from pg_attribute a
      where a.attrelid = to_regclass('public.' || quote_ident(parent)) and a.attnum > 0 and a.attstattarget = 0
        and not a.attisdropped
    loop
      execute format('alter table public.%I alter column %I set statistics 0', made, unsampled);
    end loop;
    -- So that attaching the table need not check every row.
    execute format('alter table public.%I add constraint %I check (build = %s)', made, made || '_check', number);
    execute format('grant select, insert, update, delete on public.%I to rosterlog_worker', made);
  end loop;
  return number;
end
$$;

CREATE FUNCTION public.begin_session(in_digest bytea, in_token bytea, in_seconds integer) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
begin
  delete from page_session s where s.expires_at < now();
  delete from page_session s
  where s.digest in (
    select o.digest from page_session o where o.token = in_token order by o.made_at desc, o.digest offset 49
  );
  delete from sign_in_link l where l.expires_at < now();
  insert into page_session (digest, token, expires_at)
  select in_digest, t.digest, least(now() + make_interval(secs => in_seconds), t.expires_at)
  from api_token t
  where t.digest = in_token and t.revoked_at is null and (t.expires_at is null or t.expires_at > now());
  return found;
end
$$;

CREATE FUNCTION public.begin_session_by_link(in_digest bytea, in_link bytea, in_seconds integer) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
declare
  of_token bytea;
begin
  delete from sign_in_link l where l.digest = in_link and l.expires_at > now() returning l.token into of_token;
  return of_token is not null and begin_session(in_digest, of_token, in_seconds);
end
$$;

CREATE FUNCTION public.beside_mark(in_source text, in_table text, in_after bigint DEFAULT 0, in_last bigint DEFAULT '9223372036854775807'::bigint) RETURNS text
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
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

CREATE FUNCTION public.beside_rows(in_source text, in_table text, in_after bigint DEFAULT 0, in_last bigint DEFAULT '9223372036854775807'::bigint) RETURNS SETOF jsonb
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    SET "TimeZone" TO 'UTC'
    SET bytea_output TO 'hex'
    AS $_$
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
$_$;

CREATE FUNCTION public.copy_beside(in_source text, in_move uuid, in_table text, in_rows jsonb, in_after bigint DEFAULT 0, in_last bigint DEFAULT '9223372036854775807'::bigint) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    SET "TimeZone" TO 'UTC'
    SET lock_timeout TO '15s'
    AS $$
declare
  given jsonb := (
    select coalesce(jsonb_agg(r || jsonb_build_object('source', in_source)), '[]') from jsonb_array_elements(in_rows) as r
  );
  to_apply uuid[]; -- erasures that name a body which is here
begin
  perform set_config('idle_in_transaction_session_timeout', '10s', true);
  perform from source s
  where s.source = in_source and s.state = 'arriving' and s.move_id = in_move
  for share;
  if not found then
    raise exception '% is not copied to here any more: run the command again', in_source
      using errcode = 'RL002';
  end if;

  case in_table
    when 'erasures' then
      select array_agg(e.erasure_id) into to_apply
      from jsonb_populate_recordset(null::erasures, given) as e
      where exists (
        select from event_log l
        where l.source = in_source and l.digest = any (e.digests) and l.body is not null
          and (l.subject = e.subject or l.subject is null)
      );
      if to_apply is not null then
        lock table checkpoint in exclusive mode; -- before the erasures' rows, as every transaction does
      end if;
      insert into erasures as r
      select e.* from jsonb_populate_recordset(null::erasures, given) as e
      on conflict on constraint erasures_pkey do update
      set positions = excluded.positions, lifted_at = excluded.lifted_at, lifted_by = excluded.lifted_by;
      perform apply_erasure(in_source, a.erasure_id) from unnest(to_apply) as a (erasure_id);
    when 'api_token' then
      insert into api_token as t
      select g.* from jsonb_populate_recordset(null::api_token, given) as g
      on conflict on constraint api_token_pkey do update
      set event_ids = excluded.event_ids, expires_at = excluded.expires_at, revoked_at = excluded.revoked_at,
        sees_personal_data = excluded.sees_personal_data,
        last_used_at = greatest(t.last_used_at, excluded.last_used_at);
    when 'event_redelivery' then
      delete from event_redelivery r
      where r.source = in_source and r.position > in_after and r.position <= in_last;
      insert into event_redelivery select r.* from jsonb_populate_recordset(null::event_redelivery, given) as r;
    when 'redelivery_hour' then
      delete from redelivery_hour h where h.source = in_source;
      insert into redelivery_hour select h.* from jsonb_populate_recordset(null::redelivery_hour, given) as h;
    when 'reconciliation' then
      delete from reconciliation r where r.source = in_source;
      insert into reconciliation select r.* from jsonb_populate_recordset(null::reconciliation, given) as r;
    when 'first_absence' then
      delete from first_absence f where f.source = in_source;
      insert into first_absence select f.* from jsonb_populate_recordset(null::first_absence, given) as f;
    when 'dismissed_event' then
      delete from dismissed_event d where d.source = in_source;
      insert into dismissed_event select d.* from jsonb_populate_recordset(null::dismissed_event, given) as d;
    when 'roster_change' then
      -- Whoever numbers a change has a checkpoint locked.
      lock table checkpoint in exclusive mode;
      delete from roster_change c where c.source = in_source;
      insert into roster_change select c.* from jsonb_populate_recordset(null::roster_change, given) as c;
  end case;
end
$$;

CREATE FUNCTION public.copy_events(in_source text, in_move uuid, in_after bigint, times timestamp with time zone[], event_types text[], subjects text[], digests bytea[], bodies bytea[], signatures text[], chains bytea[]) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    SET lock_timeout TO '15s'
    AS $$
declare
  head_position bigint;
  head_chain bytea;
  appended_at timestamptz;
  source_field bytea := int4send(octet_length(in_source)) || convert_to(in_source, 'UTF8');
  noted timestamptz;
  elsewhere text; -- where the source's deliveries are taken; null: here
begin
  perform set_config('idle_in_transaction_session_timeout', '10s', true);
  -- A snapshot taken before the lock would show an old head.
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'to append to the log needs the isolation level read committed'
      using errcode = 'invalid_transaction_state';
  end if;
  -- An answer to a delivery promises that its commit survives a crash.
  if current_setting('synchronous_commit') in ('off', 'local') then
    perform set_config('synchronous_commit', 'on', true);
  end if;
  -- Held until the commit, so that positions become visible in their order. 1919906927 tells this lock from others.
  perform pg_advisory_xact_lock(1919906927, hashtext(in_source));

  select coalesce(h.position, 0), coalesce(h.chain, decode(repeat('00', 32), 'hex')),
    greatest(clock_timestamp(), h.received_at), s.noted_at, s.state
  into head_position, head_chain, appended_at, noted, elsewhere
  from (select) as one
  left join source s on s.source = in_source
  left join lateral (
    select e.position, e.chain, e.received_at
    from event_log e
    where e.source = in_source
    order by e.position desc
    limit 1
  ) h on true;
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
    -- Every column, each of a fixed length or with its length before it (-1: null), so that no two events look alike.
      head_chain := sha256(
        head_chain || int8send(head_position) || timestamptz_send(appended_at) || digests[place] || source_field
        || coalesce(
          int4send(octet_length(event_types[place])) || convert_to(event_types[place], 'UTF8'), int4send(-1)
        )
        || coalesce(int4send(octet_length(subjects[place])) || convert_to(subjects[place], 'UTF8'), int4send(-1))
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

CREATE FUNCTION public.count_refused(in_source text, in_reason text, in_hour timestamp with time zone, in_count bigint, in_last_at timestamp with time zone) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
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

CREATE FUNCTION public.day_begins(in_day date, in_changes timestamp with time zone[], in_offsets integer[]) RETURNS timestamp with time zone
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (SELECT min(begin.at) AS min FROM (generate_series(1, cardinality(day_begins.in_offsets)) part(number) CROSS JOIN LATERAL (SELECT GREATEST((day_begins.in_changes)[(part.number - 1)], (((day_begins.in_day)::timestamp without time zone - make_interval(secs => ((day_begins.in_offsets)[part.number])::double precision)) AT TIME ZONE 'UTC'::text)) AS "greatest") begin(at)) WHERE (((day_begins.in_changes)[part.number] IS NULL) OR (begin.at < (day_begins.in_changes)[part.number])));

CREATE FUNCTION public.deliveries_about(in_source text, in_subject text, in_keys text[], in_limit integer) RETURNS TABLE(event_position bigint, received_at timestamp with time zone, event_type text, redeliveries bigint, last_at timestamp with time zone, is_parked boolean, said jsonb)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
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

CREATE FUNCTION public.drop_build(in_projection text, in_build integer, in_table text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    SET lock_timeout TO '40ms'
    AS $$
begin
  if not exists (
    select from projection p
    where p.projection = in_projection and in_table = any (p.tables) and p.live is distinct from in_build
  ) then
    raise exception '% is no table of a build of % that could be dropped', in_table, in_projection;
  end if;
  execute format('drop table if exists public.%I', in_table || '_' || in_build);
end
$$;

CREATE FUNCTION public.end_overdue() RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
declare
  ended integer := 0;
  out_of_reach integer := 0;
  overdue integer;
begin
  select count(distinct l.pid)
  into out_of_reach
  from pg_locks l
  join pg_stat_activity a on a.pid = l.pid
  where l.locktype = 'relation' and l.relation = 'checkpoint'::regclass and l.granted
    and l.database = (select d.oid from pg_database d where d.datname = current_database())
    and l.mode in ('RowExclusiveLock', 'ExclusiveLock')
    and a.state is null and a.query = '<insufficient privilege>';
  for overdue in
    select distinct l.pid
    from pg_locks l
    join pg_stat_activity a on a.pid = l.pid
    where l.locktype = 'relation' and l.relation = 'checkpoint'::regclass and l.granted
      and l.database = (select d.oid from pg_database d where d.datname = current_database())
      and l.mode in ('RowExclusiveLock', 'ExclusiveLock')
      and a.state = 'active' and a.wait_event_type = 'Client'
      and a.query_start < clock_timestamp() - interval '8 seconds'
  loop
    begin
      ended := ended + pg_terminate_backend(overdue)::integer;
    exception when insufficient_privilege then
      out_of_reach := out_of_reach + 1; -- of a login that is not the owner's
    end;
  end loop;
  return case when ended > 0 then ended else -out_of_reach end;
end
$$;

CREATE FUNCTION public.end_session(in_digest bytea) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
  delete from page_session s where s.digest = in_digest
$$;

CREATE FUNCTION public.forget_absences(in_source text, in_position bigint, in_event_ids text[]) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
  delete from first_absence f
  using participants p
  where f.source = in_source and f.confirmed < in_position
    and p.source = f.source and p.participant_id = f.participant_id
    and (in_event_ids is null or p.event_id = any (in_event_ids));
$$;

CREATE FUNCTION public.iso_time(in_moment timestamp with time zone) RETURNS text
    LANGUAGE sql STABLE STRICT PARALLEL SAFE
    RETURN replace(to_char((in_moment AT TIME ZONE 'UTC'::text), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'::text), '.000000Z'::text, 'Z'::text);

CREATE FUNCTION public.kept_by_participant() RETURNS SETOF regclass
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select c.oid::regclass
  from pg_class c
  where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
    and c.relowner = (select log.relowner from pg_class log where log.oid = 'public.event_log'::regclass)
    and 2 = (
      select count(*) from pg_attribute a
      where a.attrelid = c.oid and not a.attisdropped and a.atttypid = 'text'::regtype
        and a.attname in ('source', 'participant_id')
    )
$$;

CREATE FUNCTION public.lineage_at(in_source text, in_position bigint, in_change bigint) RETURNS text
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
  select coalesce(
    left(encode(sha256(
      case in_position
        when 0 then ''::bytea
        else (select e.chain from event_log e where e.source = in_source and e.position = in_position)
      end
      || case in_change
        when 0 then ''::bytea
        else (
          select convert_to(concat_ws(' ', n.position, extract(epoch from n.changed_at), n.subject), 'UTF8')
          from roster_change n where n.source = in_source and n.number = in_change
        )
      end
    ), 'hex'), 16),
    case when not pg_is_in_recovery() then '' end
  )
$$;

CREATE FUNCTION public.local_day(in_moment timestamp with time zone, in_changes timestamp with time zone[], in_offsets integer[]) RETURNS date
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (((in_moment AT TIME ZONE 'UTC'::text) + make_interval(secs => ((in_offsets)[(width_bucket(in_moment, in_changes) + 1)])::double precision)))::date;

CREATE FUNCTION public.make_index(in_projection text, in_build integer, in_table text, in_index text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    SET lock_timeout TO '30s'
    AS $$
declare
  definition text;
begin
  select pg_get_indexdef(i.indexrelid) into definition
  from projection p
  join projection_build b on b.projection = p.projection
  join pg_index i on i.indrelid = to_regclass('public.' || quote_ident(in_table))
  join pg_class c on c.oid = i.indexrelid
  where p.projection = in_projection and b.build = in_build and in_table = any (p.tables) and c.relname = in_index;
  if definition is null then
    raise exception '% is no index of build % of %', in_index, in_build, in_projection;
  end if;
  execute replace(
    definition,
    format(' INDEX %I ON ONLY public.%I ', in_index, in_table),
    format(' INDEX IF NOT EXISTS %I ON public.%I ', in_index || '_' || in_build, in_table || '_' || in_build)
  );
end
$$;

CREATE FUNCTION public.make_live(in_projection text, in_build integer) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
begin
  update projection p set live = in_build, previous = p.live where p.projection = in_projection;
end
$$;

CREATE FUNCTION public.newest_questions(in_source text, in_event_ids text[]) RETURNS TABLE(event_id text, question_key text, question_id text, question text, "position" bigint, participant_id text)
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
  with recursive of_all as (
    (
      select a.event_id, a.question_key, a.question_id, a.question, a.position, a.participant_id
      from participant_answers a
      where a.source = in_source and in_event_ids is null
      order by coalesce(a.event_id, ''), a.question_key, (a.question is not distinct from a.question_id), a.position desc, a.place
      limit 1
    )
    union all
    select following.*
    from of_all o
    cross join lateral (
      select a.event_id, a.question_key, a.question_id, a.question, a.position, a.participant_id
      from participant_answers a
      where a.source = in_source and (coalesce(a.event_id, ''), a.question_key) > (coalesce(o.event_id, ''), o.question_key)
      order by coalesce(a.event_id, ''), a.question_key, (a.question is not distinct from a.question_id), a.position desc, a.place
      limit 1
    ) following
  ),
  of_some as (
    select
      wanted.event_id, '' collate "C" as question_key, null collate "C" as question_id, null::text as question,
      0::bigint as position, null collate "C" as participant_id
    from (select distinct e.event_id collate "C" as event_id from unnest(in_event_ids) as e (event_id)) wanted
    union all
    select following.*
    from of_some o
    cross join lateral (
      select a.event_id, a.question_key, a.question_id, a.question, a.position, a.participant_id
      from participant_answers a
      where a.source = in_source and coalesce(a.event_id, '') = o.event_id and a.question_key > o.question_key
      order by a.question_key, (a.question is not distinct from a.question_id), a.position desc, a.place
      limit 1
    ) following
  )
  select o.event_id, o.question_key, o.question_id, o.question, o.position, o.participant_id from of_all o
  union all
  select o.event_id, o.question_key, o.question_id, o.question, o.position, o.participant_id
  from of_some o
  where o.question is not null
$$;

CREATE FUNCTION public.note_absences(in_source text, in_position bigint, in_taken_at timestamp with time zone, in_file_sha256 text, in_counts boolean, in_event_ids text[], ids text[], bases bigint[]) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    SET lock_timeout TO '15s'
    AS $$
begin
  perform set_config('idle_in_transaction_session_timeout', '10s', true);
  -- An erasure that is under way comes first, and the next one removes what is noted here.
  lock table erasures in share mode;

  -- What happened to the participant since, or a look at fewer events than now, makes the earlier absence worthless.
  update first_absence f set confirmed = in_position
  from unnest(ids, bases) as n (id, base)
  where f.source = in_source and f.participant_id = n.id
    and (not in_counts or f.base = n.base and (f.event_ids is null or f.event_ids @> in_event_ids));

  if not in_counts then
    return;
  end if;

  insert into first_absence as f (source, participant_id, position, base, taken_at, file_sha256, event_ids, confirmed)
  select in_source, n.id, in_position, n.base, in_taken_at, in_file_sha256, in_event_ids, in_position
  from unnest(ids, bases) as n (id, base)
  where not exists (
    select from erasures r where r.source = in_source and r.subject = n.id and r.lifted_at is null
  )
  on conflict on constraint first_absence_pkey do update
  set position = excluded.position, base = excluded.base, taken_at = excluded.taken_at,
    file_sha256 = excluded.file_sha256, event_ids = excluded.event_ids, confirmed = excluded.confirmed
  where f.confirmed < excluded.confirmed;
end
$$;

CREATE FUNCTION public.note_new_roster() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
begin
  insert into roster_change (source, number, position, subject, event_ids)
  select
    c.source,
    coalesce((select max(n.number) from roster_change n where n.source = c.source), 0) + 1,
    c.position,
    null,
    '{}'
  from checkpoint c
  where c.projection = new.projection and c.build = new.live;
  return null;
end
$$;

CREATE TABLE public.reconciliation (
    source text NOT NULL COLLATE pg_catalog."C",
    "position" bigint NOT NULL,
    recorded_at timestamp with time zone NOT NULL,
    kind text NOT NULL,
    taken_at timestamp with time zone NOT NULL,
    event_ids text[],
    rows_read bigint,
    missing bigint NOT NULL,
    stale bigint NOT NULL,
    unlisted bigint NOT NULL,
    unknowable bigint NOT NULL,
    is_complete boolean NOT NULL,
    compared_at bigint NOT NULL,
    until_position bigint
);

CREATE FUNCTION public.note_reconciliation(in_source text, at_position bigint, appended_at timestamp with time zone, told jsonb) RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    BEGIN ATOMIC
 INSERT INTO public.reconciliation (source, "position", recorded_at, kind, taken_at, event_ids, rows_read, missing, stale, unlisted, unknowable, is_complete, compared_at)  SELECT note_reconciliation.in_source AS in_source,
             note_reconciliation.at_position AS at_position,
             note_reconciliation.appended_at AS appended_at,
             (note_reconciliation.told ->> 'kind'::text),
             ((note_reconciliation.told ->> 'taken_at'::text))::timestamp with time zone AS timestamptz,
                 CASE
                     WHEN ((note_reconciliation.told -> 'scope'::text) <> 'null'::jsonb) THEN ARRAY( SELECT jsonb_array_elements_text((note_reconciliation.told -> 'scope'::text)) AS jsonb_array_elements_text)
                     ELSE NULL::text[]
                 END AS "case",
             ((note_reconciliation.told ->> 'rows'::text))::bigint AS int8,
             d.missing,
             d.stale,
             d.unlisted,
             d.unknowable,
             COALESCE(((note_reconciliation.told ->> 'agrees'::text))::boolean, ((((d.missing + d.stale) + d.unlisted) + d.unknowable) = 0)) AS "coalesce",
             ((note_reconciliation.told ->> 'position'::text))::bigint AS int8
            FROM jsonb_to_record((note_reconciliation.told -> 'after'::text)) d(missing bigint, stale bigint, unlisted bigint, unknowable bigint);
 UPDATE public.reconciliation r SET until_position = n."position"
    FROM public.reconciliation n
   WHERE ((n.source = note_reconciliation.in_source) AND (n."position" = note_reconciliation.at_position) AND (r.source = note_reconciliation.in_source) AND (r."position" < note_reconciliation.at_position) AND (r.until_position IS NULL) AND (n.taken_at >= r.taken_at) AND ((n.event_ids IS NULL) OR (r.event_ids <@ n.event_ids)));
 UPDATE public.reconciliation n SET until_position = n."position"
   WHERE ((n.source = note_reconciliation.in_source) AND (n."position" = note_reconciliation.at_position) AND (EXISTS ( SELECT
            FROM public.reconciliation r
           WHERE ((r.source = note_reconciliation.in_source) AND (r."position" < note_reconciliation.at_position) AND (r.until_position IS NULL) AND (r.taken_at > n.taken_at) AND ((r.event_ids IS NULL) OR (n.event_ids <@ r.event_ids))))));
END;

CREATE FUNCTION public.note_roster_change(in_source text, in_subject text) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
  insert into roster_change (source, number, position, subject, event_ids)
  select
    in_source,
    coalesce((select max(n.number) from roster_change n where n.source = in_source), 0) + 1,
    coalesce((
      select c.position
      from checkpoint c
      join projection r on r.projection = c.projection and r.live = c.build
      where c.source = in_source and c.projection = 'participants'
    ), 0),
    in_subject,
    array(
      select p.event_id from participants p
      where p.source = in_source and p.participant_id = in_subject and p.event_id is not null
      union
      select h.event_id from participant_history h
      where h.source = in_source and h.participant_id = in_subject and h.event_id is not null
    )
$$;

CREATE FUNCTION public.note_token_use(in_digest bytea) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
  update api_token t set last_used_at = now()
  where t.digest = in_digest and (t.last_used_at is null or t.last_used_at < now() - interval '1 minute')
$$;

CREATE FUNCTION public.oldest_transaction() RETURNS timestamp with time zone
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
  select min(t.began) from open_transactions() t
$$;

CREATE FUNCTION public.open_transactions() RETURNS TABLE(who text, began timestamp with time zone)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
  select 'pid ' || a.pid || ' (' || coalesce(nullif(a.application_name, ''), a.usename, '?') || ')', a.xact_start
  from pg_stat_activity a
  where a.datname = current_database() and a.pid <> pg_backend_pid() and a.backend_type = 'client backend'
    and a.xact_start is not null
  union all
  select 'prepared ' || p.gid, p.prepared
  from pg_prepared_xacts p
  where p.database = current_database()
$$;

CREATE FUNCTION public.position_at(in_source text, in_moment timestamp with time zone) RETURNS bigint
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
declare
  low bigint := 0;
  high bigint := (select e.position from event_log e where e.source = in_source order by e.position desc limit 1);
  middle bigint;
begin
  while low < coalesce(high, 0) loop
    middle := (low + high + 1) / 2;
    if (select e.received_at from event_log e where e.source = in_source and e.position = middle) <= in_moment then
      low := middle;
    else
      high := middle - 1;
    end if;
  end loop;
  return low;
end
$$;

CREATE FUNCTION public.publish_participants(in_source text, in_limit integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
declare
  state published_source%rowtype;
  live integer;
  reached bigint;
  changed bigint;
  ids text[];
  positions bigint[];
begin
  -- So that no swap happens during this transaction; an erasure of the source waits for the row below.
  lock table checkpoint in row exclusive mode;
  insert into published_source (source) values (in_source) on conflict do nothing;
  select * into state from published_source s where s.source = in_source for update skip locked;
  select c.build, c.position into live, reached
  from checkpoint c
  join projection r on r.projection = c.projection and r.live = c.build
  where c.source = in_source and c.projection = 'participants';
  if state.source is null or live is null then
    return 0;  -- another worker publishes this source, or no build is live
  end if;
  select coalesce(max(n.number), 0) into changed from roster_change n where n.source = in_source;

  if state.build <> live then
    state := (in_source, live, reached, changed, '');
  end if;
  if state.filled_to is not null then
    select coalesce(array_agg(next.participant_id order by next.participant_id), '{}') into ids
    from (
      (
        select p.participant_id from participants p
        where p.source = in_source and p.participant_id > state.filled_to order by p.participant_id limit in_limit
      )
      union
      (
        select p.participant_id from published_participants p
        where p.source = in_source and p.participant_id > state.filled_to order by p.participant_id limit in_limit
      )
      order by participant_id limit in_limit
    ) next;
    state.filled_to := case when cardinality(ids) = in_limit then ids[in_limit] end;
  else
    select
      coalesce(array_agg(next.participant_id), '{}'), coalesce(array_agg(next.position order by next.position), '{}')
    into ids, positions
    from (
      select p.participant_id, p.position from participants p
      where p.source = in_source and p.position > state.position order by p.position limit in_limit
    ) next;
    state.position := case when cardinality(ids) = in_limit then positions[in_limit] else reached end;
    ids := ids || array(
      select distinct n.subject from roster_change n
      where n.source = in_source and n.number > state.change and n.subject is not null
    );
    state.change := changed;
  end if;

  perform publish_these(in_source, ids);
  update published_source s
  set build = state.build, position = state.position, change = state.change, filled_to = state.filled_to
  where s.source = in_source;
  return cardinality(ids);
end
$$;

CREATE FUNCTION public.publish_these(in_source text, in_ids text[]) RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
  delete from published_participants gone
  where gone.source = in_source and gone.participant_id = any (in_ids)
    and not exists (select from participants p where p.source = in_source and p.participant_id = gone.participant_id);
  insert into published_participants as known (
    source, participant_id,
    event_id, event_name, sub_event_id, sub_event_name, athlete_id, status, first_name, last_name, bib, gender,
    team, wave, state, country, checked_in_at, registered_at, updated_at,
    first_position, position, received_at, age_band, age_basis, origin, unlisted_at
  )
  select
    p.source, p.participant_id,
    p.event_id, p.event_name, p.sub_event_id, p.sub_event_name, p.athlete_id, p.status, p.first_name, p.last_name,
    p.bib, p.gender, p.team, p.wave, p.state, p.country, p.checked_in_at, p.registered_at, p.updated_at,
    p.first_position, p.position, p.received_at,
    p.age_band, p.age_basis, p.origin, p.unlisted_at
  from reporting.participants p
  where p.source = in_source and p.participant_id = any (in_ids)
  on conflict (source, participant_id) do update set
    (
      event_id, event_name, sub_event_id, sub_event_name, athlete_id, status, first_name, last_name, bib, gender,
      team, wave, state, country, checked_in_at, registered_at, updated_at,
      first_position, position, received_at, age_band, age_basis, origin, unlisted_at
    ) = (
      excluded.event_id, excluded.event_name, excluded.sub_event_id, excluded.sub_event_name, excluded.athlete_id,
      excluded.status, excluded.first_name, excluded.last_name, excluded.bib, excluded.gender, excluded.team,
      excluded.wave, excluded.state, excluded.country, excluded.checked_in_at, excluded.registered_at,
      excluded.updated_at,
      excluded.first_position, excluded.position, excluded.received_at,
      excluded.age_band, excluded.age_basis, excluded.origin, excluded.unlisted_at
    )
  where known is distinct from excluded;
$$;

CREATE FUNCTION public.questions_of_many(in_source text) RETURNS TABLE(source text, question_id text, question text)
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
  with asked as (
    select distinct a.source, a.question_id, a.question, coalesce(p.athlete_id, p.participant_id) as person
    from participant_answers a
    join participants p on p.source = a.source and p.participant_id = a.participant_id
    where in_source is null or a.source = in_source
  )
  select q.source, q.question_id, q.question
  from asked q
  group by grouping sets ((q.source, q.question_id), (q.source, q.question))
  having count(distinct q.person) >= 10
$$;

CREATE FUNCTION public.refuse_change() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  raise exception '% is append-only: % is refused', tg_table_name, lower(tg_op)
    using errcode = 'restrict_violation';
end
$$;

CREATE FUNCTION public.refuse_change_but_erasure() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
begin
  if new.body is null and exists (
    select from erasures r
    where r.source = old.source and old.digest = any (r.digests) and (
      r.subject = old.subject or (old.subject is null and starts_with(old.event_type, 'event.participant.'))
    )
  ) then
    return new;
  end if;
  raise exception '% is append-only: % is refused', tg_table_name, lower(tg_op)
    using errcode = 'restrict_violation';
end
$$;

CREATE FUNCTION public.refuse_elsewhere(in_source text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
declare
  told source%rowtype;
begin
  select * into told from source s where s.source = in_source;
  if told.state = 'moved' then
    raise exception '% has moved to %: do it there; here it can only be read', in_source, told.other_place
      using errcode = 'RL001';
  elsif told.state = 'arriving' then
    raise exception '% is being copied to here from %: do it there, until rosterlog source move has ended',
      in_source, told.other_place
      using errcode = 'RL001';
  end if;
end
$$;

CREATE FUNCTION public.refuse_erasure_elsewhere() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
begin
  if current_user = (select pg_get_userbyid(c.relowner) from pg_class c where c.oid = tg_relid) then
    return new;
  end if;
  if (case tg_op when 'INSERT' then new.erased_at else new.lifted_at end) < now()
    and exists (select from source s where s.source = new.source and s.state = 'moved')
  then
    return new;
  end if;
  perform refuse_elsewhere(new.source);
  return new;
end
$$;

CREATE FUNCTION public.scope_of(in_digest bytea) RETURNS TABLE(source text, event_ids text[], sees_personal_data boolean, build integer, "position" bigint, change bigint, mark text)
    LANGUAGE sql STABLE
    AS $$
  select
    found.source, found.event_ids, found.sees_personal_data, found.build, found.position, found.change,
    coalesce(lineage_at(found.source, found.position, found.change), '')
  from (
    select
      t.source, t.event_ids, t.sees_personal_data,
      (select coalesce(max(p.live), 0) from projection p where p.projection = 'participants') as build,
      (
        select coalesce(max(c.position), 0)
        from checkpoint c
        where c.source = t.source and c.projection = 'participants'
          and c.build = (select coalesce(max(p.live), 0) from projection p where p.projection = 'participants')
      ) as position,
      (select coalesce(max(r.number), 0) from roster_change r where r.source = t.source) as change
    from api_token t
    where t.digest = in_digest and t.revoked_at is null and (t.expires_at is null or t.expires_at > now())
  ) found
$$;

CREATE FUNCTION public.slots() RETURNS TABLE(slot_name text, is_active boolean, is_lost boolean, is_unbounded boolean, held_bytes bigint)
    LANGUAGE sql STABLE
    AS $$
  select s.slot_name::text, s.active, s.wal_status is not distinct from 'lost',
    current_setting('max_slot_wal_keep_size') = '-1',
    pg_wal_lsn_diff(
      case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end, s.restart_lsn
    )::bigint
  from pg_replication_slots s
  where not s.temporary and s.slot_name !~ '^pg_[0-9]+_sync_'
$$;

CREATE FUNCTION public.sources_in_log() RETURNS TABLE(source text)
    LANGUAGE sql STABLE
    AS $$
  with recursive sources as (
    (select e.source from event_log e order by e.source limit 1)
    union all
    select (select e.source from event_log e where e.source > s.source order by e.source limit 1)
    from sources s
    where s.source is not null
  )
  select s.source from sources s where s.source is not null
$$;

CREATE FUNCTION public.text_key_by_letter(in_text text) RETURNS text
    LANGUAGE sql STABLE SECURITY DEFINER PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
  -- Each letter is looked up by itself: for a join all of the table would be hashed, for every text.
  select left(btrim(regexp_replace(string_agg(
    coalesce((select l.key from letter l where l.letter = c.letter collate "C"), c.letter), '' order by c.place
  ), ' +', ' ', 'g'), ' '), 100)
  from string_to_table(in_text, null) with ordinality as c (letter, place)
$$;

CREATE FUNCTION public.turn_source(in_source text, in_turn text, in_place text, in_move uuid DEFAULT NULL::uuid, in_position bigint DEFAULT NULL::bigint, in_chain bytea DEFAULT NULL::bytea) RETURNS TABLE(is_done boolean, state text, move_id uuid, other_place text, head bigint, chain bytea)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    SET lock_timeout TO '15s'
    AS $$
#variable_conflict use_column
declare
  head_position bigint;
  head_chain bytea;
  appended_at timestamptz;
  noted timestamptz;
  elsewhere text; -- where the source's deliveries are taken; null: here
  known uuid; -- the last move
  becomes text;
begin
  -- A command that is stopped while it keeps deliveries waiting is ended.
  perform set_config('idle_in_transaction_session_timeout', '10s', true);
  -- An erasure that is under way comes first, and the next one sees what is done here.
  lock table erasures in share mode;
  -- A snapshot taken before the lock would show an old head.
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'to append to the log needs the isolation level read committed'
      using errcode = 'invalid_transaction_state';
  end if;
  -- An answer to a delivery promises that its commit survives a crash.
  if current_setting('synchronous_commit') in ('off', 'local') then
    perform set_config('synchronous_commit', 'on', true);
  end if;
  -- Held until the commit, so that positions become visible in their order. 1919906927 tells this lock from others.
  perform pg_advisory_xact_lock(1919906927, hashtext(in_source));

  select coalesce(h.position, 0), coalesce(h.chain, decode(repeat('00', 32), 'hex')),
    greatest(clock_timestamp(), h.received_at), s.noted_at, s.state
  into head_position, head_chain, appended_at, noted, elsewhere
  from (select) as one
  left join source s on s.source = in_source
  left join lateral (
    select e.position, e.chain, e.received_at
    from event_log e
    where e.source = in_source
    order by e.position desc
    limit 1
  ) h on true;
  select s.move_id into known from source s where s.source = in_source;

  becomes := case in_turn when 'arrive' then 'arriving' when 'leave' then 'moved' when 'decline' then 'moved' end;
  is_done := case in_turn
    when 'arrive' then elsewhere is not null or head_position = 0
    when 'leave' then elsewhere is null or elsewhere = 'moved' and known = in_move
    when 'complete' then known = in_move and (
      elsewhere = 'arriving' and head_position = in_position and head_chain = in_chain or elsewhere is null
    )
    when 'decline' then known = in_move and (elsewhere is not null or head_position = in_position)
    when 'stay' then known = in_move and (elsewhere is null or elsewhere = 'moved')
  end is true;
  if is_done and (elsewhere is distinct from becomes) then
    insert into source as s (source, head, state, move_id, other_place)
    values (in_source, head_position, becomes, coalesce(in_move, gen_random_uuid()), in_place)
    on conflict on constraint source_pkey do update
    set state = excluded.state, move_id = excluded.move_id, other_place = excluded.other_place;
  end if;

  return query
  select is_done, s.state, s.move_id, s.other_place, head_position, head_chain
  from (select) as one
  left join source s on s.source = in_source;
end
$$;

CREATE FUNCTION public.uncount_registration() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
begin
  delete from registrations_daily_build d
  where d.source = old.source and d.build = old.build and d.day = old.day and d.registrations = 1
    and (d.event_id = old.event_id or (d.event_id is null and old.event_id is null))
    and (d.sub_event_id = old.sub_event_id or (d.sub_event_id is null and old.sub_event_id is null));
  if not found then
    update registrations_daily_build d set registrations = d.registrations - 1
    where d.source = old.source and d.build = old.build and d.day = old.day
      and (d.event_id = old.event_id or (d.event_id is null and old.event_id is null))
      and (d.sub_event_id = old.sub_event_id or (d.sub_event_id is null and old.sub_event_id is null));
  end if;
  return null;
end
$$;

CREATE FUNCTION public.withheld_events() RETURNS TABLE(source text, undone bigint, delivered_since bigint, events bigint)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
  with newest as (
    select r.source, r.erasure_id, r.subject, r.digests, r.lifted_at
    from erasures r
    order by r.erased_at desc
    limit 1000
  ),
  of_subject as (
    select
      n.source, n.subject,
      (
        select count(*) from event_log e
        where e.source = n.source and e.subject = n.subject and e.body is not null and not exists (
          select from erasures o where o.source = n.source and o.subject = n.subject and e.digest = any (o.digests)
        )
      ) as events
    from (select distinct d.source, d.subject from newest d where d.lifted_at is null) n
  ),
  unfinished as (
    select n.source, count(*) as undone
    from newest n
    where exists (
      select from unnest(n.digests) as d (digest)
      join event_log e on e.source = n.source and e.digest = d.digest
      where e.body is not null
    )
    group by n.source
  ),
  since as (
    select s.source, count(*) as delivered_since, sum(s.events)::bigint as events
    from of_subject s
    where s.events > 0
    group by s.source
  )
  select
    coalesce(u.source, s.source), coalesce(u.undone, 0), coalesce(s.delivered_since, 0), coalesce(s.events, 0)
  from unfinished u
  full join since s on s.source = u.source
$$;

CREATE FUNCTION reporting.age_band(in_age integer) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (ARRAY['under 18'::text, '18-24'::text, '25-34'::text, '35-44'::text, '45-54'::text, '55-64'::text, '65+'::text])[width_bucket(in_age, ARRAY[0, 18, 25, 35, 45, 55, 65, 121])];

COMMENT ON FUNCTION reporting.age_band(in_age integer) IS 'The band of an age in years.';

CREATE FUNCTION reporting.age_band(in_dob date, in_age integer, in_day date) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN COALESCE(reporting.age_band((EXTRACT(year FROM age((in_day)::timestamp without time zone, (in_dob)::timestamp without time zone)))::integer), reporting.age_band(in_age));

COMMENT ON FUNCTION reporting.age_band(in_dob date, in_age integer, in_day date) IS 'The band of an age on a day: by the date of birth, else by the given age.';

CREATE FUNCTION reporting.age_band(in_dob date, in_age integer, in_at timestamp with time zone) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN reporting.age_band(in_dob, in_age, ((in_at AT TIME ZONE 'UTC'::text))::date);

COMMENT ON FUNCTION reporting.age_band(in_dob date, in_age integer, in_at timestamp with time zone) IS 'The band of an age at a time, on its day in UTC: by the date of birth, else by the given age.';

CREATE FUNCTION reporting.answers_of_many() RETURNS TABLE(source text, question text, answer text)
    LANGUAGE sql STABLE SECURITY DEFINER PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
  select m.source, m.question, m.answer from answers_of_many(null) m
$$;

COMMENT ON FUNCTION reporting.answers_of_many() IS 'Answers that people chose, not wrote; every reader may see them.';

CREATE TABLE public.event_calendar (
    projection text NOT NULL COLLATE pg_catalog."C",
    build integer NOT NULL,
    event_id text COLLATE pg_catalog."C",
    time_zone text NOT NULL COLLATE pg_catalog."C",
    changes timestamp with time zone[] NOT NULL,
    offsets integer[] NOT NULL,
    starts_on date,
    previous_event_id text COLLATE pg_catalog."C"
);
ALTER TABLE ONLY public.event_calendar ALTER COLUMN changes SET STORAGE PLAIN;
ALTER TABLE ONLY public.event_calendar ALTER COLUMN offsets SET STORAGE PLAIN;

CREATE TABLE public.projection (
    projection text NOT NULL COLLATE pg_catalog."C",
    tables text[] NOT NULL,
    last_build integer DEFAULT 0 NOT NULL,
    live integer,
    previous integer
);

CREATE VIEW reporting.calendar AS
 SELECT event_id,
    time_zone,
    starts_on,
    previous_event_id,
    changes,
    offsets
   FROM public.event_calendar c
  WHERE ((projection = 'participants'::text) AND (build = ( SELECT r.live
           FROM public.projection r
          WHERE (r.projection = 'participants'::text))));

COMMENT ON VIEW reporting.calendar IS 'In which time zone the days of events are, as ROSTERLOG_TIME_ZONE and the file of ROSTERLOG_FIELDS say.';

COMMENT ON COLUMN reporting.calendar.event_id IS 'The event; null: every event that has no row of its own.';

COMMENT ON COLUMN reporting.calendar.time_zone IS 'IANA name of the time zone.';

COMMENT ON COLUMN reporting.calendar.starts_on IS 'First day of the event; null if the file does not say it.';

COMMENT ON COLUMN reporting.calendar.previous_event_id IS 'The previous edition of the event; null if the file names none.';

COMMENT ON COLUMN reporting.calendar.changes IS 'The times from which the zone has another offset, for day_of().';

COMMENT ON COLUMN reporting.calendar.offsets IS 'The offsets in seconds, east of UTC positive: before the first change, then from each change on.';

CREATE FUNCTION reporting.day_begins(in_day date, in_event_id text DEFAULT NULL::text) RETURNS timestamp with time zone
    LANGUAGE sql STABLE PARALLEL SAFE
    BEGIN ATOMIC
 SELECT public.day_begins(day_begins.in_day, c.changes, c.offsets) AS day_begins
    FROM reporting.calendar c
   WHERE ((c.event_id = day_begins.in_event_id) OR (c.event_id IS NULL))
   ORDER BY c.event_id
  LIMIT 1;
END;

COMMENT ON FUNCTION reporting.day_begins(in_day date, in_event_id text) IS 'The first moment of a day in the time zone of an event; without an event, in that of ROSTERLOG_TIME_ZONE.';

CREATE FUNCTION reporting.day_of(in_moment timestamp with time zone, in_event_id text DEFAULT NULL::text) RETURNS date
    LANGUAGE sql STABLE PARALLEL SAFE
    BEGIN ATOMIC
 SELECT public.local_day(day_of.in_moment, c.changes, c.offsets) AS local_day
    FROM reporting.calendar c
   WHERE ((c.event_id = day_of.in_event_id) OR (c.event_id IS NULL))
   ORDER BY c.event_id
  LIMIT 1;
END;

COMMENT ON FUNCTION reporting.day_of(in_moment timestamp with time zone, in_event_id text) IS 'The day of a time in the time zone of an event; without an event, in that of ROSTERLOG_TIME_ZONE.';

CREATE FUNCTION reporting.iso_date(in_text text) RETURNS date
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN (in_text ~ '^[1-9][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])([^0-9]|$)'::text) THEN (SELECT CASE WHEN (to_char((found.day)::timestamp with time zone, 'YYYY-MM-DD'::text) = "left"(iso_date.in_text, 10)) THEN found.day ELSE NULL::date END AS "case" FROM (SELECT ((make_date(("left"(iso_date.in_text, 4))::integer, (substr(iso_date.in_text, 6, 2))::integer, 1) + (substr(iso_date.in_text, 9, 2))::integer) - 1) AS "?column?") found(day)) ELSE NULL::date END;

COMMENT ON FUNCTION reporting.iso_date(in_text text) IS 'The date, such as 2026-05-31, that a text begins with; else null.';

CREATE FUNCTION reporting.sees_personal_data() RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN pg_has_role(CURRENT_USER, 'rosterlog_reporting_pii'::name, 'usage'::text);

COMMENT ON FUNCTION reporting.sees_personal_data() IS 'Whether you see the columns that are marked as personal.';

CREATE TABLE public.event_log (
    source text NOT NULL COLLATE pg_catalog."C",
    "position" bigint NOT NULL,
    received_at timestamp with time zone NOT NULL,
    event_type text COLLATE pg_catalog."C",
    subject text COLLATE pg_catalog."C",
    digest bytea NOT NULL,
    body bytea,
    signature text,
    chain bytea NOT NULL,
    CONSTRAINT event_log_position CHECK (("position" > 0))
)
WITH (autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='0', autovacuum_vacuum_insert_scale_factor='0', autovacuum_vacuum_insert_threshold='100000', autovacuum_freeze_min_age='0', toast.autovacuum_vacuum_scale_factor='0', toast.autovacuum_vacuum_threshold='0', toast.autovacuum_vacuum_insert_scale_factor='0', toast.autovacuum_vacuum_insert_threshold='100000', toast.autovacuum_freeze_min_age='0');
ALTER TABLE ONLY public.event_log ALTER COLUMN body SET STATISTICS 0;

CREATE TABLE public.participant_history_build (
    source text NOT NULL COLLATE pg_catalog."C",
    participant_id text NOT NULL COLLATE pg_catalog."C",
    event_id text COLLATE pg_catalog."C",
    event_name text,
    sub_event_id text COLLATE pg_catalog."C",
    sub_event_name text,
    athlete_id text COLLATE pg_catalog."C",
    status text,
    first_name text,
    last_name text,
    email text,
    phone text,
    bib text,
    gender text,
    dob date,
    age integer,
    team text,
    wave text,
    city text,
    state text,
    country text,
    zip_code text,
    checked_in_at timestamp with time zone,
    registered_at timestamp with time zone,
    updated_at timestamp with time zone,
    first_position bigint NOT NULL,
    "position" bigint NOT NULL,
    received_at timestamp with time zone NOT NULL,
    field_errors jsonb NOT NULL,
    attributes jsonb,
    build integer NOT NULL,
    until_position bigint NOT NULL,
    answers jsonb,
    last_name_key text COLLATE pg_catalog."C",
    first_name_key text COLLATE pg_catalog."C",
    email_key text COLLATE pg_catalog."C",
    team_key text COLLATE pg_catalog."C",
    bib_key text COLLATE pg_catalog."C",
    bib_number bigint,
    words tsvector,
    origin text DEFAULT 'delivery'::text NOT NULL,
    unlisted_at timestamp with time zone
)
PARTITION BY LIST (build);
ALTER TABLE ONLY public.participant_history_build ALTER COLUMN words SET STATISTICS 0;

CREATE VIEW public.participant_history AS
 SELECT p.source,
    p.participant_id,
    p.event_id,
    p.event_name,
    p.sub_event_id,
    p.sub_event_name,
    p.athlete_id,
    p.status,
    p.first_name,
    p.last_name,
    p.email,
    p.phone,
    p.bib,
    p.gender,
    p.dob,
    p.age,
    p.team,
    p.wave,
    p.city,
    p.state,
    p.country,
    p.zip_code,
    p.checked_in_at,
    p.registered_at,
    p.updated_at,
    p.first_position,
    p."position",
    p.received_at,
    p.field_errors,
    p.until_position,
    COALESCE(p.attributes, ((convert_from(e.body, 'UTF8'::name))::jsonb #> '{data,object}'::text[])) AS attributes,
    p.answers,
    p.origin,
    p.unlisted_at
   FROM (public.participant_history_build p
     LEFT JOIN public.event_log e ON (((e.source = p.source) AND (e."position" = p."position"))))
  WHERE (p.build = ( SELECT r.live
           FROM public.projection r
          WHERE (r.projection = 'participants'::text)));

CREATE TABLE public.participants_build (
    source text NOT NULL COLLATE pg_catalog."C",
    participant_id text NOT NULL COLLATE pg_catalog."C",
    event_id text COLLATE pg_catalog."C",
    event_name text,
    sub_event_id text COLLATE pg_catalog."C",
    sub_event_name text,
    athlete_id text COLLATE pg_catalog."C",
    status text,
    first_name text,
    last_name text,
    email text,
    phone text,
    bib text,
    gender text,
    dob date,
    age integer,
    team text,
    wave text,
    city text,
    state text,
    country text,
    zip_code text,
    checked_in_at timestamp with time zone,
    registered_at timestamp with time zone,
    updated_at timestamp with time zone,
    first_position bigint NOT NULL,
    "position" bigint NOT NULL,
    received_at timestamp with time zone NOT NULL,
    field_errors jsonb NOT NULL,
    attributes jsonb,
    build integer NOT NULL,
    words tsvector,
    last_name_key text COLLATE pg_catalog."C",
    first_name_key text COLLATE pg_catalog."C",
    email_key text COLLATE pg_catalog."C",
    team_key text COLLATE pg_catalog."C",
    bib_key text COLLATE pg_catalog."C",
    bib_number bigint,
    origin text DEFAULT 'delivery'::text NOT NULL,
    unlisted_at timestamp with time zone
)
PARTITION BY LIST (build);

CREATE VIEW public.participants AS
 SELECT p.source,
    p.participant_id,
    p.event_id,
    p.event_name,
    p.sub_event_id,
    p.sub_event_name,
    p.athlete_id,
    p.status,
    p.first_name,
    p.last_name,
    p.email,
    p.phone,
    p.bib,
    p.gender,
    p.dob,
    p.age,
    p.team,
    p.wave,
    p.city,
    p.state,
    p.country,
    p.zip_code,
    p.checked_in_at,
    p.registered_at,
    p.updated_at,
    p.first_position,
    p."position",
    p.received_at,
    p.field_errors,
    COALESCE(p.attributes, ((convert_from(e.body, 'UTF8'::name))::jsonb #> '{data,object}'::text[])) AS attributes,
    p.origin,
    p.unlisted_at
   FROM (public.participants_build p
     LEFT JOIN public.event_log e ON (((e.source = p.source) AND (e."position" = p."position"))))
  WHERE (p.build = ( SELECT r.live
           FROM public.projection r
          WHERE (r.projection = 'participants'::text)));

CREATE VIEW reporting.participant_history AS
 SELECT p.source,
    p.participant_id,
    p.event_id,
    p.event_name,
    p.sub_event_id,
    p.sub_event_name,
    p.athlete_id,
    p.status,
    p.first_name,
    p.last_name,
        CASE
            WHEN ( SELECT reporting.sees_personal_data() AS sees_personal_data) THEN p.email
            ELSE NULL::text
        END AS email,
        CASE
            WHEN ( SELECT reporting.sees_personal_data() AS sees_personal_data) THEN p.phone
            ELSE NULL::text
        END AS phone,
    p.bib,
    p.gender,
        CASE
            WHEN ( SELECT reporting.sees_personal_data() AS sees_personal_data) THEN p.dob
            ELSE NULL::date
        END AS dob,
        CASE
            WHEN ( SELECT reporting.sees_personal_data() AS sees_personal_data) THEN p.age
            ELSE NULL::integer
        END AS age,
    p.team,
    p.wave,
        CASE
            WHEN ( SELECT reporting.sees_personal_data() AS sees_personal_data) THEN p.city
            ELSE NULL::text
        END AS city,
    p.state,
    p.country,
        CASE
            WHEN ( SELECT reporting.sees_personal_data() AS sees_personal_data) THEN p.zip_code
            ELSE NULL::text
        END AS zip_code,
    p.checked_in_at,
    p.registered_at,
    p.updated_at,
    p.first_position,
    p."position",
    p.received_at,
    p.field_errors,
        CASE
            WHEN ( SELECT reporting.sees_personal_data() AS sees_personal_data) THEN p.attributes
            ELSE NULL::jsonb
        END AS attributes,
    reporting.age_band(p.dob, p.age, counted.day) AS age_band,
    p."position" AS valid_from_position,
    p.until_position AS valid_to_position,
    p.received_at AS valid_from,
    ended.received_at AS valid_to,
        CASE
            WHEN (reporting.age_band(p.dob, NULL::integer, counted.day) IS NOT NULL) THEN counted.basis
            WHEN (reporting.age_band(p.age) IS NOT NULL) THEN 'as sent'::text
            ELSE NULL::text
        END AS age_basis,
    p.origin,
    p.unlisted_at
   FROM (((( SELECT h.source,
            h.participant_id,
            h.event_id,
            h.event_name,
            h.sub_event_id,
            h.sub_event_name,
            h.athlete_id,
            h.status,
            h.first_name,
            h.last_name,
            h.email,
            h.phone,
            h.bib,
            h.gender,
            h.dob,
            h.age,
            h.team,
            h.wave,
            h.city,
            h.state,
            h.country,
            h.zip_code,
            h.checked_in_at,
            h.registered_at,
            h.updated_at,
            h.first_position,
            h."position",
            h.received_at,
            h.field_errors,
            h.attributes,
            h.until_position,
            h.origin,
            h.unlisted_at
           FROM public.participant_history h
        UNION ALL
         SELECT n.source,
            n.participant_id,
            n.event_id,
            n.event_name,
            n.sub_event_id,
            n.sub_event_name,
            n.athlete_id,
            n.status,
            n.first_name,
            n.last_name,
            n.email,
            n.phone,
            n.bib,
            n.gender,
            n.dob,
            n.age,
            n.team,
            n.wave,
            n.city,
            n.state,
            n.country,
            n.zip_code,
            n.checked_in_at,
            n.registered_at,
            n.updated_at,
            n.first_position,
            n."position",
            n.received_at,
            n.field_errors,
            n.attributes,
            NULL::bigint,
            n.origin,
            n.unlisted_at
           FROM public.participants n) p
     LEFT JOIN public.event_log ended ON (((ended.source = p.source) AND (ended."position" = p.until_position))))
     LEFT JOIN reporting.calendar c ON ((c.event_id = p.event_id)))
     CROSS JOIN LATERAL ( SELECT COALESCE(c.starts_on, public.local_day(COALESCE(p.registered_at, p.received_at), COALESCE(c.changes, ( SELECT o.changes
                   FROM reporting.calendar o
                  WHERE (o.event_id IS NULL))), COALESCE(c.offsets, ( SELECT o.offsets
                   FROM reporting.calendar o
                  WHERE (o.event_id IS NULL))))) AS "coalesce",
                CASE
                    WHEN (c.starts_on IS NULL) THEN 'registration'::text
                    ELSE 'race day'::text
                END AS "case") counted(day, basis));

COMMENT ON VIEW reporting.participant_history IS 'Every state that participants had and have, one row per state; valid_to of the newest state is null.';

COMMENT ON COLUMN reporting.participant_history.source IS 'The source of the deliveries; movemint unless you have several.';

COMMENT ON COLUMN reporting.participant_history.participant_id IS 'The participant in Movemint; unique within a source.';

COMMENT ON COLUMN reporting.participant_history.event_id IS 'The event that the participant is in.';

COMMENT ON COLUMN reporting.participant_history.event_name IS 'Name of the event in the participant''s delivery; reporting.events has the newest.';

COMMENT ON COLUMN reporting.participant_history.sub_event_id IS 'The race or category within the event.';

COMMENT ON COLUMN reporting.participant_history.sub_event_name IS 'Name of the race or category in the participant''s delivery.';

COMMENT ON COLUMN reporting.participant_history.athlete_id IS 'The person, who may be in several events.';

COMMENT ON COLUMN reporting.participant_history.status IS 'State of the registration in Movemint''s words, of which Movemint publishes no list.';

COMMENT ON COLUMN reporting.participant_history.first_name IS 'First name.';

COMMENT ON COLUMN reporting.participant_history.last_name IS 'Last name.';

COMMENT ON COLUMN reporting.participant_history.email IS 'E-mail address. Personal: null without rosterlog_reporting_pii.';

COMMENT ON COLUMN reporting.participant_history.phone IS 'Phone number as Movemint sent it. Personal: null without rosterlog_reporting_pii.';

COMMENT ON COLUMN reporting.participant_history.bib IS 'Start number, a text; null until one is assigned.';

COMMENT ON COLUMN reporting.participant_history.gender IS 'Gender as Movemint sent it: a word, a letter or a number.';

COMMENT ON COLUMN reporting.participant_history.dob IS 'Date of birth; see age_band. Personal: null without rosterlog_reporting_pii.';

COMMENT ON COLUMN reporting.participant_history.age IS 'Age in years, if Movemint says it; see age_band. Personal: null without rosterlog_reporting_pii.';

COMMENT ON COLUMN reporting.participant_history.team IS 'Name of the team.';

COMMENT ON COLUMN reporting.participant_history.wave IS 'Start wave.';

COMMENT ON COLUMN reporting.participant_history.city IS 'City of the address. Personal: null without rosterlog_reporting_pii.';

COMMENT ON COLUMN reporting.participant_history.state IS 'State or region of the address.';

COMMENT ON COLUMN reporting.participant_history.country IS 'Country of the address.';

COMMENT ON COLUMN reporting.participant_history.zip_code IS 'Postal code. Personal: null without rosterlog_reporting_pii.';

COMMENT ON COLUMN reporting.participant_history.checked_in_at IS 'When the participant checked in; null if not yet, or not known.';

COMMENT ON COLUMN reporting.participant_history.registered_at IS 'When the participant registered, as Movemint says.';

COMMENT ON COLUMN reporting.participant_history.updated_at IS 'When Movemint last changed the participant, as Movemint says.';

COMMENT ON COLUMN reporting.participant_history.first_position IS 'Log position of the first delivery about the participant.';

COMMENT ON COLUMN reporting.participant_history."position" IS 'Log position of the delivery that this state comes from.';

COMMENT ON COLUMN reporting.participant_history.received_at IS 'When that delivery arrived.';

COMMENT ON COLUMN reporting.participant_history.field_errors IS 'Columns that are null because their value could not be read, each with the reason; an object.';

COMMENT ON COLUMN reporting.participant_history.attributes IS 'The whole participant as Movemint sent it, an object. Personal: null without rosterlog_reporting_pii.';

COMMENT ON COLUMN reporting.participant_history.age_band IS 'Band of the age on the day that age_basis says, by date of birth, else by age: under 18, 18-24 ... 65+.';

COMMENT ON COLUMN reporting.participant_history.valid_from_position IS 'Log position of the delivery that brought this state.';

COMMENT ON COLUMN reporting.participant_history.valid_to_position IS 'Log position of the delivery that ended this state; null for the newest state.';

COMMENT ON COLUMN reporting.participant_history.valid_from IS 'When the delivery arrived that brought this state.';

COMMENT ON COLUMN reporting.participant_history.valid_to IS 'When the delivery arrived that ended this state; null for the newest state.';

COMMENT ON COLUMN reporting.participant_history.age_basis IS 'Of which day the age is: race day, if the calendar has the start of the event, else registration; or as sent.';

COMMENT ON COLUMN reporting.participant_history.origin IS 'Where this state comes from: delivery, or observation, when the roster was compared with the source.';

COMMENT ON COLUMN reporting.participant_history.unlisted_at IS 'When it was observed that the source does not list the participant any more; null if it does, or nobody looked.';

CREATE VIEW reporting.participants AS
 SELECT p.source,
    p.participant_id,
    p.event_id,
    p.event_name,
    p.sub_event_id,
    p.sub_event_name,
    p.athlete_id,
    p.status,
    p.first_name,
    p.last_name,
        CASE
            WHEN ( SELECT reporting.sees_personal_data() AS sees_personal_data) THEN p.email
            ELSE NULL::text
        END AS email,
        CASE
            WHEN ( SELECT reporting.sees_personal_data() AS sees_personal_data) THEN p.phone
            ELSE NULL::text
        END AS phone,
    p.bib,
    p.gender,
        CASE
            WHEN ( SELECT reporting.sees_personal_data() AS sees_personal_data) THEN p.dob
            ELSE NULL::date
        END AS dob,
        CASE
            WHEN ( SELECT reporting.sees_personal_data() AS sees_personal_data) THEN p.age
            ELSE NULL::integer
        END AS age,
    p.team,
    p.wave,
        CASE
            WHEN ( SELECT reporting.sees_personal_data() AS sees_personal_data) THEN p.city
            ELSE NULL::text
        END AS city,
    p.state,
    p.country,
        CASE
            WHEN ( SELECT reporting.sees_personal_data() AS sees_personal_data) THEN p.zip_code
            ELSE NULL::text
        END AS zip_code,
    p.checked_in_at,
    p.registered_at,
    p.updated_at,
    p.first_position,
    p."position",
    p.received_at,
    p.field_errors,
        CASE
            WHEN ( SELECT reporting.sees_personal_data() AS sees_personal_data) THEN p.attributes
            ELSE NULL::jsonb
        END AS attributes,
    reporting.age_band(p.dob, p.age, counted.day) AS age_band,
        CASE
            WHEN (reporting.age_band(p.dob, NULL::integer, counted.day) IS NOT NULL) THEN counted.basis
            WHEN (reporting.age_band(p.age) IS NOT NULL) THEN 'as sent'::text
            ELSE NULL::text
        END AS age_basis,
    p.origin,
    p.unlisted_at
   FROM ((public.participants p
     LEFT JOIN reporting.calendar c ON ((c.event_id = p.event_id)))
     CROSS JOIN LATERAL ( SELECT COALESCE(c.starts_on, public.local_day(COALESCE(p.registered_at, p.received_at), COALESCE(c.changes, ( SELECT o.changes
                   FROM reporting.calendar o
                  WHERE (o.event_id IS NULL))), COALESCE(c.offsets, ( SELECT o.offsets
                   FROM reporting.calendar o
                  WHERE (o.event_id IS NULL))))) AS "coalesce",
                CASE
                    WHEN (c.starts_on IS NULL) THEN 'registration'::text
                    ELSE 'race day'::text
                END AS "case") counted(day, basis));

COMMENT ON VIEW reporting.participants IS 'The roster: the newest state of each participant, one row per participant.';

COMMENT ON COLUMN reporting.participants.source IS 'The source of the deliveries; movemint unless you have several.';

COMMENT ON COLUMN reporting.participants.participant_id IS 'The participant in Movemint; unique within a source.';

COMMENT ON COLUMN reporting.participants.event_id IS 'The event that the participant is in.';

COMMENT ON COLUMN reporting.participants.event_name IS 'Name of the event in the participant''s delivery; reporting.events has the newest.';

COMMENT ON COLUMN reporting.participants.sub_event_id IS 'The race or category within the event.';

COMMENT ON COLUMN reporting.participants.sub_event_name IS 'Name of the race or category in the participant''s delivery.';

COMMENT ON COLUMN reporting.participants.athlete_id IS 'The person, who may be in several events.';

COMMENT ON COLUMN reporting.participants.status IS 'State of the registration in Movemint''s words, of which Movemint publishes no list.';

COMMENT ON COLUMN reporting.participants.first_name IS 'First name.';

COMMENT ON COLUMN reporting.participants.last_name IS 'Last name.';

COMMENT ON COLUMN reporting.participants.email IS 'E-mail address. Personal: null without rosterlog_reporting_pii.';

COMMENT ON COLUMN reporting.participants.phone IS 'Phone number as Movemint sent it. Personal: null without rosterlog_reporting_pii.';

COMMENT ON COLUMN reporting.participants.bib IS 'Start number, a text; null until one is assigned.';

COMMENT ON COLUMN reporting.participants.gender IS 'Gender as Movemint sent it: a word, a letter or a number.';

COMMENT ON COLUMN reporting.participants.dob IS 'Date of birth; see age_band. Personal: null without rosterlog_reporting_pii.';

COMMENT ON COLUMN reporting.participants.age IS 'Age in years, if Movemint says it; see age_band. Personal: null without rosterlog_reporting_pii.';

COMMENT ON COLUMN reporting.participants.team IS 'Name of the team.';

COMMENT ON COLUMN reporting.participants.wave IS 'Start wave.';

COMMENT ON COLUMN reporting.participants.city IS 'City of the address. Personal: null without rosterlog_reporting_pii.';

COMMENT ON COLUMN reporting.participants.state IS 'State or region of the address.';

COMMENT ON COLUMN reporting.participants.country IS 'Country of the address.';

COMMENT ON COLUMN reporting.participants.zip_code IS 'Postal code. Personal: null without rosterlog_reporting_pii.';

COMMENT ON COLUMN reporting.participants.checked_in_at IS 'When the participant checked in; null if not yet, or not known.';

COMMENT ON COLUMN reporting.participants.registered_at IS 'When the participant registered, as Movemint says.';

COMMENT ON COLUMN reporting.participants.updated_at IS 'When Movemint last changed the participant, as Movemint says.';

COMMENT ON COLUMN reporting.participants.first_position IS 'Log position of the first delivery about the participant.';

COMMENT ON COLUMN reporting.participants."position" IS 'Log position of the delivery that this state comes from.';

COMMENT ON COLUMN reporting.participants.received_at IS 'When that delivery arrived.';

COMMENT ON COLUMN reporting.participants.field_errors IS 'Columns that are null because their value could not be read, each with the reason; an object.';

COMMENT ON COLUMN reporting.participants.attributes IS 'The whole participant as Movemint sent it, an object. Personal: null without rosterlog_reporting_pii.';

COMMENT ON COLUMN reporting.participants.age_band IS 'Band of the age on the day that age_basis says, by date of birth, else by age: under 18, 18-24 ... 65+.';

COMMENT ON COLUMN reporting.participants.age_basis IS 'Of which day the age is: race day, if the calendar has the start of the event, else registration; or as sent.';

COMMENT ON COLUMN reporting.participants.origin IS 'Where this state comes from: delivery, or observation, when the roster was compared with the source.';

COMMENT ON COLUMN reporting.participants.unlisted_at IS 'When it was observed that the source does not list the participant any more; null if it does, or nobody looked.';

CREATE FUNCTION reporting.participants_as_of(in_moment timestamp with time zone) RETURNS SETOF reporting.participants
    LANGUAGE sql STABLE PARALLEL SAFE
    BEGIN ATOMIC
 SELECT h.source,
     h.participant_id,
     h.event_id,
     h.event_name,
     h.sub_event_id,
     h.sub_event_name,
     h.athlete_id,
     h.status,
     h.first_name,
     h.last_name,
     h.email,
     h.phone,
     h.bib,
     h.gender,
     h.dob,
     h.age,
     h.team,
     h.wave,
     h.city,
     h.state,
     h.country,
     h.zip_code,
     h.checked_in_at,
     h.registered_at,
     h.updated_at,
     h.first_position,
     h."position",
     h.received_at,
     h.field_errors,
     h.attributes,
     h.age_band,
     h.age_basis,
     h.origin,
     h.unlisted_at
    FROM reporting.participant_history h
   WHERE ((h.valid_from <= participants_as_of.in_moment) AND ((h.valid_to IS NULL) OR (h.valid_to > participants_as_of.in_moment)));
END;

COMMENT ON FUNCTION reporting.participants_as_of(in_moment timestamp with time zone) IS 'The roster as it was at a time: the newest states at that time, with the columns of reporting.participants.';

CREATE FUNCTION reporting.questions_meant(in_source text, in_event text, in_names text[]) RETURNS TABLE(name text, place bigint, key text, question_id text, question text)
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
  with asked as (
    select a.question_id, a.question, a.position, a.place
    from reporting.participant_answers a
    where a.source = in_source
      and (in_event is null or a.participant_id in (
        select p.participant_id from reporting.participants p where p.source = in_source and p.event_id = in_event
      ))
  ),
  called as (
    select
      coalesce('i' || a.question_id, 'w' || a.question) as key, a.question_id, array_agg(distinct a.question) as words,
      coalesce(
        (
          array_agg(a.question order by a.position desc, a.place)
          filter (where a.question is not null and a.question is distinct from a.question_id)
        )[1],
        a.question_id
      ) as question
    from asked a
    where coalesce(a.question_id, a.question) is not null
    group by 1, 2
  ),
  ways as (
    select
      n.name, n.place, c.key, c.question_id, c.question,
      dense_rank() over (partition by n.place order by c.question_id is distinct from n.name, c.question <> n.name) as way
    from unnest(in_names) with ordinality as n (name, place)
    left join called c on n.name in (c.question_id, c.question) or n.name = any (c.words)
  )
  select w.name, w.place, w.key, w.question_id, w.question from ways w where w.way = 1
  union all
  select null, null, c.key, c.question_id, c.question from called c where in_names is null
$$;

COMMENT ON FUNCTION reporting.questions_meant(in_source text, in_event text, in_names text[]) IS 'The questions of a source, or of one of its events, that are meant by ids, else by their newest words, else by words they had.';

CREATE FUNCTION reporting.questions_of_many() RETURNS TABLE(source text, question_id text, question text)
    LANGUAGE sql STABLE SECURITY DEFINER PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    AS $$
  select m.source, m.question_id, m.question from questions_of_many(null) m
$$;

COMMENT ON FUNCTION reporting.questions_of_many() IS 'Ids and words of questions that ten people or more have, a row each; every reader may see them.';

CREATE FUNCTION reporting.text_key(in_text text) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN CASE WHEN ((octet_length(in_text) = length(in_text)) AND (in_text !~ '[\x01-\x1f`]|^ |  | $'::text)) THEN "left"(lower((in_text COLLATE "C")), 100) ELSE public.text_key_by_letter(in_text) END;

COMMENT ON FUNCTION reporting.text_key(in_text text) IS 'The form of a text in which the roster compares it: without case, accents, width and invisible letters.';

CREATE TABLE public.api_token (
    source text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL COLLATE pg_catalog."C",
    digest bytea NOT NULL,
    event_ids text[],
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone,
    revoked_at timestamp with time zone,
    last_used_at timestamp with time zone,
    sees_personal_data boolean DEFAULT true NOT NULL
);

CREATE TABLE public.checkpoint (
    source text NOT NULL COLLATE pg_catalog."C",
    projection text NOT NULL COLLATE pg_catalog."C",
    build integer NOT NULL,
    "position" bigint NOT NULL,
    moved_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.dismissed_event (
    source text NOT NULL COLLATE pg_catalog."C",
    "position" bigint NOT NULL,
    operator text NOT NULL,
    reason text NOT NULL,
    dismissed_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT dismissed_event_operator CHECK ((operator <> ''::text)),
    CONSTRAINT dismissed_event_reason CHECK ((reason <> ''::text))
);

CREATE TABLE public.erasures (
    source text NOT NULL COLLATE pg_catalog."C",
    erasure_id uuid DEFAULT gen_random_uuid() NOT NULL,
    subject text NOT NULL COLLATE pg_catalog."C",
    operator text NOT NULL,
    reason text NOT NULL,
    erased_at timestamp with time zone DEFAULT now() NOT NULL,
    positions bigint[] NOT NULL,
    digests bytea[] NOT NULL,
    lifted_at timestamp with time zone,
    lifted_by text,
    recorded_at timestamp with time zone DEFAULT now() NOT NULL,
    recorded_by text DEFAULT SESSION_USER NOT NULL,
    CONSTRAINT erasures_lifted CHECK (((lifted_at IS NULL) = (lifted_by IS NULL))),
    CONSTRAINT erasures_operator CHECK ((operator <> ''::text)),
    CONSTRAINT erasures_reason CHECK ((reason <> ''::text))
);

CREATE TABLE public.event_redelivery (
    source text NOT NULL COLLATE pg_catalog."C",
    "position" bigint NOT NULL,
    redeliveries bigint NOT NULL,
    last_at timestamp with time zone NOT NULL
);

CREATE TABLE public.failed_look (
    source text NOT NULL COLLATE pg_catalog."C",
    events_digest bytea NOT NULL,
    event_ids text[] NOT NULL,
    failures integer DEFAULT 1 NOT NULL,
    since timestamp with time zone DEFAULT now() NOT NULL,
    failed_at timestamp with time zone DEFAULT now() NOT NULL,
    why text NOT NULL
);

CREATE TABLE public.first_absence (
    source text NOT NULL COLLATE pg_catalog."C",
    participant_id text NOT NULL COLLATE pg_catalog."C",
    "position" bigint NOT NULL,
    base bigint NOT NULL,
    taken_at timestamp with time zone NOT NULL,
    file_sha256 text NOT NULL,
    event_ids text[],
    confirmed bigint NOT NULL
);

CREATE TABLE public.inner_completeness (
    source text NOT NULL COLLATE pg_catalog."C",
    finished_at timestamp with time zone DEFAULT now() NOT NULL,
    "position" bigint NOT NULL,
    named bigint NOT NULL,
    differences bigint NOT NULL
);

CREATE TABLE public.letter (
    letter text NOT NULL COLLATE pg_catalog."C",
    key text NOT NULL COLLATE pg_catalog."C",
    divides boolean NOT NULL
);

CREATE TABLE public.page_session (
    digest bytea NOT NULL,
    token bytea NOT NULL,
    made_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT page_session_digest_sha256 CHECK ((octet_length(digest) = 32))
);

CREATE TABLE public.participant_answers_build (
    source text NOT NULL COLLATE pg_catalog."C",
    participant_id text NOT NULL COLLATE pg_catalog."C",
    place integer NOT NULL,
    question_id text COLLATE pg_catalog."C",
    question text NOT NULL,
    answer text,
    "position" bigint NOT NULL,
    build integer NOT NULL,
    question_key text NOT NULL COLLATE pg_catalog."C",
    event_id text COLLATE pg_catalog."C"
)
PARTITION BY LIST (build);

CREATE VIEW public.participant_answers AS
 SELECT source,
    participant_id,
    place,
    question_id,
    question,
    answer,
    "position",
    question_key,
    event_id
   FROM public.participant_answers_build p
  WHERE (build = ( SELECT r.live
           FROM public.projection r
          WHERE (r.projection = 'participants'::text)));

CREATE VIEW public.participant_history_keyed AS
 SELECT p.source,
    p.participant_id,
    p.event_id,
    p.event_name,
    p.sub_event_id,
    p.sub_event_name,
    p.athlete_id,
    p.status,
    p.first_name,
    p.last_name,
    p.email,
    p.phone,
    p.bib,
    p.gender,
    p.dob,
    p.age,
    p.team,
    p.wave,
    p.city,
    p.state,
    p.country,
    p.zip_code,
    p.checked_in_at,
    p.registered_at,
    p.updated_at,
    p.first_position,
    p."position",
    p.received_at,
    p.field_errors,
    p.until_position,
    p.last_name_key,
    p.first_name_key,
    p.email_key,
    p.team_key,
    p.bib_key,
    p.bib_number,
    p.words,
    COALESCE(p.attributes, ((convert_from(e.body, 'UTF8'::name))::jsonb #> '{data,object}'::text[])) AS attributes,
    p.answers,
    p.origin,
    p.unlisted_at
   FROM (public.participant_history_build p
     LEFT JOIN public.event_log e ON (((e.source = p.source) AND (e."position" = p."position"))))
  WHERE (p.build = ( SELECT r.live
           FROM public.projection r
          WHERE (r.projection = 'participants'::text)));

CREATE VIEW public.participants_counted AS
 SELECT source,
    participant_id,
    event_id,
    event_name,
    sub_event_id,
    sub_event_name,
    athlete_id,
    status,
    first_name,
    last_name,
    email,
    phone,
    bib,
    gender,
    dob,
    age,
    team,
    wave,
    city,
    state,
    country,
    zip_code,
    checked_in_at,
    registered_at,
    updated_at,
    first_position,
    "position",
    received_at,
    field_errors,
    last_name_key,
    first_name_key,
    email_key,
    team_key,
    bib_key,
    bib_number,
    words,
    origin,
    unlisted_at
   FROM public.participants_build p
  WHERE (build = ( SELECT r.live
           FROM public.projection r
          WHERE (r.projection = 'participants'::text)));

CREATE VIEW public.participants_keyed AS
 SELECT p.source,
    p.participant_id,
    p.event_id,
    p.event_name,
    p.sub_event_id,
    p.sub_event_name,
    p.athlete_id,
    p.status,
    p.first_name,
    p.last_name,
    p.email,
    p.phone,
    p.bib,
    p.gender,
    p.dob,
    p.age,
    p.team,
    p.wave,
    p.city,
    p.state,
    p.country,
    p.zip_code,
    p.checked_in_at,
    p.registered_at,
    p.updated_at,
    p.first_position,
    p."position",
    p.received_at,
    p.field_errors,
    p.last_name_key,
    p.first_name_key,
    p.email_key,
    p.team_key,
    p.bib_key,
    p.bib_number,
    p.words,
    COALESCE(p.attributes, ((convert_from(e.body, 'UTF8'::name))::jsonb #> '{data,object}'::text[])) AS attributes,
    p.origin,
    p.unlisted_at
   FROM (public.participants_build p
     LEFT JOIN public.event_log e ON (((e.source = p.source) AND (e."position" = p."position"))))
  WHERE (p.build = ( SELECT r.live
           FROM public.projection r
          WHERE (r.projection = 'participants'::text)));

CREATE VIEW public.past_answers AS
 SELECT p.source,
    p.participant_id,
    (a.place)::integer AS place,
    (a.answer ->> 'question_id'::text) AS question_id,
    (a.answer ->> 'question'::text) AS question,
    (a.answer ->> 'answer'::text) AS answer,
    p."position",
    (a.answer ->> 'question_key'::text) AS question_key,
    p.event_id,
    p.until_position
   FROM (public.participant_history_build p
     CROSS JOIN LATERAL jsonb_array_elements(p.answers) WITH ORDINALITY a(answer, place))
  WHERE (p.build = ( SELECT r.live
           FROM public.projection r
          WHERE (r.projection = 'participants'::text)));

CREATE TABLE public.projection_build (
    projection text NOT NULL COLLATE pg_catalog."C",
    build integer NOT NULL,
    definition text NOT NULL,
    begun_at timestamp with time zone DEFAULT now() NOT NULL,
    loaded_events bigint,
    events_to_load bigint,
    moved_at timestamp with time zone
);

CREATE TABLE public.published_participants (
    source text NOT NULL COLLATE pg_catalog."C",
    participant_id text NOT NULL COLLATE pg_catalog."C",
    event_id text COLLATE pg_catalog."C",
    event_name text,
    sub_event_id text COLLATE pg_catalog."C",
    sub_event_name text,
    athlete_id text COLLATE pg_catalog."C",
    status text,
    first_name text,
    last_name text,
    bib text,
    gender text,
    team text,
    wave text,
    state text,
    country text,
    checked_in_at timestamp with time zone,
    registered_at timestamp with time zone,
    updated_at timestamp with time zone,
    first_position bigint NOT NULL,
    "position" bigint NOT NULL,
    received_at timestamp with time zone NOT NULL,
    age_band text,
    age_basis text,
    origin text DEFAULT 'delivery'::text NOT NULL,
    unlisted_at timestamp with time zone
);

COMMENT ON TABLE public.published_participants IS 'The roster without personal data, for subscribers of rosterlog_reporting; filled while there is a subscriber';

CREATE TABLE public.published_source (
    source text NOT NULL COLLATE pg_catalog."C",
    build integer DEFAULT 0 NOT NULL,
    "position" bigint DEFAULT 0 NOT NULL,
    change bigint DEFAULT 0 NOT NULL,
    filled_to text COLLATE pg_catalog."C"
);

CREATE TABLE public.quarantine (
    source text NOT NULL COLLATE pg_catalog."C",
    projection text NOT NULL COLLATE pg_catalog."C",
    build integer NOT NULL,
    "position" bigint NOT NULL,
    participant_id text COLLATE pg_catalog."C",
    reason text NOT NULL,
    parked_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE VIEW public.readable_log AS
 SELECT source,
    "position",
    received_at,
    event_type,
    subject,
        CASE
            WHEN ((EXISTS ( SELECT
               FROM public.erasures r
              WHERE ((r.source = e.source) AND (r.subject = e.subject)))) AND (EXISTS ( SELECT
               FROM public.erasures r
              WHERE ((r.source = e.source) AND (r.subject = e.subject) AND ((r.lifted_at IS NULL) OR (e.digest = ANY (r.digests))))))) THEN NULL::bytea
            ELSE body
        END AS body,
    (signature IS NULL) AS is_own
   FROM public.event_log e;

CREATE TABLE public.redelivery_hour (
    source text NOT NULL COLLATE pg_catalog."C",
    hour timestamp with time zone NOT NULL,
    count bigint NOT NULL
);

CREATE TABLE public.refused_delivery (
    source text NOT NULL COLLATE pg_catalog."C",
    reason text NOT NULL COLLATE pg_catalog."C",
    hour timestamp with time zone NOT NULL,
    count bigint NOT NULL,
    last_at timestamp with time zone NOT NULL,
    run bigint NOT NULL,
    run_since timestamp with time zone NOT NULL
);

CREATE TABLE public.registrations_build (
    source text NOT NULL COLLATE pg_catalog."C",
    participant_id text NOT NULL COLLATE pg_catalog."C",
    event_id text COLLATE pg_catalog."C",
    sub_event_id text COLLATE pg_catalog."C",
    day date NOT NULL,
    updated_at timestamp with time zone,
    first_position bigint NOT NULL,
    "position" bigint NOT NULL,
    build integer NOT NULL
)
PARTITION BY LIST (build);

CREATE VIEW public.registrations AS
 SELECT source,
    participant_id,
    event_id,
    sub_event_id,
    day,
    updated_at,
    first_position,
    "position"
   FROM public.registrations_build p
  WHERE (build = ( SELECT r.live
           FROM public.projection r
          WHERE (r.projection = 'registrations'::text)));

CREATE TABLE public.registrations_daily_build (
    source text NOT NULL COLLATE pg_catalog."C",
    event_id text COLLATE pg_catalog."C",
    sub_event_id text COLLATE pg_catalog."C",
    day date NOT NULL,
    registrations bigint NOT NULL,
    build integer NOT NULL
)
PARTITION BY LIST (build);

CREATE VIEW public.registrations_daily AS
 SELECT source,
    event_id,
    sub_event_id,
    day,
    registrations
   FROM public.registrations_daily_build p
  WHERE (build = ( SELECT r.live
           FROM public.projection r
          WHERE (r.projection = 'registrations'::text)));

CREATE TABLE public.roster_change (
    source text NOT NULL COLLATE pg_catalog."C",
    number bigint NOT NULL,
    "position" bigint NOT NULL,
    subject text COLLATE pg_catalog."C",
    event_ids text[] NOT NULL,
    changed_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.sign_in_link (
    digest bytea NOT NULL,
    token bytea NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT sign_in_link_digest_sha256 CHECK ((octet_length(digest) = 32))
);

CREATE TABLE public.source (
    source text NOT NULL COLLATE pg_catalog."C",
    head bigint NOT NULL,
    noted_at timestamp with time zone DEFAULT now() NOT NULL,
    state text,
    move_id uuid,
    other_place text
)
WITH (fillfactor='50');

CREATE TABLE public.unknown_event_type (
    source text NOT NULL COLLATE pg_catalog."C",
    projection text NOT NULL COLLATE pg_catalog."C",
    build integer NOT NULL,
    event_type text NOT NULL COLLATE pg_catalog."C",
    events bigint NOT NULL,
    last_position bigint NOT NULL
);

CREATE TABLE public.verification (
    source text NOT NULL COLLATE pg_catalog."C",
    finished_at timestamp with time zone DEFAULT now() NOT NULL,
    head bigint NOT NULL,
    problems bigint NOT NULL,
    with_signatures boolean DEFAULT false NOT NULL
);

CREATE TABLE public.worker_seen (
    worker text NOT NULL COLLATE pg_catalog."C",
    host text NOT NULL,
    pid integer NOT NULL,
    version text NOT NULL,
    seen_at timestamp with time zone DEFAULT now() NOT NULL,
    working_on text
);

CREATE VIEW reporting.deliveries AS
 SELECT e.source,
    e."position",
    e.received_at,
    e.event_type,
    e.subject AS participant_id,
    octet_length(e.body) AS size_bytes,
    (e.body IS NULL) AS is_erased,
    (EXISTS ( SELECT
           FROM public.quarantine q
          WHERE ((q.source = e.source) AND (q.projection = 'participants'::text) AND (q."position" = e."position") AND (q.build = ( SELECT r_1.live
                   FROM public.projection r_1
                  WHERE (r_1.projection = 'participants'::text)))))) AS is_quarantined,
    COALESCE(r.redeliveries, (0)::bigint) AS redeliveries,
    r.last_at AS last_redelivered_at,
        CASE
            WHEN (e.signature IS NULL) THEN 'observation'::text
            ELSE 'delivery'::text
        END AS origin
   FROM (public.event_log e
     LEFT JOIN public.event_redelivery r ON (((r.source = e.source) AND (r."position" = e."position"))));

COMMENT ON VIEW reporting.deliveries IS 'The deliveries that were stored, one row per delivery, without their content; and the events of observations.';

COMMENT ON COLUMN reporting.deliveries.source IS 'The source of the delivery; movemint unless you have several.';

COMMENT ON COLUMN reporting.deliveries."position" IS 'Log position: 1, 2, 3 and so on within the source.';

COMMENT ON COLUMN reporting.deliveries.received_at IS 'When the delivery first arrived.';

COMMENT ON COLUMN reporting.deliveries.event_type IS 'Type of the event in Movemint; null if the body names none.';

COMMENT ON COLUMN reporting.deliveries.participant_id IS 'The participant that it is about; null if it names none.';

COMMENT ON COLUMN reporting.deliveries.size_bytes IS 'Size of the body; null if the body was erased.';

COMMENT ON COLUMN reporting.deliveries.is_erased IS 'Whether the body was erased.';

COMMENT ON COLUMN reporting.deliveries.is_quarantined IS 'Whether it could not be folded and is parked; rosterlog quarantine list shows why.';

COMMENT ON COLUMN reporting.deliveries.redeliveries IS 'How often the same bytes were delivered again.';

COMMENT ON COLUMN reporting.deliveries.last_redelivered_at IS 'When the same bytes last arrived again; null if never.';

COMMENT ON COLUMN reporting.deliveries.origin IS 'delivery; or observation, where rosterlog itself wrote the event when the roster was compared with the source.';

CREATE VIEW reporting.events AS
 WITH named AS (
         SELECT p.source,
            p.event_id,
            p.event_name,
            count(*) AS participants,
            min(p.registered_at) AS first_registered_at,
            max(p.registered_at) AS last_registered_at,
            max(p."position") AS "position"
           FROM public.participants p
          WHERE (p.event_id IS NOT NULL)
          GROUP BY p.source, p.event_id, p.event_name
        ), counted AS (
         SELECT n.source,
            n.event_id,
            (array_agg(n.event_name ORDER BY n."position" DESC) FILTER (WHERE (n.event_name IS NOT NULL)))[1] AS event_name,
            (sum(n.participants))::bigint AS participants,
            min(n.first_registered_at) AS first_registered_at,
            max(n.last_registered_at) AS last_registered_at,
            array_agg(n."position" ORDER BY n."position" DESC) AS positions
           FROM named n
          GROUP BY n.source, n.event_id
        )
 SELECT c.source,
    c.event_id,
    c.event_name,
    c.participants,
    c.first_registered_at,
    c.last_registered_at,
    COALESCE(k.starts_on, ( SELECT d.starts_on
           FROM ((unnest(c.positions[1:20]) WITH ORDINALITY newest("position", place)
             JOIN public.participants p ON (((p.source = c.source) AND (p."position" = newest."position"))))
             CROSS JOIN LATERAL ( SELECT reporting.iso_date(COALESCE((p.attributes #>> '{event,start_date}'::text[]), (p.attributes ->> 'event_start_date'::text))) AS iso_date) d(starts_on))
          WHERE ((d.starts_on IS NOT NULL) AND (( SELECT reporting.sees_personal_data() AS sees_personal_data) OR (10 <= ( SELECT count(DISTINCT o.person) AS count
                   FROM ( SELECT COALESCE(s.athlete_id, s.participant_id) AS person,
                            COALESCE((s.attributes #>> '{event,start_date}'::text[]), (s.attributes ->> 'event_start_date'::text)) AS said
                           FROM public.participants s
                          WHERE ((s.source = c.source) AND (s.event_id = c.event_id))
                         LIMIT 1000) o
                  WHERE (reporting.iso_date(o.said) = d.starts_on)))))
          ORDER BY newest.place
         LIMIT 1)) AS starts_on,
    COALESCE(k.time_zone, ( SELECT o.time_zone
           FROM reporting.calendar o
          WHERE (o.event_id IS NULL))) AS time_zone,
    k.previous_event_id
   FROM (counted c
     LEFT JOIN reporting.calendar k ON ((k.event_id = c.event_id)));

COMMENT ON VIEW reporting.events IS 'The events that participants are in.';

COMMENT ON COLUMN reporting.events.source IS 'The source of the deliveries; movemint unless you have several.';

COMMENT ON COLUMN reporting.events.event_id IS 'The event in Movemint.';

COMMENT ON COLUMN reporting.events.event_name IS 'Name of the event in the newest delivery that has one.';

COMMENT ON COLUMN reporting.events.participants IS 'Participants on the roster, whatever their status.';

COMMENT ON COLUMN reporting.events.first_registered_at IS 'The earliest registration of these participants.';

COMMENT ON COLUMN reporting.events.last_registered_at IS 'The latest registration of these participants.';

COMMENT ON COLUMN reporting.events.starts_on IS 'First day: as the calendar says, else as the newest deliveries say under event.start_date, a key that is a guess.';

COMMENT ON COLUMN reporting.events.time_zone IS 'IANA name of the time zone in which days of the event are.';

COMMENT ON COLUMN reporting.events.previous_event_id IS 'The previous edition of the event; null if the calendar names none.';

CREATE VIEW reporting.freshness AS
 WITH RECURSIVE live AS (
         SELECT r_1.live AS build
           FROM public.projection r_1
          WHERE (r_1.projection = 'participants'::text)
        ), sources AS (
        ( SELECT e.source
           FROM public.event_log e
          ORDER BY e.source
         LIMIT 1)
        UNION ALL
         SELECT ( SELECT e.source
                   FROM public.event_log e
                  WHERE (e.source > s.source)
                  ORDER BY e.source
                 LIMIT 1) AS source
           FROM sources s
          WHERE (s.source IS NOT NULL)
        ), reached AS (
         SELECT s.source,
            h."position" AS head,
            h.received_at AS head_received_at,
            COALESCE(c."position", (0)::bigint) AS checkpoint,
            c.moved_at AS checkpoint_moved_at,
            ( SELECT count(*) AS count
                   FROM public.quarantine q
                  WHERE ((q.source = s.source) AND (q.projection = 'participants'::text) AND (q.build = l.build) AND (NOT (EXISTS ( SELECT
                           FROM public.dismissed_event d
                          WHERE ((d.source = q.source) AND (d."position" = q."position"))))))) AS quarantined
           FROM (((sources s
             CROSS JOIN LATERAL ( SELECT e."position",
                    e.received_at
                   FROM public.event_log e
                  WHERE (e.source = s.source)
                  ORDER BY e."position" DESC
                 LIMIT 1) h)
             LEFT JOIN live l ON (true))
             LEFT JOIN public.checkpoint c ON (((c.source = s.source) AND (c.projection = 'participants'::text) AND (c.build = l.build))))
        )
 SELECT source,
    head,
    head_received_at,
    checkpoint,
    checkpoint_moved_at,
    (head - checkpoint) AS lag,
    quarantined
   FROM reached r;

COMMENT ON VIEW reporting.freshness IS 'How current the roster is, one row per source.';

COMMENT ON COLUMN reporting.freshness.source IS 'The source of the deliveries; movemint unless you have several.';

COMMENT ON COLUMN reporting.freshness.head IS 'Log position of the newest delivery.';

COMMENT ON COLUMN reporting.freshness.head_received_at IS 'When the newest delivery arrived.';

COMMENT ON COLUMN reporting.freshness.checkpoint IS 'Log position that the roster reflects.';

COMMENT ON COLUMN reporting.freshness.checkpoint_moved_at IS 'When the roster got to that position.';

COMMENT ON COLUMN reporting.freshness.lag IS 'Number of deliveries that the roster does not reflect yet.';

COMMENT ON COLUMN reporting.freshness.quarantined IS 'Number of deliveries that could not be folded, are parked, and were not dismissed; rosterlog quarantine list.';

CREATE VIEW reporting.participant_answers AS
 WITH many AS MATERIALIZED (
         SELECT q.source,
            q.question_id,
            q.question
           FROM reporting.questions_of_many() q(source, question_id, question)
        )
 SELECT source,
    participant_id,
    place,
        CASE
            WHEN ( SELECT reporting.sees_personal_data() AS sees_personal_data) THEN question_id
            WHEN ((source, question_id) IN ( SELECT m.source,
                m.question_id
               FROM many m)) THEN question_id
            ELSE NULL::text
        END AS question_id,
        CASE
            WHEN ( SELECT reporting.sees_personal_data() AS sees_personal_data) THEN question
            WHEN ((source, question) IN ( SELECT m.source,
                m.question
               FROM many m)) THEN question
            ELSE NULL::text
        END AS question,
        CASE
            WHEN ( SELECT reporting.sees_personal_data() AS sees_personal_data) THEN answer
            WHEN ((source, COALESCE(question_id, question), answer) IN ( SELECT m.source,
                m.question,
                m.answer
               FROM reporting.answers_of_many() m(source, question, answer))) THEN answer
            ELSE NULL::text
        END AS answer,
    "position"
   FROM public.participant_answers a;

COMMENT ON VIEW reporting.participant_answers IS 'Answers to questions in the newest state of each participant, one row per participant, question and value.';

COMMENT ON COLUMN reporting.participant_answers.source IS 'The source of the deliveries; movemint unless you have several.';

COMMENT ON COLUMN reporting.participant_answers.participant_id IS 'The participant who answered.';

COMMENT ON COLUMN reporting.participant_answers.place IS 'Place of the row among the participant''s answers, from 1.';

COMMENT ON COLUMN reporting.participant_answers.question_id IS 'The question in Movemint, where the answer names it. Without rosterlog_reporting_pii null unless ten people have it.';

COMMENT ON COLUMN reporting.participant_answers.question IS 'The wording of the question, else its id. Without rosterlog_reporting_pii null unless ten people have it.';

COMMENT ON COLUMN reporting.participant_answers.answer IS 'The answer, or one of several that were chosen; null if the question was not answered. Without rosterlog_reporting_pii null unless many people chose it; see docs/reporting.md.';

COMMENT ON COLUMN reporting.participant_answers."position" IS 'Log position of the delivery that the answer comes from.';

CREATE VIEW reporting.reconciliations AS
 SELECT source,
    "position",
    received_at,
    (told ->> 'observation'::text) AS observation_id,
    (told #>> '{data,kind}'::text[]) AS kind,
    ((told #>> '{data,taken_at}'::text[]))::timestamp with time zone AS taken_at,
        CASE
            WHEN ((told #> '{data,scope}'::text[]) <> 'null'::jsonb) THEN ARRAY( SELECT jsonb_array_elements_text((h.told #> '{data,scope}'::text[])) AS jsonb_array_elements_text)
            ELSE NULL::text[]
        END AS event_ids,
    ARRAY( SELECT jsonb_array_elements_text((h.told #> '{data,match}'::text[])) AS jsonb_array_elements_text) AS matched_by,
    (told ->> 'file_sha256'::text) AS file_sha256,
    ((told #>> '{data,rows}'::text[]))::bigint AS rows_read,
    ((told #>> '{data,pages}'::text[]))::bigint AS pages_read,
    ((told #>> '{data,before,missing}'::text[]))::bigint AS missing,
    ((told #>> '{data,before,stale}'::text[]))::bigint AS stale,
    ((told #>> '{data,before,unlisted}'::text[]))::bigint AS unlisted,
    ((told #>> '{data,before,unknowable}'::text[]))::bigint AS unknowable,
    ((told #> '{data,before}'::text[]) -> 'columns'::text) AS stale_columns,
    ((told #>> '{data,after,missing}'::text[]))::bigint AS missing_after,
    ((told #>> '{data,after,stale}'::text[]))::bigint AS stale_after,
    ((told #>> '{data,after,unlisted}'::text[]))::bigint AS unlisted_after,
    ((told #>> '{data,after,unknowable}'::text[]))::bigint AS unknowable_after,
    ((told #>> '{data,overtaken}'::text[]))::bigint AS overtaken,
    ((told #>> '{data,withheld}'::text[]))::bigint AS withheld,
    (told #>> '{data,listed_digest}'::text[]) AS listed_digest,
    (told #>> '{data,roster_digest}'::text[]) AS roster_digest,
    ((told #>> '{data,position}'::text[]))::bigint AS compared_at_position,
    (told #>> '{data,chain}'::text[]) AS compared_at_chain
   FROM ( SELECT e.source,
            e."position",
            e.received_at,
            (convert_from(e.body, 'UTF8'::name))::jsonb AS told
           FROM public.event_log e
          WHERE ((e.subject IS NULL) AND (e.signature IS NULL) AND (e.event_type = 'rosterlog.observation'::text))) h;

COMMENT ON VIEW reporting.reconciliations IS 'When the roster was compared with the source, and what was found, one row per observation.';

COMMENT ON COLUMN reporting.reconciliations.source IS 'The source that was compared; movemint unless you have several.';

COMMENT ON COLUMN reporting.reconciliations."position" IS 'Log position of the observation.';

COMMENT ON COLUMN reporting.reconciliations.received_at IS 'When the observation was written into the log.';

COMMENT ON COLUMN reporting.reconciliations.observation_id IS 'The observation; the events of its participants name it.';

COMMENT ON COLUMN reporting.reconciliations.kind IS 'What the roster was compared with: file, api, or a number alone.';

COMMENT ON COLUMN reporting.reconciliations.taken_at IS 'Of when that is.';

COMMENT ON COLUMN reporting.reconciliations.event_ids IS 'The events that were compared; null for all of the source.';

COMMENT ON COLUMN reporting.reconciliations.matched_by IS 'The columns by which participants were paired.';

COMMENT ON COLUMN reporting.reconciliations.file_sha256 IS 'SHA-256 of the file; null if there was none.';

COMMENT ON COLUMN reporting.reconciliations.rows_read IS 'Number of rows that were read.';

COMMENT ON COLUMN reporting.reconciliations.pages_read IS 'Number of pages that an API gave; null if it was none.';

COMMENT ON COLUMN reporting.reconciliations.missing IS 'Participants who were listed, and not on the roster.';

COMMENT ON COLUMN reporting.reconciliations.stale IS 'Participants who were listed with other values.';

COMMENT ON COLUMN reporting.reconciliations.unlisted IS 'Participants on the roster who were not listed, but for those of whom that was written down before.';

COMMENT ON COLUMN reporting.reconciliations.unknowable IS 'Participants of whom nothing could be said: changed since, erased, parked, or ambiguous.';

COMMENT ON COLUMN reporting.reconciliations.stale_columns IS 'By column, how many participants were listed with another value; an object.';

COMMENT ON COLUMN reporting.reconciliations.missing_after IS 'As missing, once the observation was in the log.';

COMMENT ON COLUMN reporting.reconciliations.stale_after IS 'As stale, once the observation was in the log.';

COMMENT ON COLUMN reporting.reconciliations.unlisted_after IS 'As unlisted, once the observation was in the log.';

COMMENT ON COLUMN reporting.reconciliations.unknowable_after IS 'As unknowable, once the observation was in the log.';

COMMENT ON COLUMN reporting.reconciliations.overtaken IS 'Participants who were not written down, since something newer had arrived; the next observation sees them anew.';

COMMENT ON COLUMN reporting.reconciliations.withheld IS 'Participants who were not written down, since they are erased.';

COMMENT ON COLUMN reporting.reconciliations.listed_digest IS 'Digest of what was listed, as a set; null if not taken.';

COMMENT ON COLUMN reporting.reconciliations.roster_digest IS 'Digest of the roster, as a set; null if not taken.';

COMMENT ON COLUMN reporting.reconciliations.compared_at_position IS 'Log position up to which the roster was compared.';

COMMENT ON COLUMN reporting.reconciliations.compared_at_chain IS 'Value of the chain at that position.';

CREATE VIEW reporting.registrations_daily AS
 WITH live AS (
         SELECT r.live
           FROM public.projection r
          WHERE (r.projection = 'registrations'::text)
        )
 SELECT d.source,
    d.event_id,
    d.sub_event_id,
    d.day,
    d.registrations,
    (sum(d.registrations) OVER (PARTITION BY d.source, d.event_id, d.sub_event_id ORDER BY d.day))::bigint AS cumulative,
    COALESCE(z.time_zone, ( SELECT o.time_zone
           FROM public.event_calendar o
          WHERE ((o.projection = 'registrations'::text) AND (o.build = ( SELECT r.live
                   FROM live r)) AND (o.event_id IS NULL)))) AS time_zone
   FROM (public.registrations_daily d
     LEFT JOIN public.event_calendar z ON (((z.projection = 'registrations'::text) AND (z.build = ( SELECT r.live
           FROM live r)) AND (z.event_id = d.event_id))));

COMMENT ON VIEW reporting.registrations_daily IS 'Registrations by event, sub-event and day of registration, whatever their status.';

COMMENT ON COLUMN reporting.registrations_daily.source IS 'The source of the deliveries; movemint unless you have several.';

COMMENT ON COLUMN reporting.registrations_daily.event_id IS 'The event; null if the delivery names none.';

COMMENT ON COLUMN reporting.registrations_daily.sub_event_id IS 'The race or category; null if the delivery names none.';

COMMENT ON COLUMN reporting.registrations_daily.day IS 'Day of registration in time_zone; the day of arrival if Movemint does not say when.';

COMMENT ON COLUMN reporting.registrations_daily.registrations IS 'Registrations on that day.';

COMMENT ON COLUMN reporting.registrations_daily.cumulative IS 'Registrations up to and including that day, of the same event and sub-event.';

COMMENT ON COLUMN reporting.registrations_daily.time_zone IS 'IANA name of the time zone in which the day is.';

CREATE VIEW reporting.sub_events AS
 WITH named AS (
         SELECT p.source,
            p.event_id,
            p.sub_event_id,
            p.sub_event_name,
            count(*) AS participants,
            max(p."position") AS "position"
           FROM public.participants p
          WHERE (p.sub_event_id IS NOT NULL)
          GROUP BY p.source, p.event_id, p.sub_event_id, p.sub_event_name
        )
 SELECT source,
    event_id,
    sub_event_id,
    (array_agg(sub_event_name ORDER BY "position" DESC) FILTER (WHERE (sub_event_name IS NOT NULL)))[1] AS sub_event_name,
    (sum(participants))::bigint AS participants
   FROM named n
  GROUP BY source, event_id, sub_event_id;

COMMENT ON VIEW reporting.sub_events IS 'The races and categories within events.';

COMMENT ON COLUMN reporting.sub_events.source IS 'The source of the deliveries; movemint unless you have several.';

COMMENT ON COLUMN reporting.sub_events.event_id IS 'The event in Movemint.';

COMMENT ON COLUMN reporting.sub_events.sub_event_id IS 'The race or category in Movemint.';

COMMENT ON COLUMN reporting.sub_events.sub_event_name IS 'Name of the race or category in the newest delivery that has one.';

COMMENT ON COLUMN reporting.sub_events.participants IS 'Participants on the roster, whatever their status.';

ALTER TABLE ONLY public.source
    ADD CONSTRAINT source_pkey PRIMARY KEY (source);

CREATE FUNCTION public.note_heads() RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    BEGIN ATOMIC
 INSERT INTO public.source AS s (source, head)  WITH RECURSIVE sources AS (
                 ( SELECT e.source
                    FROM public.event_log e
                   ORDER BY e.source
                  LIMIT 1)
                 UNION ALL
                  SELECT ( SELECT e.source
                            FROM public.event_log e
                           WHERE (e.source > s_1.source)
                           ORDER BY e.source
                          LIMIT 1) AS source
                    FROM sources s_1
                   WHERE (s_1.source IS NOT NULL)
                 )
          SELECT l.source,
             head."position"
            FROM (sources l
              CROSS JOIN LATERAL ( SELECT e."position"
                    FROM public.event_log e
                   WHERE (e.source = l.source)
                   ORDER BY e."position" DESC
                  LIMIT 1) head)
           WHERE (NOT (EXISTS ( SELECT
                    FROM public.source n
                   WHERE ((n.source = l.source) AND (n.head >= head."position")))))
           ORDER BY l.source ON CONFLICT ON CONSTRAINT source_pkey DO UPDATE SET head = GREATEST(s.head, excluded.head), noted_at = now();
END;

ALTER TABLE ONLY public.api_token
    ADD CONSTRAINT api_token_pkey PRIMARY KEY (digest);

ALTER TABLE ONLY public.checkpoint
    ADD CONSTRAINT checkpoint_pkey PRIMARY KEY (source, projection, build);

ALTER TABLE ONLY public.dismissed_event
    ADD CONSTRAINT dismissed_event_pkey PRIMARY KEY (source, "position");

ALTER TABLE ONLY public.erasures
    ADD CONSTRAINT erasures_pkey PRIMARY KEY (source, erasure_id);

ALTER TABLE ONLY public.event_calendar
    ADD CONSTRAINT event_calendar_key UNIQUE NULLS NOT DISTINCT (projection, build, event_id);

ALTER TABLE ONLY public.event_log
    ADD CONSTRAINT event_log_dedup UNIQUE (source, digest);

ALTER TABLE ONLY public.event_log
    ADD CONSTRAINT event_log_pkey PRIMARY KEY (source, "position");

ALTER TABLE ONLY public.event_redelivery
    ADD CONSTRAINT event_redelivery_pkey PRIMARY KEY (source, "position");

ALTER TABLE ONLY public.failed_look
    ADD CONSTRAINT failed_look_pkey PRIMARY KEY (source, events_digest);

ALTER TABLE ONLY public.first_absence
    ADD CONSTRAINT first_absence_pkey PRIMARY KEY (source, participant_id);

ALTER TABLE ONLY public.inner_completeness
    ADD CONSTRAINT inner_completeness_pkey PRIMARY KEY (source);

ALTER TABLE ONLY public.letter
    ADD CONSTRAINT letter_pkey PRIMARY KEY (letter);

ALTER TABLE ONLY public.page_session
    ADD CONSTRAINT page_session_pkey PRIMARY KEY (digest);

ALTER TABLE ONLY public.participant_answers_build
    ADD CONSTRAINT participant_answers_build_pkey PRIMARY KEY (source, participant_id, place, build);

ALTER TABLE ONLY public.participant_history_build
    ADD CONSTRAINT participant_history_build_pkey PRIMARY KEY (source, participant_id, "position", build);

ALTER TABLE ONLY public.participants_build
    ADD CONSTRAINT participants_build_pkey PRIMARY KEY (source, participant_id, build);

ALTER TABLE ONLY public.projection_build
    ADD CONSTRAINT projection_build_pkey PRIMARY KEY (projection, build);

ALTER TABLE ONLY public.projection
    ADD CONSTRAINT projection_pkey PRIMARY KEY (projection);

ALTER TABLE ONLY public.published_participants
    ADD CONSTRAINT published_participants_pkey PRIMARY KEY (source, participant_id);

ALTER TABLE ONLY public.published_source
    ADD CONSTRAINT published_source_pkey PRIMARY KEY (source);

ALTER TABLE ONLY public.quarantine
    ADD CONSTRAINT quarantine_pkey PRIMARY KEY (source, projection, build, "position");

ALTER TABLE ONLY public.reconciliation
    ADD CONSTRAINT reconciliation_pkey PRIMARY KEY (source, "position");

ALTER TABLE ONLY public.redelivery_hour
    ADD CONSTRAINT redelivery_hour_pkey PRIMARY KEY (source, hour);

ALTER TABLE ONLY public.refused_delivery
    ADD CONSTRAINT refused_delivery_pkey PRIMARY KEY (source, reason, hour);

ALTER TABLE ONLY public.registrations_build
    ADD CONSTRAINT registrations_build_pkey PRIMARY KEY (source, participant_id, build);

ALTER TABLE ONLY public.registrations_daily_build
    ADD CONSTRAINT registrations_daily_build_key UNIQUE NULLS NOT DISTINCT (source, event_id, sub_event_id, day, build);

ALTER TABLE ONLY public.roster_change
    ADD CONSTRAINT roster_change_pkey PRIMARY KEY (source, number);

ALTER TABLE ONLY public.sign_in_link
    ADD CONSTRAINT sign_in_link_pkey PRIMARY KEY (digest);

ALTER TABLE ONLY public.unknown_event_type
    ADD CONSTRAINT unknown_event_type_pkey PRIMARY KEY (source, projection, build, event_type);

ALTER TABLE ONLY public.verification
    ADD CONSTRAINT verification_pkey PRIMARY KEY (source);

ALTER TABLE ONLY public.worker_seen
    ADD CONSTRAINT worker_seen_pkey PRIMARY KEY (worker);

CREATE UNIQUE INDEX api_token_live_name ON public.api_token USING btree (name) WHERE (revoked_at IS NULL);

CREATE INDEX erasures_subject ON public.erasures USING btree (source, subject);

CREATE INDEX event_log_own ON public.event_log USING btree (source, "position") WHERE starts_with(event_type, 'rosterlog.'::text);

CREATE INDEX event_log_subject ON public.event_log USING btree (source, subject) WHERE (subject IS NOT NULL);

CREATE INDEX event_log_without_subject ON public.event_log USING btree (source, "position") WHERE (subject IS NULL);

CREATE INDEX page_session_token ON public.page_session USING btree (token);

CREATE INDEX participant_answers_build_answer ON ONLY public.participant_answers_build USING btree (source, question_key, "left"(answer, 100), participant_id);

CREATE INDEX participant_answers_build_question_words ON ONLY public.participant_answers_build USING btree (source, COALESCE(event_id, ''::text), question_key, ((NOT (question IS DISTINCT FROM question_id))), "position" DESC, place);

CREATE INDEX participants_build_age ON ONLY public.participants_build USING btree (source, age, participant_id) WHERE (age IS NOT NULL);

CREATE INDEX participants_build_athlete ON ONLY public.participants_build USING btree (source, athlete_id, participant_id) WHERE (athlete_id IS NOT NULL);

CREATE INDEX participants_build_bib ON ONLY public.participants_build USING btree (source, bib_key, participant_id);

CREATE INDEX participants_build_checked_in ON ONLY public.participants_build USING btree (source, checked_in_at, participant_id) WHERE (checked_in_at IS NOT NULL);

CREATE INDEX participants_build_email ON ONLY public.participants_build USING btree (source, email_key, participant_id);

CREATE INDEX participants_build_event ON ONLY public.participants_build USING btree (source, event_id, participant_id);

CREATE INDEX participants_build_event_bib ON ONLY public.participants_build USING btree (source, event_id, bib_key) INCLUDE (build);

CREATE INDEX participants_build_first_name ON ONLY public.participants_build USING btree (source, first_name_key, participant_id);

CREATE INDEX participants_build_last_name ON ONLY public.participants_build USING btree (source, last_name_key, participant_id);

CREATE INDEX participants_build_long ON ONLY public.participants_build USING btree (source) WHERE ((length(last_name_key) = 100) OR (length(first_name_key) = 100) OR (length(team_key) = 100));

CREATE INDEX participants_build_position ON ONLY public.participants_build USING btree (source, "position") INCLUDE (build);

CREATE INDEX participants_build_registered ON ONLY public.participants_build USING btree (source, registered_at, participant_id);

CREATE INDEX participants_build_team ON ONLY public.participants_build USING btree (source, team_key, participant_id) WHERE (team_key IS NOT NULL);

CREATE INDEX participants_build_updated ON ONLY public.participants_build USING btree (source, updated_at, participant_id);

CREATE INDEX participants_build_words ON ONLY public.participants_build USING gin (words);

CREATE INDEX quarantine_participant ON public.quarantine USING btree (source, projection, build, participant_id);

CREATE INDEX reconciliation_until ON public.reconciliation USING btree (source, until_position);

CREATE INDEX roster_change_position ON public.roster_change USING btree (source, "position");

CREATE INDEX sign_in_link_token ON public.sign_in_link USING btree (token);

CREATE TRIGGER erasures_are_kept BEFORE DELETE OR UPDATE OF source, erasure_id, subject, operator, reason, erased_at, digests, recorded_at, recorded_by OR TRUNCATE ON public.erasures FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();

ALTER TABLE public.erasures ENABLE ALWAYS TRIGGER erasures_are_kept;

CREATE TRIGGER erasures_are_made_at_home BEFORE INSERT OR UPDATE OF lifted_at ON public.erasures FOR EACH ROW EXECUTE FUNCTION public.refuse_erasure_elsewhere();

ALTER TABLE public.erasures ENABLE ALWAYS TRIGGER erasures_are_made_at_home;

CREATE TRIGGER event_log_body_is_only_erased BEFORE UPDATE OF body ON public.event_log FOR EACH ROW EXECUTE FUNCTION public.refuse_change_but_erasure();

ALTER TABLE public.event_log ENABLE ALWAYS TRIGGER event_log_body_is_only_erased;

CREATE TRIGGER event_log_is_append_only BEFORE DELETE OR UPDATE OF source, "position", received_at, event_type, subject, digest, signature, chain OR TRUNCATE ON public.event_log FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();

ALTER TABLE public.event_log ENABLE ALWAYS TRIGGER event_log_is_append_only;

CREATE TRIGGER projection_goes_live AFTER UPDATE OF live ON public.projection FOR EACH ROW WHEN (((new.projection = 'participants'::text) AND (old.live IS NOT NULL) AND (new.live IS NOT NULL) AND (new.live <> old.live))) EXECUTE FUNCTION public.note_new_roster();

CREATE TRIGGER registrations_build_uncounts AFTER DELETE ON public.registrations_build FOR EACH ROW EXECUTE FUNCTION public.uncount_registration();

ALTER TABLE ONLY public.checkpoint
    ADD CONSTRAINT checkpoint_build_fkey FOREIGN KEY (projection, build) REFERENCES public.projection_build(projection, build) ON DELETE CASCADE;

ALTER TABLE ONLY public.event_calendar
    ADD CONSTRAINT event_calendar_build_fkey FOREIGN KEY (projection, build) REFERENCES public.projection_build(projection, build) ON DELETE CASCADE;

ALTER TABLE ONLY public.page_session
    ADD CONSTRAINT page_session_token FOREIGN KEY (token) REFERENCES public.api_token(digest) ON DELETE CASCADE;

ALTER TABLE ONLY public.quarantine
    ADD CONSTRAINT quarantine_build_fkey FOREIGN KEY (projection, build) REFERENCES public.projection_build(projection, build) ON DELETE CASCADE;

ALTER TABLE ONLY public.sign_in_link
    ADD CONSTRAINT sign_in_link_token FOREIGN KEY (token) REFERENCES public.api_token(digest) ON DELETE CASCADE;

ALTER TABLE ONLY public.unknown_event_type
    ADD CONSTRAINT unknown_event_type_build_fkey FOREIGN KEY (projection, build) REFERENCES public.projection_build(projection, build) ON DELETE CASCADE;

CREATE PUBLICATION rosterlog_reporting WITH (publish = 'insert, update, delete, truncate');

ALTER PUBLICATION rosterlog_reporting ADD TABLE ONLY public.published_participants;

GRANT USAGE ON SCHEMA reporting TO rosterlog_reporting;
GRANT USAGE ON SCHEMA reporting TO rosterlog_reporting_pii;

REVOKE ALL ON FUNCTION public.analyze_build(in_projection text, in_build integer, in_table text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.analyze_build(in_projection text, in_build integer, in_table text) TO rosterlog_worker;

REVOKE ALL ON FUNCTION public.answers_of_many(in_source text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.answers_of_many(in_source text) TO rosterlog_api;

REVOKE ALL ON FUNCTION public.append_events(in_source text, bodies bytea[], signatures text[], event_types text[], subjects text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION public.append_events(in_source text, bodies bytea[], signatures text[], event_types text[], subjects text[]) TO rosterlog_ingest;

REVOKE ALL ON FUNCTION public.append_events_together(sources text[], firsts integer[], lasts integer[], bodies bytea[], signatures text[], event_types text[], subjects text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION public.append_events_together(sources text[], firsts integer[], lasts integer[], bodies bytea[], signatures text[], event_types text[], subjects text[]) TO rosterlog_ingest;

REVOKE ALL ON FUNCTION public.append_observations(in_source text, bodies bytea[], event_types text[], subjects text[], bases bigint[]) FROM PUBLIC;
GRANT ALL ON FUNCTION public.append_observations(in_source text, bodies bytea[], event_types text[], subjects text[], bases bigint[]) TO rosterlog_operator;

REVOKE ALL ON FUNCTION public.apply_erasure(in_source text, in_erasure uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION public.apply_erasure(in_source text, in_erasure uuid) TO rosterlog_operator;

REVOKE ALL ON FUNCTION public.attach_build(in_projection text, in_build integer, in_table text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.attach_build(in_projection text, in_build integer, in_table text) TO rosterlog_worker;

REVOKE ALL ON FUNCTION public.begin_build(in_projection text, in_definition text, in_calendar jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION public.begin_build(in_projection text, in_definition text, in_calendar jsonb) TO rosterlog_worker;

REVOKE ALL ON FUNCTION public.begin_session(in_digest bytea, in_token bytea, in_seconds integer) FROM PUBLIC;
GRANT ALL ON FUNCTION public.begin_session(in_digest bytea, in_token bytea, in_seconds integer) TO rosterlog_api;

REVOKE ALL ON FUNCTION public.begin_session_by_link(in_digest bytea, in_link bytea, in_seconds integer) FROM PUBLIC;
GRANT ALL ON FUNCTION public.begin_session_by_link(in_digest bytea, in_link bytea, in_seconds integer) TO rosterlog_api;

REVOKE ALL ON FUNCTION public.beside_mark(in_source text, in_table text, in_after bigint, in_last bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION public.beside_mark(in_source text, in_table text, in_after bigint, in_last bigint) TO rosterlog_operator;

REVOKE ALL ON FUNCTION public.beside_rows(in_source text, in_table text, in_after bigint, in_last bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION public.beside_rows(in_source text, in_table text, in_after bigint, in_last bigint) TO rosterlog_operator;

REVOKE ALL ON FUNCTION public.copy_beside(in_source text, in_move uuid, in_table text, in_rows jsonb, in_after bigint, in_last bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION public.copy_beside(in_source text, in_move uuid, in_table text, in_rows jsonb, in_after bigint, in_last bigint) TO rosterlog_operator;

REVOKE ALL ON FUNCTION public.copy_events(in_source text, in_move uuid, in_after bigint, times timestamp with time zone[], event_types text[], subjects text[], digests bytea[], bodies bytea[], signatures text[], chains bytea[]) FROM PUBLIC;
GRANT ALL ON FUNCTION public.copy_events(in_source text, in_move uuid, in_after bigint, times timestamp with time zone[], event_types text[], subjects text[], digests bytea[], bodies bytea[], signatures text[], chains bytea[]) TO rosterlog_operator;

REVOKE ALL ON FUNCTION public.count_refused(in_source text, in_reason text, in_hour timestamp with time zone, in_count bigint, in_last_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION public.count_refused(in_source text, in_reason text, in_hour timestamp with time zone, in_count bigint, in_last_at timestamp with time zone) TO rosterlog_ingest;

REVOKE ALL ON FUNCTION public.deliveries_about(in_source text, in_subject text, in_keys text[], in_limit integer) FROM PUBLIC;
GRANT ALL ON FUNCTION public.deliveries_about(in_source text, in_subject text, in_keys text[], in_limit integer) TO rosterlog_api;

REVOKE ALL ON FUNCTION public.drop_build(in_projection text, in_build integer, in_table text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.drop_build(in_projection text, in_build integer, in_table text) TO rosterlog_worker;

REVOKE ALL ON FUNCTION public.end_overdue() FROM PUBLIC;
GRANT ALL ON FUNCTION public.end_overdue() TO rosterlog_worker;

REVOKE ALL ON FUNCTION public.end_session(in_digest bytea) FROM PUBLIC;
GRANT ALL ON FUNCTION public.end_session(in_digest bytea) TO rosterlog_api;

REVOKE ALL ON FUNCTION public.forget_absences(in_source text, in_position bigint, in_event_ids text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION public.forget_absences(in_source text, in_position bigint, in_event_ids text[]) TO rosterlog_operator;

REVOKE ALL ON FUNCTION public.lineage_at(in_source text, in_position bigint, in_change bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION public.lineage_at(in_source text, in_position bigint, in_change bigint) TO rosterlog_api;

REVOKE ALL ON FUNCTION public.make_index(in_projection text, in_build integer, in_table text, in_index text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.make_index(in_projection text, in_build integer, in_table text, in_index text) TO rosterlog_worker;

REVOKE ALL ON FUNCTION public.make_live(in_projection text, in_build integer) FROM PUBLIC;
GRANT ALL ON FUNCTION public.make_live(in_projection text, in_build integer) TO rosterlog_worker;

REVOKE ALL ON FUNCTION public.newest_questions(in_source text, in_event_ids text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION public.newest_questions(in_source text, in_event_ids text[]) TO rosterlog_api;

REVOKE ALL ON FUNCTION public.note_absences(in_source text, in_position bigint, in_taken_at timestamp with time zone, in_file_sha256 text, in_counts boolean, in_event_ids text[], ids text[], bases bigint[]) FROM PUBLIC;
GRANT ALL ON FUNCTION public.note_absences(in_source text, in_position bigint, in_taken_at timestamp with time zone, in_file_sha256 text, in_counts boolean, in_event_ids text[], ids text[], bases bigint[]) TO rosterlog_operator;

GRANT SELECT ON TABLE public.reconciliation TO rosterlog_api;
GRANT SELECT ON TABLE public.reconciliation TO rosterlog_operator;
GRANT SELECT ON TABLE public.reconciliation TO rosterlog_worker;

REVOKE ALL ON FUNCTION public.note_reconciliation(in_source text, at_position bigint, appended_at timestamp with time zone, told jsonb) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.note_roster_change(in_source text, in_subject text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.note_roster_change(in_source text, in_subject text) TO rosterlog_worker;

REVOKE ALL ON FUNCTION public.note_token_use(in_digest bytea) FROM PUBLIC;
GRANT ALL ON FUNCTION public.note_token_use(in_digest bytea) TO rosterlog_api;

REVOKE ALL ON FUNCTION public.oldest_transaction() FROM PUBLIC;
GRANT ALL ON FUNCTION public.oldest_transaction() TO rosterlog_api;
GRANT ALL ON FUNCTION public.oldest_transaction() TO rosterlog_operator;
GRANT ALL ON FUNCTION public.oldest_transaction() TO rosterlog_worker;

REVOKE ALL ON FUNCTION public.publish_participants(in_source text, in_limit integer) FROM PUBLIC;
GRANT ALL ON FUNCTION public.publish_participants(in_source text, in_limit integer) TO rosterlog_worker;

REVOKE ALL ON FUNCTION public.publish_these(in_source text, in_ids text[]) FROM PUBLIC;

REVOKE ALL ON FUNCTION public.questions_of_many(in_source text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.questions_of_many(in_source text) TO rosterlog_api;

REVOKE ALL ON FUNCTION public.refuse_elsewhere(in_source text) FROM PUBLIC;
GRANT ALL ON FUNCTION public.refuse_elsewhere(in_source text) TO rosterlog_operator;

REVOKE ALL ON FUNCTION public.scope_of(in_digest bytea) FROM PUBLIC;
GRANT ALL ON FUNCTION public.scope_of(in_digest bytea) TO rosterlog_api;

REVOKE ALL ON FUNCTION public.turn_source(in_source text, in_turn text, in_place text, in_move uuid, in_position bigint, in_chain bytea) FROM PUBLIC;
GRANT ALL ON FUNCTION public.turn_source(in_source text, in_turn text, in_place text, in_move uuid, in_position bigint, in_chain bytea) TO rosterlog_operator;

REVOKE ALL ON FUNCTION public.withheld_events() FROM PUBLIC;
GRANT ALL ON FUNCTION public.withheld_events() TO rosterlog_api;

GRANT SELECT ON TABLE public.event_calendar TO rosterlog_api;

GRANT SELECT ON TABLE public.projection TO rosterlog_worker;
GRANT SELECT ON TABLE public.projection TO rosterlog_api;
GRANT SELECT ON TABLE public.projection TO rosterlog_operator;

GRANT UPDATE(live) ON TABLE public.projection TO rosterlog_worker;

GRANT UPDATE(previous) ON TABLE public.projection TO rosterlog_worker;

GRANT SELECT ON TABLE reporting.calendar TO rosterlog_reporting;
GRANT SELECT ON TABLE reporting.calendar TO rosterlog_reporting_pii;

GRANT SELECT ON TABLE public.event_log TO rosterlog_operator;

GRANT SELECT(source) ON TABLE public.event_log TO rosterlog_worker;
GRANT SELECT(source) ON TABLE public.event_log TO rosterlog_api;

GRANT SELECT("position") ON TABLE public.event_log TO rosterlog_worker;
GRANT SELECT("position") ON TABLE public.event_log TO rosterlog_api;

GRANT SELECT(received_at) ON TABLE public.event_log TO rosterlog_worker;
GRANT SELECT(received_at) ON TABLE public.event_log TO rosterlog_api;

GRANT SELECT(event_type) ON TABLE public.event_log TO rosterlog_worker;
GRANT SELECT(event_type) ON TABLE public.event_log TO rosterlog_api;

GRANT SELECT(subject) ON TABLE public.event_log TO rosterlog_worker;

GRANT SELECT(digest) ON TABLE public.event_log TO rosterlog_worker;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.participant_history_build TO rosterlog_worker;

GRANT SELECT ON TABLE public.participant_history TO rosterlog_api;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.participants_build TO rosterlog_worker;

GRANT SELECT(source) ON TABLE public.participants_build TO rosterlog_api;

GRANT SELECT(updated_at) ON TABLE public.participants_build TO rosterlog_api;

GRANT SELECT(build) ON TABLE public.participants_build TO rosterlog_api;

GRANT SELECT ON TABLE public.participants TO rosterlog_api;

GRANT SELECT ON TABLE reporting.participant_history TO rosterlog_reporting;
GRANT SELECT ON TABLE reporting.participant_history TO rosterlog_reporting_pii;

GRANT SELECT ON TABLE reporting.participants TO rosterlog_reporting;
GRANT SELECT ON TABLE reporting.participants TO rosterlog_reporting_pii;

GRANT SELECT ON TABLE public.api_token TO rosterlog_api;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.checkpoint TO rosterlog_worker;
GRANT SELECT ON TABLE public.checkpoint TO rosterlog_api;

GRANT SELECT,INSERT,DELETE ON TABLE public.dismissed_event TO rosterlog_operator;
GRANT SELECT ON TABLE public.dismissed_event TO rosterlog_api;
GRANT SELECT ON TABLE public.dismissed_event TO rosterlog_worker;

GRANT SELECT ON TABLE public.erasures TO rosterlog_worker;
GRANT SELECT ON TABLE public.erasures TO rosterlog_operator;

GRANT INSERT(source) ON TABLE public.erasures TO rosterlog_operator;

GRANT INSERT(erasure_id) ON TABLE public.erasures TO rosterlog_operator;

GRANT INSERT(subject) ON TABLE public.erasures TO rosterlog_operator;

GRANT INSERT(operator) ON TABLE public.erasures TO rosterlog_operator;

GRANT INSERT(reason) ON TABLE public.erasures TO rosterlog_operator;

GRANT INSERT(erased_at) ON TABLE public.erasures TO rosterlog_operator;

GRANT INSERT(positions) ON TABLE public.erasures TO rosterlog_operator;

GRANT INSERT(digests) ON TABLE public.erasures TO rosterlog_operator;

GRANT INSERT(lifted_at),UPDATE(lifted_at) ON TABLE public.erasures TO rosterlog_operator;

GRANT INSERT(lifted_by),UPDATE(lifted_by) ON TABLE public.erasures TO rosterlog_operator;

GRANT SELECT ON TABLE public.event_redelivery TO rosterlog_worker;
GRANT SELECT ON TABLE public.event_redelivery TO rosterlog_operator;
GRANT SELECT ON TABLE public.event_redelivery TO rosterlog_api;

GRANT SELECT ON TABLE public.failed_look TO rosterlog_api;
GRANT SELECT ON TABLE public.failed_look TO rosterlog_worker;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.failed_look TO rosterlog_operator;

GRANT SELECT ON TABLE public.first_absence TO rosterlog_worker;

GRANT SELECT ON TABLE public.inner_completeness TO rosterlog_api;
GRANT SELECT ON TABLE public.inner_completeness TO rosterlog_operator;
GRANT SELECT,INSERT,UPDATE ON TABLE public.inner_completeness TO rosterlog_worker;

GRANT SELECT ON TABLE public.page_session TO rosterlog_api;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.participant_answers_build TO rosterlog_worker;

GRANT SELECT ON TABLE public.participant_answers TO rosterlog_worker;
GRANT SELECT ON TABLE public.participant_answers TO rosterlog_api;

GRANT SELECT ON TABLE public.participant_history_keyed TO rosterlog_api;

GRANT SELECT ON TABLE public.participants_counted TO rosterlog_api;

GRANT SELECT ON TABLE public.participants_keyed TO rosterlog_api;

GRANT SELECT ON TABLE public.past_answers TO rosterlog_api;

GRANT SELECT,DELETE ON TABLE public.projection_build TO rosterlog_worker;
GRANT SELECT ON TABLE public.projection_build TO rosterlog_api;

GRANT UPDATE(loaded_events) ON TABLE public.projection_build TO rosterlog_worker;

GRANT UPDATE(events_to_load) ON TABLE public.projection_build TO rosterlog_worker;

GRANT UPDATE(moved_at) ON TABLE public.projection_build TO rosterlog_worker;

GRANT SELECT ON TABLE public.published_participants TO rosterlog_reporting;
GRANT SELECT ON TABLE public.published_participants TO rosterlog_reporting_pii;

GRANT SELECT ON TABLE public.published_source TO rosterlog_worker;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.quarantine TO rosterlog_worker;
GRANT SELECT ON TABLE public.quarantine TO rosterlog_api;
GRANT SELECT ON TABLE public.quarantine TO rosterlog_operator;

GRANT SELECT ON TABLE public.readable_log TO rosterlog_worker;

GRANT SELECT ON TABLE public.redelivery_hour TO rosterlog_api;
GRANT SELECT ON TABLE public.redelivery_hour TO rosterlog_operator;
GRANT SELECT ON TABLE public.redelivery_hour TO rosterlog_worker;

GRANT SELECT ON TABLE public.refused_delivery TO rosterlog_api;
GRANT SELECT ON TABLE public.refused_delivery TO rosterlog_operator;
GRANT SELECT ON TABLE public.refused_delivery TO rosterlog_worker;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.registrations_build TO rosterlog_worker;

GRANT SELECT ON TABLE public.registrations TO rosterlog_worker;
GRANT SELECT ON TABLE public.registrations TO rosterlog_api;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.registrations_daily_build TO rosterlog_worker;

GRANT SELECT ON TABLE public.registrations_daily TO rosterlog_worker;
GRANT SELECT ON TABLE public.registrations_daily TO rosterlog_api;

GRANT SELECT ON TABLE public.roster_change TO rosterlog_worker;
GRANT SELECT ON TABLE public.roster_change TO rosterlog_api;

GRANT SELECT ON TABLE public.sign_in_link TO rosterlog_api;

GRANT SELECT ON TABLE public.source TO rosterlog_worker;
GRANT SELECT ON TABLE public.source TO rosterlog_api;
GRANT SELECT ON TABLE public.source TO rosterlog_operator;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.unknown_event_type TO rosterlog_worker;
GRANT SELECT ON TABLE public.unknown_event_type TO rosterlog_api;

GRANT SELECT,INSERT,UPDATE ON TABLE public.verification TO rosterlog_operator;
GRANT SELECT ON TABLE public.verification TO rosterlog_api;
GRANT SELECT ON TABLE public.verification TO rosterlog_worker;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.worker_seen TO rosterlog_worker;
GRANT SELECT ON TABLE public.worker_seen TO rosterlog_api;
GRANT SELECT ON TABLE public.worker_seen TO rosterlog_operator;

GRANT SELECT ON TABLE reporting.deliveries TO rosterlog_reporting;
GRANT SELECT ON TABLE reporting.deliveries TO rosterlog_reporting_pii;

GRANT SELECT ON TABLE reporting.events TO rosterlog_reporting;
GRANT SELECT ON TABLE reporting.events TO rosterlog_reporting_pii;

GRANT SELECT ON TABLE reporting.freshness TO rosterlog_reporting;
GRANT SELECT ON TABLE reporting.freshness TO rosterlog_reporting_pii;

GRANT SELECT ON TABLE reporting.participant_answers TO rosterlog_reporting;
GRANT SELECT ON TABLE reporting.participant_answers TO rosterlog_reporting_pii;

GRANT SELECT ON TABLE reporting.reconciliations TO rosterlog_reporting;
GRANT SELECT ON TABLE reporting.reconciliations TO rosterlog_reporting_pii;

GRANT SELECT ON TABLE reporting.registrations_daily TO rosterlog_reporting;
GRANT SELECT ON TABLE reporting.registrations_daily TO rosterlog_reporting_pii;

GRANT SELECT ON TABLE reporting.sub_events TO rosterlog_reporting;
GRANT SELECT ON TABLE reporting.sub_events TO rosterlog_reporting_pii;

REVOKE ALL ON FUNCTION public.note_heads() FROM PUBLIC;
GRANT ALL ON FUNCTION public.note_heads() TO rosterlog_worker;
