-- An erasure reads these events, since the id of a participant may be one that was not read when the event came.
create index event_log_without_subject on event_log (source, position) where subject is null;
