-- What each letter is compared as, for SQL; the fold reads the same table from its own file. `divides`: it divides words.
create table letter (
  letter text collate "C" not null,
  key text collate "C" not null,
  divides boolean not null,
  constraint letter_pkey primary key (letter)
);
{letters};

-- The keys of the builds that are there already are made here, once, as the fold makes them: the functions are of this
-- version alone. The roster can be read again when the migration has ended, some minutes later at millions of people.
create function pg_temp.text_key(in_text text) returns text language sql stable as $$
  select case
    when octet_length(in_text) = length(in_text) and in_text !~ '[\x01-\x1f`]|^ |  | $'
      then left(lower(in_text collate "C"), 100)
    else (
      -- Each letter is looked up by itself: for a join all of the table would be hashed, for every text.
      select left(btrim(regexp_replace(string_agg(
        coalesce((select l.key from letter l where l.letter = c.letter collate "C"), c.letter), '' order by c.place
      ), ' +', ' ', 'g'), ' '), 100)
      from string_to_table(in_text, null) with ordinality as c (letter, place)
    )
  end
$$;

-- Digits are ordered by their number, and each number by its digits.
create function pg_temp.bib_key(in_key text) returns text language sql stable as $$
  select left(string_agg(
    case when part[1] ~ '^[0-9]'
      then chr(48 + greatest(length(ltrim(part[1], '0')), 1)) || coalesce(nullif(ltrim(part[1], '0'), ''), '0')
      else part[1]
    end, '' order by place
  ), 100)
  from regexp_matches(in_key, '[0-9]+|[^0-9]+', 'g') with ordinality as parts (part, place)
$$;

create function pg_temp.bib_number(in_key text) returns bigint language sql stable as $$
  select case when in_key ~ '^0*[0-9]{1,18}$' then in_key::bigint end
$$;

create function pg_temp.divided(in_key text) returns text language sql stable as $$
  select case
    when in_key is null or in_key ~ '^[a-z0-9 ]*$' then in_key
    else (
      select string_agg(
        case when (select l.divides from letter l where l.letter = c.letter collate "C") then ' ' else c.letter end,
        '' order by c.place
      )
      from string_to_table(in_key, null) with ordinality as c (letter, place)
    )
  end
$$;

create function pg_temp.words(in_last_name text, in_first_name text, in_team text, in_bib text)
returns tsvector language sql stable as $$
  select array_to_tsvector(array_remove(string_to_array(
    pg_temp.divided(k.key) || case when k.key ~ '[''·]' then ' ' || pg_temp.divided(translate(k.key, '''·', '')) else '' end,
    ' '
  ), ''))
  from (
    select concat_ws(
      ' ', pg_temp.text_key(in_last_name), pg_temp.text_key(in_first_name), pg_temp.text_key(in_team),
      pg_temp.text_key(in_bib)
    )
  ) as k (key)
$$;

-- Made by the files of the release before, so a new database has neither.
-- squawk-ignore ban-drop-view
drop view if exists participants_searched;
-- squawk-ignore ban-drop-function
drop function if exists search_query(text);

-- All other indexes are made again when the rows are written again. A partitioned index cannot be dropped concurrently.
-- squawk-ignore require-concurrent-index-deletion
drop index participants_build_last_name;
-- squawk-ignore require-concurrent-index-deletion
drop index participants_build_first_name;
-- squawk-ignore require-concurrent-index-deletion
drop index participants_build_email;
-- squawk-ignore require-concurrent-index-deletion
drop index participants_build_bib;
-- squawk-ignore ban-drop-generated-expression
alter table participants_build alter column words drop expression;
alter table participants_build
  add column last_name_key text collate "C",
  add column first_name_key text collate "C",
  add column email_key text collate "C",
  add column team_key text collate "C",
  add column bib_key text collate "C",
  add column bib_number bigint;
alter table participant_history_build
  add column last_name_key text collate "C",
  add column first_name_key text collate "C",
  add column email_key text collate "C",
  add column team_key text collate "C",
  add column bib_key text collate "C",
  add column bib_number bigint,
  add column words tsvector;

do $$
declare
  tab text;
begin
  foreach tab in array array['participants_build', 'participant_history_build'] loop
    execute format($alter$
      alter table %I
        alter column last_name_key type text collate "C" using nullif(pg_temp.text_key(last_name), ''),
        alter column first_name_key type text collate "C" using nullif(pg_temp.text_key(first_name), ''),
        alter column email_key type text collate "C" using nullif(pg_temp.text_key(email), ''),
        alter column team_key type text collate "C" using nullif(pg_temp.text_key(team), ''),
        alter column bib_key type text collate "C" using pg_temp.bib_key(pg_temp.text_key(bib)),
        alter column bib_number type bigint using pg_temp.bib_number(pg_temp.text_key(bib)),
        alter column words type tsvector using nullif(pg_temp.words(last_name, first_name, team, bib), '')
    $alter$, tab);
  end loop;
end
$$;

-- The planner would keep words of a state even when nothing is left of the table: an erasure must not leave any.
alter table participant_history_build alter column words set statistics 0;

create index participants_build_last_name on participants_build (source, last_name_key, participant_id);
create index participants_build_first_name on participants_build (source, first_name_key, participant_id);
create index participants_build_email on participants_build (source, email_key, participant_id);
-- Most people are in no team.
create index participants_build_team on participants_build (source, team_key, participant_id) where team_key is not null;
create index participants_build_bib on participants_build (source, bib_key, participant_id);

-- squawk-ignore ban-drop-function
drop function search_words(text, text, text, text);
-- squawk-ignore ban-drop-function
drop function words(text);
-- squawk-ignore ban-drop-function
drop function sort_key(text);
-- squawk-ignore ban-drop-function
drop function unaccented(text);
-- squawk-ignore ban-drop-function
drop function bib_key(text);
