-- A database as the last migrations before the first release left it (at 0009), as pg_dump wrote it: the log's tables
-- with a redelivery and two erasures, their triggers, a token. What was folded from the log is left out.
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;

CREATE FUNCTION public.append_events(in_source text, bodies bytea[], signatures text[], event_types text[], subjects text[]) RETURNS TABLE(ordinal bigint, event_position bigint, is_stored boolean)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'public', 'pg_temp'
    SET enable_seqscan TO 'off'
    AS $$
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
  -- Whoever is answered was promised a commit that survives a crash.
  if current_setting('synchronous_commit') in ('off', 'local') then
    perform set_config('synchronous_commit', 'on', true);
  end if;

  -- Held until the commit, so that positions become visible in their own order. 1919906927 is only a name space.
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
        || coalesce(int4send(octet_length(delivery.event_type)) || convert_to(delivery.event_type, 'UTF8'), int4send(-1))
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
    where r.source = old.source and r.subject = old.subject and old.digest = any (r.digests)
  ) then
    return new;
  end if;
  raise exception '% is append-only: % is refused', tg_table_name, lower(tg_op)
    using errcode = 'restrict_violation';
end
$$;

CREATE TABLE public.event_log (
    source text NOT NULL COLLATE pg_catalog."C",
    "position" bigint NOT NULL,
    received_at timestamp with time zone NOT NULL,
    event_type text COLLATE pg_catalog."C",
    subject text COLLATE pg_catalog."C",
    digest bytea NOT NULL,
    body bytea,
    signature text NOT NULL,
    chain bytea NOT NULL,
    CONSTRAINT event_log_position CHECK (("position" > 0))
)
WITH (autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='0', autovacuum_vacuum_insert_scale_factor='0', autovacuum_vacuum_insert_threshold='100000', autovacuum_freeze_min_age='0', toast.autovacuum_vacuum_scale_factor='0', toast.autovacuum_vacuum_threshold='0', toast.autovacuum_vacuum_insert_scale_factor='0', toast.autovacuum_vacuum_insert_threshold='100000', toast.autovacuum_freeze_min_age='0');
ALTER TABLE ONLY public.event_log ALTER COLUMN body SET STATISTICS 0;

CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);

