"""The document's examples are answers as the API gives them."""

import json

import pytest

from projections.web.examples import EXAMPLES
from projections.web.shapes import SHAPES


@pytest.mark.parametrize("shape", sorted(SHAPES))
def test_an_example_is_of_its_shape_and_has_all_of_it(shape: str) -> None:
    read = SHAPES[shape].validate_python(EXAMPLES[shape], strict=False)
    assert json.loads(SHAPES[shape].dump_json(read)) == EXAMPLES[shape]
