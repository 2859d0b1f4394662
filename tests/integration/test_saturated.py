"""A saturated channel delays nobody else, and what waits for it costs the workers nothing."""

import json
import os
import time

import pytest
from harness.simulator import Simulator
from harness.usage import resident_kb
from harness.volume import dialling, everywhere, name_of, replicas
from harness.wait import wait_until

# Small enough for every day; TEST_WAITING=200000 is the number that is promised.
WAITING = int(os.environ.get("TEST_WAITING", "20000"))
RATE = 5
SATURATED, FREE = "+254711082001", "+254711082002"
REDIS_BYTES = 2048  # a call, its index entries and its ticket
GROWTH_KB = 48 * 1024  # of a worker: what Kafka's client reads ahead, and no more however many wait

pytestmark = pytest.mark.timeout(90 + WAITING // 200)


@pytest.fixture(scope="module")
def simulator(workdir):
    simulator = Simulator(workdir / "saturated-simulator", "--callbacks", "off")
    yield simulator
    assert simulator.term(10) == 0, simulator.tail()


@pytest.fixture(scope="module")
def pipeline(make_module_pipeline, simulator):
    channels = {SATURATED: {"from": SATURATED, "calls_per_second": RATE}, FREE: {"from": FREE}}
    return make_module_pipeline(dialling(simulator, channels), start=("dispatch", "dispatch", "gateway"))


def redis_bytes(pipeline):
    return pipeline.services.redis.client.info("memory")["used_memory"]


def is_in_the_log(simulator, request, sender):
    return any(placed.call_id == request["call_id"] for placed in simulator.placements(sender))


@pytest.fixture(scope="module")
def saturated(pipeline, simulator):
    """All of them are taken in: each worker's memory and Redis' before and after."""
    warm = [pipeline.new_request(channel=name_of(FREE)) for _ in range(200)]
    pipeline.send_all(warm)
    wait_until(lambda: simulator.count(FREE) == 200, "what everybody does first")
    before = {worker.name: resident_kb(worker.pid) for worker in replicas(pipeline)}, redis_bytes(pipeline)
    requests = [pipeline.new_request(channel=name_of(SATURATED), campaign="saturated") for _ in range(WAITING)]
    pipeline.send_all(requests)
    pipeline.wait_committed("ivr-dispatch", "CALL_REQUESTS", 30 + WAITING / 500)
    after = {worker.name: resident_kb(worker.pid) for worker in replicas(pipeline)}, redis_bytes(pipeline)
    return before, after


@pytest.mark.memory
def test_the_offsets_of_calls_that_wait_commit_and_memory_stays_bounded(saturated, simulator):
    (memory, redis_before), (memory_after, redis_after) = saturated
    grown = {name: memory_after[name] - kb for name, kb in memory.items()}
    a_call = (redis_after - redis_before) / WAITING
    print(json.dumps({"waiting": WAITING, "grown_kb": grown, "redis_bytes_a_call": round(a_call)}))
    assert simulator.count(SATURATED) < WAITING // 2, "the channel is not saturated"
    assert max(grown.values()) < GROWTH_KB, grown
    assert a_call < REDIS_BYTES, f"{a_call:.0f} bytes a call in Redis"


def test_a_request_for_a_free_channel_is_placed_within_a_second(saturated, pipeline, simulator):
    """One by one on each partition, behind all that wait."""
    for partition in range(pipeline.partitions):
        request = pipeline.new_request(channel=name_of(FREE))
        begun = time.monotonic()
        pipeline.send(request, partition=partition)
        wait_until(lambda request=request: is_in_the_log(simulator, request, FREE), "the placement", 5, 0.02)
        placed = next(placed for placed in simulator.placements(FREE) if placed.call_id == request["call_id"])
        assert placed.at - begun <= 1.0, f"{placed.at - begun:.2f} s behind {WAITING} waiting calls"


def test_a_retry_on_a_free_channel_is_not_held_up_either(saturated, pipeline, simulator):
    """Due calls of all channels come from the same shards."""
    at = time.time() + 2
    when = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + f".{int(at % 1 * 1000):03d}Z"
    requests = [pipeline.new_request(channel=name_of(FREE), not_before=when, campaign="later") for _ in range(50)]
    due = time.monotonic() + at - time.time()
    pipeline.send_all(requests)
    ids = {request["call_id"] for request in requests}

    def placed():
        return [placed.at for placed in simulator.placements(FREE) if placed.call_id in ids]

    wait_until(lambda: len(placed()) == 50, lambda: f"50 due calls, {len(placed())} came", 10, 0.1)
    assert max(placed()) - due <= 2.0, f"{max(placed()) - due:.2f} s late"


def test_the_saturated_channel_goes_on_at_its_rate(saturated, pipeline, simulator):
    before, begun = simulator.count(SATURATED), time.monotonic()
    wait_until(lambda: simulator.count(SATURATED) >= before + 3 * RATE, "three seconds' worth", 6)
    assert time.monotonic() - begun >= 2.5
    assert all(4 <= useful <= 6 for useful in everywhere(pipeline, "ivr_useful_work", channel=name_of(SATURATED)))
