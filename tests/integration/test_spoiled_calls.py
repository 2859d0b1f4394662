"""What somebody did to Redis by hand: a call that cannot be read holds up no other, and one that stands nowhere comes back."""

import itertools

import msgpack
import pytest
from harness.pipeline import Services
from harness.redis_server import RedisServer
from harness.wait import wait_until

ENV = {"IVR_REDIS_SHARDS": "1", "IVR_UNKNOWN_CALLBACK_KEEP": "2s"}  # of one shard: neighbours share a batch


@pytest.fixture(scope="module")
def redis(workdir):
    server = RedisServer(workdir / "spoiled-redis")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def pipeline(broker, redis, make_module_pipeline):
    pipeline = make_module_pipeline(services=Services(broker, redis), env=ENV, partitions=1)
    pipeline.spoiled = True
    return pipeline


def shard(pipeline):
    return f"{{{pipeline.name}:00}}"


def key_of(pipeline, request):
    return f"{shard(pipeline)}:call:{request['tenant']}/{request['call_id']}"


def garbage(redis, key):
    redis.client.hset(key, "s", b"\xc1garbage")


def short_array(redis, key):
    redis.client.hset(key, "s", msgpack.packb([1, 3, 1]))


def another_type(redis, key):
    redis.client.delete(key)
    redis.client.set(key, "a string")


WAYS = [garbage, short_array, another_type]


@pytest.mark.parametrize("way", WAYS)
def test_one_call_that_cannot_be_read_holds_up_no_other(pipeline, redis, way):
    request = pipeline.request()
    pipeline.wait_status(request, "Pending")
    key = key_of(pipeline, request)
    way(redis, key)
    pipeline.report(request, "busy")
    neighbours = [pipeline.request() for _ in range(3)]
    pipeline.send(request)
    for neighbour in neighbours:
        pipeline.report(neighbour, "busy")
        pipeline.wait_final(neighbour, "User_busy")
    for topic in ("CALLBACKS", "CALL_REQUESTS"):
        letter = pipeline.wait_dead_letter(
            lambda record, topic=topic: record.headers["ivr-source-topic"] == pipeline.topics[topic]
            and key in record.headers["ivr-detail"],
            f"a dead letter of {topic}",
        )
        assert letter.headers["ivr-reason"] == "unreadable_call"
        assert "cannot be read" in letter.headers["ivr-detail"]
    assert pipeline.provider.dials(request["to"]) == 1
    for program, topic in (("ivr-status", "CALLBACKS"), ("ivr-dispatch", "CALL_REQUESTS")):
        pipeline.wait_committed(program, topic)


def test_who_asks_for_it_is_told_its_key(pipeline, redis):
    request = pipeline.request()
    pipeline.wait_status(request, "Pending")
    key, name = key_of(pipeline, request), f"acme/{request['call_id']}"
    garbage(redis, key)
    for command in (["call", name], ["cancel", "call", name]):
        done = pipeline.cli(*command)
        assert done.code == 3 and key in done.err, done
    for path, method in ((f"/v1/calls/{name}", "GET"), (f"/v1/calls/{name}/cancel", "POST")):
        response = pipeline.api(path, method)
        assert response.status_code == 500 and key in response.text, response.text


def test_one_that_waits_is_told_by_log_and_metric_and_nothing_spins_on_it(pipeline, redis):
    request = pipeline.new_request(not_before="2030-01-01T00:00:00Z")
    pipeline.send(request)
    pipeline.wait_call(request, lambda call: call["phase"] == "waiting", "it to wait")
    dispatch, key = pipeline.worker("dispatch"), key_of(pipeline, request)
    before = dispatch.metrics().value("ivr_unreadable_calls_total")
    garbage(redis, key)
    redis.client.zadd(f"{shard(pipeline)}:due", {f"acme/{request['call_id']}": 0})
    wait_until(lambda: dispatch.metrics().value("ivr_unreadable_calls_total") > before, "the metric")
    dispatch.wait_log(lambda line: key in line.get("error", ""), "its key")
    pipeline.wait_final(request_and_report(pipeline), "User_busy")
    told = [line for line in dispatch.log() if key in line.get("error", "")]
    assert len(told) <= 2, "once when it was due, and at most once by the walk over all calls"


def request_and_report(pipeline):
    request = pipeline.request()
    pipeline.report(request, "busy")
    return request


def test_a_call_that_stands_in_no_index_is_found_by_a_slow_walk(pipeline, redis):
    request = pipeline.new_request(not_before="2030-01-01T00:00:00Z")
    pipeline.send(request)
    pipeline.wait_call(request, lambda call: call["phase"] == "waiting", "it to wait")
    name, due = f"acme/{request['call_id']}", f"{shard(pipeline)}:due"
    at = redis.client.zscore(due, name)
    redis.client.zrem(due, name)
    redis.client.delete(f"{shard(pipeline)}:walk")  # the pause between two walks
    dispatch = pipeline.restart("dispatch")
    wait_until(lambda: redis.client.zscore(due, name) == at, "the call to be put back", 20)
    wait_until(lambda: dispatch.metrics().value("ivr_calls_mended_total", index="due") == 1, "the metric")
    assert redis.client.pttl(f"{shard(pipeline)}:walk") > 0, "a pause until the next walk"
