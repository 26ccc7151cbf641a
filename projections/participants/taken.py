"""Which keys the fold took the columns of a participant from: found by asking the fold. No database."""

from collections.abc import Iterator, Mapping

from ingest.delivery import JsonObject, identifier, write_json
from ingest.log.event import Event
from projections.participants.fields import ANSWERS, Fields
from projections.participants.fold import REGISTERED, folding
from projections.participants.state import State

ID_KEY, ID_COLUMN = "id", "participant_id"
_ANY_ID = "0"


class FoldInquiry:
    """Asks the fold of these fields about single participants."""

    def __init__(self, fields: Fields) -> None:
        self._fold = folding(fields)
        self._keys = fields.keys
        self._numbers = {field.column: number for number, field in enumerate(fields.columns)}

    def fold(self, participant: JsonObject) -> State | None:
        """The state of a participant, whatever its id is; None if it cannot be folded."""
        body = write_json({"type": REGISTERED, "data": {"object": {**participant, "id": _ANY_ID}}})
        folded = self._fold(Event("", 1, "", REGISTERED, _ANY_ID, body))
        return folded if isinstance(folded, State) else None

    def taken(self, participant: JsonObject, state: State) -> Iterator[tuple[str, str]]:
        """Pairs of a column that has a value, or of `answers`, and the key that the value was taken from."""
        if identifier(participant.get(ID_KEY)) is not None:
            yield ID_COLUMN, ID_KEY
        for column in (*self._numbers, ANSWERS):
            if not self._has(state, column):
                continue
            keys = [key for key in self._keys[column] if _may_be(column, value_at(participant, key))]
            yield column, next((key for key in keys[:-1] if self._takes(participant, column, key)), keys[-1])

    def unread(self, participant: JsonObject, state: State) -> Iterator[tuple[str, str]]:
        """Pairs of a column whose value could not be read, and the first of its keys that has one."""
        for column in state.errors:
            for key in self._keys.get(column, ()):
                if value_at(participant, key) not in (None, ""):
                    yield column, key
                    break

    def _takes(self, participant: JsonObject, column: str, key: str) -> bool:
        """Whether the column has a value if the participant has nothing but this key."""
        value = value_at(participant, key)
        for name in reversed(key.split(".")):
            value = {name: value}
        state = self.fold(value) if isinstance(value, dict) else None
        return state is not None and self._has(state, column)

    def _has(self, state: State, column: str) -> bool:
        return bool(state.answers if column == ANSWERS else state.values[self._numbers[column]])


def _may_be(column: str, value: object) -> bool:
    """Whether a column may have this value. An object is none: the name in it is, by a key of its own."""
    return value not in (None, "") and (column == ANSWERS or not isinstance(value, dict))


def value_at(participant: Mapping[str, object], key: str) -> object:
    """The value at a declared key; a dot in it goes into an object. None if there is none."""
    value: object = participant
    for name in key.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value
