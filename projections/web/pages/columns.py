"""The columns of a roster on its page: those that are shown, and the form that chooses them."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from projections.roster.criteria import SORTABLE
from projections.roster.export.answers import as_columns
from projections.roster.participant_json import ANSWER_CELLS
from projections.roster.questions import FormQuestion
from projections.web.pages.choices import Chosen, address_name
from projections.web.pages.words import name_in_words

USUAL = ("bib", "last_name", "first_name", "sub_event_name", "status", "gender", "team", "wave", "registered_at")
_LEADING_ON = ("last_name", "first_name")  # the first of these that is shown, else the first column


@dataclass(frozen=True, slots=True)
class ShownColumn:
    """A column of the table. `name`: of the roster's column, "" for answers; `key`: of the question that they are to.

    `sorted_by`: the address in which the roster is sorted by it, "" if it cannot be; `sort`: how it is sorted now.
    `leads_on`: to the participant.
    """

    title: str
    name: str = ""
    key: str = ""
    sorted_by: str = ""
    sort: str = "none"
    leads_on: bool = False

    @property
    def is_time(self) -> bool:
        return self.name.endswith("_at")

    def of(self, person: Mapping[str, object]) -> object:
        """The value of a participant in this column."""
        if self.name:
            return person[self.name]
        answers = person[ANSWER_CELLS]
        return answers.get(self.key) if isinstance(answers, Mapping) else None


@dataclass(frozen=True, slots=True)
class Box:
    """A box to tick in the form. `value`: as it stands in a list with commas."""

    words: str
    value: str
    is_ticked: bool


def shown_columns(names: Sequence[str], questions: Sequence[FormQuestion], chosen: Chosen) -> list[ShownColumn]:
    """The columns of the table; those of answers are called as in a file of the same columns."""
    columns = [ShownColumn(name_in_words(name), name, "", *_sort(name, chosen)) for name in names]
    columns += [ShownColumn(column.title, key=column.key) for column in as_columns(questions, names)]
    leading = next((name for name in _LEADING_ON if name in names), names[0])
    return [replace(column, leads_on=column.name == leading) for column in columns]


def column_boxes(seen: Sequence[str], shown: Sequence[str]) -> list[Box]:
    """A box per column; those that are shown stand first, so that they keep their order."""
    return [Box(name_in_words(name), name, name in shown) for name in dict.fromkeys((*shown, *seen))]


def question_boxes(asked: Sequence[FormQuestion], shown: Sequence[FormQuestion]) -> list[Box]:
    return [Box(question.words, in_list(address_name(question)), question in shown) for question in asked]


def in_list(value: str) -> str:
    """A value as it stands in a list of a parameter, which has commas between the values."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow([value])
    return line.getvalue()


def _sort(column: str, chosen: Chosen) -> tuple[str, str]:
    """The address sorted by a column, the other way if it is sorted by it already; and how it is sorted now."""
    if column not in SORTABLE:
        return "", "none"
    now = {column: "ascending", f"-{column}": "descending"}.get(chosen.get("sort", ""), "none")
    wanted = f"-{column}" if now == "ascending" else column
    return "?" + urlencode({**chosen, "sort": wanted}), now