CREATE TABLE public.api_token (
    source text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL COLLATE pg_catalog."C",
    digest bytea NOT NULL,
    event_ids text[],
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone,
    revoked_at timestamp with time zone,
    last_used_at timestamp with time zone
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

COPY public.alembic_version (version_num) FROM stdin;
0009
\.

COPY public.api_token (source, name, digest, event_ids, created_at, expires_at, revoked_at, last_used_at) FROM stdin;
movemint	the web site	\\x3e85ae4e8f95d6efe421cff19c2d9d9f3c6a7d1aceab778bedebfe4bee1523cf	\N	2026-11-25 21:43:21.095846+00	\N	\N	\N
\.

COPY public.erasures (source, erasure_id, subject, operator, reason, erased_at, positions, digests, lifted_at, lifted_by, recorded_at, recorded_by) FROM stdin;
movemint	93de487e-784b-42b6-a32f-c662a8c328eb	3	root	ticket 88	2026-11-25 21:43:18.47186+00	{3}	{"\\\\xbc2b06f68b7fac7330af7d9f9ec2c66006ce330d2bb3b12475a9601764a93301"}	\N	\N	2026-11-25 21:43:18.47186+00	rosterlog
movemint	171b7304-7807-4db5-ad7d-374ddb1e6194	1	root	ticket 89	2026-11-25 21:43:19.913634+00	{1}	{"\\\\x8a7e17f641a3185c1288bab207d70525a079962da5a356b4c74ffd331b50578e"}	\N	\N	2026-11-25 21:43:19.913634+00	rosterlog
\.

COPY public.event_log (source, "position", received_at, event_type, subject, digest, body, signature, chain) FROM stdin;
movemint	2	2026-11-25 21:43:17.358939+00	event.participant.created	2	\\x7a1874fbb3cbfc32438e027574c7933154e896dbecc8df436666b9261ff1262d	\\x7b2274797065223a20226576656e742e7061727469636970616e742e63726561746564222c202264617461223a207b226f626a656374223a207b226964223a20322c202266697273745f6e616d65223a20224e616d652032227d7d7d	d21b355242dd7ff5d16e5a7fc7c72dba97dc17b1f633583b7b91cc537e7e93a6	\\xa41b767ee02bad70787b44161e41e9f0a36586bd8f9c4afe2ef706217e890bfd
movemint	4	2026-11-25 21:43:17.36131+00	event.participant.created	2	\\x4c710fd4f9f6855e7e4b10b61a8ab01df4b8ada865dad14533880512c8e379b5	\\x7b2274797065223a20226576656e742e7061727469636970616e742e63726561746564222c202264617461223a207b226f626a656374223a207b226964223a20322c202266697273745f6e616d65223a20225a6f5c7530306562227d7d7d	5f9c59cfdf73b0a7157ed33fb7566cc8b652082294777ae982de3f041aa60114	\\xf8939e8492ac2029a78af73066a2a0ab086984e8d35cbd486d6a4cabea8cfeb9
movemint	5	2026-11-25 21:43:17.367257+00	\N	\N	\\x62b8125a6f6d924ec53345b5fcd58ca3ed3f5e7d51e2e146e5f1346508acce69	\\x6e6f74204a534f4e	bb3eb594ba727bd0f09da8474ba543c69f7a00fce642bdf7623382fc17f6a3ec	\\x1486245785c68bae3b6a6dcf19cc336f783b78bbe0e8e990b4a697d37574241c
movemint	3	2026-11-25 21:43:17.36024+00	event.participant.created	3	\\xbc2b06f68b7fac7330af7d9f9ec2c66006ce330d2bb3b12475a9601764a93301	\N	4168bcc5a1b64a3315ce5e474f9120379f0fb0260dbddbbdb74787d8cba1ac9f	\\xdfaa2aff8fe5cc72f052f9f37854260cd10485791e23b4460ece43e0f51ef936
movemint	1	2026-11-25 21:43:17.357275+00	event.participant.created	1	\\x8a7e17f641a3185c1288bab207d70525a079962da5a356b4c74ffd331b50578e	\N	1024732bdc7623a1a38bf1efea5b94d508eec7e7e6978772cfc4297ef956340c	\\x75842bc137870a4c0ef69272a5ccaa579ff918c237a1b8461e01c44f60d6dd87
other	1	2026-11-25 21:43:20.200144+00	event.participant.created	9	\\x14a6032a3b284bfdb49ba17ef1d4a1c82b956515549d679a5661fb0633740747	\\x7b2274797065223a20226576656e742e7061727469636970616e742e63726561746564222c202264617461223a207b226f626a656374223a207b226964223a20397d7d7d	14bd95c5d3b058e89e3342b57dbe48ca12bf59410f06a82d6a65216775588de1	\\x4a96405aad5f897d2e2c43c0630314fd756deeab2c8546a8f8355b42e082faad
\.

COPY public.event_redelivery (source, "position", redeliveries, last_at) FROM stdin;
movemint	1	2	2026-11-25 21:43:17.392623+00
\.

ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);

ALTER TABLE ONLY public.api_token
    ADD CONSTRAINT api_token_pkey PRIMARY KEY (digest);

ALTER TABLE ONLY public.erasures
    ADD CONSTRAINT erasures_pkey PRIMARY KEY (source, erasure_id);

ALTER TABLE ONLY public.event_log
    ADD CONSTRAINT event_log_dedup UNIQUE (source, digest);

ALTER TABLE ONLY public.event_log
    ADD CONSTRAINT event_log_pkey PRIMARY KEY (source, "position");

ALTER TABLE ONLY public.event_redelivery
    ADD CONSTRAINT event_redelivery_pkey PRIMARY KEY (source, "position");

CREATE UNIQUE INDEX api_token_live_name ON public.api_token USING btree (name) WHERE (revoked_at IS NULL);

CREATE INDEX erasures_subject ON public.erasures USING btree (source, subject);

CREATE INDEX event_log_subject ON public.event_log USING btree (source, subject) WHERE (subject IS NOT NULL);

CREATE TRIGGER erasures_are_kept BEFORE DELETE OR UPDATE OF source, erasure_id, subject, operator, reason, erased_at, digests, recorded_at, recorded_by OR TRUNCATE ON public.erasures FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();

ALTER TABLE public.erasures ENABLE ALWAYS TRIGGER erasures_are_kept;

CREATE TRIGGER event_log_body_is_only_erased BEFORE UPDATE OF body ON public.event_log FOR EACH ROW EXECUTE FUNCTION public.refuse_change_but_erasure();

ALTER TABLE public.event_log ENABLE ALWAYS TRIGGER event_log_body_is_only_erased;

CREATE TRIGGER event_log_is_append_only BEFORE DELETE OR UPDATE OF source, "position", received_at, event_type, subject, digest, signature, chain OR TRUNCATE ON public.event_log FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();

ALTER TABLE public.event_log ENABLE ALWAYS TRIGGER event_log_is_append_only;
