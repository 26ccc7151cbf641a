"""Which keys the fold took the columns of a participant from: found by asking the fold. No database."""

from collections.abc import Collection, Iterable, Iterator, Sequence

from ingest.delivery import JsonObject, identifier
from ingest.exact_json import write_json
from ingest.log.event import Event
from projections.participants.answers import Answer
from projections.participants.fields import ANSWERS, Fields
from projections.participants.fold import REGISTERED, folding, path_of, value_at
from projections.participants.state import State

ID_KEY, ID_COLUMN = "id", "participant_id"
_ANY_ID = "0"
Steps = tuple[str | None, ...]
"""The keys that lead to a value, from the outside in; None for every item of a list."""


def steps_of(key: str) -> Steps:
    """The steps that a declared key is."""
    return tuple(key.split("."))


def outermost_keys(fields: Fields) -> frozenset[str]:
    """The keys of a participant's object that the fold reads, of nested ones the outermost."""
    return frozenset({ID_KEY, *(key.partition(".")[0] for keys in fields.keys.values() for key in keys)})


class FoldInquiry:
    """Asks the fold of these fields about single participants. `only`: about these columns, as `folding` has it."""

    def __init__(self, fields: Fields, only: Collection[str] | None = None) -> None:
        self._fold = folding(fields, only)
        self._keys = fields.keys
        self._numbers = {field.column: number for number, field in enumerate(fields.columns)}

    def fold(self, participant: JsonObject) -> State | None:
        """The state of a participant, whatever its id is; None if it cannot be folded."""
        body = write_json({"type": REGISTERED, "data": {"object": {**participant, "id": _ANY_ID}}})
        try:
            folded = self._fold(Event("", 1, "", REGISTERED, _ANY_ID, body))
        except Exception:  # whatever it raises, a worker parks the event
            return None
        return folded if isinstance(folded, State) else None

    def taken(self, participant: JsonObject, state: State) -> Iterator[tuple[str, str]]:
        """Pairs of a column that has a value, or of `answers`, and the key that the value was taken from."""
        if identifier(participant.get(ID_KEY)) is not None:
            yield ID_COLUMN, ID_KEY
        for column in (*self._numbers, ANSWERS):
            if not self._has(state, column):
                continue
            keys = [key for key in self._keys[column] if _may_be(column, value_at(participant, path_of(key)))]
            needed = [key for key in keys if self._needs(participant, state, key)] if column == ANSWERS else []
            for key in needed or [next((key for key in keys[:-1] if self._takes(participant, column, key)), keys[-1])]:
                yield column, key

    def unread(self, participant: JsonObject, state: State) -> Iterator[tuple[str, str]]:
        """Pairs of a column whose value could not be read, and the first of its keys that has one."""
        for column in state.errors:
            for key in self._keys.get(column, ()):
                if value_at(participant, path_of(key)) not in (None, ""):
                    yield column, key
                    break

    def taken_within(self, participant: JsonObject, key: str, paths: Iterable[Steps]) -> Iterator[Steps]:
        """Which of these paths within the answers under a key are needed: without any of them the answers are others.

        That a question is there unanswered without it needs none: then it only kept the row from being read.

        `paths`: in the order in which they are sent, each after the key, such as every item's `question`. Of two that
        say the same, the first is needed.
        """
        value = value_at(participant, path_of(key))
        answers = self._answers_of(key, value)
        for path in reversed([*paths]):
            without = _without(value, path)
            of_rest = self._answers_of(key, without)
            if of_rest == answers:
                value = without
            elif not _have_more_questions(of_rest, answers):
                yield path

    def _needs(self, participant: JsonObject, state: State, key: str) -> bool:
        """Whether the answers would be others without a key of answers."""
        without = _without(participant, steps_of(key))
        folded = self.fold(without) if isinstance(without, dict) else None
        return folded is None or folded.answers != state.answers

    def _answers_of(self, key: str, value: object) -> Sequence[Answer]:
        state = self.fold(_under(key, value))
        return () if state is None else state.answers

    def _takes(self, participant: JsonObject, column: str, key: str) -> bool:
        """Whether the column has a value if the participant has nothing but this key."""
        state = self.fold(_under(key, value_at(participant, path_of(key))))
        return state is not None and self._has(state, column)

    def _has(self, state: State, column: str) -> bool:
        return bool(state.answers if column == ANSWERS else state.values[self._numbers[column]])


def _have_more_questions(answers: Sequence[Answer], others: Sequence[Answer]) -> bool:
    """Whether the answers are the others, and beside them questions without an answer."""
    return [each for each in answers if each.answer or each in others] == [*others]


def _under(key: str, value: object) -> JsonObject:
    """A participant that has nothing but a value under a declared key."""
    first_name, *names = key.split(".")
    for name in reversed(names):
        value = {name: value}
    return {first_name: value}


def _without(value: object, steps: Sequence[str | None]) -> object:
    """A value without what is at these steps in it."""
    step, *more = steps
    if step is None:
        return [_without(item, more) for item in value] if isinstance(value, list) and more else []
    if not isinstance(value, dict) or step not in value:
        return value
    if more:
        return {**value, step: _without(value[step], more)}
    return {name: inner for name, inner in value.items() if name != step}


def _may_be(column: str, value: object) -> bool:
    """Whether a column may have this value. An object is none: the name in it is, by a key of its own."""
    return value not in (None, "") and (column == ANSWERS or not isinstance(value, dict))
