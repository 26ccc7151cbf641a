"""What the functions that write the log share, as texts of SQL: the order of positions, the form of the chain.

Texts and no function of their own: a call would cost each delivery more than what it does.
"""

_MAY_APPEND = """\
-- A snapshot taken before the lock would show an old head.
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'to append to the log needs the isolation level read committed'
      using errcode = 'invalid_transaction_state';
  end if;
  -- An answer to a delivery promises that its commit survives a crash.
  if current_setting('synchronous_commit') in ('off', 'local') then
    perform set_config('synchronous_commit', 'on', true);
  end if;"""
_LOCK_AND_HEAD = """\
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
  ) h on true;"""
_AT_HOME = """\
if elsewhere is not null then
    perform refuse_elsewhere(in_source);
  end if;"""
_DIGESTED = """\
for place in 1 .. coalesce(cardinality(bodies), 0) loop
    if bodies[place] is null or signatures[place] is null then
      raise exception 'no delivery is appended without its body and its signature'
        using errcode = 'null_value_not_allowed';
    end if;
    digests[place] := sha256(bodies[place]);
  end loop;"""
_LINKED = """\
-- Every column, each of a fixed length or with its length before it (-1: null), so that no two events look alike.
      head_chain := sha256(
        head_chain || int8send(head_position) || timestamptz_send(appended_at) || digests[place] || source_field
        || coalesce(
          int4send(octet_length(event_types[place])) || convert_to(event_types[place], 'UTF8'), int4send(-1)
        )
        || coalesce(int4send(octet_length(subjects[place])) || convert_to(subjects[place], 'UTF8'), int4send(-1))"""
_NOTED = """\
-- Once a second at most: while a snapshot is held, no version of the row can be removed.
    if noted is null then
      insert into source (source, head, noted_at) values (in_source, head_position, clock_timestamp())
      on conflict on constraint source_pkey do nothing;
    elsif noted not between clock_timestamp() - interval '1 second' and clock_timestamp() + interval '1 second' then
      noted := clock_timestamp();
      update source s set head = head_position, noted_at = noted where s.source = in_source;
    end if;"""


def with_shared(sql: str) -> str:
    """The SQL of a function with these texts in their places.

    `{may_append}`: refuses a transaction that could not keep what is appended. `{lock_and_head}`: takes the source's
    lock and reads the head. `{at_home}`: refuses what is for another database. `{digested}`: the digests of bodies.
    `{linked}`: begins the next value of the chain, up to the signature. `{noted}`: notes the source's head. They use
    the variables of `append_events`.
    """
    texts = {
        "{may_append}": _MAY_APPEND,
        "{lock_and_head}": _LOCK_AND_HEAD,
        "{at_home}": _AT_HOME,
        "{digested}": _DIGESTED,
        "{linked}": _LINKED,
        "{noted}": _NOTED,
    }
    for place, shared in texts.items():
        sql = sql.replace(place, shared)
    return sql
