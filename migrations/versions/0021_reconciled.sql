-- What the header of each observation says, and nothing else: it can be made of the log again. `event_ids`: null for all
-- of the source. `missing` to `unknowable`: what was left once it was in the log. `until_position`: a later observation
-- of at least the same events that is not of an older time, or its own where an earlier one is of a later time; null for
-- none.
create table reconciliation (
  source text collate "C" not null,
  position bigint not null,
  recorded_at timestamptz not null,
  kind text not null,
  taken_at timestamptz not null,
  event_ids text[],
  rows_read bigint,
  missing bigint not null,
  stale bigint not null,
  unlisted bigint not null,
  unknowable bigint not null,
  is_complete boolean not null,
  compared_at bigint not null,
  until_position bigint,
  constraint reconciliation_pkey primary key (source, position)
);
-- Whoever asks for the newest one of an event reads only those that no later one stands for: few, however many there are.
create index reconciliation_until on reconciliation (source, until_position);

-- What the last `reconcile --inner` found, by source. `differences`: participants who are not where the log says.
create table inner_completeness (
  source text collate "C" not null,
  finished_at timestamptz not null default now(),
  position bigint not null,
  named bigint not null,
  differences bigint not null,
  constraint inner_completeness_pkey primary key (source)
);

-- Counts and positions alone, of which nothing is personal.
grant select on reconciliation to rosterlog_api, rosterlog_operator, rosterlog_worker;
grant select on inner_completeness to rosterlog_api, rosterlog_operator;
grant select, insert, update on inner_completeness to rosterlog_worker;

-- Observations of before. Where their view is not there yet, nothing could be observed.
do $$
begin
  if to_regclass('reporting.reconciliations') is not null then
    insert into reconciliation
    select
      r.source, r.position, r.received_at, r.kind, r.taken_at, r.event_ids, r.rows_read, r.missing_after, r.stale_after,
      r.unlisted_after, r.unknowable_after,
      r.missing_after + r.stale_after + r.unlisted_after + r.unknowable_after = 0, r.compared_at_position
    from reporting.reconciliations r;
    update reconciliation r
    set until_position = (
      select min(greatest(l.position, r.position))
      from reconciliation l
      where l.source = r.source and (l.event_ids is null or r.event_ids <@ l.event_ids)
        and ((l.position > r.position and l.taken_at >= r.taken_at)
          or (l.position < r.position and l.taken_at > r.taken_at))
    );
  end if;
end
$$;
