"""Each of the seven statuses, end to end, and the events that tell of them."""

import re
from datetime import datetime, timezone
from email.utils import format_datetime

import pytest

from harness.provider import answer, refuse

STAMP = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")


def hops(call, attempt=1):
    return {hop["hop"] for hop in call["attempts"][attempt - 1]["hops"]}


def test_a_call_is_pending_until_the_provider_reports(pipeline):
    request = pipeline.request()
    call = pipeline.wait_status(request, "Pending")
    assert not call["final"]
    assert call["phase"] == "placed"
    assert hops(call) == {"message_out"}
    assert call["attempts"][0]["provider_call_id"] == pipeline.placed(request).sid
    assert call["attempts"][0]["attempt"] == 1


@pytest.mark.parametrize(
    "word, sip, status",
    [
        ("completed", None, "Completed"),
        ("completed", 200, "Completed"),
        ("busy", None, "User_busy"),
        ("busy", 486, "User_busy"),
        ("busy", 480, "User_busy"),
        ("no-answer", None, "No_answer"),
        ("no-answer", 487, "No_answer"),
        ("no-answer", 480, "Subscriber_absent"),
        ("failed", 480, "Subscriber_absent"),
        ("failed", 408, "Subscriber_absent"),
        ("failed", 487, "No_answer"),
        ("failed", 486, "User_busy"),
        ("failed", 603, "User_busy"),
        ("failed", 404, "Failed_unknown_reason"),
        ("failed", 503, "Failed_unknown_reason"),
        ("failed", None, "Failed_unknown_reason"),
        ("canceled", None, "Failed_unknown_reason"),
    ],
)
def test_a_closing_report_gives_its_status(pipeline, word, sip, status):
    request = pipeline.request()
    pipeline.report(request, "initiated", "ringing", word, **({"SipResponseCode": sip} if sip else {}))
    call = pipeline.wait_final(request, status)
    assert call["phase"] == "done"
    assert {"message_out", "dialing", "terminate", "session_completed"} <= hops(call)
    assert ("connected" in hops(call)) == (status == "Completed")
    assert pipeline.provider.dials(request["to"]) == 1


def test_an_answer_completes_the_call_before_it_ends(pipeline):
    request = pipeline.request()
    pipeline.report(request, "initiated", "ringing", "in-progress")
    call = pipeline.wait_status(request, "Completed")
    assert hops(call) == {"message_out", "dialing", "connected"}


def test_an_unknown_word_is_failed_unknown_reason_and_does_not_end_the_call(pipeline):
    request = pipeline.request()
    pipeline.report(request, "ringing", "teleported")
    call = pipeline.wait_status(request, "Failed_unknown_reason")
    assert not call["final"]
    assert "teleported" in str(call["attempts"][0]["reason"])
    pipeline.report(request, "completed", CallDuration=3)
    pipeline.wait_final(request, "Completed")


def test_a_refused_call_is_failed_unknown_reason_with_the_provider_s_code(pipeline):
    request = pipeline.new_request()
    pipeline.provider.script(request["to"], refuse(400, 21211, "The 'To' number is not a valid phone number."))
    pipeline.send(request)
    call = pipeline.wait_final(request, "Failed_unknown_reason")
    assert call["attempts"][0]["reason"]["code"] == "21211"
    assert "not a valid phone number" in call["attempts"][0]["reason"]["detail"]
    assert pipeline.provider.dials(request["to"]) == 1


def test_an_invalid_first_response_is_gateway_unavailable(pipeline):
    request = pipeline.new_request()
    pipeline.provider.script(request["to"], answer(200, b"<html>It works!</html>", "text/html"))
    pipeline.send(request)
    call = pipeline.wait_status(request, "Gateway_unavailable")
    assert hops(call) == {"message_out"}
    assert pipeline.provider.dials(request["to"]) == 1


def test_a_late_completed_corrects_gateway_unavailable(pipeline):
    request = pipeline.new_request()
    pipeline.provider.script(request["to"], answer(200, b"{}"))
    pipeline.send(request)
    pipeline.wait_status(request, "Gateway_unavailable")
    placement = pipeline.report(request, "completed", CallDuration=12)
    call = pipeline.wait_final(request, "Completed")
    assert call["attempts"][0]["provider_call_id"] == placement.sid
    assert call["attempts"][0]["talk_seconds"] == 12
    assert pipeline.provider.dials(request["to"]) == 1


def test_nothing_goes_back_once_a_higher_status_is_known(pipeline):
    request = pipeline.request()
    pipeline.report(request, "busy", "no-answer", "ringing", "failed")
    pipeline.wait_final(request, "User_busy")
    pipeline.report(request, "completed")
    pipeline.wait_final(request, "Completed")


def test_the_events_of_an_answered_call(pipeline):
    request = pipeline.request()
    for status in ("initiated", "ringing", "in-progress"):
        pipeline.report(request, status)
        pipeline.wait_events(request, {"initiated": 3, "ringing": 3, "in-progress": 4}[status])
    pipeline.report(request, "completed")
    events = pipeline.wait_events(request, 6)
    told = [
        (event["type"], event["previous_status"], event["status"], event["hop"], event["final"]) for event in events
    ]
    assert told == [
        ("call.accepted", None, None, None, False),
        ("call.status", None, "Pending", "message_out", False),
        ("call.hop", "Pending", "Pending", "dialing", False),
        ("call.final", "Pending", "Completed", "connected", True),
        ("call.hop", "Completed", "Completed", "terminate", True),
        ("call.hop", "Completed", "Completed", "session_completed", True),
    ]


