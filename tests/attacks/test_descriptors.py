"""A process without descriptors: it says so, keeps those that it needs for what cannot wait, and recovers."""

import contextlib
import itertools
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



_numbers = itertools.count(1)


class Limited(Worker):
    """A worker that may open so many files."""

    def __init__(self, program, directory, env, limit):
        self.program = program
        argv = ["prlimit", f"--nofile={limit}:{limit}", BIN / program]
        Process.__init__(self, f"{program}.limited-{next(_numbers)}", argv, directory, env)


@pytest.fixture(scope="module")
def pipeline(make_module_pipeline):
    """Nothing runs in it but what a test starts."""
    return make_module_pipeline(start=False)


@pytest.fixture
def limited(pipeline):
    started = []

    def start(kind, limit, ready=True):
        program = f"ivr-{kind}"
        worker = Limited(program, pipeline.directory, pipeline.worker_env(program), limit)
        pipeline.workers.append(worker)
        started.append(worker)
        if ready:
            worker.wait_ready()
        return worker

    yield start
    for worker in started:
        if worker.alive():
            assert worker.term() == 0


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
    """Its status; one that Kafka does not acknowledge in time, on a busy machine, is sent again, as a provider does."""
    url = pipeline.attempt_url({"tenant": "acme", "call_id": "c-1"})
    headers, body = twilio.signed_post(url, {"CallSid": twilio.new_sid(), "CallStatus": "ringing"})
    target = worker.gateway + url[len(pipeline.public_url) :]
    for _ in range(5):
        answer = requests.post(target, data=body, headers=headers, timeout=5)
        if "Kafka" not in answer.text:
            break
    return answer.status_code


def test_a_gateway_without_descriptors_still_takes_callbacks_and_answers_probes(pipeline, limited):
    gateway = limited("gateway", 64)
    with half_open(gateway.gateway, 150):
        for _ in range(5):
            assert requests.get(gateway.admin + "/healthz", timeout=2).status_code == 200
            assert callback(pipeline, gateway) == 204
        assert descriptors(gateway.pid) <= 64 - 16 + 4, "some are kept for Kafka, Redis and probes"
        refused = gateway.metrics().value("ivr_http_refused_total", listener="gateway", reason="descriptors")
        assert refused >= 150 - 64
        gateway.wait_log(lambda line: "descriptor" in line.get("msg", ""), "that they are missing")
    started = time.monotonic()
    assert requests.get(gateway.gateway + "/nothing", timeout=5).status_code == 404
    assert time.monotonic() - started < 1, "it accepts again at once"
    assert callback(pipeline, gateway) == 204


def test_outgoing_calls_come_before_the_admin_listener_s_guests(pipeline, limited):
    dispatch = limited("dispatch", 128)
    line = dispatch.wait_log(lambda entry: "in_flight" in entry, "that fewer calls go at once")
    assert line["in_flight"] < line["wanted"]
    with half_open(dispatch.admin, 100):
        for request in [pipeline.request() for _ in range(40)]:
            pipeline.placed(request)
        assert requests.get(dispatch.admin + "/healthz", timeout=2).status_code == 200
    assert dispatch.metrics().value("ivr_placements_total", channel="main", outcome="accepted") == 40


def test_an_idle_dispatch_needs_few_descriptors(limited):
    dispatch = limited("dispatch", 200)
    assert descriptors(dispatch.pid) < 64


@pytest.mark.parametrize("kind, needed", [("dispatch", "100"), ("status", "64"), ("report", "64"), ("gateway", "64")])
def test_too_few_descriptors_are_named_at_the_start(limited, kind, needed):
    for limit in (12, int(needed) - 1):
        worker = limited(kind, limit, ready=False)
        assert worker.wait() == 1
        said = worker.log()[-1] if "error" in worker.log()[-1] else worker.log()[-2]
        assert f"may have {limit}" in said["error"] and "LimitNOFILE" in said["error"]
    assert f"needs {needed} open files" in said["error"]


# --- started with some of 0, 1 and 2 closed ------------------------------------------------------------------------


def closed(program, *args, which="0<&- 1>&- 2>&-", env=None):
    command = f'exec "$0" "$@" {which}'
    return subprocess.Popen(["sh", "-c", command, str(BIN / program), *args], env=env, stderr=subprocess.PIPE)


@pytest.mark.parametrize("which", ["0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"])
def test_ivrctl_with_them_closed_does_the_same(pipeline, which):
    for args in (("call", "acme/none"), ("campaign", "acme", "none")):
        asked = closed("ivrctl", *args, which=which, env=pipeline.worker_env("ivrctl"))
        asked.communicate(timeout=20)
        assert asked.returncode == pipeline.cli(*args).code


@pytest.mark.parametrize("which", ["1>&-", "0<&- 1>&- 2>&-"])
@pytest.mark.parametrize("kind", ["dispatch", "status", "report", "gateway"])
def test_a_worker_with_them_closed_works_and_leaves(pipeline, kind, which):
    """Nothing that it opens gets the number of stdout or stderr, where log lines go."""
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
