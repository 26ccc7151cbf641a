-- The functions by which indexes and generated columns are computed. A change of one of them needs a version that makes
-- those indexes and columns again.
create function unaccented(in_text text)
returns text
language sql
immutable
parallel safe
return case
  when octet_length(in_text) = length(in_text) then lower(in_text)
  else replace(replace(replace(replace(
    translate(
      lower(regexp_replace(normalize(in_text, NFKD), '[' || U&'\0300-\036F' || ']+', '', 'g')),
      'øłđðıħŧŋ', 'olddihtn'
    ),
    'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe'), 'þ', 'th')
end;

create function sort_key(in_text text)
returns text
language sql
immutable
parallel safe
return left(unaccented(left(in_text, 100)), 100);

create function bib_key(in_bib text)
returns text
language sql
immutable
parallel safe
return lpad(left(in_bib, 20), 20, '0');

create function words(in_text text)
returns text[]
language sql
immutable
parallel safe
return array_remove(
  string_to_array(
    regexp_replace(left(unaccented(in_text), 500), '[-/,;:()\[\]&"''\u2019\u2010-\u2013\u00a0\t\n\r\f\v]', ' ', 'g'),
    ' '
  ),
  ''
);

create function search_words(in_first_name text, in_last_name text, in_bib text, in_team text)
returns tsvector
language sql
immutable
parallel safe
return array_to_tsvector(words(
  coalesce(left(in_first_name, 100), '') || ' ' || coalesce(left(in_last_name, 100), '') || ' '
  || coalesce(left(in_bib, 100), '') || ' ' || coalesce(left(in_team, 100), '')
));

-- Every build has a partition of these tables: it is loaded before it is attached, so that its indexes are made after
-- the load, and readers do not wait.
create table participants_build (
  source text collate "C" not null,
  participant_id text collate "C" not null,
  {columns},
  first_position bigint not null,
  position bigint not null,
  received_at timestamptz not null,
  field_errors jsonb not null,
  attributes jsonb,
  build integer not null,
  words tsvector generated always as (search_words(first_name, last_name, bib, team)) stored,
  constraint participants_build_pkey primary key (source, participant_id, build)
) partition by list (build);
-- Every sort order begins with the source and ends with the participant's id, which makes the order unique.
create index participants_build_event on participants_build (source, event_id, participant_id);
create index participants_build_last_name
on participants_build (source, (sort_key(last_name) collate "C"), participant_id);
create index participants_build_first_name
on participants_build (source, (sort_key(first_name) collate "C"), participant_id);
create index participants_build_email on participants_build (source, (sort_key(email) collate "C"), participant_id);
create index participants_build_bib on participants_build (source, (bib_key(bib) collate "C"), participant_id);
create index participants_build_registered on participants_build (source, registered_at, participant_id);
create index participants_build_updated on participants_build (source, updated_at, participant_id);
-- With the build included, an index-only scan tells whether a live state is of a position.
create index participants_build_position on participants_build (source, position) include (build);
create index participants_build_words on participants_build using gin (words);

-- Superseded states, with the position of the event that ended each.
create table participant_history_build (
  source text collate "C" not null,
  participant_id text collate "C" not null,
  {columns},
  first_position bigint not null,
  position bigint not null,
  received_at timestamptz not null,
  field_errors jsonb not null,
  attributes jsonb,
  build integer not null,
  until_position bigint not null,
  constraint participant_history_build_pkey primary key (source, participant_id, position, build)
) partition by list (build);

create table participant_answers_build (
  source text collate "C" not null,
  participant_id text collate "C" not null,
  place integer not null,
  question_id text collate "C",
  question text not null,
  answer text,
  position bigint not null,
  build integer not null,
  constraint participant_answers_build_pkey primary key (source, participant_id, place, build)
) partition by list (build);
create index participant_answers_build_question
on participant_answers_build (source, ("left"(question, 100)), ("left"(answer, 100)), participant_id);

create table registrations_build (
  source text collate "C" not null,
  participant_id text collate "C" not null,
  event_id text collate "C",
  sub_event_id text collate "C",
  day date not null,
  updated_at timestamptz,
  first_position bigint not null,
  position bigint not null,
  build integer not null,
  constraint registrations_build_pkey primary key (source, participant_id, build)
) partition by list (build);

create table registrations_daily_build (
  source text collate "C" not null,
  event_id text collate "C",
  sub_event_id text collate "C",
  day date not null,
  registrations bigint not null,
  build integer not null,
  constraint registrations_daily_build_key unique nulls not distinct (source, event_id, sub_event_id, day, build)
) partition by list (build);

insert into projection (projection, tables) values
  ('participants', '{participants_build, participant_answers_build, participant_history_build}'),
  ('registrations', '{registrations_build, registrations_daily_build}');

-- What changed on the roster without an event of the log.
create table roster_change (
  source text collate "C" not null,
  number bigint not null,
  position bigint not null,
  subject text collate "C",
  event_ids text[] not null,
  changed_at timestamptz not null default now(),
  constraint roster_change_pkey primary key (source, number)
);
create index roster_change_position on roster_change (source, position);

-- The bearer tokens of the API: their SHA-256, never the token itself.
create table api_token (
  source text collate "C" not null,
  name text collate "C" not null,
  digest bytea not null,
  event_ids text[],
  created_at timestamptz not null default now(),
  expires_at timestamptz,
  revoked_at timestamptz,
  last_used_at timestamptz,
  constraint api_token_pkey primary key (digest)
);
-- A name may be used again once its token is revoked.
create unique index api_token_live_name on api_token (name) where revoked_at is null;

-- Placeholders that refuse everything: the same transaction replaces each with the function of migrations/sql.
create function uncount_registration() returns trigger language plpgsql as $$begin raise exception 'the migration was not finished'; end$$;
create function note_new_roster() returns trigger language plpgsql as $$begin raise exception 'the migration was not finished'; end$$;

-- An erasure deletes rows of registrations, and does not know that they are counted.
create trigger registrations_build_uncounts
after delete on registrations_build
for each row execute function uncount_registration();

create trigger projection_goes_live
after update of live on projection
for each row
when (new.projection = 'participants' and old.live is not null and new.live is not null and new.live <> old.live)
execute function note_new_roster();

grant select, insert, update, delete on
  participants_build, participant_history_build, participant_answers_build, registrations_build,
  registrations_daily_build
to rosterlog_worker;
grant select on roster_change to rosterlog_worker, rosterlog_api;
grant select on api_token to rosterlog_api;
