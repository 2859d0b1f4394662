"""What is beside the point costs nobody a status: odd bytes, numbers, keys and encodings, through the whole system."""

import base64
import gzip
import hashlib
import hmac
import json
import zlib
from urllib.parse import unquote_to_bytes

import pytest
from harness import africastalking, twilio, vonage
from harness.provider import accept, after, answer
from harness.zones import Zones

CHANNELS = {
    "twilio": {"provider": "twilio", "from": "+254711082001"},
    "africastalking": {"provider": "africastalking", "from": "+254711082002"},
    "vonage": {"provider": "vonage", "from": "+254711082003"},
}

# Fields that nobody needs, as they stand in a form and in a JSON object.
FORM = b"&carrier=Telef\xf3nica&a=%FF&b=x%00y&c=100%&d=%zz&e=%C0%80&%FF=1&f=1&f=2&g=99999999999999999999&h=%ED%A0%80"
MEMBERS = (
    b'"carrier":"Telef\xf3nica","a":"\\u0000","b":"\\ud800","c":12345678901234567890,"d":[1e400,-1e400],"e":1,"e":2,'
    b'"\xff":1,"f":"\xc0\x80","g":' + b"[" * 70 + b"]" * 70 + b","
)
MARK = b"\xef\xbb\xbf"


def odd(document):
    """An object's bytes with all of that in it."""
    text = json.dumps(document).encode()
    assert text[:1] == b"{"
    return MARK + b"{" + MEMBERS + text[1:]


def oddly(reply):
    """A reply of the language's own, with the oddities."""

    def send(exchange):
        status, document = reply(exchange.placement)
        exchange.send(status, odd(document))

    return send


def sign_form(url, body):
    """X-Twilio-Signature over the bytes, whatever they are."""
    pairs = [part.partition(b"=")[::2] for part in body.split(b"&") if part]
    fields = {tuple(unquote_to_bytes(text.replace(b"+", b" ")) for text in pair) for pair in pairs}
    text = url.partition("#")[0].encode() + b"".join(name + value for name, value in sorted(fields))
    return base64.b64encode(hmac.new(twilio.AUTH_TOKEN.encode(), text, hashlib.sha1).digest()).decode()


def deliver_oddly(pipeline, placement, word, **fields):
    """A signed report of the placement with everything odd in it."""
    language = placement.language
    url = pipeline.provider.callback_url(placement)
    report = language.callback(placement, word, **fields)
    method, url, headers, body = language.delivery(url, report)
    if language is vonage:
        body = odd(report)
        headers["Authorization"] = vonage.bearer(body)
    else:
        body = (body if isinstance(body, bytes) else body.encode()) + FORM
    if language is twilio:
        headers["X-Twilio-Signature"] = sign_form(url, body)
    return pipeline.provider.deliver(method, url, headers, body)


def placement_of(pipeline, request):
    pipeline.wait_status(request, "Pending")
    (placement,) = pipeline.provider.placements(request["to"])
    return placement


BUSY = {
    "twilio": ("busy", {}),
    "africastalking": ("NotAnswered", {"hangupCause": "USER_BUSY", "status": "NotAnswered"}),
    "vonage": ("busy", {}),
}


@pytest.mark.parametrize("channel", CHANNELS)
def test_a_report_with_odd_fields_is_the_report_that_it_is(pipeline, channel):
    request = pipeline.new_request(channel=channel)
    pipeline.provider.script(request["to"], oddly(lambda placement: placement.language.accepted(placement)))
    pipeline.send(request)
    placement = placement_of(pipeline, request)  # its 201 had odd fields, too
    word, fields = BUSY[channel]
    response = deliver_oddly(pipeline, placement, word, **fields)
    assert response.status_code // 100 == 2, response.text
    call = pipeline.wait_final(request, "User_busy")
    assert call["attempts"][0]["provider_call_id"] == placement.sid
    assert not pipeline.dead_letters(lambda letter: placement.sid.encode() in (letter.value or b""))


