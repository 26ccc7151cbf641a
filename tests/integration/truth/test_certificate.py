"""The certificate of a comparison holds only where the log has the chain that the header names."""

from collections import Counter
from dataclasses import replace

import pytest
from sqlalchemy import Engine

from ingest.log.observe import append_header
from projections.truth.certificate import certificate_at
from projections.truth.conclusion import NothingConcluded
from tests import model
from tests.observing import FIRST, SECOND, header


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
