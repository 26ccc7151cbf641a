"""The API's document, OpenAPI 3.1, made of the endpoints."""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

from projections.web.endpoint import Endpoint
from projections.web.examples import EXAMPLES
from projections.web.openapi_parameters import concise, filter_schemas, parameters_of, shared_parameters
from projections.web.question import COMPARED, FOLLOWED_BY, POSITION, WARNING
from projections.web.shapes import SHAPES

_PROBLEMS = {
    "400": "A parameter is wrong; the problem names it and says what it takes.",
    "401": "The token is missing, unknown, revoked or expired.",
    "404": "There is nothing of this id that the token may see.",
    "429": "Too many requests, or wrong tokens; `Retry-After` says when to ask again.",
    "501": "The format needs an extra that is not installed; the problem names it.",
    "503": "The roster cannot be read now, or is not yet at `min_position`; `Retry-After` says when to ask again.",
}
_HEADERS = {
    "ETag": "Of this answer: with it in `If-None-Match` there is 304 while nothing has changed.",
    "Link": 'The address of the next page, `rel="next"`, relative to the one asked; not there on the last one.',
    FOLLOWED_BY: "Of an export: the `after` with which a copy that begins with it follows `/v1/changes`.",
    WARNING: "What of the question can match nobody, and why: a misspelt question or answer, an event without anybody.",
    COMPARED: "When this roster was last compared with what its source lists, at which position, and what was found.",
    "Retry-After": "In how many seconds to ask again.",
    "X-Request-Id": "The id of this request in the server's log.",
}
_INTRODUCTION = """
The roster of one source, as far as the token may see it. Every answer carries `Rosterlog-Position`, the position of the
log that it reflects. Lists are paged by `next`, which goes into `cursor`. Nothing here changes anything.
The same roster as pages for people is at the front of this server, `/`.
"""


def document(endpoints: Sequence[Endpoint[Any]], public_url: str | None) -> dict[str, Any]:
    """The OpenAPI 3.1 document of these endpoints. `public_url`: where clients find them; None: on the same host."""
    _, shapes = next(iter(SHAPES.values())).json_schemas(
        [(name, "serialization", adapter) for name, adapter in SHAPES.items()],
        ref_template="#/components/schemas/{model}",
    )
    shared = shared_parameters(endpoints)
    return {
        "openapi": "3.1.0",
        "info": {"title": "rosterlog", "version": version("rosterlog"), "description": _INTRODUCTION.strip()},
        "servers": [{"url": public_url or "/"}],
        "security": [{"token": []}],
        "paths": {endpoint.path: {"get": _operation(endpoint, shared)} for endpoint in endpoints},
        "components": {
            "schemas": {**concise(shapes["$defs"]), **filter_schemas()},
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "`rosterlog token create NAME` makes one."}
            },
            "parameters": shared,
            "headers": {
                POSITION: {
                    "description": "The position of the log that the answer reflects.",
                    "schema": {"type": "string", "pattern": "^[0-9]+$"},
                },
                **{name: {"description": what, "schema": {"type": "string"}} for name, what in _HEADERS.items()},
            },
            "responses": {
                "304": _unchanged(),
                **{status: _problem(status, description) for status, description in _PROBLEMS.items()},
            },
        },
    }


def _operation(endpoint: Endpoint[Any], shared: Mapping[str, Any]) -> dict[str, Any]:
    statuses = ["304", "400", "401", "429", "503"]
    statuses += [*(["404"] if endpoint.id else []), *(["501"] if endpoint.media else [])]
    answered: dict[str, Any] = {"schema": {"type": "string"}}
    if endpoint.media is not None and not endpoint.media.startswith("text/"):
        answered["schema"]["format"] = "binary"
    if endpoint.media is None:
        answered = {"schema": {"$ref": f"#/components/schemas/{endpoint.shape}"}, "example": EXAMPLES[endpoint.shape]}
    return {
        "operationId": endpoint.name,
        "summary": endpoint.summary,
        "parameters": parameters_of(endpoint, shared),
        "responses": {
            "200": {
                "description": "The answer.",
                "headers": _headers(POSITION, "X-Request-Id", *_of(endpoint)),
                "content": {endpoint.media or "application/json": answered},
            },
            **{status: {"$ref": f"#/components/responses/{status}"} for status in sorted(statuses)},
        },
    }


def _unchanged() -> dict[str, Any]:
    return {
        "description": "Nothing has changed since the answer with the ETag in `If-None-Match`.",
        "headers": _headers(POSITION, "X-Request-Id", "ETag"),
    }


def _of(endpoint: Endpoint[Any]) -> list[str]:
    """The headers that not every endpoint's answers have."""
    of_roster = [COMPARED, WARNING] if endpoint.takes_answers else []
    if endpoint.media:
        return ["ETag", FOLLOWED_BY, *of_roster]
    return ["ETag", "Link", *of_roster] if endpoint.is_of_revision else []


def _headers(*names: str) -> dict[str, Any]:
    """References to headers that an answer may have."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _problem(status: str, description: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    content = {"schema": schema, "example": EXAMPLES["Problem"]}
    headers = _headers("X-Request-Id", *(["Retry-After"] if status in ("429", "503") else []))
    return {"description": description, "headers": headers, "content": {"application/problem+json": content}}
