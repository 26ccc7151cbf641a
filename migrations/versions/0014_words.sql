-- Who has a text that is longer than its key: few, among whom the words are looked for at which keys were cut.
create index participants_build_long on participants_build (source)
where length(last_name_key) = 100 or length(first_name_key) = 100 or length(team_key) = 100;

-- An erasure reads these events, since the id of a participant may be one that was not read when the event came. The last
-- of all, so that deliveries wait for nothing else; a database that a working copy made may have it.
create index if not exists event_log_without_subject on event_log (source, position) where subject is null;
