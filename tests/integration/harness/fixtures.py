"""The real parts that the tests share, and what is shown of them when a test fails."""

import itertools
import shutil

import pytest

from harness.broker import Broker
from harness.pipeline import Pipeline, Services
from harness.redis_server import RedisServer

_living = []  # pipelines whose logs a failing test should show
_directories = itertools.count(1)


@pytest.fixture(scope="session")
def workdir(tmp_path_factory):
    return tmp_path_factory.mktemp("ivr")


@pytest.fixture(scope="session")
def broker(workdir):
    broker = Broker(workdir / "kafka")
    yield broker
    broker.stop()
    shutil.rmtree(workdir / "kafka" / "data", ignore_errors=True)


@pytest.fixture(scope="session")
def redis_server(workdir):
    server = RedisServer(workdir / "redis")
    yield server
    server.stop()


@pytest.fixture(scope="session")
def services(broker, redis_server):
    return Services(broker, redis_server)


def _factory(services, workdir, made):
    def make(channels=None, start=True, services=services, **options):
        pipeline = Pipeline(services, workdir / f"pipeline-{next(_directories)}", channels, **options)
        made.append(pipeline)
        _living.append(pipeline)
        if start:
            pipeline.start(*(start if isinstance(start, tuple) else ()))
        return pipeline

    return make


def _close_all(made):
    """Each is closed even when one before it complains."""
    problems = []
    for pipeline in reversed(made):
        try:
            pipeline.close()
        except Exception as problem:
            problems.append(f"{type(problem).__name__}: {problem}")
        finally:
            _living.remove(pipeline)
    assert not problems, "\n\n".join(problems)


@pytest.fixture(scope="module")
def make_module_pipeline(services, workdir):
    made = []
    yield _factory(services, workdir, made)
    _close_all(made)


@pytest.fixture
def make_pipeline(services, workdir):
    """A pipeline with settings of its own, for one test; started unless start=False."""
    made = []
    yield _factory(services, workdir, made)
    _close_all(made)


@pytest.fixture(scope="module")
def pipeline(make_module_pipeline, request):
    """The module's pipeline; a module says CHANNELS and ENV where it needs more than one plain channel."""
    return make_module_pipeline(getattr(request.module, "CHANNELS", None), env=getattr(request.module, "ENV", None))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.failed:
        for pipeline in _living:
            for name, tail in pipeline.logs().items():
                if tail:
                    report.sections.append((f"log of {name}", tail))
    return report
