create schema reporting;
comment on schema reporting is 'The roster for people and tools that ask in SQL. Views keep their columns.';
grant usage on schema reporting to rosterlog_reporting, rosterlog_reporting_pii;

-- A plain table, since neither a view nor the tables of a build that was loaded beside can be followed by a subscriber.
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
is 'The roster without personal data, as reporting.participants has it, for subscribers of the publication rosterlog_reporting; filled while there is one';

-- How far it is. `filled_to`: after a rebuild everybody is compared, up to this id so far; null once that is done.
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
-- What a subscriber copies first.
grant select on published_participants to rosterlog_reporting, rosterlog_reporting_pii;
