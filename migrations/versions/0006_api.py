"""What the roster API asks of the database: indexes to sort and search by, changes beside the log, tokens in use."""

from alembic import op

from migrations.sql import sql_file

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

FUNCTIONS = {
    "unaccented(text)": "0006_unaccented.sql",
    "sort_key(text)": "0006_sort_key.sql",
    "bib_key(text)": "0006_bib_key.sql",
    "words(text)": "0006_words.sql",
    "search_words(text, text, text, text)": "0006_search_words.sql",
    "search_query(text)": "0006_search_query.sql",
}

# Every sort begins at the source and ends at the id, which nobody shares.
INDEXES = {
    "participants_build_last_name": 'participants_build (source, (sort_key(last_name) collate "C"), participant_id)',
    "participants_build_first_name": 'participants_build (source, (sort_key(first_name) collate "C"), participant_id)',
    "participants_build_email": 'participants_build (source, (sort_key(email) collate "C"), participant_id)',
    "participants_build_bib": 'participants_build (source, (bib_key(bib) collate "C"), participant_id)',
    "participants_build_registered": "participants_build (source, registered_at, participant_id)",
    "participants_build_updated": "participants_build (source, updated_at, participant_id)",
    "participants_build_position": "participants_build (source, position)",
    "participants_build_words": "participants_build using gin (words)",
    "participant_answers_build_question": (
        'participant_answers_build (source, ("left"(question, 100)), ("left"(answer, 100)), participant_id)'
    ),
}

# Every row is written anew, some seconds a million: readers wait for that.
WORDS = """
alter table participants_build
  -- squawk-ignore adding-field-with-default
  add column words tsvector generated always as (search_words(first_name, last_name, bib, team)) stored
"""

ROSTER_CHANGE = """
create table roster_change (
  source text collate "C" not null,
  number bigint not null,
  position bigint not null,
  subject text collate "C",
  event_ids text[] not null,
  changed_at timestamptz not null default now(),
  constraint roster_change_pkey primary key (source, number)
)
"""

NEW_ROSTER = """
create trigger projection_goes_live
after update of live on projection
for each row
when (new.projection = 'participants' and old.live is not null and new.live is not null and new.live <> old.live)
execute function note_new_roster()
"""

CALLED_BY = {
    "note_roster_change(text, text)": ("0006_note_roster_change.sql", "rosterlog_worker"),
    "note_token_use(bytea)": ("0006_note_token_use.sql", "rosterlog_api"),
}

APPLY = "apply_erasure(text, uuid)"


def upgrade() -> None:
    for file in FUNCTIONS.values():
        op.execute(sql_file(file))
    op.execute(WORDS)
    op.execute(sql_file("0006_begin_build.sql"))
    op.execute(sql_file("0006_participants_searched.sql"))
    op.execute("grant select on participants_searched to rosterlog_api")
    for index, on in INDEXES.items():
        op.execute(f"-- squawk-ignore require-concurrent-index-creation\ncreate index {index} on {on}")
    op.execute(ROSTER_CHANGE)
    op.execute("create index roster_change_position on roster_change (source, position)")
    op.execute("grant select on roster_change to rosterlog_api")
    op.execute("alter table api_token add column last_used_at timestamptz")
    for function, (file, role) in CALLED_BY.items():
        op.execute(sql_file(file))
        op.execute(f"revoke all on function {function} from public")
        op.execute(f"grant execute on function {function} to {role}")
    op.execute(sql_file("0006_note_new_roster.sql"))
    op.execute(NEW_ROSTER)
    op.execute(sql_file("0006_apply_erasure.sql"))


def downgrade() -> None:
    op.execute(sql_file("0005_apply_erasure.sql"))
    op.execute("drop trigger projection_goes_live on projection")
    op.execute("drop function note_new_roster()")
    for function in CALLED_BY:
        op.execute(f"drop function {function}")
    op.execute("alter table api_token drop column last_used_at")
    op.execute("drop table roster_change")
    for index in INDEXES:
        op.execute(f"drop index {index}")
    op.execute("drop view participants_searched")
    op.execute("alter table participants_build drop column words")
    op.execute(sql_file("0005_begin_build.sql").replace("create function", "create or replace function"))
    for function in reversed(FUNCTIONS):
        op.execute(f"drop function {function}")
