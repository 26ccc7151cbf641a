"""Ids that no browser sends as a part of a path: "." and ".." are steps to it, however they are written.

In the addresses of pages they stand in the query: `/participants/?id=..`.
"""

from urllib.parse import urlencode

from starlette.requests import Request

from projections.web.addresses import ID, encoded_segment

_DOTS = (".", "..")
_NAME = "id"


def page_segment(id_: str, query: str = "") -> str:
    """The end of the address of a page about this id, with a query."""
    return with_query("?" + urlencode(id_in_query(id_)) if id_ in _DOTS else encoded_segment(id_), query)


def id_in_query(id_: str) -> dict[str, str]:
    """What a form of a page about this id has to send of it."""
    return {_NAME: id_} if id_ in _DOTS else {}


def with_query(address: str, query: str) -> str:
    """An address with one more query, which may begin with its "?"."""
    more = query.removeprefix("?")
    return f"{address}{'&' if '?' in address else '?'}{more}" if more else address


def with_id_of_query(request: Request) -> Request:
    """The request as if the id of its query stood in its path, where that has none."""
    id_ = request.query_params.get(_NAME, "")
    if request.path_params.get(ID) != "" or id_ not in _DOTS:
        return request
    others = urlencode([(name, value) for name, value in request.query_params.multi_items() if name != _NAME])
    path = request.scope["path"].encode() + encoded_segment(id_).encode()
    scope = {**request.scope, "path_params": {ID: id_}, "raw_path": path, "query_string": others.encode()}
    return Request(scope, request.receive)
