"""Strangers with a socket: what they send costs nobody else a request, on the public listener or on an admin one."""

import contextlib
import itertools
import re
import resource
import socket
import threading
import time

import pytest
import requests
from harness import twilio
from harness.pipeline import API_TOKEN
from harness.usage import cpu_seconds, resident_kb
from harness.wait import wait_until

NEXT = "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n"  # what runs as a request of its own where a body is misread
LISTENERS = ("public", "admin")

_calls = itertools.count(1)


@pytest.fixture(scope="module")
def gateway(make_module_pipeline):
    return make_module_pipeline(start=("gateway",))


def address(gateway, listener):
    worker = gateway.worker("gateway")
    url = worker.gateway if listener == "public" else worker.admin
    return "127.0.0.1", int(url.rsplit(":", 1)[1])


def dial(at):
    return socket.create_connection(at, timeout=5)


def read_all(sock):
    """Until the peer closes; a reset counts as its end."""
    got = b""
    with contextlib.suppress(ConnectionError):
        while piece := sock.recv(65536):
            got += piece
    return got.decode(errors="replace")


def exchange(at, text):
    """All that comes back for these bytes, until the server closes."""
    with dial(at) as sock:
        with contextlib.suppress(ConnectionError):
            sock.sendall(text.encode("latin-1"))
        return read_all(sock)


def statuses(answer):
    return [int(status) for status in re.findall(r"^HTTP/1\.1 (\d{3}) ", answer, re.MULTILINE)]


@contextlib.contextmanager
def crowd(at, n, text=b""):
    """n connections that have sent this much and nothing more."""
    socks = []
    try:
        for _ in range(n):
            sock = dial(at)
            socks.append(sock)
            if text:
                with contextlib.suppress(OSError):
                    sock.setblocking(False)
                    sock.send(text)
        yield socks
    finally:
        for sock in socks:
            sock.close()


@pytest.fixture(autouse=True, scope="module")
def many_files():
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def callback(pipeline):
    """The status of a signed callback; one that Kafka does not acknowledge in time, on a busy machine, is sent again, as a
    provider does."""
    url = pipeline.attempt_url({"tenant": "acme", "call_id": f"stranger-{next(_calls)}"})
    headers, body = twilio.signed_post(url, {"CallSid": twilio.new_sid(), "CallStatus": "ringing"})
    target = pipeline.worker("gateway").gateway + url[len(pipeline.public_url) :]
    for _ in range(5):
        answer = requests.post(target, data=body, headers=headers, timeout=5)
        if "Kafka" not in answer.text:
            break
    return answer.status_code


def refused(pipeline, reason, listener="gateway"):
    return pipeline.worker("gateway").metrics().value("ivr_http_refused_total", listener=listener, reason=reason)


# --- bytes that two readers read differently -------------------------------------------------------------------------

AMBIGUOUS = {
    "two lengths": "Host: h\r\nContent-Length: 5\r\nContent-Length: 0\r\n\r\n12345" + NEXT,
    "a length beside chunked": "Host: h\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + NEXT,
    "chunked twice": "Host: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + NEXT,
    "an unknown coding": "Host: h\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + NEXT,
    "a coding before chunked": "Host: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" + NEXT,
    "a blank before the colon": f"Host: h\r\nContent-Length : {len(NEXT)}\r\n\r\n{NEXT}",
    "a tab before the colon": "Host: h\r\nTransfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n" + NEXT,
    "an empty name": "Host: h\r\n: x\r\n\r\n" + NEXT,
    "a folded line": f"Host: h\r\nX: a\r\n Content-Length: {len(NEXT)}\r\n\r\n{NEXT}",
    "no host": "X: a\r\n\r\n" + NEXT,
    "two hosts": "Host: h\r\nHost: i\r\n\r\n" + NEXT,
    "a length that is no number": "Host: h\r\nContent-Length: 5, 5\r\n\r\n12345" + NEXT,
    "LF without CR": f"Host: h\nContent-Length: {len(NEXT)}\r\n\r\n{NEXT}",
    "a malformed chunk": "Host: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n123456\r\n0\r\n\r\n" + NEXT,
}


@pytest.mark.parametrize("listener", LISTENERS)
@pytest.mark.parametrize("what", AMBIGUOUS)
def test_an_ambiguous_request_is_400_and_nothing_behind_it_runs(gateway, listener, what):
    path = "/callbacks/twilio/main" if listener == "public" else "/metrics"
    method = "POST" if listener == "public" else "GET"
    answer = exchange(address(gateway, listener), f"{method} {path} HTTP/1.1\r\n{AMBIGUOUS[what]}")
    assert statuses(answer) == [400], answer
    assert "connection: close" in answer.lower()


@pytest.mark.parametrize("listener", LISTENERS)
@pytest.mark.parametrize(
    "status, head",
    [
        (413, "POST /callbacks/twilio/main HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999\r\n\r\n"),
        (431, f"GET / HTTP/1.1\r\nHost: h\r\nCookie: {'a=b; ' * 4000}\r\n\r\n"),
        (414, f"GET /{'a' * 20000} HTTP/1.1\r\nHost: h\r\n\r\n"),
    ],
    ids=["413", "431", "414"],
)
def test_what_is_too_large_has_one_answer(gateway, listener, status, head):
    answer = exchange(address(gateway, listener), head)
    assert statuses(answer) == [status], answer


