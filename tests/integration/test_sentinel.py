"""Redis behind Sentinels: failovers under load, with IVR_REDIS_REPLICAS=1 nothing is dialled twice and nothing lost."""

import time

import pytest
from harness.load import CHANNELS, begin, check_each_was_dialled_once
from harness.pipeline import Services
from harness.redis_sentinel import RedisSentinel
from harness.wait import wait_until

ENV = {"IVR_REDIS_REPLICAS": "1", "IVR_MAX_IN_FLIGHT": "100"}

# Hundreds of calls and a failover, on machines that do other things besides.
pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def watched(workdir):
    made = RedisSentinel(workdir / "sentinel")
    yield made
    made.stop()


@pytest.fixture
def sentinel(watched):
    """Whole again after what the test before did to it."""
    yield watched
    watched.mend()


@pytest.fixture
def pipeline(make_pipeline, broker, sentinel):
    workers = ("gateway", "dispatch", "dispatch")
    return make_pipeline(CHANNELS, services=Services(broker, sentinel), start=workers, env=ENV)


def test_killing_the_primary_loses_nothing_and_dials_nothing_twice(pipeline, sentinel):
    requests = begin(pipeline)
    with sentinel.quick_verdicts():
        dead = sentinel.kill_primary()
        sentinel.wait_failover(dead)
    sentinel.restart(dead)
    sentinel.wait_replicas(1)
    back = time.monotonic()
    for worker in pipeline.workers:
        worker.wait_ready()
    assert time.monotonic() - back < 5, "work did not resume within 5 s of the new primary and its replica"
    check_each_was_dialled_once(pipeline, requests)


def test_an_orderly_failover_loses_nothing_and_dials_nothing_twice(pipeline, sentinel):
    requests = begin(pipeline)
    sentinel.failover()
    check_each_was_dialled_once(pipeline, requests)
    for worker in pipeline.workers:
        worker.wait_ready()


def test_a_frozen_primary_is_replaced_and_not_followed_when_it_wakes(pipeline, sentinel):
    requests = begin(pipeline)
    old = sentinel.primary()
    with sentinel.quick_verdicts():
        old.process.freeze()
        sentinel.wait_failover(old)
    old.process.thaw()
    check_each_was_dialled_once(pipeline, requests)
    wait_until(lambda: old.role() == "slave", "the old primary to follow the new one")


def test_sentinels_are_asked_in_turn_and_a_wrong_name_is_told(pipeline, sentinel, make_pipeline):
    sentinel.sentinels[0].kill()
    worker = pipeline.restart("dispatch")
    assert worker.ready()
    lost = pipeline.start_worker("dispatch", IVR_REDIS_URL=sentinel.url.replace("/calls/", "/other/"))
    wait_until(lambda: "No such master" in lost.get("/readyz").text, lambda: f"the name: {lost.get('/readyz').text}")
    assert lost.term() == 0


def test_ivrctl_reads_behind_sentinels(pipeline, sentinel):
    request = pipeline.request()
    pipeline.wait_status(request, "Pending")
    shown = pipeline.cli("call", f"{request['tenant']}/{request['call_id']}")
    assert shown.code == 0 and "Pending" in shown.out, shown


@pytest.fixture
def guarded(workdir):
    made = RedisSentinel(workdir / "guarded", replicas=1, password="s3cret")
    yield made
    made.stop()


def test_the_password_is_for_redis_and_sentinels_without_one_are_asked_all_the_same(make_pipeline, broker, guarded):
    pipeline = make_pipeline(
        services=Services(broker, guarded), start=("gateway", "dispatch"), env={"IVR_REDIS_PASSWORD": "s3cret"}
    )
    pipeline.wait_status(pipeline.request(), "Pending")
