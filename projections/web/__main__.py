"""`python -m projections.web` prints the OpenAPI document; `docs/openapi.json` has a copy for review."""

import json
import sys

from projections.web.api import Api, ApiSettings

_WIDTH = 120


def laid_out(value: object, level: int = 0) -> str:
    """A value as JSON, an object or a list on one line where it fits."""
    line = json.dumps(value, ensure_ascii=False)
    if level + len(line) < _WIDTH or not isinstance(value, dict | list) or not value:
        return line
    blank = "\n" + " " * (level + 1)
    if isinstance(value, list):
        return "[" + blank + ("," + blank).join(laid_out(item, level + 1) for item in value) + blank[:-1] + "]"
    members = (f"{json.dumps(name)}: {laid_out(item, level + 1)}" for name, item in value.items())
    return "{" + blank + ("," + blank).join(members) + blank[:-1] + "}"


if __name__ == "__main__":
    sys.stdout.write(laid_out(Api("", (), ApiSettings(), None).document()) + "\n")
