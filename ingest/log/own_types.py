"""The types of events that rosterlog itself writes into the log. A delivery that claims one is of an unknown type."""

PARTICIPANT_OBSERVED = "rosterlog.participant.observed"  # the source listed the participant, with these values
PARTICIPANT_UNLISTED = "rosterlog.participant.unlisted"  # the source did not list the participant
OBSERVATION_MADE = "rosterlog.observation"  # what one observation was, and what it found: its header
