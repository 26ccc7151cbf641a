"""`/openapi.json` with the OpenAPI document, and `/docs`, a page that shows it and loads nothing from elsewhere."""

from collections.abc import Callable, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pydantic_core import to_json
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Route

from ingest.web.problems import problem

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


def document_routes(document: Callable[[], Mapping[str, Any]]) -> list[BaseRoute]:
    """The routes of `/openapi.json` with this document, and of `/docs` with the files that it loads.

    `document` is called in a thread when it is first asked for: it takes some hundred milliseconds of CPU.
    """
    content = cache(lambda: to_json(document()))
    folder = _assets()

    async def openapi(_request: Request) -> Response:
        return Response(await run_in_threadpool(content), media_type="application/json")

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
    """The folder of the extra's files; None if it is not installed. An import would load more than a server needs."""
    spec = find_spec("offapi")
    if spec is None or spec.origin is None:
        return None
    return next((path.parent for path in Path(spec.origin).parent.rglob(_ASSETS["bundle.js"])), None)
