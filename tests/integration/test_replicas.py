"""IVR_REDIS_REPLICAS: a claim that too few replicas have is given back, and nothing is dialled meanwhile."""

import time

import pytest
from harness.pipeline import Services
from harness.redis_server import RedisServer
from harness.wait import wait_until

SWEPT_S = 12
# What a worker asked before is answered by then: no replica has it.
UNACKED_S = 1.5


@pytest.fixture(scope="module")
def replica(workdir, primary):
    server = RedisServer(workdir / "replica", "--replicaof", f"127.0.0.1 {primary.port}")
    wait_until(lambda: server.client.info("replication")["master_link_status"] == "up", "the replica to follow", 20)
    yield server
    server.process.thaw()
    server.stop()


@pytest.fixture(scope="module")
def primary(workdir):
    server = RedisServer(workdir / "primary", "--repl-diskless-sync-delay", "0")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def pipeline(broker, primary, replica, make_module_pipeline):
    return make_module_pipeline(services=Services(broker, primary), env={"IVR_REDIS_REPLICAS": "1"})


def test_with_its_replica_a_call_is_dialled(pipeline):
    request = pipeline.request()
    pipeline.wait_status(request, "Pending")


def test_a_claim_that_no_replica_has_is_given_back_and_dialled_once_later(pipeline, replica):
    replica.process.freeze()
    request = pipeline.request()
    dispatch = pipeline.worker("dispatch")
    dispatch.wait_log(lambda line: line.get("msg") == "too few Redis replicas", "the missing replica", 15)
    wait_until(lambda: "replicas" in dispatch.get("/readyz").text, "/readyz to tell of the replicas", 15)
    assert dispatch.get("/readyz").status_code == 503
    pipeline.wait_call(request, lambda call: call["phase"] == "waiting", "the claim to be given back")
    fresh = pipeline.request()
    pipeline.wait_call(fresh, lambda call: call["phase"] == "waiting", "a later request to be stored, not claimed")
    assert not pipeline.provider.placements(request["to"]) and not pipeline.provider.placements(fresh["to"])
    replica.process.thaw()
    for one in (request, fresh):
        pipeline.wait_status(one, "Pending", timeout=20)
        assert pipeline.provider.dials(one["to"]) == 1 and len(pipeline.call(one)["attempts"]) == 1


def test_a_request_that_a_failover_forgot_with_its_claim_is_dialled_once(pipeline, primary, replica):
    replica.process.freeze()
    request = pipeline.request()
    pipeline.wait_call(request, lambda call: call["phase"] == "waiting", "the claim to be given back")
    # What a replica would have that is promoted without the write: nothing of the call.
    primary.client.delete(*primary.client.scan_iter(f"{{{pipeline.name}:[0-9]*"))
    assert pipeline.call(request) is None
    time.sleep(UNACKED_S)
    replica.process.thaw()
    pipeline.wait_status(request, "Pending", timeout=20)
    assert pipeline.provider.dials(request["to"]) == 1
    told = "Redis forgot a request with its claim, taking it up again"
    pipeline.worker("dispatch").wait_log(lambda line: line.get("msg") == told, "the request to be taken up again")


def test_an_event_leaves_once_the_replica_has_its_write(pipeline, replica):
    request = pipeline.request()
    pipeline.wait_status(request, "Pending")
    replica.process.freeze()
    pipeline.report(request, "busy")
    pipeline.wait_status(request, "User_busy")
    # Longer than until an event that nobody produced is anybody's.
    time.sleep(SWEPT_S)
    assert "User_busy" not in [event["status"] for event in pipeline.events(request)]
    replica.process.thaw()
    pipeline.wait_event(request, lambda event: event["status"] == "User_busy", "the event of the report", timeout=20)
