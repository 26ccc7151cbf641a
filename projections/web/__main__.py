"""`python -m projections.web` prints the OpenAPI document; `docs/openapi.json` has a copy for review."""

import json
import sys

from projections.web.api import Api, ApiSettings

if __name__ == "__main__":
    json.dump(Api("", (), ApiSettings(), None).document, sys.stdout, indent=1, ensure_ascii=False)
    sys.stdout.write("\n")
