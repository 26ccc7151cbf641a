"""The page at `/`: what this server is, its addresses, and the first step. It loads nothing, and runs no script."""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>rosterlog</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
</head>
<body>
<h1>rosterlog</h1>
<p>Every Movemint registration kept exactly as it arrived, answering questions as a roster.</p>
{about}
<p>Is it <a href="healthz">alive</a>? Is it <a href="readyz">ready</a>?</p>
</body>
</html>
"""


def front_page(about: Sequence[str]) -> Route:
    """The route of `/`. `about`: what the parts of this server say of themselves, as HTML."""
    paragraphs = [f"<p>{sentences}</p>" for sentences in about]
    if len(paragraphs) == 1:
        paragraphs.append("<p>This server does nothing else.</p>")
    page = _PAGE.format(about="\n".join(paragraphs))

    async def show(_request: Request) -> Response:
        return HTMLResponse(page)

    return Route("/", show)
