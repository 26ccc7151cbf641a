"""The API described: `/openapi.json`, made of the addresses, and `/docs`, a page that shows it and needs no network."""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Route

from ingest.web.problems import problem
from projections.roster.criteria import ANSWER, Sorted, Strict
from projections.web.endpoint import Address
from projections.web.examples import EXAMPLES
from projections.web.question import POSITION
from projections.web.shapes import ANSWERS

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
    "Link": 'The address of the next page, `rel="next"`; not there on the last one.',
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
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>rosterlog API</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="docs/style.css">
</head>
<body>
<div id="docs"></div>
<script src="docs/bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""
_START = """SwaggerUIBundle({
  url: "openapi.json", dom_id: "#docs", deepLinking: true, validatorUrl: null, docExpansion: "list",
  defaultModelsExpandDepth: 0
});
"""
_POLICY = {"Content-Security-Policy": "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'"}
_ASSETS = {"bundle.js": "swagger_bundle.js", "style.css": "swagger_style.css"}


def document(addresses: Sequence[Address]) -> dict[str, Any]:
    """The OpenAPI 3.1 document of these addresses."""
    _, shapes = next(iter(ANSWERS.values())).json_schemas(
        [(name, "serialization", adapter) for name, adapter in ANSWERS.items()],
        ref_template="#/components/schemas/{model}",
    )
    return {
        "openapi": "3.1.0",
        "info": {"title": "rosterlog", "version": version("rosterlog"), "description": _INTRODUCTION.strip()},
        "servers": [{"url": "/"}],
        "security": [{"token": []}],
        "paths": {one.path.replace(":path", ""): {"get": _operation(one)} for one in addresses},
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


def document_routes(described: Mapping[str, Any]) -> list[BaseRoute]:
    """`/openapi.json` with this document, and `/docs` with what it loads."""
    content = to_json(described)
    folder = _assets()

    async def openapi(_request: Request) -> Response:
        return Response(content, media_type="application/json")

    async def docs(_request: Request) -> Response:
        if folder is None:
            return problem(501, "This page needs the extra docs: pip install 'rosterlog[docs]'. See /openapi.json.")
        return Response(_PAGE, headers=_POLICY, media_type="text/html")

    async def start(_request: Request) -> Response:
        return Response(_START, media_type="text/javascript")

    async def asset(request: Request) -> Response:
        name = _ASSETS.get(request.path_params["name"])
        return (
            problem(404, "There is nothing at this address.")
            if name is None or folder is None
            else FileResponse(folder / name)
        )

    return [
        Route("/openapi.json", openapi),
        Route("/docs", docs),
        Route("/docs/start.js", start),
        Route("/docs/{name}", asset),
    ]


def _assets() -> Path | None:
    """Where the extra's files are. It is not imported: that would load what a server does not need."""
    found = find_spec("offapi")
    if found is None or found.origin is None:
        return None
    return next((path.parent for path in Path(found.origin).parent.rglob(_ASSETS["bundle.js"])), None)


def _operation(address: Address) -> dict[str, Any]:
    statuses = ["400", "401", "429", "503", *(["404"] if address.part else []), *(["501"] if address.media else [])]
    answered: dict[str, Any] = {"schema": {"type": "string"}}
    if address.media is None:
        answered = {"schema": {"$ref": f"#/components/schemas/{address.shape}"}, "example": EXAMPLES[address.shape]}
    return {
        "operationId": address.name,
        "summary": address.summary,
        "parameters": _parameters(address),
        "responses": {
            "200": {
                "description": "The answer.",
                "headers": _headers(POSITION, "X-Request-Id", *(["ETag", "Link"] if address.shape != "Status" else [])),
                "content": {address.media or "application/json": answered},
            },
            "304": {
                "description": "Nothing has changed since the answer with the ETag in `If-None-Match`.",
                "headers": _headers(POSITION, "X-Request-Id", "ETag"),
            },
            **{status: {"$ref": f"#/components/responses/{status}"} for status in sorted(statuses)},
        },
    }


def _parameters(address: Address) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if address.part:
        schema = {"type": "string", "minLength": 1}
        found.append({"name": address.part, "in": "path", "required": True, "schema": schema, "example": "12"})
    shared = Sorted.model_fields if issubclass(address.asked, Sorted) else {}
    own = _properties(address.asked)
    found.append(_IF_NONE_MATCH)
    found += [
        {"$ref": f"#/components/parameters/{name}"} if name in shared else _parameter(name, own[name]) for name in own
    ]
    if address.takes_answers:
        what = "Whose answer to this question is this. Put the question's own words after the dot."
        example = {"name": f"{ANSWER}Shirt size", "description": what, "example": "M"}
        found.append({**example, "in": "query", "schema": {"type": "string"}})
    return found


def _shared() -> dict[str, Any]:
    """The parameters of all addresses that find participants."""
    return {name: _parameter(name, described) for name, described in _properties(Sorted).items()}


def _properties(asked: type[Strict]) -> dict[str, Any]:
    found: dict[str, Any] = asked.model_json_schema()["properties"] if asked.model_fields else {}
    return found


def _parameter(name: str, described: Mapping[str, Any]) -> dict[str, Any]:
    kinds = [kind for kind in described["anyOf"] if kind != {"type": "null"}]
    schema = kinds[0] if len(kinds) == 1 else {"anyOf": kinds}
    found = {"name": name, "in": "query", "description": described["description"], "schema": schema}
    if schema.get("type") == "array":
        found |= {"style": "form", "explode": False}
    if "examples" in described:
        found["example"] = described["examples"][0]
    return found


def _headers(*names: str) -> dict[str, Any]:
    """Headers that an answer may have."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _problem(status: str, description: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    content = {"schema": schema, "example": EXAMPLES["Problem"]}
    headers = _headers("X-Request-Id", *(["Retry-After"] if status in ("429", "503") else []))
    return {"description": description, "headers": headers, "content": {"application/problem+json": content}}