@pytest.mark.parametrize("channel", CHANNELS)
def test_a_refusal_with_odd_fields_is_a_refusal(pipeline, channel):
    request = pipeline.new_request(channel=channel)
    pipeline.provider.script(request["to"], oddly(lambda placement: placement.language.refused(placement)))
    pipeline.send(request)
    call = pipeline.wait_final(request, "Failed_unknown_reason")
    assert call["attempts"][0]["reason"]["code"] == {"twilio": "21211", "africastalking": "InvalidPhoneNumber"}.get(
        channel, "HTTP 400"
    )


def test_a_report_with_odd_fields_that_came_first_finds_its_call(pipeline):
    """Its id is read at the gateway, where it becomes the record's key."""

    def overtake(placement):
        response = deliver_oddly(pipeline, placement, "NotAnswered", hangupCause="USER_BUSY", clientRequestId=None)
        assert response.status_code // 100 == 2

    request = pipeline.new_request(channel="africastalking")
    pipeline.provider.script(request["to"], after(overtake, accept()))
    pipeline.send(request)
    pipeline.wait_status(request, "User_busy")
    (placement,) = pipeline.provider.placements(request["to"])
    mine = lambda record: placement.sid.encode() in record.value
    records = pipeline.tap.wait(pipeline.topics["CALLBACKS"], mine, "its report")
    assert {record.key.decode() for record in records} == {f"africastalking:{placement.sid}"}


@pytest.mark.parametrize("active", ["false", "False", "FALSE"])
def test_africastalking_may_say_false_and_write_its_causes_small(pipeline, active):
    request = pipeline.request(channel="africastalking")
    placement = placement_of(pipeline, request)
    asked = pipeline.provider.report(placement, "Answered", isActive="true", callStartTime=africastalking.STARTED)
    assert "<Say>" in asked.text
    pipeline.wait_status(request, "Completed")
    other = pipeline.request(channel="africastalking")
    pipeline.provider.report(
        placement_of(pipeline, other), "NotAnswered", isActive=active, hangupCause="subscriber_absent"
    )
    call = pipeline.wait_final(other, "Subscriber_absent")
    assert call["attempts"][0]["reason"]["code"] == "subscriber_absent"


def test_what_is_needed_and_cannot_be_read_is_named(pipeline):
    request = pipeline.request(channel="twilio")
    placement = placement_of(pipeline, request)
    url = pipeline.provider.callback_url(placement)
    body = f"CallSid={placement.sid}&CallStatus=bus%FF".encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded", "X-Twilio-Signature": sign_form(url, body)}
    assert pipeline.provider.deliver("POST", url, headers, body).status_code // 100 == 2
    letter = pipeline.wait_dead_letter(lambda letter: letter.value == body)
    assert letter.headers["ivr-reason"] == "unparseable_callback"
    assert "CallStatus" in letter.headers["ivr-detail"]


# --- requests ----------------------------------------------------------------------------------------------------


def test_a_request_with_odd_fields_is_dialled(pipeline):
    request = pipeline.new_request(channel="twilio")
    pipeline.produce("CALL_REQUESTS", odd(request), key=request["call_id"])
    placement_of(pipeline, request)


def test_numbers_in_metadata_come_out_as_they_went_in(pipeline):
    numbers = b'{"big":12345678901234567890,"exact":3.14159265358979323846,"price":0.1}'
    posted = pipeline.new_request(channel="twilio")
    produced = pipeline.new_request(channel="twilio")
    for request in (posted, produced):
        body = json.dumps(request).encode()[:-1] + b',"metadata":' + numbers + b"}"
        if request is produced:
            pipeline.produce("CALL_REQUESTS", body, key=request["call_id"])
        else:
            response = pipeline.api("/v1/calls", "POST", data=body, headers={"Content-Type": "application/json"})
            assert response.status_code == 202, response.text
        pipeline.wait_event(request, lambda event: event["status"] == "Pending", "that it is placed")
        records = pipeline.tap.records(
            pipeline.topics["CALL_EVENTS"], lambda r, request=request: r.json["call_id"] == request["call_id"]
        )
        assert records and all(b'"metadata":' + numbers in record.value for record in records)


