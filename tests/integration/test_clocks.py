"""A machine whose clock is minutes off: deadlines are Redis' business, so nothing comes early, late or twice."""

import os
import pathlib
import subprocess
import threading
import time
from datetime import datetime, timedelta, timezone

import pytest
from harness.provider import accept, hold

CHANNELS = {"main": {"request_timeout": "3s"}}


def clock(offset, directory):
    """The environment of a worker whose wall clock is so many seconds off; its monotonic one goes as it should."""
    library = directory / "clock.so"
    source = pathlib.Path(__file__).parent / "harness" / "clock.c"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, source], check=True)
    offset += int(os.environ.get("CLOCK_OFFSET_S", "0"))  # of the whole run
    # A sanitizer's own library would have to come first, and need not.
    return {
        "LD_PRELOAD": str(library),
        "CLOCK_OFFSET_S": str(offset),
        "ASAN_OPTIONS": "verify_asan_link_order=0",
    }


def stamp(moment):
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def when(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


@pytest.fixture(scope="module", params=[600, -600], ids=["ahead", "behind"])
def pipeline(request, make_module_pipeline, workdir):
    made = make_module_pipeline(CHANNELS, start=("report", "gateway"))
    made.start("dispatch", "status", **clock(request.param, workdir))
    return made


def test_the_clock_is_off(pipeline):
    worker = pipeline.worker("dispatch")
    logged = when(worker.log()[0]["time"])
    assert abs(abs(logged - datetime.now(timezone.utc)) - timedelta(minutes=10)) < timedelta(minutes=1)


def test_a_call_waits_for_its_time_and_no_longer(pipeline):
    moment = datetime.now(timezone.utc) + timedelta(seconds=3)
    request = pipeline.request(not_before=stamp(moment))
    pipeline.wait_call(request, lambda call: call["next_attempt_at"] is not None, "the call to wait")
    assert not pipeline.provider.placements(request["to"])
    pipeline.placed(request)
    assert moment <= datetime.now(timezone.utc) <= moment + timedelta(seconds=10)


def test_a_retry_waits_for_its_delay_and_no_longer(pipeline):
    request = pipeline.request(retry={"max_attempts": 2, "delays": [2]})
    pipeline.report(request, "busy")
    reported = time.monotonic()
    second = pipeline.placed(request, count=2)
    assert 1.4 <= second.at - reported <= 10


def test_the_times_of_events_are_redis_and_not_the_worker_s(pipeline):
    request = pipeline.request()
    pipeline.report(request, "ringing", "busy")
    pipeline.wait_final(request, "User_busy")
    last = pipeline.wait_event(request, lambda event: event["final"], "the last event")
    recorded = [when(event["recorded_at"]) for event in pipeline.wait_events(request, last["seq"])]
    assert recorded == sorted(recorded)
    assert all(abs(at - datetime.now(timezone.utc)) < timedelta(seconds=60) for at in recorded)


def test_a_claim_of_a_worker_with_another_clock_is_left_alone_and_nothing_is_dialled_twice(pipeline):
    gate = threading.Event()
    request = pipeline.new_request()
    pipeline.provider.script(request["to"], hold(gate, accept()))
    pipeline.send(request)
    pipeline.placed(request)
    pipeline.start("dispatch")
    time.sleep(1)
    gate.set()
    call = pipeline.wait_status(request, "Pending")
    assert pipeline.provider.dials(request["to"]) == 1 and len(call["attempts"]) == 1
