"""The parameters in the OpenAPI document: each filter once, any question, what several endpoints share by reference."""

import json
import re
from typing import Any

from projections.roster.criteria import Sorted
from projections.web.api import Api, ApiSettings
from projections.web.openapi_parameters import concise
from tests import ROOT


def document() -> dict[str, Any]:
    return Api("", (), ApiSettings(), None).document()


def test_each_filter_is_described_once_and_a_call_has_few_parameters() -> None:
    told = document()
    text = json.dumps(told)
    filters = told["components"]["schemas"]["Filters"]["properties"]
    assert set(filters) == set(Sorted.model_fields) - {"q", "sort"}
    for name in ("status__in", "last_name__startswith", "registered_at__gte"):
        assert text.count(f'"{name}": {{') == 1
    for path in told["paths"].values():
        assert len(path["get"]["parameters"]) <= 16
    listed = {
        parameter["$ref"] for parameter in told["paths"]["/v1/participants"]["get"]["parameters"] if "$ref" in parameter
    }
    assert {f"#/components/parameters/{name}" for name in ("filters", "answer_filters", "columns", "q")} <= listed
    assert len((ROOT / "docs" / "openapi.json").read_text().splitlines()) < 2_500


def test_any_question_can_be_asked_for() -> None:
    asked = document()["components"]["parameters"]["answer_filters"]
    assert (asked["style"], asked["explode"], asked["schema"]["type"]) == ("form", True, "object")
    assert asked["schema"]["additionalProperties"]["type"] == "string"
    assert "properties" not in asked["schema"]
    named = asked["schema"]["propertyNames"]["pattern"]
    for name in ("answer.41", "answer.41__in", "answer.Which_bus?__isnull", "answer.Shirt size"):
        assert re.search(named, name), name


def test_what_generated_clients_write_in_many_ways_is_a_text() -> None:
    told = document()
    for name in ("columns", "as_of", "sort"):
        assert told["components"]["parameters"][name]["schema"]["type"] == "string"
    for name, schema in told["components"]["schemas"]["Filters"]["properties"].items():
        kind = told["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        assert kind["type"] in ("string", "integer"), name
    for format_ in ("ndjson", "parquet", "xlsx"):
        answered = told["paths"][f"/v1/participants.{format_}"]["get"]["responses"]["200"]["content"]
        assert [content["schema"]["format"] for content in answered.values()] == ["binary"]


def test_a_nullable_type_is_a_list_of_two_and_no_property_is_lost_for_its_name() -> None:
    text = {"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}], "title": "Day"}
    schema = {"title": "Shape", "properties": {"title": text, "anyOf": {"$ref": "#"}}}
    assert concise(schema) == {
        "properties": {"title": {"type": ["string", "null"], "format": "date"}, "anyOf": {"$ref": "#"}}
    }
