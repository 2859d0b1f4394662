"""Vonage, end to end: a bearer token on the way out, signed webhooks on the way in."""

import requests
from harness import vonage

CHANNELS = {"main": {"provider": "vonage", "callback_secret": ["a newer secret", vonage.SECRET]}}
ANSWERED = "2026-11-22T18:51:00.000Z"


def placement_of(pipeline, request):
    pipeline.wait_call(request, lambda call: call["status"] is not None, "a first status")
    (placement,) = pipeline.provider.placements(request["to"])
    return placement


def test_an_answered_call_becomes_completed_with_its_times_and_cost(pipeline):
    request = pipeline.request(message={"say": "Bei ya mahindi", "language": "sw-KE"})
    placement = placement_of(pipeline, request)
    assert placement.path == "/v1/calls" and placement.headers["Authorization"].startswith("Bearer ey")
    assert placement.json["ncco"] == [{"action": "talk", "text": "Bei ya mahindi", "language": "sw-KE"}]
    report = pipeline.provider.report
    report(placement, "started")
    report(placement, "ringing")
    report(placement, "answered", timestamp=ANSWERED, start_time=ANSWERED)
    report(placement, "completed", duration="7", price="0.00052500", start_time=ANSWERED)
    call = pipeline.wait_call(
        request, lambda call: call["attempts"] and call["attempts"][0]["talk_seconds"] == 7, "its closing report"
    )
    attempt = call["attempts"][0]
    assert (call["status"], call["final"], attempt["ring_seconds"]) == ("Completed", True, 10)
    assert attempt["cost"] == {"amount": "0.000525", "currency": "EUR"}
    assert {hop["hop"] for hop in attempt["hops"]} == {
        "message_out", "dialing", "connected", "terminate", "session_completed",
    }  # fmt: skip


def test_nothing_is_read_of_a_get(pipeline):
    """No signature covers a query, and we ask for POST."""
    request = pipeline.request()
    placement = placement_of(pipeline, request)
    event = vonage.callback(placement, "unanswered", detail="unavailable")
    url = pipeline.provider.callback_url(placement)
    response = pipeline.provider.deliver(*vonage.delivery_by_get(url, event))
    assert (response.status_code, response.headers["Allow"]) == (405, "POST, OPTIONS")
    pipeline.provider.report(placement, "unanswered", detail="unavailable")
    call = pipeline.wait_status(request, "Subscriber_absent")
    assert call["attempts"][0]["reason"] == {"code": "unavailable", "detail": "unanswered"}


def test_what_is_not_signed_by_vonage_is_not_taken(pipeline):
    request = pipeline.request()
    placement = placement_of(pipeline, request)
    url = pipeline.provider.callback_url(placement)
    event = vonage.callback(placement, "busy")
    forged = pipeline.provider.deliver(*vonage.delivery(url, event, "forged-".ljust(32, "0")))
    assert forged.status_code == 403
    assert requests.post(pipeline.provider.delivered_to(url), json=event, timeout=10).status_code == 403
    pipeline.provider.report(placement, "timeout")
    assert pipeline.wait_final(request, "No_answer")["attempts"][0]["reason"]["code"] == "timeout"
