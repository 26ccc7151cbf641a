"""Programs of the machine that some tests need: a test is skipped where one is missing, but not in CI."""

import os
import shutil

import pytest

NEED = "TESTS_NEED_TOOLS"  # `all`: `.ci/tools` has installed what there is, so a missing program is a failure


def tool(name: str) -> str:
    """The path of a program; skips the test if this machine does not have it."""
    path = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if path is None:
        why = f"{name} is not installed (bash .ci/tools installs what such tests need)"
        if os.environ.get(NEED) == "all":
            pytest.fail(why)
        pytest.skip(why)
    return path
