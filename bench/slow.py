"""What `docs/api.md` names as quick or slow in a large roster, asked by the API: orders, filters, counts, questions."""

import time

from bench.checkout import Api
from bench.machine import show, show_head

TIMES = 5
_LIST = "/v1/participants"
ASKED: tuple[tuple[str, dict[str, str]], ...] = (
    ("/v1/questions", {}),
    ("/v1/questions", {"event_id": "517"}),
    *(
        (_LIST, {"sort": sort})
        for sort in ("team", "-team", "age", "-age", "checked_in_at", "status", "sub_event_name", "-sub_event_name")
    ),
    (_LIST, {"sort": "status", "event_id": "517"}),
    (_LIST, {"sort": "status,last_name"}),
    (_LIST, {"status": "deferred"}),
    (_LIST, {"city": "Atlantis"}),
    (_LIST, {"city": "Atlantis", "sort": "last_name"}),
    (_LIST, {"phone": "+10000000000"}),
    (_LIST, {"sub_event_name__startswith": "Nothing"}),
    (_LIST, {"city__ne": "Gent", "zip_code": "none"}),
    (_LIST, {"status": "deferred", "count": "exact"}),
    (_LIST, {"count": "exact"}),
    (_LIST, {"as_of": "900000", "city": "Atlantis"}),
    (_LIST, {"answer.41": "XL"}),
    (_LIST, {"answer.41__ne": "XL"}),
    (_LIST, {"answer.41": "Atlantis", "sort": "last_name"}),
)


def show_slow(api: Api) -> None:
    print("\nmilliseconds; median, least and most of", TIMES)
    show_head()
    for path, query in ASKED:
        took = []
        for number in range(TIMES + 1):
            begun = time.perf_counter()
            api.read(path, **query)
            if number > 0:  # the first one warms up
                took.append((time.perf_counter() - begun) * 1000)
        show(" ".join((path.removeprefix("/v1/"), *(f"{name}={value}" for name, value in query.items()))), took, 0)
