-- The data dictionary: what every view, column and function of the schema means.
comment on schema reporting is 'The roster for people and tools that ask in SQL. Views keep their columns.';
comment on view reporting.participants is 'Everybody on the roster, one row a participant: the newest state of each.';
comment on column reporting.participants.source is 'Whose deliveries these are; movemint unless you have several.';
comment on column reporting.participants.participant_id
  is 'The participant in Movemint; with source, what tells rows apart.';
comment on column reporting.participants.event_id is 'The event they are in.';
comment on column reporting.participants.event_name
  is 'Its name, as this participant''s delivery has it; reporting.events has the newest.';
comment on column reporting.participants.sub_event_id is 'The race or category within the event.';
comment on column reporting.participants.sub_event_name is 'Its name, as this participant''s delivery has it.';
comment on column reporting.participants.athlete_id is 'The person, who may be in several events.';
comment on column reporting.participants.status
  is 'What Movemint calls the state of the registration; its values are not published.';
comment on column reporting.participants.first_name is 'First name.';
comment on column reporting.participants.last_name is 'Last name.';
comment on column reporting.participants.email is 'E-mail address. Personal: null without rosterlog_reporting_pii.';
comment on column reporting.participants.phone
  is 'Phone number as it came. Personal: null without rosterlog_reporting_pii.';
comment on column reporting.participants.bib is 'Start number, a text; null until one is assigned.';
comment on column reporting.participants.gender is 'As Movemint says it: a word, a letter or a number.';
comment on column reporting.participants.dob
  is 'Date of birth. Personal: null without rosterlog_reporting_pii; see age_band.';
comment on column reporting.participants.age
  is 'Age in years where Movemint says it. Personal: null without rosterlog_reporting_pii; see age_band.';
comment on column reporting.participants.team is 'Name of the team.';
comment on column reporting.participants.wave is 'Start wave.';
comment on column reporting.participants.city
  is 'City of the address. Personal: null without rosterlog_reporting_pii.';
comment on column reporting.participants.state is 'State or region of the address.';
comment on column reporting.participants.country is 'Country of the address.';
comment on column reporting.participants.zip_code is 'Postal code. Personal: null without rosterlog_reporting_pii.';
comment on column reporting.participants.checked_in_at
  is 'When they checked in; null if they have not, or nobody told.';
comment on column reporting.participants.registered_at is 'When they registered, as Movemint says.';
comment on column reporting.participants.updated_at
  is 'When Movemint last changed the participant, as it says itself.';
comment on column reporting.participants.first_position is 'Log position of the first delivery about them.';
comment on column reporting.participants.position is 'Log position of the delivery that this state comes from.';
comment on column reporting.participants.received_at is 'When that delivery arrived.';
comment on column reporting.participants.field_errors
  is 'Columns that are null because their value could not be read, each with the reason; an object.';
comment on column reporting.participants.attributes
  is 'The whole participant as it came, an object. Personal: null without rosterlog_reporting_pii.';
comment on column reporting.participants.age_band
  is 'Band of the age on the day of registration, by date of birth, else by age: under 18, 18-24 ... 65+.';
comment on view reporting.participant_history
  is 'Every state that participants had and have: one row a state, the one that holds with valid_to null.';
comment on column reporting.participant_history.valid_from_position is 'Log position from which this state held.';
comment on column reporting.participant_history.valid_to_position
  is 'Log position that ended it; null while it holds.';
comment on column reporting.participant_history.valid_from is 'When the delivery arrived that brought this state.';
comment on column reporting.participant_history.valid_to
  is 'When the delivery arrived that ended it; null while it holds.';
comment on view reporting.participant_answers
  is 'Answers to questions, one row a participant and question, as their newest state has them.';
comment on column reporting.participant_answers.source
  is 'Whose deliveries these are; movemint unless you have several.';
comment on column reporting.participant_answers.participant_id is 'The participant who answered.';
comment on column reporting.participant_answers.place
  is 'Place of the question among the participant''s answers, from 1.';
comment on column reporting.participant_answers.question_id is 'The question in Movemint, where the answer names it.';
comment on column reporting.participant_answers.question
  is 'The question as it was asked, or what there is of it: its key or its id.';
comment on column reporting.participant_answers.answer
  is 'The answer. Without rosterlog_reporting_pii null but for those that people choose; see docs/reporting.md.';
