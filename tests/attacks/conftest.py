"""The real parts of tests/integration, for those who mean harm."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "integration"))

from harness.fixtures import (  # noqa: E402, F401  pytest finds fixtures and hooks by their names here
    broker,
    make_module_pipeline,
    make_pipeline,
    pipeline,
    pytest_runtest_makereport,
    redis_server,
    services,
    workdir,
)
from harness.schedule import pytest_collection_modifyitems  # noqa: E402, F401
