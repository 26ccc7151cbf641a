"""What a page says of a question that it does not answer, in words for people, and where to go from there."""

from datetime import UTC, datetime

from starlette.exceptions import HTTPException
from starlette.requests import Request

from ingest.web.problems import Refusal
from projections.roster.values import moment
from projections.web.addresses import ID
from projections.web.pages.dots import page_segment, with_id_of_query
from projections.web.pages.shown_values import shown_day
from projections.web.question import Question

_RACES = "/races/"
_CANNOT_BE_FOUND = (
    "This cannot be searched for: type the beginning of a name, a bib, a team or an e-mail address, with a letter or a "
    "digit in it, or several of them, up to 20."
)


def told(error: HTTPException) -> str:
    """What happened, and what to do next."""
    is_search = isinstance(error, Refusal) and error.members.get("parameter") == "q"
    return _CANNOT_BE_FOUND if is_search else error.detail


def race_of(request: Request) -> str | None:
    """The path of the race that a refused question was about; None if it was about none."""
    if not request.url.path.startswith(_RACES) or not request.query_params:
        return None
    return _RACES + page_segment(with_id_of_query(request).path_params.get(ID, ""))


def refuse_future(question: Question, as_of: object) -> None:
    """Raises 400 for a day or a time that has not come: nobody knows the roster of then."""
    if isinstance(as_of, datetime) and as_of > datetime.now(UTC):
        asked = moment(question.parameters["as_of"])
        day = shown_day(asked if isinstance(asked, datetime) else as_of)
        raise question.refuse(400, f"{day} has not come yet: choose today, or a day before it.", parameter="as_of")
