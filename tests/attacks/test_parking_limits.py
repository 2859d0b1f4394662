"""Callbacks of calls that do not exist cannot fill Redis, nor keep it full, nor keep it busy."""

import time

import pytest
from harness.pipeline import Services
from harness.redis_server import RedisServer
from harness.wait import wait_until

CHANNELS = {"main": {}, "other": {"credentials": {"account_sid": "AC" + "7" * 32, "auth_token": "7" * 32}}}
OF_ONE_ID = 32
ENV = {"IVR_UNKNOWN_CALLBACK_KEEP": "4s", "IVR_REDIS_SHARDS": "4"}

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def redis(workdir):
    server = RedisServer(workdir / "parking-redis")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def pipeline(broker, redis, make_module_pipeline):
    return make_module_pipeline(CHANNELS, services=Services(broker, redis), env=ENV)


def strangers(pipeline, sid, n, size=0, channel="main"):
    """So many reports of a call that is nobody's, as the gateway puts them on the topic."""
    body = f"CallSid={sid}&CallStatus=busy&Filler={'x' * size}&N="
    headers = {"ce_provider": "twilio", "ce_channel": channel, "ce_verified": "signature", "content-type":
               "application/x-www-form-urlencoded", "ce_specversion": "1.0", "ce_id": sid, "ce_type": "ivr.callback",
               "ce_source": "ivr/ivr-gateway", "ce_time": "2026-11-22T18:50:50.123Z"}
    pipeline.produce_all("CALLBACKS", [f"{body}{i}".encode() for i in range(n)], f"twilio:{sid}", list(headers.items()))


def letters_of(pipeline, sid):
    return pipeline.dead_letters(lambda record: record.value.startswith(f"CallSid={sid}&".encode()))


def parked(redis, pipeline):
    """Records that wait, all shards."""
    return sum(redis.client.hlen(key) for key in redis.client.scan_iter(f"{{{pipeline.name}:*}}:park:*", count=10_000))


def slowest_ms(redis):
    return max((entry["duration"] for entry in redis.client.slowlog_get(128)), default=0) / 1000


def assert_served(pipeline):
    request = pipeline.request()
    pipeline.report(request, "busy")
    pipeline.wait_final(request, "User_busy")


def test_thousands_of_one_id_leave_at_once_but_for_a_few_and_those_soon(pipeline, redis):
    strangers(pipeline, "CAone", 2000)
    wait_until(lambda: len(letters_of(pipeline, "CAone")) >= 2000 - OF_ONE_ID, "the rest to leave at once", 20)
    assert parked(redis, pipeline) <= OF_ONE_ID
    wait_until(lambda: len(letters_of(pipeline, "CAone")) == 2000, "those that waited to leave", 20)
    assert {letter.headers["ivr-reason"] for letter in letters_of(pipeline, "CAone")} == {"unknown_call"}
    assert parked(redis, pipeline) == 0
    assert_served(pipeline)


def test_large_ones_do_not_keep_redis_busy(pipeline, redis):
    redis.client.config_set("slowlog-log-slower-than", 20_000)
    redis.client.slowlog_reset()
    for n in range(20):
        strangers(pipeline, f"CAlarge{n}", 10, size=50_000)
    wait_until(lambda: sum(len(letters_of(pipeline, f"CAlarge{n}")) for n in range(20)) == 200, "all to leave", 30)
    assert slowest_ms(redis) < 100, redis.client.slowlog_get(5)
    assert_served(pipeline)


def test_a_redis_that_is_full_is_emptied_and_takes_work_again(pipeline, redis):
    """Dead letters leave, and what they took is free, although Redis refuses everything that needs memory."""
    for n in range(10):
        strangers(pipeline, f"CAfull{n}", 5, size=20_000)
    wait_until(lambda: parked(redis, pipeline) == 50, "all to be parked", 20)
    redis.client.config_set("maxmemory", redis.client.info("memory")["used_memory"] - 400_000)
    try:
        began = time.monotonic()
        wait_until(lambda: parked(redis, pipeline) == 0, "Redis to be emptied", 20)
        wait_until(lambda: all(len(letters_of(pipeline, f"CAfull{n}")) == 5 for n in range(10)), "all letters", 20)
        pipeline.worker("status").wait_ready(10)
        assert_served(pipeline)
        assert time.monotonic() - began < 30
    finally:
        redis.client.config_set("maxmemory", 0)
