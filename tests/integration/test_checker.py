"""The chaos runs' checker on what a quiet campaign of the real programs leaves: it must have nothing to say."""

import base64
import json
import os
import subprocess
import sys
import time

import pytest
from harness.paths import ROOT
from harness.ports import free_port
from harness.simulator import Simulator
from harness.wait import wait_until

CALLS = 300
# The simulator's numbers (tests/simulator/README.md): every outcome and fault, beside what chance gives.
# A 401 is not among them: it suspends the channel.
ENDINGS = [f"9900{n:02d}" for n in (*range(9), *range(20, 27), 28, 29, 30, *range(40, 50))]
READERS = {"ivr-dispatch": "CALL_REQUESTS", "ivr-status": "CALLBACKS", "ivr-report": "CALL_EVENTS"}


@pytest.fixture
def directory(workdir):
    directory = workdir / "checked"
    (directory / "topics").mkdir(parents=True)
    return directory


@pytest.fixture
def simulator(workdir, directory):
    logs = "--log", str(directory / "placements.ndjson"), "--callback-log", str(directory / "gateway.ndjson")
    simulator = Simulator(workdir / "checked-simulator", "--seed", "5", "--speed", "20", *logs)
    simulator.switch(latency_ms="5-20", ring_ms="1000-20000", talk_ms="1000-90000", late_ms=500)
    yield simulator
    assert simulator.term(10) == 0, simulator.tail()


@pytest.fixture
def pipeline(make_pipeline, simulator):
    port = free_port()
    # What stays silent is asked for, what ended with an unknown word is closed, both within the test's time.
    env = {"IVR_PENDING_CHECK": "3s", "IVR_PENDING_LIMIT": "8s", "IVR_UNKNOWN_CALLBACK_KEEP": "5s"}
    env["IVR_GATEWAY_LISTEN"] = f"127.0.0.1:{port}"
    channels = {"main": {"base_url": simulator.base_url, "request_timeout": "2s"}}
    return make_pipeline(channels, env=env, public_url=f"http://127.0.0.1:{port}")


def send(pipeline):
    for number in range(CALLS):
        ending = ENDINGS[number // 2 % len(ENDINGS)] if number % 2 else "123456"
        request = pipeline.request(
            call_id=f"check-{number}",
            campaign=f"check-{number % 4}",
            to=f"+254{number:03d}{ending}",
            metadata={"farm": number} if number % 5 == 0 else None,
            retry={"max_attempts": 2, "on": ["No_answer", "User_busy"], "delays": [1]} if number % 3 else None,
        )
        if number % 50 == 0:
            pipeline.send(request)
            pipeline.send(request | {"campaign": "another"})  # a conflict
            pipeline.send(request | {"call_id": f"bad-{number}", "to": "0722000111"})  # no number


def wait_until_over(pipeline, simulator):
    """Every call final, every campaign's summary complete, the provider silent, every offset committed."""

    def final():
        records = pipeline.tap.records(pipeline.topics["CALL_EVENTS"], lambda record: record.json["final"])
        return {record.json["call_id"] for record in records}

    def summaries():
        found = [pipeline.summaries("acme", f"check-{number}") for number in range(4)]
        return [campaign[-1] for campaign in found if campaign and campaign[-1]["complete"]]

    wait_until(lambda: len(final()) == CALLS, lambda: f"all calls final; {len(final())} are", timeout=60, interval=0.3)
    wait_until(lambda: len(summaries()) == 4, lambda: f"complete campaigns; {summaries()}", timeout=20, interval=0.3)
    wait_until(lambda: is_quiet(simulator), lambda: f"the last callbacks: {simulator.stats()}", timeout=30)
    for program, kind in READERS.items():
        pipeline.wait_committed(program, kind)


def is_quiet(simulator):
    stats = simulator.stats()
    return not (stats["in_progress"] or stats["deliveries"]["waiting"] or stats["deliveries"]["out"])


def text_of(data):
    return None if data is None else base64.b64encode(data).decode()


def line_of(record):
    headers = [[name, text_of(value.encode())] for name, value in record.headers.items()]
    place = {"partition": record.partition, "offset": record.offset, "timestamp": 0, "headers": headers}
    return json.dumps(place | {"key": text_of(record.key), "value": text_of(record.value)}) + "\n"


def short(kind):
    return kind.lower().replace("_", "-")


def leave(pipeline, directory, committed, started_ms):
    """What the checker reads, but for what the simulator wrote itself."""
    for kind, topic in pipeline.topics.items():
        lines = [line_of(record) for record in pipeline.tap.records(topic)]
        (directory / "topics" / f"{short(kind)}.ndjson").write_text("".join(lines), encoding="utf-8")
    run = {"seed": 5, "mode": "quiet", "faults": [], "request_timeout": "2s"}
    run |= {"started_ms": started_ms, "ended_ms": int(time.time() * 1000), "settings": pipeline.env}
    (directory / "run.json").write_text(json.dumps(run), encoding="utf-8")
    (directory / "committed.json").write_text(json.dumps(committed), encoding="utf-8")
    (directory / "redis.url").write_text(pipeline.services.redis.url, encoding="utf-8")


def check(directory):
    env = os.environ | {"PYTHONPATH": str(ROOT / "tests" / "chaos")}
    command = [sys.executable, "-m", "checker", "--save", str(directory)]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)


@pytest.mark.timeout(180)
def test_what_a_quiet_campaign_leaves_has_no_violations(pipeline, simulator, directory):
    started_ms = int(time.time() * 1000)
    send(pipeline)
    wait_until_over(pipeline, simulator)
    pipeline.close()
    committed = {program: {short(kind): pipeline.committed(program, kind)} for program, kind in READERS.items()}
    leave(pipeline, directory, committed, started_ms)
    checked = check(directory)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    again = check(directory)  # from what --save kept of Redis
    assert again.returncode == 0, again.stdout + again.stderr
