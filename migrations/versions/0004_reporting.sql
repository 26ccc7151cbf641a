create schema reporting;
comment on schema reporting is 'The roster for people and tools that ask in SQL. Views keep their columns.';
grant usage on schema reporting to rosterlog_reporting, rosterlog_reporting_pii;

-- A plain table: a subscriber can follow neither a view nor a build's tables, attached after they are loaded.
create table published_participants (
  source text collate "C" not null,
  participant_id text collate "C" not null,
  {columns},
  first_position bigint not null,
  position bigint not null,
  received_at timestamptz not null,
  age_band text,
  constraint published_participants_pkey primary key (source, participant_id)
);
comment on table published_participants
is 'The roster without personal data, for subscribers of rosterlog_reporting; filled while there is a subscriber';

-- How far the publication of each source is. `filled_to`: after a rebuild all participants are compared, so far up to
-- this id; null once that is done.
create table published_source (
  source text collate "C" not null,
  build integer not null default 0,
  position bigint not null default 0,
  change bigint not null default 0,
  filled_to text collate "C",
  constraint published_source_pkey primary key (source)
);

create publication rosterlog_reporting for table published_participants;

grant select on published_source to rosterlog_worker;
-- For the first copy of a subscriber.
grant select on published_participants to rosterlog_reporting, rosterlog_reporting_pii;
