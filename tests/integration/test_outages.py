"""Redis or Kafka is away: nothing is dialled, nothing spins, /readyz says why, and work goes on by itself."""

import time
from datetime import datetime, timedelta, timezone

import pytest
from harness.broker import Broker
from harness.pipeline import Services
from harness.redis_server import RedisServer
from harness.usage import cpu_seconds, resident_kb
from harness.wait import wait_until

AWAY_S = 6.0
BACK_S = 5.0  # work resumes within it
CROWD = 1500

# Two outages of six seconds each, and three thousand calls to dial after one.
pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def own_services(workdir):
    """A broker and a Redis that a test may stop; what they had acknowledged is there again afterwards."""
    services = Services(
        Broker(workdir / "outage-kafka"),
        RedisServer(workdir / "outage-redis", "--appendonly", "yes", "--appendfsync", "always"),
    )
    yield services
    services.redis.stop()
    services.broker.stop()


@pytest.fixture(scope="module")
def pipeline(own_services, make_module_pipeline):
    pipeline = make_module_pipeline(services=own_services)
    request = pipeline.request()
    pipeline.wait_status(request, "Pending")
    return pipeline


def soon(seconds):
    at = datetime.now(timezone.utc) + timedelta(seconds=seconds)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def rest(pipeline, seconds):
    """Sleeps; the CPU seconds that each worker used meanwhile."""
    before = {worker.name: cpu_seconds(worker.pid) for worker in pipeline.workers}
    time.sleep(seconds)
    return {worker.name: cpu_seconds(worker.pid) - before[worker.name] for worker in pipeline.workers}


def assert_idle(used, seconds):
    busy = {name: round(cpu, 2) for name, cpu in used.items() if cpu > 0.15 * seconds}
    assert not busy, f"CPU seconds in {seconds:g} s of waiting: {busy}"


def why_not_ready(worker):
    response = worker.get("/readyz")
    return response.text if response.status_code == 503 else None


def wait_not_ready(pipeline, word, kinds):
    for kind in kinds:
        worker = pipeline.worker(kind)
        wait_until(lambda w=worker: word in (why_not_ready(w) or "").lower(), lambda w=worker: f"{w.name} to name {word}", 15)


def test_while_redis_is_away_nothing_is_dialled_and_work_goes_on_within_5_s(pipeline, own_services):
    own_services.redis.process.kill9()
    crowd = [pipeline.new_request() for _ in range(CROWD)]
    held = resident_kb(pipeline.worker("dispatch").pid)
    pipeline.send_all(crowd)
    wait_not_ready(pipeline, "redis", ("dispatch", "status", "report"))
    assert_idle(rest(pipeline, AWAY_S), AWAY_S)
    assert not any(pipeline.provider.dials(request["to"]) for request in crowd)
    assert resident_kb(pipeline.worker("dispatch").pid) - held < 32 * 1024, "what waits for Redis is not bounded"
    own_services.redis.start()
    wait_until(lambda: any(pipeline.provider.dials(r["to"]) for r in crowd), "work to go on", BACK_S)
    wait_until(lambda: all(pipeline.provider.dials(r["to"]) for r in crowd), "all to be dialled", 60)
    assert all(pipeline.provider.dials(request["to"]) == 1 for request in crowd)


def test_while_kafka_is_away_nothing_is_dialled_and_work_goes_on_within_5_s(pipeline, own_services):
    waiting = pipeline.request(not_before=soon(4))
    pipeline.wait_call(waiting, lambda call: call["phase"] == "waiting", "the call to wait")
    own_services.broker.stop()
    wait_not_ready(pipeline, "kafka", ("dispatch", "status", "report", "gateway"))
    assert_idle(rest(pipeline, AWAY_S), AWAY_S)
    assert pipeline.provider.dials(waiting["to"]) == 0, "dialled although its events could not leave"
    own_services.broker.start()
    wait_until(lambda: pipeline.provider.dials(waiting["to"]) == 1, "the due call to be dialled", BACK_S)
    fresh = pipeline.request()
    wait_until(lambda: pipeline.provider.dials(fresh["to"]) == 1, "a new request to be dialled", 15)


def test_a_pause_while_kafka_is_away_holds_and_is_told_once_it_is_back(pipeline, own_services):
    own_services.broker.stop()
    wait_not_ready(pipeline, "kafka", ("dispatch", "status"))
    assert pipeline.cli("pause", "tenant", "elsewhere", "--reason", "in the dark").code == 0
    time.sleep(2)
    own_services.broker.start()

    def said():
        return [record.json for record in pipeline.tap.records(pipeline.topics["AUDIT"])]

    wait_until(lambda: any(record["reason"] == "in the dark" for record in said()), "the audit record", 60)
    assert {record["result"] for record in said() if record["reason"] == "in the dark"} == {"done"}
