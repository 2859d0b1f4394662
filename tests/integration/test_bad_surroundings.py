"""What is wrong around a worker is in its first log lines and in /readyz, by name; it stays, and goes on once that is mended."""

import json
import uuid

import pytest
from harness.pipeline import TOPICS, WORKERS, Services
from harness.ports import free_port
from harness.redis_server import RedisServer
from harness.wait import wait_until

FIRST_LINES = 20
USES = {
    "dispatch": ("CALL_REQUESTS", "CALL_EVENTS", "CALL_RECORDS", "CALLBACKS", "DEAD_LETTERS", "AUDIT"),
    "status": ("CALLBACKS", "CALL_EVENTS", "CALL_RECORDS", "DEAD_LETTERS", "AUDIT"),
    "report": ("CALL_EVENTS", "DELIVERY_SUMMARIES", "DEAD_LETTERS"),
    "gateway": ("CALLBACKS", "CALL_REQUESTS", "DEAD_LETTERS"),
}


@pytest.fixture
def own_redis(broker, workdir):
    redis = RedisServer(workdir / f"redis-{free_port()}")
    yield Services(broker, redis)
    redis.stop()


def start_all(pipeline, **env):
    return {kind: pipeline.start_worker(kind, **env) for kind in WORKERS}


def wait_said(worker, *words):
    """Each word in /readyz, which is 503, and in the first lines of the log; the worker lives."""

    def said():
        response = worker.get("/readyz")
        return response.status_code == 503 and all(word in response.text for word in words)

    def logged():
        first = json.dumps(worker.log()[:FIRST_LINES])
        return all(word in first for word in words)

    wait_until(said, lambda: f"{words} in /readyz of {worker.name}, which says {worker.get('/readyz').text}", 20)
    wait_until(logged, lambda: f"{words} in the first lines of {worker.name}:\n{worker.tail()}", 5)
    assert worker.alive() and worker.get("/healthz").status_code == 200


def test_missing_topics_are_named_and_found_once_they_are_made(make_pipeline, broker):
    pipeline = make_pipeline(start=False)
    names = {kind: f"absent-{uuid.uuid4().hex[:6]}-{kind.lower()}" for kind in TOPICS}
    workers = start_all(pipeline, **{f"IVR_TOPIC_{kind}": name for kind, name in names.items()})
    for kind, worker in workers.items():
        wait_said(worker, *(names[topic] for topic in USES[kind]))
    broker.create_topics({name: 1 for name in names.values()})
    for worker in workers.values():
        worker.wait_ready()


def test_a_redis_that_may_evict_is_told_by_every_worker(own_redis, make_pipeline):
    own_redis.redis.client.config_set("maxmemory-policy", "allkeys-lru")
    workers = start_all(make_pipeline(start=False, services=own_redis))
    for worker in workers.values():
        wait_said(worker, "allkeys-lru", "noeviction")
    assert workers["gateway"].get("/readyz/kafka").status_code == 200, "a gateway can keep callbacks all the same"
    own_redis.redis.client.config_set("maxmemory-policy", "noeviction")
    for worker in workers.values():
        worker.wait_ready()


def test_a_wrong_password_is_told_by_every_worker(own_redis, make_pipeline):
    own_redis.redis.client.config_set("requirepass", "right")
    workers = start_all(make_pipeline(start=False, services=own_redis), IVR_REDIS_PASSWORD="wrong")
    for worker in workers.values():
        wait_said(worker, "WRONGPASS")
    own_redis.redis.client.execute_command("AUTH", "right")
    own_redis.redis.client.config_set("requirepass", "wrong")
    for worker in workers.values():
        worker.wait_ready()


@pytest.mark.parametrize("kind", WORKERS)
def test_a_missing_secret_is_exit_2_in_the_first_line(make_pipeline, kind):
    pipeline = make_pipeline(start=False)
    worker = pipeline.start_worker(kind, IVR_REDIS_PASSWORD_FILE="/run/secrets/redis/none")
    assert worker.wait(20) == 2
    assert "IVR_REDIS_PASSWORD_FILE" in worker.stderr().splitlines()[0]
    assert "/run/secrets/redis/none" in worker.stderr().splitlines()[0]
    pipeline.workers.remove(worker)  # what it wrote is for people, not one of the log's lines
