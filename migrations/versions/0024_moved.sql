-- `state`: null where the source's deliveries are taken; 'arriving' while it is copied to here; 'moved' once it is
-- elsewhere. `move_id`: of the last copy that both databases know, which the one that is copied to has made up.
-- `other_place`: the other database in words. turn_source() alone writes them.
alter table source
  add column state text,
  add column move_id uuid,
  add column other_place text;

-- A placeholder that refuses everything: the same transaction replaces it with the function of migrations/sql.
create function refuse_erasure_elsewhere() returns trigger language plpgsql as $$begin raise exception 'the migration was not finished'; end$$;

create trigger erasures_are_made_at_home
before insert or update of lifted_at on erasures
for each row execute function refuse_erasure_elsewhere();
alter table erasures enable always trigger erasures_are_made_at_home;