def test_nobody_is_dialled_for_one_of_two_numbers(pipeline):
    request = pipeline.new_request(channel="twilio")
    other = pipeline.new_number()
    body = json.dumps(request).encode()[:-1] + f',"to":"{other}"}}'.encode()
    pipeline.produce("CALL_REQUESTS", body, key=request["call_id"])
    letter = pipeline.wait_dead_letter(lambda letter: letter.value == body)
    assert letter.headers["ivr-reason"] == "invalid_request"
    assert letter.headers["ivr-detail"].startswith("to: is there twice")
    assert pipeline.provider.dials(request["to"]) == pipeline.provider.dials(other) == 0


@pytest.mark.parametrize(
    ("name", "text"),
    {
        "a number": b"17",
        "a number past all bounds": b"1e400",
        "5000 levels": b'{"call_id":' * 5000 + b"1" + b"}" * 5000,
        "an escaped NUL": b'{"call_id":"odd\\u0000"}',
        "a lone surrogate": b'{"call_id":"odd\\ud800"}',
    }.items(),
)
def test_what_is_json_is_never_called_invalid_json(pipeline, name, text):
    pipeline.produce("CALL_REQUESTS", text, key=name)
    letter = pipeline.wait_dead_letter(lambda letter: letter.key == name.encode())
    assert letter.headers["ivr-reason"] == "invalid_request", letter.headers["ivr-detail"]


# --- packed replies ----------------------------------------------------------------------------------------------


PACKED = {
    "gzip": ("gzip", gzip.compress),
    "x-gzip": ("x-gzip", gzip.compress),
    "deflate": ("deflate", zlib.compress),
}


@pytest.mark.parametrize("encoding", PACKED)
def test_a_packed_reply_is_read(pipeline, encoding):
    name, pack = PACKED[encoding]
    asked = []

    def reply(exchange):
        asked.append(exchange.placement.headers.get("Accept-Encoding", ""))
        status, document = exchange.placement.language.accepted(exchange.placement)
        exchange.send(status, pack(json.dumps(document).encode()), headers={"Content-Encoding": name})

    request = pipeline.new_request(channel="twilio")
    pipeline.provider.script(request["to"], reply)
    pipeline.send(request)
    placement_of(pipeline, request)
    assert "gzip" in asked[0]


def test_a_bomb_is_a_reply_that_nobody_can_read(pipeline):
    bomb = gzip.compress(b" " * 50_000_000)
    request = pipeline.new_request(channel="twilio")
    pipeline.provider.script(request["to"], answer(201, bomb, headers={"Content-Encoding": "gzip"}))
    pipeline.send(request)
    pipeline.wait_status(request, "Gateway_unavailable")
    assert pipeline.provider.dials(request["to"]) == 1


# --- what was accepted once --------------------------------------------------------------------------------------


def test_who_answers_hears_the_message_also_where_tzdata_has_changed(make_pipeline, workdir):
    """And a call whose hours nobody here can tell is kept, and told of: another machine may know them."""
    zones, poorer = Zones(workdir / "odd-zones"), Zones(workdir / "odd-zones-poorer")
    hours = {"timezone": zones.write("Test/Always", 0), "from": "00:00", "to": "24:00"}
    pipeline = make_pipeline(env={"TZDIR": str(zones.path)})
    answered = pipeline.request(calling_hours=hours)
    retried = pipeline.request(calling_hours=hours, retry={"max_attempts": 2, "delays": [0]})
    placement = placement_of(pipeline, answered)
    placement_of(pipeline, retried)
    pipeline.restart("gateway", TZDIR=str(poorer.path))
    dispatch = pipeline.restart("dispatch", TZDIR=str(poorer.path))
    response = pipeline.provider.post(
        pipeline.attempt_url(answered, what="answer"),
        twilio.callback_fields(placement.sid, placement.to, placement.sender, "in-progress"),
    )
    assert response.status_code == 200 and answered["message"]["say"] in response.text
    pipeline.report(retried, "busy")
    line = dispatch.wait_log(lambda line: line.get("timezone") == "Test/Always", "the zone that is missing")
    assert "tzdata" in line["msg"] and line["call"] == f"acme/{retried['call_id']}"
    call = pipeline.wait_status(retried, "User_busy")
    assert (call["phase"], call["final"]) == ("waiting", False)
    assert pipeline.provider.dials(retried["to"]) == 1
    assert dispatch.metrics().value("ivr_stored_requests_unread_total", reason="lost_zone") >= 1