@pytest.mark.parametrize("listener", LISTENERS)
def test_a_target_may_be_a_whole_url(gateway, listener):
    port = address(gateway, listener)[1]
    target = "/v1/calls/acme/none" if listener == "public" else "/healthz"
    head = f"GET http://127.0.0.1:{port}{target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
    answer = exchange(address(gateway, listener), f"{head}Authorization: Bearer {API_TOKEN}\r\n\r\n")
    assert statuses(answer) == [404 if listener == "public" else 200]
    assert "no such call" in answer if listener == "public" else answer.endswith("ok\n")


def test_many_parameters_get_an_answer(gateway):
    query = "&".join(f"a{n}={n}" for n in range(300))
    answer = requests.get(f"{gateway.worker('gateway').gateway}/callbacks/twilio/main?{query}", timeout=5)
    assert answer.status_code == 403


# --- who can stop it -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("listener", LISTENERS)
@pytest.mark.parametrize("line", ["3;" + "e" * 20000, "0" * 20000, "0\r\nX: " + "t" * 20000], ids=["ext", "zeros", "trailer"])
def test_a_chunk_line_without_end_costs_nobody_anything(gateway, listener, line):
    worker = gateway.worker("gateway")
    path = "/callbacks/twilio/main" if listener == "public" else "/metrics"
    with dial(address(gateway, listener)) as sock:
        sock.sendall(f"POST {path} HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        with contextlib.suppress(ConnectionError):
            sock.sendall(line.encode())
        before = cpu_seconds(worker.pid)
        assert worker.get("/healthz").status_code == 200
        assert statuses(read_all(sock)) == [400]
        assert cpu_seconds(worker.pid) - before < 0.5


@pytest.mark.memory
def test_bodies_that_nobody_may_send_are_not_stored(gateway):
    """Neither for paths that are none, nor without the token, nor of a channel that is none."""
    worker = gateway.worker("gateway")
    heads = {
        "/nothing": 404,
        "/v1/calls": 401,
        "/callbacks/twilio/none": 404,
        "/callbacks/vonage/main/acme/c/1": 404,
    }
    before = resident_kb(worker.pid)
    body = b"x" * 60000
    with contextlib.ExitStack() as stack:
        for path in heads:
            head = f"POST {path} HTTP/1.1\r\nHost: h\r\nContent-Length: 65536\r\n\r\n".encode()
            stack.enter_context(crowd(address(gateway, "public"), 550, head + body))
        for path, status in heads.items():
            answer = requests.post(worker.gateway + path, data=body, timeout=5)
            assert answer.status_code == status
        assert resident_kb(worker.pid) - before < 16 * 1024


@pytest.mark.memory
def test_bodies_that_do_not_end_share_a_budget_and_make_room(gateway):
    """Of those who may send one, for their signature is over the body: 2,200 hold 60 of 64 KiB back."""
    worker = gateway.worker("gateway")
    before = resident_kb(worker.pid)
    head = b"POST /callbacks/twilio/main HTTP/1.1\r\nHost: h\r\nContent-Length: 65536\r\n\r\n"
    with crowd(address(gateway, "public"), 2200, head + b"x" * 60000):
        assert callback(gateway) == 204
        wait_until(lambda: refused(gateway, "memory") > 100, "room to be made")
        assert resident_kb(worker.pid) - before < 100 * 1024
        assert callback(gateway) == 204
    worker.wait_log(lambda line: "memory for requests" in line.get("msg", ""), "the budget")


@pytest.mark.memory
def test_an_array_of_calls_is_counted_before_it_is_built(gateway):
    worker = gateway.worker("gateway")
    peak = [resident_kb(worker.pid)]
    before, done = peak[0], threading.Event()

    def look():
        while not done.is_set():
            peak.append(resident_kb(worker.pid))
            time.sleep(0.002)

    looking = threading.Thread(target=look)
    looking.start()
    try:
        for text, status in (
            ("[" + "{}," * 1398000 + "{}]", 422),
            ('[{"metadata":[' + "{}," * 1397900 + "{}]}]", 422),
            ('{"metadata":[' + "{}," * 1397900 + "{}]}", 422),
            ("[" + "[" * 4000000, 400),
        ):
            answer = gateway.api("/v1/calls", "POST", data=text, headers={"Content-Type": "application/json"})
            assert answer.status_code == status, answer.text[:300]
    finally:
        done.set()
        looking.join()
    assert "at most" in gateway.api("/v1/calls", "POST", data="[" + "{}," * 1398000 + "{}]").text
    assert max(peak) - before < 40 * 1024


def test_idle_connections_make_room_for_callbacks(gateway):
    at = address(gateway, "public")
    with crowd(at, 10050) as socks:
        assert callback(gateway) == 204
        assert socks[0].recv(1) == b"", "the longest idle one is closed"
        assert refused(gateway, "full") > 0


def test_requests_that_drip_keep_no_probe_out(gateway):
    """The liveness probe's timeout is 5 s; what drips in has a second."""
    worker = gateway.worker("gateway")
    with crowd(address(gateway, "admin"), 70, b"GET /heal") as socks:
        for _ in range(5):
            assert requests.get(worker.admin + "/healthz", timeout=2).status_code == 200

        def all_ended():
            for sock in socks:
                with contextlib.suppress(OSError):
                    sock.send(b"a")
            return refused(gateway, "late", "admin") + refused(gateway, "full", "admin") >= 70

        wait_until(all_ended, "every one to be closed", timeout=5)
