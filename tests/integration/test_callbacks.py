"""Callbacks in any order, early, twice, by the provider's id only, of nobody we know: none is lost, none guessed at."""

import random
import threading

import pytest

from harness import twilio
from harness.provider import accept, after, answer, hold

ENV = {"IVR_UNKNOWN_CALLBACK_KEEP": "3s"}


def test_a_callback_that_overtakes_the_response_finds_its_call(pipeline):
    request = pipeline.new_request()

    def early(placement):
        for number, status in enumerate(("initiated", "ringing", "in-progress", "completed")):
            pipeline.provider.report(placement, status, number)

    pipeline.provider.script(request["to"], after(early, accept()))
    pipeline.send(request)
    hops = {"message_out", "dialing", "connected", "terminate", "session_completed"}
    call = pipeline.wait_call(
        request, lambda call: hops == {hop["hop"] for attempt in call["attempts"] for hop in attempt["hops"]}, "every hop"
    )
    assert (call["status"], call["final"]) == ("Completed", True)
    assert call["attempts"][0]["provider_call_id"] == pipeline.placed(request).sid
    assert pipeline.provider.dials(request["to"]) == 1
    pipeline.wait_committed("ivr-dispatch", "CALL_REQUESTS")
    assert pipeline.call(request)["status"] == "Completed", "the response that came later took something back"


def test_an_early_callback_counts_before_the_response_comes(pipeline):
    gate = threading.Event()
    request = pipeline.new_request()
    pipeline.provider.script(request["to"], hold(gate, accept()))
    pipeline.send(request)
    pipeline.provider.report(pipeline.placed(request), "in-progress")
    pipeline.wait_status(request, "Completed")
    gate.set()
    pipeline.wait_committed("ivr-dispatch", "CALL_REQUESTS")
    assert pipeline.call(request)["status"] == "Completed"


def test_a_callback_by_the_provider_s_id_alone_finds_its_call(pipeline):
    request = pipeline.request()
    placement = pipeline.placed(request)
    pipeline.wait_status(request, "Pending")
    for number, status in enumerate(("ringing", "completed")):
        pipeline.provider.report(placement, status, number, url=pipeline.short_url(), CallDuration=5)
    call = pipeline.wait_final(request, "Completed")
    assert call["attempts"][0]["talk_seconds"] == 5


def test_an_early_callback_by_the_provider_s_id_alone_finds_its_call(pipeline):
    """Nobody knows the id before the response is recorded: it is parked and comes back."""
    gate = threading.Event()
    request = pipeline.new_request()
    pipeline.provider.script(request["to"], hold(gate, accept()))
    pipeline.send(request)
    placement = pipeline.placed(request)
    pipeline.provider.report(placement, "no-answer", url=pipeline.short_url())
    pipeline.wait_committed("ivr-status", "CALLBACKS")
    assert pipeline.call(request)["status"] is None
    gate.set()
    pipeline.wait_final(request, "No_answer")
    assert not pipeline.dead_letters(lambda record: placement.sid.encode() in record.value)


@pytest.mark.parametrize("seed", range(6))
def test_any_order_with_duplicates_gives_the_same_state(pipeline, seed):
    order = random.Random(seed)
    request = pipeline.request()
    placement = pipeline.placed(request)
    script = [("initiated", {}), ("ringing", {}), ("in-progress", {}), ("completed", {"CallDuration": 8})] * 2
    order.shuffle(script)
    for number, (status, fields) in enumerate(script):
        url = order.choice([None, pipeline.short_url()])
        pipeline.provider.report(placement, status, number, url=url, **fields)
    call = pipeline.wait_call(
        request, lambda call: call["final"] and call["attempts"][0]["talk_seconds"] == 8, "the talk time"
    )
    pipeline.wait_committed("ivr-status", "CALLBACKS")
    call = pipeline.call(request)
    assert call["status"] == "Completed"
    assert {hop["hop"] for hop in call["attempts"][0]["hops"]} == {
        "message_out", "dialing", "connected", "terminate", "session_completed",
    }  # fmt: skip


def test_a_callback_of_an_unknown_call_is_parked_and_then_a_dead_letter(pipeline):
    stranger = pipeline.new_request()
    for mark, url in (("by-url", pipeline.attempt_url(stranger)), ("by-id", pipeline.short_url())):
        fields = {"CallSid": twilio.new_sid(), "CallStatus": "completed", "Mark": mark}
        assert pipeline.provider.post(url, fields).status_code // 100 == 2
    pipeline.wait_committed("ivr-status", "CALLBACKS")
    assert not pipeline.dead_letters(lambda record: b"Mark=by-" in record.value), "it was not waited for"
    for mark in (b"by-url", b"by-id"):
        letter = pipeline.wait_dead_letter(lambda record: mark in record.value, f"{mark} as a dead letter", timeout=20)
        assert letter.headers["ivr-reason"] == "unknown_call"
        assert letter.headers["ivr-source-topic"] == pipeline.topics["CALLBACKS"]
    assert pipeline.call(stranger) is None


