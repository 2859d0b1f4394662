"""A crowd that becomes due at one instant, and a worker that dies while releasing it: nobody is lost, nobody rung twice."""

import time

import pytest
from harness.placements import twice
from harness.simulator import Simulator
from harness.volume import dialling, replicas, wait_tried
from harness.wait import wait_until

CALLS = 2000
IN_FLIGHT = 50


@pytest.mark.timeout(120)
def test_calls_that_are_due_at_once_survive_the_worker_that_releases_them(make_pipeline, workdir):
    # Slow to answer, so that a death finds all that one can have in flight.
    simulator = Simulator(workdir / "scheduled-simulator", "--callbacks", "off", "--latency-ms", "50")
    pipeline = make_pipeline(
        dialling(simulator, {"main": {"request_timeout": "2s"}}),
        start=("dispatch", "dispatch", "gateway"),
        env={"IVR_MAX_IN_FLIGHT": str(IN_FLIGHT)},
    )
    due = int(time.time()) + 7
    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(due))
    due_mono = time.monotonic() + due - time.time()
    requests = [pipeline.new_request(not_before=when, campaign="at-noon") for _ in range(CALLS)]
    pipeline.send_all(requests)
    pipeline.wait_committed("ivr-dispatch", "CALL_REQUESTS")
    wait_until(lambda: simulator.stats()["dialled"] >= CALLS // 5, "the release to begin", 20, 0.01)
    replicas(pipeline)[0].kill9()
    wait_until(
        lambda: simulator.stats()["dialled"] >= CALLS - IN_FLIGHT,
        lambda: f"the calls to be placed: {simulator.stats()['dialled']} of {CALLS}",
        40,
    )
    placements = simulator.placements()
    assert min(placed.at for placed in placements) >= due_mono - 0.05, "dialled before its time"
    assert not twice(placements)
    doubtful = wait_tried(pipeline, simulator, requests, timeout=40, most=IN_FLIGHT)
    stats = simulator.stats()
    assert (stats["dialled_again_by_attempt"], stats["risked_again_by_attempt"]) == (0, 0)
    assert stats["dialled"] + len(doubtful) == CALLS
    assert simulator.term(10) == 0, simulator.tail()
