"""A callback's path is the same path however it is spelled: proxies decode, and encode again, as they like."""

import base64
import hashlib
import hmac
import itertools
import socket

import pytest
import requests
from harness import twilio

SECRET = "a-secret-of-the-channel"
CHANNELS = {"main": {}, "at": {"provider": "africastalking", "callback_secret": SECRET}}

_calls = itertools.count(1)


def spellings(path):
    """What proxies make of a path, and people who type it."""
    colon = path.replace(":", "%3A")
    return {path, colon, colon.replace("%3A", "%3a"), path.replace("/acme/", "/%61cme/"), path + "/"}


def post(base, path, headers, body):
    """(status, answer) of just this path: requests would spell it its own way."""
    host, _, port = base.rpartition("/")[2].partition(":")
    lines = [f"POST {path} HTTP/1.1", "Host: h", "Connection: close", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    with socket.create_connection((host, int(port)), timeout=5) as sock:
        sock.sendall("\r\n".join([*lines, "", body]).encode())
        answer = b"".join(iter(lambda: sock.recv(65536), b"")).decode()
    return int(answer.split()[1]), answer


@pytest.mark.parametrize("handed_out", ["as it is now", "as 0.1 did"])
@pytest.mark.parametrize("what", ["callbacks", "answer"])
def test_a_signature_holds_however_the_path_is_spelled(pipeline, what, handed_out):
    request = {"tenant": "acme", "call_id": f"order:{next(_calls)}"}
    url = pipeline.attempt_url(request, what=what)
    signed = url.replace("order:", "order%3A") if handed_out == "as 0.1 did" else url
    base = pipeline.worker("gateway").gateway
    headers, body = twilio.signed_post(signed, {"CallSid": twilio.new_sid(), "CallStatus": "ringing"})
    wanted = 204 if what == "callbacks" else 404  # the hang-up document: no such call
    for path in spellings(url[len(pipeline.public_url) :]):
        status, answer = post(base, path, headers, body)
        assert status == wanted, f"{path}: {answer}"
        assert what == "callbacks" or "<Response>" in answer
    another = url[len(pipeline.public_url) : -1] + "2"
    assert post(base, another, headers, body)[0] == 403


def test_a_path_that_is_lost_below_callbacks_is_counted(pipeline):
    worker = pipeline.worker("gateway")

    def counted(provider):
        return worker.metrics().value("ivr_callbacks_total", provider=provider, result="unknown_path")

    before = counted("twilio"), counted("other")
    for path in ("/callbacks/twilio/main/acme", "/callbacks/twilio", "/callbacks/nobody/x/y", "/callbacks", "/callbacks/%zz"):
        assert requests.post(worker.gateway + path, data="x=1", timeout=5).status_code == 404
    assert (counted("twilio"), counted("other")) == (before[0] + 2, before[1] + 3)


def test_nothing_escapes_what_needs_no_escape(pipeline):
    request = pipeline.request(call_id="order:2026:1")
    placement = pipeline.placed(request)
    assert placement.status_callback.partition("#")[0] == pipeline.attempt_url(request)
    pipeline.report(request, "completed")
    pipeline.wait_final(request, "Completed")


def test_a_token_of_either_spelling_holds(pipeline):
    """Of a provider that signs nothing, over the path as it is now or as 0.1 had it."""
    request = {"tenant": "acme", "call_id": f"order:{next(_calls)}"}
    path = pipeline.attempt_url(request, channel="at")[len(pipeline.public_url) :]
    base = pipeline.worker("gateway").gateway
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    body = "sessionId=ATVId_1&isActive=0&status=Completed"
    for signed in (path, path.replace(":", "%3A")):
        mac = hmac.new(SECRET.encode(), signed.encode(), hashlib.sha256).digest()
        token = base64.urlsafe_b64encode(mac).decode().rstrip("=")
        for spelled in spellings(path):
            status, answer = post(base, f"{spelled}?token={token}", form, body)
            assert status == 204, f"{signed} at {spelled}: {answer}"
        assert post(base, f"{path[:-1]}2?token={token}", form, body)[0] == 403
