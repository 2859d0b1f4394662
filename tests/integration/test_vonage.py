"""Vonage, end to end: a bearer token on the way out, signed webhooks on the way in, as JSON and as a query."""

import base64
import hashlib
import hmac
import json
import time
import uuid
from pathlib import Path
from urllib.parse import urlencode

import pytest
import requests

KEY = Path(__file__).parents[1] / "corpus" / "vonage" / "private_key.pem"
SECRET = "qwertyuiopasdfghjklzxcvbnm123456"
CHANNELS = {
    "main": {
        "provider": "vonage",
        "credentials": {"application_id": "app", "private_key": {"file": str(KEY)}},
        "callback_secret": ["a newer secret", SECRET],
    }
}
RANG = "2026-11-22T18:50:50.000Z"
ANSWERED = "2026-11-22T18:51:00.000Z"


def accept(exchange):
    exchange.send(201, {"uuid": exchange.placement.sid, "status": "started", "direction": "outbound"})


@pytest.fixture(autouse=True)
def accepts(pipeline):
    pipeline.provider.script("", accept)


def placement_of(pipeline, request):
    pipeline.wait_call(request, lambda call: call["status"] is not None, "a first status")
    mine = [p for p in pipeline.provider.placements() if request["to"][1:].encode() in p.body]
    assert len(mine) == 1
    return mine[0], json.loads(mine[0].body)


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def bearer(payload, secret=SECRET):
    """The Authorization header of a webhook with this payload; None: no payload_hash."""
    claims = {"iat": int(time.time()), "jti": str(uuid.uuid4()), "iss": "Vonage"}
    if payload is not None:
        claims["payload_hash"] = hashlib.sha256(payload).hexdigest()
    signed = ".".join(base64url(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims))
    return f"Bearer {signed}." + base64url(hmac.digest(secret.encode(), signed.encode(), "sha256"))


def post(pipeline, url, event, secret=SECRET):
    payload = json.dumps(event).encode()
    headers = {"Content-Type": "application/json", "Authorization": bearer(payload, secret)}
    return requests.post(pipeline.provider.delivered_to(url), data=payload, headers=headers, timeout=10)


def report(pipeline, placement, url, status, **fields):
    response = post(pipeline, url, {"uuid": placement.sid, "status": status, "timestamp": RANG} | fields)
    assert response.status_code // 100 == 2, f"{response.status_code} {response.text}"


def test_an_answered_call_becomes_completed_with_its_times_and_cost(pipeline):
    request = pipeline.request(message={"say": "Bei ya mahindi", "language": "sw-KE"})
    placement, body = placement_of(pipeline, request)
    assert placement.path == "/v1/calls" and placement.headers["Authorization"].startswith("Bearer ey")
    assert body["ncco"] == [{"action": "talk", "text": "Bei ya mahindi", "language": "sw-KE"}]
    (url,) = body["event_url"]
    report(pipeline, placement, url, "started")
    report(pipeline, placement, url, "ringing")
    report(pipeline, placement, url, "answered", timestamp=ANSWERED, start_time=ANSWERED)
    report(pipeline, placement, url, "completed", duration="7", price="0.00052500", start_time=ANSWERED)
    call = pipeline.wait_call(
        request, lambda call: call["attempts"] and call["attempts"][0]["talk_seconds"] == 7, "its closing report"
    )
    attempt = call["attempts"][0]
    assert (call["status"], call["final"], attempt["ring_seconds"]) == ("Completed", True, 10)
    assert attempt["cost"] == {"amount": "0.000525", "currency": "EUR"}
    assert {hop["hop"] for hop in attempt["hops"]} == {
        "message_out", "dialing", "connected", "terminate", "session_completed",
    }  # fmt: skip


def test_a_get_event_is_read_from_its_query(pipeline):
    request = pipeline.request()
    placement, body = placement_of(pipeline, request)
    event = {"uuid": placement.sid, "status": "unanswered", "detail": "unavailable", "timestamp": RANG}
    url = pipeline.provider.delivered_to(body["event_url"][0]) + "?" + urlencode(event)
    response = requests.get(url, headers={"Authorization": bearer(None)}, timeout=10)
    assert response.status_code // 100 == 2, response.text
    call = pipeline.wait_status(request, "Subscriber_absent")
    assert call["attempts"][0]["reason"] == {"code": "unavailable", "detail": "unanswered"}


def test_what_is_not_signed_by_vonage_is_not_taken(pipeline):
    request = pipeline.request()
    placement, body = placement_of(pipeline, request)
    (url,) = body["event_url"]
    event = {"uuid": placement.sid, "status": "busy"}
    assert post(pipeline, url, event, secret="forged").status_code == 403
    assert requests.post(pipeline.provider.delivered_to(url), json=event, timeout=10).status_code == 403
    report(pipeline, placement, url, "timeout")
    assert pipeline.wait_final(request, "No_answer")["attempts"][0]["reason"]["code"] == "timeout"
