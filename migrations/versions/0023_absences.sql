-- Functions alone write it, so that nobody who is erased meanwhile gets a row.
create table first_absence (
  source text collate "C" not null,
  participant_id text collate "C" not null,
  position bigint not null,
  base bigint not null,
  taken_at timestamptz not null,
  file_sha256 text not null,
  event_ids text[],
  confirmed bigint not null,
  constraint first_absence_pkey primary key (source, participant_id)
);

grant select on first_absence to rosterlog_worker;

-- What rosterlog itself wrote is no delivery, and is counted apart.
create index if not exists event_log_own on event_log (source, position) where starts_with(event_type, 'rosterlog.');
