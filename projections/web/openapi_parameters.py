"""The parameters of endpoints in the OpenAPI document: each filter is described once, any question can be asked for."""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from projections.roster.answer_filters import ANSWER
from projections.roster.criteria import Sorted, Strict
from projections.web.endpoint import Endpoint

FILTERS = "Filters"  # the schema of all filters by columns
_NO_FILTERS = ("q", "sort")  # what else selects participants
# The schema of what a filter takes, by its format or type.
_KINDS = {"integer": "FilterNumber", "date": "FilterDate", "date-time": "FilterTime", "array": "FilterValues"}
_IF_NONE_MATCH: dict[str, Any] = {
    "name": "If-None-Match",
    "in": "header",
    "description": "The ETag of an earlier answer to the same question.",
    "schema": {"type": "string", "pattern": "^[ -~]*$"},
}
_BY_COLUMNS: dict[str, Any] = {
    "name": "filters",
    "in": "query",
    "description": "Filters by columns, which all have to hold; each is a parameter of its own, as `status=active`.",
    "schema": {"$ref": f"#/components/schemas/{FILTERS}"},
    "style": "form",
    "explode": True,
    "example": {"status__in": "active,deferred"},
}
_BY_ANSWERS: dict[str, Any] = {
    "name": "answer_filters",
    "in": "query",
    "description": (
        f"Filters by answers: `{ANSWER}` and the id of any question, or its newest words, is a parameter; with `__ne`, "
        "`__in` or `__isnull` behind it as for columns."
    ),
    "schema": {
        "type": "object",
        "propertyNames": {"pattern": "^answer[.][^\\x00]+$"},
        "additionalProperties": {"type": "string", "pattern": "^[^\\x00]*$"},
        "maxProperties": 20,
    },
    "style": "form",
    "explode": True,
    "example": {f"{ANSWER}Shirt size": "M"},
}


def parameters_of(endpoint: Endpoint[Any], shared: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The parameters of an endpoint; those that are shared by reference."""
    return [
        {"$ref": f"#/components/parameters/{each['name']}"} if shared.get(each["name"]) == each else each
        for each in _parameters(endpoint)
    ]


def shared_parameters(endpoints: Iterable[Endpoint[Any]]) -> dict[str, Any]:
    """The parameters that several endpoints have, by name."""
    shared: dict[str, Any] = {}
    known: list[dict[str, Any]] = []
    for endpoint in endpoints:
        for parameter in _parameters(endpoint):
            if parameter in known:
                shared.setdefault(parameter["name"], parameter)
            known.append(parameter)
    return shared


def _parameters(endpoint: Endpoint[Any]) -> list[dict[str, Any]]:
    parameters: list[dict[str, Any]] = []
    if endpoint.id:
        schema = {"type": "string", "minLength": 1}
        parameters.append({"name": endpoint.id, "in": "path", "required": True, "schema": schema, "example": "12"})
    parameters.append(_IF_NONE_MATCH)
    selects = issubclass(endpoint.parameters, Sorted)
    if selects:
        parameters += [_BY_COLUMNS, _BY_ANSWERS]
    filters = _filters() if selects else {}
    own = _properties(endpoint.parameters)  # type: ignore[arg-type]  # a class is hashable, whatever it is of
    return parameters + [_parameter(name, property_) for name, property_ in own.items() if name not in filters]


def _filters() -> dict[str, Any]:
    return {name: property_ for name, property_ in _properties(Sorted).items() if name not in _NO_FILTERS}


def filter_schemas() -> dict[str, Any]:
    """The schema of the filters by columns, and the schemas of what they take."""
    kinds: dict[str, Any] = {}
    filters: dict[str, Any] = {}
    for name, property_ in _filters().items():
        type_ = property_["anyOf"][0]
        kind = (
            "FilterTrueOrFalse" if "enum" in type_ else _KINDS.get(type_.get("format") or type_["type"], "FilterText")
        )
        schema = _parameter(name, property_)["schema"]
        kinds[kind] = schema
        filters[name] = {"$ref": f"#/components/schemas/{kind}", "description": property_["description"]}
    return {FILTERS: {"type": "object", "properties": filters, "additionalProperties": False}, **kinds}


def concise(schema: Any) -> Any:  # noqa: ANN401 - JSON
    """A schema without the titles that repeat names, and with a nullable type as a list of two."""
    if isinstance(schema, list):
        return [concise(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "properties" in schema:
        schema = {**schema, "properties": {name: concise(each) for name, each in schema["properties"].items()}}
    plain = {name: value if name == "properties" else concise(value) for name, value in schema.items()}
    plain.pop("title", None)
    match plain.get("anyOf"):
        case [{"type": str(type_), **more}, {"type": "null"}]:
            return {
                **{name: value for name, value in plain.items() if name != "anyOf"},
                "type": [type_, "null"],
                **more,
            }
    return plain


@cache
def _properties(model: type[Strict]) -> Mapping[str, Any]:
    properties: dict[str, Any] = model.model_json_schema()["properties"] if model.model_fields else {}
    return properties


def _parameter(name: str, property_: Mapping[str, Any]) -> dict[str, Any]:
    """A parameter of the document, from its property in pydantic's schema."""
    types = [type_ for type_ in property_["anyOf"] if type_ != {"type": "null"}]
    schema = types[0]
    if len(types) > 1 or schema.get("type") == "array":  # clients write these in many ways, a text in one
        schema = {"type": "string", "minLength": 1}
    parameter = {"name": name, "in": "query", "description": property_["description"], "schema": schema}
    if "examples" in property_:
        parameter["example"] = property_["examples"][0]
    return parameter
