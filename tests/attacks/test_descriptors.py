"""A process without descriptors: it says so, keeps those that it needs for what cannot wait, and recovers."""

import contextlib
import os
import signal
import socket
import subprocess
import time

import pytest
import requests
from harness import twilio
from harness.paths import BIN
from harness.process import Process
from harness.usage import descriptors
from harness.wait import wait_until
from harness.worker import Worker



class Limited(Worker):
    """A worker that may open so many files."""

    def __init__(self, program, directory, env, limit):
        self.program = program
        argv = ["prlimit", f"--nofile={limit}:{limit}", BIN / program]
        Process.__init__(self, f"{program}.limited-{limit}", argv, directory, env)


@pytest.fixture
def limited(make_pipeline):
    def start(kind, limit, ready=True, **env):
        pipeline = make_pipeline(start=False)
        program = f"ivr-{kind}"
        worker = Limited(program, pipeline.directory, pipeline.worker_env(program, env), limit)
        pipeline.workers.append(worker)
        if ready:
            worker.wait_ready()
        return pipeline, worker

    return start


def port_of(url):
    return "127.0.0.1", int(url.rsplit(":", 1)[1])


@contextlib.contextmanager
def half_open(url, n):
    """Connections with half a request; those that the server does not take wait in the kernel's backlog."""
    socks = []
    try:
        for _ in range(n):
            sock = socket.create_connection(port_of(url), timeout=5)
            socks.append(sock)
            with contextlib.suppress(OSError):
                sock.send(b"POST /callbacks/twilio/main HTTP/1.1\r\nHost: h\r\n")
        yield socks
    finally:
        for sock in socks:
            sock.close()


def callback(pipeline, worker):
    url = pipeline.attempt_url({"tenant": "acme", "call_id": "c-1"})
    headers, body = twilio.signed_post(url, {"CallSid": twilio.new_sid(), "CallStatus": "ringing"})
    return requests.post(worker.gateway + url[len(pipeline.public_url) :], data=body, headers=headers, timeout=2)


def test_a_gateway_without_descriptors_still_takes_callbacks_and_answers_probes(limited):
    pipeline, gateway = limited("gateway", 64)
    with half_open(gateway.gateway, 150):
        for _ in range(5):
            assert requests.get(gateway.admin + "/healthz", timeout=2).status_code == 200
            assert callback(pipeline, gateway).status_code == 204
        assert descriptors(gateway.pid) <= 64 - 16 + 4, "some are kept for Kafka, Redis and probes"
        refused = gateway.metrics().value("ivr_http_refused_total", listener="gateway", reason="descriptors")
        assert refused >= 150 - 64
        gateway.wait_log(lambda line: "descriptor" in line.get("msg", ""), "that they are missing")
    started = time.monotonic()
    assert callback(pipeline, gateway).status_code == 204
    assert time.monotonic() - started < 1


def test_outgoing_calls_come_before_the_admin_listener_s_guests(limited):
    pipeline, dispatch = limited("dispatch", 128)
    line = dispatch.wait_log(lambda entry: "in_flight" in entry, "that fewer calls go at once")
    assert line["in_flight"] < line["wanted"]
    with half_open(dispatch.admin, 100):
        for request in [pipeline.request() for _ in range(40)]:
            pipeline.placed(request)
        assert requests.get(dispatch.admin + "/healthz", timeout=2).status_code == 200
    assert dispatch.metrics().value("ivr_placements_total", channel="main", outcome="accepted") == 40


def test_an_idle_dispatch_needs_few_descriptors(limited):
    _, dispatch = limited("dispatch", 200)
    assert descriptors(dispatch.pid) < 64


@pytest.mark.parametrize("kind, needed", [("dispatch", "100"), ("status", "64"), ("report", "64"), ("gateway", "64")])
def test_too_few_descriptors_are_named_at_the_start(limited, kind, needed):
    for limit in (12, int(needed) - 1):
        _, worker = limited(kind, limit, ready=False)
        assert worker.wait() == 1
        said = worker.log()[-1] if "error" in worker.log()[-1] else worker.log()[-2]
        assert f"may have {limit}" in said["error"] and "LimitNOFILE" in said["error"]
    assert f"needs {needed} open files" in said["error"]


# --- started with some of 0, 1 and 2 closed ------------------------------------------------------------------------


def closed(program, *args, which="0<&- 1>&- 2>&-", env=None):
    command = f'exec "$0" "$@" {which}'
    return subprocess.Popen(["sh", "-c", command, str(BIN / program), *args], env=env, stderr=subprocess.PIPE)


@pytest.mark.parametrize("which", ["0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"])
def test_ivrctl_with_them_closed_does_the_same(make_pipeline, which):
    pipeline = make_pipeline(start=False)
    for args in (("call", "acme/none"), ("campaign", "acme", "none")):
        asked = closed("ivrctl", *args, which=which, env=pipeline.worker_env("ivrctl"))
        asked.communicate(timeout=20)
        assert asked.returncode == pipeline.cli(*args).code


@pytest.mark.parametrize("which", ["1>&-", "0<&- 1>&- 2>&-"])
@pytest.mark.parametrize("kind", ["dispatch", "status", "report", "gateway"])
def test_a_worker_with_them_closed_works_and_leaves(make_pipeline, kind, which):
    """Nothing that it opens gets the number of stdout or stderr, where log lines go."""
    pipeline = make_pipeline(start=False)
    worker = closed(f"ivr-{kind}", which=which, env=pipeline.worker_env(f"ivr-{kind}"))

    def opened():
        with contextlib.suppress(OSError):
            return len(os.listdir(f"/proc/{worker.pid}/fd")) > 10

    wait_until(opened, "its parts to be open")
    for number in (0, 1, 2):
        target = os.readlink(f"/proc/{worker.pid}/fd/{number}")
        assert "socket" not in target and "anon_inode" not in target, f"{number} is {target}"
    worker.send_signal(signal.SIGTERM)
    worker.communicate(timeout=15)
    assert worker.returncode == 0