def test_a_parked_callback_of_a_call_that_appears_in_time_is_applied(pipeline):
    request, sid = pipeline.new_request(), twilio.new_sid()
    placed_as = twilio.call_object(sid, request["to"], "+254711082000")
    pipeline.provider.script(request["to"], answer(201, placed_as))
    fields = twilio.callback_fields(sid, request["to"], "+254711082000", "busy")
    pipeline.provider.post(pipeline.attempt_url(request), fields)
    pipeline.wait_committed("ivr-status", "CALLBACKS")
    pipeline.send(request)
    pipeline.wait_status(request, "User_busy")


def test_a_callback_without_any_id_is_a_dead_letter_and_the_provider_gets_its_2xx(pipeline):
    response = pipeline.provider.post(pipeline.short_url(), {"Nothing": "useful", "Mark": "no-id"})
    assert response.status_code // 100 == 2
    letter = pipeline.wait_dead_letter(lambda record: b"no-id" in record.value, "the callback without an id")
    assert letter.headers["ivr-reason"] == "unparseable_callback"
    assert letter.key == b"twilio:"


GARBAGE = {
    "empty": b"",
    "a NUL byte": b"\0",
    "not UTF-8": b"\xff\xfe\xfd",
    "broken escapes": b"CallSid=%zz&CallStatus=%",
    "only separators": b"&&&===&&",
    "JSON": b'{"CallSid": "CA1", "CallStatus": "completed"}',
    "deeply nested": b"[" * 60000,
    "a huge value": b"Nothing=" + b"x" * 900_000,
}


@pytest.mark.parametrize("name", GARBAGE)
def test_a_record_that_cannot_be_read_is_a_dead_letter_and_the_next_is_processed(pipeline, name):
    headers = {"ce_provider": "twilio", "ce_channel": "main", "ce_verified": "signature", "ce_type": "ivr.callback"}
    headers |= {
        "content-type": "application/x-www-form-urlencoded",
        "ce_time": "2026-11-22T18:50:50.123Z",
        "ce_id": name,
    }
    pipeline.produce("CALLBACKS", GARBAGE[name], key=f"garbage {name}", headers=headers, partition=1)
    letter = pipeline.wait_dead_letter(lambda record: record.key == f"garbage {name}".encode())
    assert letter.headers["ivr-reason"] == "unparseable_callback"
    assert letter.value == GARBAGE[name]
    assert len(letter.headers["ivr-detail"]) > 10
    request = pipeline.request()
    pipeline.report(request, "completed")
    pipeline.wait_final(request, "Completed")


def test_a_record_without_our_headers_is_a_dead_letter(pipeline):
    pipeline.produce("CALLBACKS", b"CallSid=CA1&CallStatus=completed", key="no headers")
    letter = pipeline.wait_dead_letter(lambda record: record.key == b"no headers")
    assert letter.headers["ivr-reason"] == "unparseable_callback"


def test_another_kind_of_callback_changes_nothing(pipeline):
    request = pipeline.request()
    placement = pipeline.placed(request)
    pipeline.wait_status(request, "Pending")
    before = pipeline.wait_events(request, 2)
    fields = {"CallSid": placement.sid, "RecordingSid": "RE1", "RecordingStatus": "completed"}
    assert pipeline.provider.post(placement.status_callback, fields).status_code // 100 == 2
    pipeline.wait_committed("ivr-status", "CALLBACKS")
    assert pipeline.events(request) == before
    assert not pipeline.dead_letters(lambda record: b"RecordingSid" in record.value)


def test_a_callback_for_an_attempt_that_never_was_is_not_applied(pipeline):
    request = pipeline.request()
    pipeline.wait_status(request, "Pending")
    url = pipeline.attempt_url(request, attempt=7)
    fields = twilio.callback_fields(twilio.new_sid(), request["to"], "+254711082000", "completed", Mark="attempt-7")
    assert pipeline.provider.post(url, fields).status_code // 100 == 2
    pipeline.wait_committed("ivr-status", "CALLBACKS")
    assert pipeline.call(request)["status"] == "Pending"


def test_a_call_that_stays_pending_is_looked_up(make_pipeline):
    pipeline = make_pipeline(env={"IVR_PENDING_CHECK": "1s"})
    request = pipeline.request()
    pipeline.wait_status(request, "Pending")
    pipeline.provider.set_state(pipeline.placed(request), "busy")
    pipeline.wait_final(request, "User_busy", timeout=30)
    assert any(pipeline.placed(request).sid in path for path in pipeline.provider.lookups)


def test_a_call_of_which_nothing_is_ever_heard_is_closed_and_a_late_report_corrects_it(make_pipeline):
    pipeline = make_pipeline(env={"IVR_PENDING_CHECK": "1s", "IVR_PENDING_LIMIT": "3s"})
    request = pipeline.request(retry={"max_attempts": 3, "on": ["Failed_unknown_reason"], "delays": [1]})
    pipeline.placed(request)
    call = pipeline.wait_final(request, "Failed_unknown_reason", timeout=30)
    assert call["attempts"][0]["reason"]["code"] == "no_report"
    pipeline.report(request, "completed", CallDuration=2)
    pipeline.wait_final(request, "Completed")
    assert pipeline.provider.dials(request["to"]) == 1
