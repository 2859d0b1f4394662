from harness.fixtures import (  # noqa: F401  pytest finds fixtures and hooks by their names here
    broker,
    make_module_pipeline,
    make_pipeline,
    pipeline,
    pytest_runtest_makereport,
    redis_server,
    services,
    workdir,
)
from harness.schedule import pytest_collection_modifyitems  # noqa: F401
