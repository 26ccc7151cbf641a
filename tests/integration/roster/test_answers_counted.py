"""Columns, reports and filters agree on how many answered so, with a count over what was delivered in plain Python."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.database import REPORTING_PII_ROLE, sync_engine
from projections.reports.report import ReportRows, reports, run_report, values_of
from tests import model
from tests.answers_world import World, answered

VALUES = st.sampled_from(["M", "Pasta", "Pizza, thin", 7, True, "", None])
QUESTIONS = st.sampled_from(
    [(1, "Shirt size"), (2, "Shirt size"), (1, "T-shirt size"), (3, "1"), (None, "Shirt size"), (None, "1")]
)  # fmt: skip
FORMS = st.lists(
    st.tuples(QUESTIONS, VALUES | st.lists(VALUES, max_size=3)),
    max_size=4, unique_by=lambda row: (row[0][0], row[0][1] if row[0][0] is None else ""),
)  # fmt: skip
STATES = st.lists(st.tuples(st.sampled_from("abcde"), st.sampled_from([1, 2, None]), FORMS), min_size=1, max_size=8)
_sources = iter(range(10_000))
Form = list[tuple[tuple[int | None, str], Any]]


@dataclass(frozen=True)
class Delivered:
    """What was delivered of the people of an event, or of all: their forms, the words of each question, its answers.

    `words`: the newest, by the question's key, "id" and its id, else its words. `expected`: how many gave each answer.
    """

    forms: list[Form]
    words: Mapping[str, str]
    expected: Counter[tuple[str, str]]

    @property
    def names(self) -> set[str]:
        """Ids, and words that anybody was asked in."""
        ids = {key.removeprefix("id ") for key in self.words if key.startswith("id ")}
        return ids | {asked[1] for form in self.forms for asked, _ in form}

    def meant(self, name: str) -> list[str]:
        """The keys of the questions that a name means: of its id, else of its newest words, else of any that it had."""
        if f"id {name}" in self.words:
            return [f"id {name}"]
        newest = [key for key in self.words if self.words[key] == name]
        return newest or [key_of(*asked) for form in self.forms for asked, _ in form if asked[1] == name]

    def who_answered(self, name: str, answer: str) -> int:
        meant = self.meant(name)
        return sum(
            any(key_of(*asked) in meant and answer in values(value) for asked, value in form) for form in self.forms
        )


def key_of(id_: int | None, words: str) -> str:
    return words if id_ is None else f"id {id_}"


def values(value: Any) -> list[Any]:  # noqa: ANN401 - one or several
    return value if isinstance(value, list) else [value]


def delivered(states: list[tuple[str, int | None, Form]], event: str | None) -> Delivered:
    newest = {id_: (event_id, form) for id_, event_id, form in states}
    order = {id_: number for number, (id_, _, _) in enumerate(states)}
    people = [id_ for id_, (event_id, _) in newest.items() if event is None or str(event_id) == event]
    forms = [newest[id_][1] for id_ in sorted(people, key=order.__getitem__)]
    words: dict[str, str] = {}
    expected: Counter[tuple[str, str]] = Counter()
    for form in forms:
        for asked, value in form:
            words[key_of(*asked)] = asked[1]
            given = {shown(each) for each in values(value)} - {""}
            expected.update((key_of(*asked), answer) for answer in given)
    return Delivered(forms, words, expected)


@given(states=STATES, event=st.sampled_from([None, "1"]))
@settings(max_examples=25)
def test_columns_report_and_filters_agree_on_how_many_answered_so(
    world: World, states: list[tuple[str, int | None, Any]], event: str | None
) -> None:
    bodies = []
    for number, (id_, event_id, form) in enumerate(states):
        answers = answered(*((*asked, value) for asked, value in form))
        bodies.append(model.body(id_, event_id=event_id, number=number, answers=answers))
    source = f"generated-{next(_sources)}"
    token = world.told(bodies, source)
    of_event = {} if event is None else {"event_id": event}
    told = delivered(states, event)
    check_report(world, source, event, told)
    check_names_in_reports(world, source, event, told)
    check_filters(world, token, of_event, told)
    check_exports(world, token, of_event, told)


def check_report(world: World, source: str, event: str | None, told: Delivered) -> None:
    assert reported(world.conninfo, source, event) == Counter(
        {(key.removeprefix("id ") if key.startswith("id ") else None, told.words[key], answer): number
         for (key, answer), number in told.expected.items()}
    )  # fmt: skip


def check_names_in_reports(world: World, source: str, event: str | None, told: Delivered) -> None:
    """A name means the same questions as in the API."""
    of_event = {} if event is None else {"event": event}
    for name in told.names:
        meant = {(key[3:] if key.startswith("id ") else None, told.words[key]) for key in told.meant(name)}
        counted = run(world.conninfo, source, "answers", {**of_event, "question": name})
        assert {(row[1], row[0]) for row in counted.rows} == meant, name
        listed = run(world.conninfo, source, "checklist", {**of_event, "questions": f'"{name}"'})
        assert (len(listed.columns) - 5 if listed.rows else len(meant)) == len(meant), name
        assert listed.unknown == (() if meant or not listed.rows else (name,))


def check_filters(world: World, token: str, of_event: dict[str, str], told: Delivered) -> None:
    for name in told.names:
        for answer in ("M", "Pizza, thin"):
            asked, there = {**of_event, f"answer.{name}": answer}, told.who_answered(name, answer)
            assert len(world.found(token, **asked)) == there
            assert world.api.ask("/v1/participants", token, count="exact", **asked).json()["count"] == there


def check_exports(world: World, token: str, of_event: dict[str, str], told: Delivered) -> None:
    rows = world.exported(token, answers="columns", columns="participant_id", formulas="keep", **of_event)
    cells = Counter(answer for row in rows for title, cell in row.items() if title != "participant_id"
                    for answer in {*cell.split("; ")} - {""})  # fmt: skip
    by_answer: Counter[str] = Counter()
    for (_, answer), number in told.expected.items():
        by_answer[answer] += number
    assert cells == by_answer
    assert len(rows) == len(told.forms)
    assert not rows or len(rows[0]) == 1 + len(told.words)
    lines = world.lines(token, answers="columns", columns="participant_id", **of_event)
    assert [{title: cell or "" for title, cell in line.items()} for line in lines] == rows
    listed = Counter((row["question_id"] or row["question"], row["answer"]) for row in
                   [dict(t) for t in {tuple(row.items()) for row in world.exported(token, answers="rows", **of_event)}]
                   if row["answer"])  # fmt: skip
    assert sum(listed.values()) == sum(told.expected.values())


def shown(value: object) -> str:
    return "" if value is None else "true" if value is True else str(value)


def reported(conninfo: str, source: str, event: str | None) -> Counter[tuple[str | None, str, str]]:
    rows = run(conninfo, source, "answers", {} if event is None else {"event": event}).rows
    return Counter({(row[1], row[0], row[2]): row[3] for row in rows if row[2] is not None})


def run(conninfo: str, source: str, name: str, given: dict[str, str]) -> ReportRows:
    engine, report = sync_engine(conninfo, REPORTING_PII_ROLE), reports()[name]
    with engine.connect() as connection:
        rows = run_report(connection, report, source, values_of(report, given))
    engine.dispose()
    return rows
