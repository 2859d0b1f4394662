"""Africa's Talking, end to end: one registered URL takes the reports of every call and answers those that ask."""

import itertools

import pytest
import requests
from harness.provider import after

CHANNELS = {
    "main": {
        "provider": "africastalking",
        "credentials": {"username": "acme", "api_key": "key"},
        "callback_secret": "guard",
    }
}

HUNG_UP = {
    "status": "Success",
    "hangupCause": "NORMAL_CLEARING",
    "callStartTime": "2021-10-13+19:10:16",
    "durationInSeconds": "34",
    "amount": "1.5",
    "currencyCode": "KES",
}
ABSENT = {
    "status": "NotAnswered",
    "hangupCause": "SUBSCRIBER_ABSENT",
    "callStartTime": "None",
    "durationInSeconds": "0",
}

_sessions = itertools.count(1)


def session_of(placement):
    """The provider's id for it, made up at the first look."""
    if not hasattr(placement, "session"):
        placement.session = f"ATVId_{next(_sessions):032x}"
    return placement.session


def queue(exchange):
    number = exchange.placement.field("to")
    entry = {"phoneNumber": number, "status": "Queued", "sessionId": session_of(exchange.placement)}
    exchange.send(200, {"entries": [entry], "errorMessage": "None"})


@pytest.fixture(autouse=True)
def accepts(pipeline):
    pipeline.provider.script("", queue)


def placement_of(pipeline, request):
    """The provider's view of this request; its number stands in another field than Twilio's does."""
    state = pipeline.wait_call(request, lambda call: call["status"] is not None, "a first status")
    mine = [p for p in pipeline.provider.placements() if p.field("to") == request["to"]]
    assert len(mine) == 1, f"{len(mine)} placements; the call is {state}"
    return mine[0]


def post(pipeline, fields, token="guard"):
    url = pipeline.provider.delivered_to(f"{pipeline.public_url}/callbacks/africastalking/main")
    return requests.post(url, data=fields, params={"token": token} if token else None, timeout=10)


def report(pipeline, placement, active, state, reference=True, **fields):
    body = {"isActive": active, "callSessionState": state, "sessionId": session_of(placement), "direction": "Outbound"}
    if reference:
        body["clientRequestId"] = placement.field("clientRequestId")
    response = post(pipeline, body | fields)
    assert response.status_code // 100 == 2, f"{response.status_code} {response.text}"
    return response


def hops_of(call):
    return [hop["hop"] for hop in call["attempts"][0]["hops"]]


def test_an_answered_call_is_told_its_message_and_becomes_completed(pipeline):
    request = pipeline.request(message={"say": "Bei ya <mahindi>"})
    placement = placement_of(pipeline, request)
    assert placement.path == "/call" and placement.headers["apiKey"] == "key"
    assert placement.field("clientRequestId") == f"acme/{request['call_id']}/1"
    report(pipeline, placement, "1", "Ringing", callStartTime="None")
    asked = report(pipeline, placement, "1", "Answered", callStartTime="2021-10-13+19:10:16")
    assert asked.headers["Content-Type"].startswith("application/xml")
    assert asked.text.endswith("<Response><Say>Bei ya &lt;mahindi&gt;</Say></Response>")
    report(pipeline, placement, "0", "Completed", **HUNG_UP)
    call = pipeline.wait_final(request, "Completed")
    attempt = call["attempts"][0]
    assert attempt["provider_call_id"] == session_of(placement)
    assert (attempt["talk_seconds"], attempt["cost"]) == (34, {"amount": "1.5", "currency": "KES"})
    assert sorted(hops_of(call)) == ["connected", "dialing", "message_out", "session_completed", "terminate"]
    assert all(hop["at"] is None for hop in attempt["hops"] if hop["hop"] != "message_out"), "its times have no zone"


def test_a_report_that_names_only_the_session_finds_its_call_even_before_the_response(pipeline):
    def overtake(placement):
        report(pipeline, placement, "0", "NotAnswered", reference=False, **ABSENT)

    pipeline.provider.script("", after(overtake, queue))
    request = pipeline.request()
    call = pipeline.wait_status(request, "Subscriber_absent")
    assert call["attempts"][0]["reason"] == {"code": "SUBSCRIBER_ABSENT", "detail": "NotAnswered"}


def test_a_call_that_asks_by_its_session_alone_is_told_its_message(pipeline):
    request = pipeline.request(message={"play": "https://example.org/a.mp3?x=1&y=2"})
    placement = placement_of(pipeline, request)
    asked = report(pipeline, placement, "1", "Answered", reference=False, callStartTime="2021-10-13 19:10:16")
    assert asked.text.endswith('<Response><Play url="https://example.org/a.mp3?x=1&amp;y=2"/></Response>')
    pipeline.wait_status(request, "Completed")


def test_a_refused_number_is_final_with_the_providers_word(pipeline):
    def refuse(exchange):
        entry = {"phoneNumber": exchange.placement.field("to"), "status": "InvalidPhoneNumber", "sessionId": "None"}
        exchange.send(200, {"entries": [entry], "errorMessage": "None"})

    pipeline.provider.script("", refuse)
    request = pipeline.request(retry={"max_attempts": 3, "on": ["Failed_unknown_reason"]})
    call = pipeline.wait_final(request, "Failed_unknown_reason")
    assert call["attempts"][0]["reason"]["code"] == "InvalidPhoneNumber"
    assert len(call["attempts"]) == 1


def test_an_unknown_session_that_asks_is_told_to_hang_up(pipeline):
    asked = post(pipeline, {"isActive": "1", "sessionId": "ATVId_unknown", "callSessionState": "Answered"})
    assert asked.status_code == 200 and asked.text.endswith("<Response/>")


@pytest.mark.parametrize("token", [None, "guarded"])
def test_who_does_not_know_the_secret_reports_nothing(pipeline, token):
    assert post(pipeline, {"isActive": "0", "sessionId": "ATVId_1"}, token).status_code == 403
