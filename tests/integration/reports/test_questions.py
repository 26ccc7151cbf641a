"""Reports of answers to questions: what counts as one question, and under which words."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, text

from ingest.database import REPORTING_PII_ROLE, sync_engine
from projections.reports.report import reports, run_report, values_of
from tests import model
from tests.fold_all import drain
from tests.integration.reports.test_reports import rows, somebody


def answered(id_: int, *rows_: tuple[int | None, str, object], **fields: object) -> bytes:
    answers = [{"question_id": id_of, "question": words, "answer": answer} for id_of, words, answer in rows_]
    return somebody(id_, "2026-03-02", answers=answers, **fields)


@pytest.fixture
def asked(database: str, worker_engine: Engine) -> Iterator[Engine]:
    """Renamed questions, check boxes, and two questions of the same words; in the event 7 none."""
    model.append(database, [
        answered(1, (1, "Shirt size", "M"), (2, "Shirt size", "M"), (5, "Meals", []), bib="100"),
        answered(2, (1, "Shirt size", "L"), (5, "Meals", ["Pasta", "Pizza, thin"]), bib="20"),
        answered(3, (1, "T-shirt size", "M"), (5, "Meals", ["Pasta", "Pasta"]), (None, "Shirt size", "S"), bib="3"),
        answered(4),
        answered(5, event_id=7),
    ])  # fmt: skip
    drain(worker_engine)
    engine = sync_engine(database, REPORTING_PII_ROLE)
    yield engine
    engine.dispose()


def test_answers_count_people_once_and_a_question_by_its_id_under_its_newest_words(asked: Engine) -> None:
    sizes = [
        ("Shirt size", "2", "M", "1", "100.0"), ("Shirt size", "2", None, "3", None),
        ("Shirt size", None, "S", "1", "100.0"), ("Shirt size", None, None, "3", None),
        ("T-shirt size", "1", "M", "2", "66.7"), ("T-shirt size", "1", "L", "1", "33.3"),
        ("T-shirt size", "1", None, "1", None),
    ]  # fmt: skip
    assert rows(asked, "answers") == [
        ("Meals", "5", "Pasta", "2", "100.0"), ("Meals", "5", "Pizza, thin", "1", "50.0"),
        ("Meals", "5", None, "2", None), *sizes,
    ]  # fmt: skip
    assert rows(asked, "answers", question="Shirt size") == sizes[:4], "one is not called so any more"


def test_a_checklist_has_a_column_for_each_question_that_is_asked_for(asked: Engine) -> None:
    report = reports()["checklist"]
    with asked.connect() as connection:
        shown = run_report(
            connection, report, "movemint", values_of(report, {"questions": "Meals, Shirt size, nobody's"})
        )
        none = run_report(connection, report, "movemint", values_of(report, {}))
    assert shown.columns[5:] == ("Meals", "Shirt size", "2"), "one is not called so any more"
    assert shown.unknown == ("nobody's",)
    assert [(row[0], *row[5:]) for row in shown.rows] == [
        ("3", "Pasta", "S", None),
        ("20", "Pasta; Pizza, thin", None, None),
        ("100", None, None, "M"),
        (None, None, None, None),
        (None, None, None, None),
    ]
    assert none.columns == ("bib", "last_name", "first_name", "sub_event", "status")
    assert none.rows[0] == ("3", None, None, None, None)


def test_a_name_with_blanks_in_front_is_put_in_quotes(database: str, worker_engine: Engine) -> None:
    model.append(database, [answered(1, (None, "  lead", "a"), (None, "lead", "b"))])
    drain(worker_engine)
    engine, report = sync_engine(database, REPORTING_PII_ROLE), reports()["checklist"]
    with engine.connect() as connection:
        shown = [
            run_report(connection, report, "movemint", values_of(report, {"questions": named})).rows[0][5:]
            for named in ('"  lead"', "  lead", ' "  lead", lead')
        ]
    engine.dispose()
    assert shown == [("a",), ("b",), ("a", "b")]


def test_a_question_called_like_a_column_has_a_column_of_its_own(database: str, worker_engine: Engine) -> None:
    model.append(database, [answered(1, (None, "bib", "left"), bib="1")])
    drain(worker_engine)
    engine, report = sync_engine(database, REPORTING_PII_ROLE), reports()["checklist"]
    with engine.connect() as connection:
        shown = run_report(connection, report, "movemint", values_of(report, {"questions": "bib"}))
    engine.dispose()
    assert shown.columns[-1] == "bib (2)"
    assert (shown.rows[0][0], shown.rows[0][-1]) == ("1", "left")


def test_titles_are_those_of_an_export_and_no_column_is_lost(database: str, worker_engine: Engine) -> None:
    """Where words are double, or differ only in case, or are another question's id."""
    named = (1, "Size", "a"), (2, "size", "b"), (3, "1", "c"), (None, "Size (2)", "d"), (None, "Size", "e")
    model.append(database, [answered(1, *named)])
    drain(worker_engine)
    engine, report = sync_engine(database, REPORTING_PII_ROLE), reports()["checklist"]
    with engine.connect() as connection:
        asked = {"questions": "1,2,3,Size (2),Size"}
        shown = run_report(connection, report, "movemint", values_of(report, asked))
    engine.dispose()
    titles = [title.casefold() for title in shown.columns]
    assert len(set(titles)) == len(titles) == len(shown.rows[0])
    assert sorted(shown.rows[0][5:]) == [*"abcde"]


@pytest.mark.parametrize("others", [12, 40])
def test_of_one_answer_in_two_wordings_the_first_names_the_question(
    database: str, worker_engine: Engine, others: int
) -> None:
    """As in the API; not whichever PostgreSQL reads first."""
    people = [answered(id_, (7, "Old", "M")) for id_ in range(others)]
    model.append(database, [*people, answered(99, (7, "First", "x"), (7, "Second", "y"))])
    drain(worker_engine)
    engine = sync_engine(database, REPORTING_PII_ROLE)
    with engine.connect() as connection:
        meant = connection.execute(text("select question from reporting.questions_meant('movemint', null, null)"))
        assert meant.scalars().all() == ["First"]
    engine.dispose()
