"""A cached answer is used again only where the same would be seen: same question, token, revision and mask."""

from dataclasses import replace
from typing import Any, cast

from projections.roster.mask import Mask
from projections.roster.revision import Revision
from projections.web.access.tokens import Scope
from projections.web.answer import etag, is_kept
from projections.web.question import Question

QUESTION = Question(
    cast("Any", None),
    Scope("movemint", None, b"a token's digest", sees_personal_data=False),
    Revision(1, 10, 0),
    "/v1/participants",
    {"include": "answers"},
    cast("Any", None),
    mask=Mask(digest="one"),
)


def test_whatever_changes_an_answer_changes_its_etag() -> None:
    others = [
        replace(QUESTION, mask=Mask(digest="another")),
        replace(QUESTION, mask=None),
        replace(QUESTION, revision=Revision(1, 11, 0)),
        replace(QUESTION, revision=Revision(2, 10, 0)),
        replace(QUESTION, path="/v1/changes"),
        replace(QUESTION, parameters={}),
        replace(QUESTION, scope=replace(QUESTION.scope, digest=b"another")),
    ]
    assert len({etag(question) for question in (QUESTION, *others)}) == 1 + len(others)
    assert is_kept(QUESTION, etag(replace(QUESTION, mask=Mask(digest="one"))))