comment on column reporting.participant_answers.position is 'Log position of the delivery that it comes from.';
comment on view reporting.events is 'The events that participants are in.';
comment on column reporting.events.source is 'Whose deliveries these are; movemint unless you have several.';
comment on column reporting.events.event_id is 'The event in Movemint.';
comment on column reporting.events.event_name is 'Its name in the newest delivery that has one.';
comment on column reporting.events.participants is 'Participants on the roster, whatever their status.';
comment on column reporting.events.first_registered_at is 'The earliest registration among them.';
comment on column reporting.events.last_registered_at is 'The latest registration among them.';
comment on column reporting.events.starts_on
  is 'First day of the event, if its newest deliveries say so under event.start_date, which is a guess.';
comment on view reporting.sub_events is 'The races and categories within events.';
comment on column reporting.sub_events.source is 'Whose deliveries these are; movemint unless you have several.';
comment on column reporting.sub_events.event_id is 'The event.';
comment on column reporting.sub_events.sub_event_id is 'The race or category in Movemint.';
comment on column reporting.sub_events.sub_event_name is 'Its name in the newest delivery that has one.';
comment on column reporting.sub_events.participants is 'Participants on the roster, whatever their status.';
comment on view reporting.registrations_daily
  is 'Registrations by event, sub-event and day of registration, whatever became of them.';
comment on column reporting.registrations_daily.source
  is 'Whose deliveries these are; movemint unless you have several.';
comment on column reporting.registrations_daily.event_id is 'The event; null for participants in none.';
comment on column reporting.registrations_daily.sub_event_id is 'The race or category; null where none is named.';
comment on column reporting.registrations_daily.day
  is 'Day of registration, in UTC; of arrival where Movemint does not say when.';
comment on column reporting.registrations_daily.registrations is 'Registrations on that day.';
comment on column reporting.registrations_daily.cumulative
  is 'Registrations up to and with that day, of the same event and sub-event.';
comment on view reporting.deliveries is 'What arrived: one row a delivery that was stored, without its content.';
comment on column reporting.deliveries.source is 'Whose delivery it is; movemint unless you have several.';
comment on column reporting.deliveries.position is 'Its place in the log of its source: 1, 2, 3 and so on.';
comment on column reporting.deliveries.received_at is 'When it arrived first.';
comment on column reporting.deliveries.event_type is 'What Movemint calls it; null if it was no readable envelope.';
comment on column reporting.deliveries.participant_id is 'Whom it is about; null if it does not say.';
comment on column reporting.deliveries.size_bytes is 'Size of its body; null once it was erased.';
comment on column reporting.deliveries.is_erased is 'Whether the body was erased at somebody''s wish.';
comment on column reporting.deliveries.is_quarantined
  is 'Whether it could not be read and is set aside; rosterlog quarantine list shows why.';
comment on column reporting.deliveries.redeliveries is 'How often the very same bytes arrived again.';
comment on column reporting.deliveries.last_redelivered_at is 'When they last did; null if never.';
comment on view reporting.freshness is 'How current all of this is: one row a source.';
comment on column reporting.freshness.source is 'Whose log it is; movemint unless you have several.';
comment on column reporting.freshness.head is 'Log position of the newest delivery.';
comment on column reporting.freshness.head_received_at is 'When that one arrived.';
comment on column reporting.freshness.checkpoint is 'Log position that the roster reflects.';
comment on column reporting.freshness.checkpoint_moved_at is 'When it got there.';
comment on column reporting.freshness.lag is 'Deliveries that the roster has yet to reflect.';
comment on column reporting.freshness.quarantined
  is 'Deliveries that could not be read and are set aside; rosterlog quarantine list shows them.';
-- A state in the history has the columns of one on the roster.
do $$ declare described record; begin
  for described in
    select a.attname, col_description(a.attrelid, a.attnum) as meaning
    from pg_attribute a
    where a.attrelid = 'reporting.participants'::regclass and a.attnum > 0
  loop
    execute format('comment on column reporting.participant_history.%I is %L', described.attname, described.meaning);
  end loop;
end $$;
comment on function reporting.participants_as_of(timestamptz)
  is 'The roster as it was at a time, with the columns of reporting.participants: the states that held then.';
comment on function reporting.sees_personal_data() is 'Whether you see the columns that are called personal.';
comment on function reporting.answers_of_many()
  is 'Answers that were chosen, not written, and that everybody may see.';
comment on function reporting.age_band(integer) is 'The band of an age in years.';
comment on function reporting.age_band(date, integer, timestamptz)
  is 'The band of an age at a time: by the date of birth, else by the age that was told.';
comment on function reporting.iso_date(text) is 'The day that a text begins with in the form 2026-05-31, else null.'
