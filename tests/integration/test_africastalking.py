"""Africa's Talking, end to end: one registered URL takes the reports of every call and answers those that ask."""

import pytest
from harness import africastalking
from harness.provider import accept, after, refuse_number

CHANNELS = {"main": {"provider": "africastalking"}}

HUNG_UP = {
    "status": "Success",
    "hangupCause": "NORMAL_CLEARING",
    "callStartTime": africastalking.STARTED,
    "durationInSeconds": "34",
    "amount": "1.5",
    "currencyCode": "KES",
}
ABSENT = {"status": "NotAnswered", "hangupCause": "SUBSCRIBER_ABSENT", "durationInSeconds": "0"}


def placement_of(pipeline, request):
    state = pipeline.wait_call(request, lambda call: call["status"] is not None, "a first status")
    mine = pipeline.provider.placements(request["to"])
    assert len(mine) == 1, f"{len(mine)} placements; the call is {state}"
    return mine[0]


def post(pipeline, fields, token=africastalking.SECRET):
    return pipeline.provider.deliver(*africastalking.delivery(pipeline.short_url(), fields, token))


def hops_of(call):
    return [hop["hop"] for hop in call["attempts"][0]["hops"]]


def test_an_answered_call_is_told_its_message_and_becomes_completed(pipeline):
    request = pipeline.request(message={"say": "Bei ya <mahindi>"})
    placement = placement_of(pipeline, request)
    assert placement.path == "/call" and placement.headers["apiKey"] == africastalking.API_KEY
    assert placement.field("clientRequestId") == f"acme/{request['call_id']}/1"
    pipeline.provider.report(placement, "Ringing")
    asked = pipeline.provider.report(placement, "Answered", callStartTime=africastalking.STARTED)
    assert asked.headers["Content-Type"].startswith("application/xml")
    assert asked.text.endswith("<Response><Say>Bei ya &lt;mahindi&gt;</Say></Response>")
    pipeline.provider.report(placement, "Completed", **HUNG_UP)
    pipeline.wait_final(request, "Completed")  # since the answer; what the closing report says comes after it
    call = pipeline.wait_call(request, lambda call: "session_completed" in hops_of(call), "the closing report")
    attempt = call["attempts"][0]
    assert attempt["provider_call_id"] == placement.sid
    assert (attempt["talk_seconds"], attempt["cost"]) == (34, {"amount": "1.5", "currency": "KES"})
    assert sorted(hops_of(call)) == ["connected", "dialing", "message_out", "session_completed", "terminate"]
    assert all(hop["at"] is None for hop in attempt["hops"] if hop["hop"] != "message_out"), "its times have no zone"


def test_a_report_that_names_only_the_session_finds_its_call_even_before_the_response(pipeline):
    def overtake(placement):
        pipeline.provider.report(placement, "NotAnswered", clientRequestId=None, **ABSENT)

    request = pipeline.new_request()
    pipeline.provider.script(request["to"], after(overtake, accept()))
    pipeline.send(request)
    call = pipeline.wait_status(request, "Subscriber_absent")
    assert call["attempts"][0]["reason"] == {"code": "SUBSCRIBER_ABSENT", "detail": "NotAnswered"}


def test_a_call_that_asks_by_its_session_alone_is_told_its_message(pipeline):
    request = pipeline.request(message={"play": "https://example.org/a.mp3?x=1&y=2"})
    placement = placement_of(pipeline, request)
    asked = pipeline.provider.report(
        placement, "Answered", clientRequestId=None, callStartTime="2021-10-13 19:10:16"
    )
    assert asked.text.endswith('<Response><Play url="https://example.org/a.mp3?x=1&amp;y=2"/></Response>')
    pipeline.wait_status(request, "Completed")


def test_a_refused_number_is_final_with_the_providers_word(pipeline):
    request = pipeline.new_request(retry={"max_attempts": 3, "on": ["Failed_unknown_reason"]})
    pipeline.provider.script(request["to"], refuse_number())
    pipeline.send(request)
    call = pipeline.wait_final(request, "Failed_unknown_reason")
    assert call["attempts"][0]["reason"]["code"] == "InvalidPhoneNumber"
    assert len(call["attempts"]) == 1


def test_an_unknown_session_that_asks_is_told_to_hang_up(pipeline):
    asked = post(pipeline, {"isActive": "1", "sessionId": "ATVId_unknown", "callSessionState": "Answered"})
    assert asked.status_code == 200 and asked.text.endswith("<Response/>")


@pytest.mark.parametrize("token", ["", "guarded"])
def test_who_does_not_know_the_secret_reports_nothing(pipeline, token):
    assert post(pipeline, {"isActive": "0", "sessionId": "ATVId_1"}, token).status_code == 403