def test_an_event_carries_what_the_contract_promises(pipeline):
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    request = pipeline.new_request(metadata={"farmer": 17, "tags": ["maize", "w47"]})
    pipeline.send(request, headers={"traceparent": trace})
    placement = pipeline.placed(request)
    moment = datetime(2026, 11, 22, 18, 50, 50, tzinfo=timezone.utc)
    pipeline.report(request, "completed", CallDuration=31, Timestamp=format_datetime(moment))
    event = pipeline.wait_event(request, lambda e: e["status"] == "Completed", "the Completed event")
    assert event["v"] == 1
    assert event["id"] == f"acme/{request['call_id']}/{event['seq']}"
    assert (event["tenant"], event["campaign"], event["call_id"]) == ("acme", request["campaign"], request["call_id"])
    assert (event["attempt"], event["channel"], event["provider"]) == (1, "main", "twilio")
    assert event["provider_call_id"] == placement.sid
    assert event["to"] == request["to"][:5] + "****" + request["to"][-4:]
    assert event["metadata"] == {"farmer": 17, "tags": ["maize", "w47"]}
    assert event["occurred_at"] == "2026-11-22T18:50:50.000Z"
    assert STAMP.match(event["recorded_at"]) and STAMP.match(event["placed_at"])
    assert event["next_attempt_at"] is None
    assert {"reason", "ring_seconds", "talk_seconds", "cost"} <= set(event)
    assert event["talk_seconds"] == 31

    accepted = pipeline.all_events(request)[0]
    assert accepted["attempt"] is None and accepted["status"] is None and accepted["metadata"] == event["metadata"]
    record = next(r for r in pipeline.tap.records(pipeline.topics["CALL_EVENTS"]) if r.json["id"] == accepted["id"])
    assert record.headers["ce_specversion"] == "1.0"
    assert record.headers["ce_source"] == "ivr/ivr-dispatch"
    assert record.headers["ce_type"] == "ivr.call.accepted"
    assert record.headers["content-type"] == "application/json"
    assert STAMP.match(record.headers["ce_time"])
    assert record.headers["traceparent"] == trace


def test_evidence_that_is_repeated_emits_nothing(pipeline):
    request = pipeline.request()
    pipeline.report(request, "initiated", "initiated", "completed", "completed", CallDuration=4)
    pipeline.wait_call(request, lambda call: call["final"] and call["attempts"][0]["talk_seconds"] == 4, "talk time")
    pipeline.wait_committed("ivr-status", "CALLBACKS")
    before = len(pipeline.wait_events(request, pipeline.call(request)["seq"]))
    pipeline.report(request, "initiated", "completed", "completed", CallDuration=4)
    marker = pipeline.request()  # behind those callbacks nothing may follow for the first call
    pipeline.report(marker, "completed")
    pipeline.wait_final(marker, "Completed")
    pipeline.wait_committed("ivr-status", "CALLBACKS")
    assert len(pipeline.events(request)) == before


def test_the_placement_is_what_twilio_expects(pipeline):
    request = pipeline.request(ring_timeout=25, time_limit=120)
    placement = pipeline.placed(request)
    assert placement.path.endswith("/Calls.json")
    assert placement.headers["Authorization"].startswith("Basic ")
    assert placement.to == request["to"]
    assert placement.sender == "+254711082000"
    assert placement.field("Timeout") == "25"
    assert placement.field("TimeLimit") == "120"
    assert sorted(placement.form["StatusCallbackEvent"]) == ["answered", "completed", "initiated", "ringing"]
    assert placement.status_callback == pipeline.attempt_url(request) + "#rc=5&rp=all"
    assert ("Url" in placement.form) != ("Twiml" in placement.form)


def test_the_request_s_own_caller_id_overrides_the_channel_s(pipeline):
    request = pipeline.request(**{"from": "+254711082999"})
    assert pipeline.placed(request).sender == "+254711082999"


def test_an_answer_url_is_handed_to_the_provider(pipeline):
    request = pipeline.request(message={"answer_url": "https://ivr.customer.test/flow?x=1&y=2"})
    assert pipeline.placed(request).field("Url") == "https://ivr.customer.test/flow?x=1&y=2"


def test_a_request_that_has_expired_is_dropped_and_never_dialled(pipeline):
    request = pipeline.request(expires_at="2020-01-01T00:00:00Z")
    call = pipeline.wait_call(request, lambda call: call["phase"] == "dropped", "the drop")
    assert (call["drop_reason"], call["status"], call["final"]) == ("expired", None, True)
    last = pipeline.wait_event(request, lambda e: e["type"] == "call.dropped", "call.dropped")
    assert last["final"] and last["status"] is None
    assert pipeline.provider.dials(request["to"]) == 0
