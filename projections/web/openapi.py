"""The API's document, OpenAPI 3.1, made of the endpoints."""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

from projections.roster.answer_filters import ANSWER
from projections.roster.criteria import Sorted, Strict
from projections.web.endpoint import Endpoint
from projections.web.examples import EXAMPLES
from projections.web.question import FOLLOWED_BY, POSITION, WARNING
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
    "Retry-After": "In how many seconds to ask again.",
    "X-Request-Id": "The id of this request in the server's log.",
}
_IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "description": "The ETag of an earlier answer to the same question.",
    "schema": {"type": "string", "pattern": "^[ -~]*$"},
}
_INTRODUCTION = """
The roster of one source, as far as the token may see it. Every answer carries `Rosterlog-Position`, the position of the
log that it reflects. Lists are paged by `next`, which goes into `cursor`. Nothing here changes anything.
"""


def document(endpoints: Sequence[Endpoint[Any]], public_url: str | None) -> dict[str, Any]:
    """The OpenAPI 3.1 document of these endpoints. `public_url`: where clients find them; None: on the same host."""
    _, shapes = next(iter(SHAPES.values())).json_schemas(
        [(name, "serialization", adapter) for name, adapter in SHAPES.items()],
        ref_template="#/components/schemas/{model}",
    )
    return {
        "openapi": "3.1.0",
        "info": {"title": "rosterlog", "version": version("rosterlog"), "description": _INTRODUCTION.strip()},
        "servers": [{"url": public_url or "/"}],
        "security": [{"token": []}],
        "paths": {endpoint.path: {"get": _operation(endpoint)} for endpoint in endpoints},
        "components": {
            "schemas": shapes["$defs"],
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "`rosterlog token create NAME` makes one."}
            },
            "parameters": _shared(),
            "headers": {
                POSITION: {
                    "description": "The position of the log that the answer reflects.",
                    "schema": {"type": "string", "pattern": "^[0-9]+$"},
                },
                **{name: {"description": what, "schema": {"type": "string"}} for name, what in _HEADERS.items()},
            },
            "responses": {status: _problem(status, description) for status, description in _PROBLEMS.items()},
        },
    }


def _operation(endpoint: Endpoint[Any]) -> dict[str, Any]:
    statuses = ["400", "401", "429", "503", *(["404"] if endpoint.id else []), *(["501"] if endpoint.media else [])]
    answered: dict[str, Any] = {"schema": {"type": "string"}}
    if endpoint.media is None:
        answered = {"schema": {"$ref": f"#/components/schemas/{endpoint.shape}"}, "example": EXAMPLES[endpoint.shape]}
    return {
        "operationId": endpoint.name,
        "summary": endpoint.summary,
        "parameters": _parameters(endpoint),
        "responses": {
            "200": {
                "description": "The answer.",
                "headers": _headers(POSITION, "X-Request-Id", *_of(endpoint)),
                "content": {endpoint.media or "application/json": answered},
            },
            "304": {
                "description": "Nothing has changed since the answer with the ETag in `If-None-Match`.",
                "headers": _headers(POSITION, "X-Request-Id", "ETag"),
            },
            **{status: {"$ref": f"#/components/responses/{status}"} for status in sorted(statuses)},
        },
    }


def _of(endpoint: Endpoint[Any]) -> list[str]:
    """The headers that not every endpoint's answers have."""
    warned = [WARNING] if endpoint.takes_answers else []
    if endpoint.media:
        return ["ETag", FOLLOWED_BY, *warned]
    return ["ETag", "Link", *warned] if endpoint.is_of_revision else []


def _parameters(endpoint: Endpoint[Any]) -> list[dict[str, Any]]:
    parameters: list[dict[str, Any]] = []
    if endpoint.id:
        schema = {"type": "string", "minLength": 1}
        parameters.append({"name": endpoint.id, "in": "path", "required": True, "schema": schema, "example": "12"})
    shared = Sorted.model_fields if issubclass(endpoint.parameters, Sorted) else {}
    own = _properties(endpoint.parameters)
    parameters.append(_IF_NONE_MATCH)
    parameters += [
        {"$ref": f"#/components/parameters/{name}"} if name in shared else _parameter(name, own[name]) for name in own
    ]
    if endpoint.takes_answers:
        what = "Whose answer to this question is this. Put the question's own words after the dot."
        example = {"name": f"{ANSWER}Shirt size", "description": what, "example": "M"}
        parameters.append({**example, "in": "query", "schema": {"type": "string"}})
    return parameters


def _shared() -> dict[str, Any]:
    """The parameters of all endpoints that select participants."""
    return {name: _parameter(name, property_) for name, property_ in _properties(Sorted).items()}


def _properties(model: type[Strict]) -> dict[str, Any]:
    properties: dict[str, Any] = model.model_json_schema()["properties"] if model.model_fields else {}
    return properties


def _parameter(name: str, property_: Mapping[str, Any]) -> dict[str, Any]:
    """A parameter of the document, from its property in pydantic's schema."""
    types = [type_ for type_ in property_["anyOf"] if type_ != {"type": "null"}]
    schema = types[0] if len(types) == 1 else {"anyOf": types}
    parameter = {"name": name, "in": "query", "description": property_["description"], "schema": schema}
    if schema.get("type") == "array":
        parameter |= {"style": "form", "explode": False}
    if "examples" in property_:
        parameter["example"] = property_["examples"][0]
    return parameter


def _headers(*names: str) -> dict[str, Any]:
    """References to headers that an answer may have."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _problem(status: str, description: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    content = {"schema": schema, "example": EXAMPLES["Problem"]}
    headers = _headers("X-Request-Id", *(["Retry-After"] if status in ("429", "503") else []))
    return {"description": description, "headers": headers, "content": {"application/problem+json": content}}
