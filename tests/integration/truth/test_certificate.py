"""The certificate of a comparison holds only where the log has the chain that the header names."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from ingest.log.observe import append_header
from projections.participants.fields import DECLARED
from projections.truth.cells import date_forms
from projections.truth.certificate import certificate_at
from projections.truth.conclusion import NothingConcluded
from projections.truth.recomputed import recomputed
from tests import model
from tests.applying import Apply
from tests.fold_all import drain, query
from tests.observing import FIRST, SECOND, header

LATER = datetime.now(UTC) + timedelta(hours=1)


def test_a_header_of_another_log_is_no_certificate(database: str, operator: Engine) -> None:
    model.append(database, [model.body(1), model.body(2), b'{"type": "rosterlog.observation", "data": 1}'])
    foreign = header(Counter())
    own = replace(foreign, chain=model.chains(database)[1])
    with operator.begin() as connection:
        append_header(connection, "movemint", FIRST, foreign)
        append_header(connection, "movemint", SECOND, own)
    certificates = [certificate_at(operator, "movemint", position, lambda _number: None) for position in (4, 5)]
    assert [(each.holds, each.proof.problems_found) for each in certificates] == [(False, 0), (True, 0)]
    with pytest.raises(NothingConcluded, match="no observation at position 3"):
        certificate_at(operator, "movemint", 3, lambda _number: None)


@pytest.mark.parametrize(
    ("match", "headings", "form"),
    [
        ("id", "Nr,id,dob,bib", ()),
        ("id", "Nr,id,dob,bib", date_forms("DD/MM/YYYY")),
        ("email+event", "Nr,email,dob,bib", ()),
    ],
)
def test_the_certificate_is_computed_again_from_the_file(
    applied: Apply, operator: Engine, worker_engine: Engine, database: str, tmp_path: Path, match: str, headings: str,
    form: tuple[str, ...],
) -> None:  # fmt: skip
    people = [model.body(n, event_id=501, email=f"{n}@x.org", dob="1990-05-06", bib=str(n)) for n in range(1, 41)]
    model.append(database, people)
    drain(worker_engine)
    dob = "06/05/1990" if form else "1990-05-06"
    key = "" if match == "id" else "@X.org"
    rows = [f"x{n},{n}{key},{dob},{n}" for n in range(1, 41)]
    content = "\n".join([headings, *rows, ""])
    look = applied(content, match=match, uncompared=("Nr",), forms=form, taken_at=LATER, allowed=("email",))
    path = tmp_path / "listed.csv"

    def proof() -> dict[str, bool]:
        certificate = certificate_at(operator, "movemint", look.position, lambda _number: None)
        return recomputed(path, certificate.observation, DECLARED).as_json()

    certificate = certificate_at(operator, "movemint", look.position, lambda _number: None)
    told = certificate.observation["data"]
    assert isinstance(told, dict)
    assert told["reading"] == {
        "columns": {"participant_id" if match == "id" else "email": 2, "dob": 3, "bib": 4},
        "date_forms": [*form], "empty_means_empty": [],
    }  # fmt: skip
    assert (told["listed_digest"] == told["roster_digest"]) == (match == "id"), "an e-mail address has another case"
    assert proof() == {"sha256": True, "rows": True, "listed_digest": True}
    # Another spelling of the same list; another list; fewer rows.
    path.write_text(content.replace("Nr,", "No,").replace("x1,", "y1,"))
    assert proof() == {"sha256": False, "rows": True, "listed_digest": True}
    path.write_text(content.replace(f"{dob},40", f"{dob},41"))
    assert proof() == {"sha256": False, "rows": True, "listed_digest": False}
    path.write_text("\n".join([headings, *rows[1:], ""]))
    assert proof() == {"sha256": False, "rows": False, "listed_digest": False}
    path.write_text("id\n1\n")
    with pytest.raises(NothingConcluded, match="has 1 headings"):
        proof()


def test_an_observation_of_no_file_is_not_computed_again(database: str, operator: Engine, tmp_path: Path) -> None:
    model.append(database, [model.body(1), model.body(2)])
    with operator.begin() as connection:
        append_header(connection, "movemint", FIRST, header(Counter()))
    certificate = certificate_at(operator, "movemint", 3, lambda _number: None)
    with pytest.raises(NothingConcluded, match="give no --file"):
        recomputed(tmp_path, certificate.observation, DECLARED)


def test_a_day_is_not_the_rosters_because_its_text_is(
    applied: Apply, operator: Engine, worker_engine: Engine, database: str, tmp_path: Path
) -> None:
    """In a form whose days ISO reads as others it is stale, and the certificate of such a file is computed again."""
    model.append(database, [model.body(n, event_id=501, dob="1990-05-06", bib=str(n)) for n in range(1, 41)])
    drain(worker_engine)
    rows = [f"{n},1990-06-05,{n}" for n in range(3, 41)]
    content = "\n".join(["id,dob,bib", "1,1990-05-06,1", "2,1990-05-06,other", *rows, ""])
    form = date_forms("YYYY-DD-MM")
    look = applied(content, forms=form, taken_at=LATER, allowed=("dob", "bib"))
    assert look.tally.agreeing == 38
    assert look.tally.columns == Counter(dob=2, bib=1)
    certificate = certificate_at(operator, "movemint", look.position, lambda _number: None)
    assert recomputed(tmp_path / "listed.csv", certificate.observation, DECLARED).holds
    drain(worker_engine)
    dob = "select dob::text from participants where participant_id = '2'"
    assert query(database, dob) == [("1990-06-05",)]
