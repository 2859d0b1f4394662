"""The gateway: callbacks are safe before they are acknowledged; answers, POST /v1, GET /v1; what it refuses."""

import socket
import threading
import time
from email.utils import formatdate
from urllib.parse import urlencode, urlsplit
from xml.etree import ElementTree

import pytest
import requests

from harness import twilio
from harness.broker import Broker
from harness.pipeline import Services
from harness.wait import wait_until

CHANNELS = {"main": {}, "second": {"from": "+254711082001"}}
FIELDS = {"CallSid": "CA" + "0" * 32, "CallStatus": "ringing", "Timestamp": formatdate()}


@pytest.fixture
def gateway(pipeline):
    return pipeline.worker("gateway").gateway


# --- callbacks ---------------------------------------------------------------------------------------------------


def test_a_callback_stands_on_the_topic_byte_for_byte(pipeline):
    request = pipeline.request()
    pipeline.placed(request)
    fields = list(FIELDS.items()) + [("To", request["to"]), ("Odd", "a b+c%&=é"), ("Odd", "again")]
    headers, body = twilio.signed_post(pipeline.attempt_url(request), fields)
    body = body.replace("+", "%20")  # the same values in another spelling: what came is what is kept
    url = pipeline.provider.delivered_to(pipeline.attempt_url(request))
    assert requests.post(url, body, headers=headers, timeout=10).status_code // 100 == 2
    record = pipeline.tap.wait(pipeline.topics["CALLBACKS"], lambda r: r.value == body.encode(), "the callback")[0]
    assert record.key.decode() == f"acme/{request['call_id']}"
    told = {name: record.headers.get(name) for name in ("ce_provider", "ce_channel", "ce_verified", "ce_type")}
    assert told == {
        "ce_provider": "twilio",
        "ce_channel": "main",
        "ce_verified": "signature",
        "ce_type": "ivr.callback",
    }
    about = [record.headers.get(name) for name in ("ce_tenant", "ce_callid", "ce_attempt")]
    assert about == ["acme", request["call_id"], "1"]
    assert record.headers["content-type"] == headers["Content-Type"]
    assert record.headers["ce_specversion"] == "1.0"
    assert record.headers["ce_id"] and record.headers["ce_time"].endswith("Z")


def test_a_callback_to_the_fixed_url_is_keyed_by_the_provider_s_id(pipeline):
    sid = twilio.new_sid()
    response = pipeline.provider.post(pipeline.short_url(), FIELDS | {"CallSid": sid})
    assert response.status_code // 100 == 2
    record = pipeline.tap.wait(pipeline.topics["CALLBACKS"], lambda r: sid.encode() in r.value, "the callback")[0]
    assert record.key.decode() == f"twilio:{sid}"
    assert "ce_callid" not in record.headers


def test_a_callback_by_get_is_its_query_string(pipeline):
    request = pipeline.request()
    placement = pipeline.placed(request)
    query = urlencode(FIELDS | {"CallSid": placement.sid, "CallStatus": "completed"})
    url = pipeline.attempt_url(request) + "?" + query
    headers = {"X-Twilio-Signature": twilio.signature(url)}
    assert requests.get(pipeline.provider.delivered_to(url), headers=headers, timeout=10).status_code // 100 == 2
    pipeline.tap.wait(pipeline.topics["CALLBACKS"], lambda r: r.value == query.encode(), "the query string")
    pipeline.wait_status(request, "Completed")


def test_the_query_of_a_post_is_signed_and_kept_apart(pipeline):
    request = pipeline.request()
    placement = pipeline.placed(request)
    url = pipeline.attempt_url(request) + "?region=east&x=%2F"
    assert pipeline.provider.post(url, FIELDS | {"CallSid": placement.sid, "Mark": "q1"}).status_code // 100 == 2
    record = pipeline.tap.wait(pipeline.topics["CALLBACKS"], lambda r: b"Mark=q1" in r.value, "the callback")[0]
    assert record.headers["ce_query"] == "region=east&x=%2F"


def test_a_bad_signature_is_refused_and_leaves_no_record(pipeline):
    request = pipeline.request()
    pipeline.placed(request)
    url = pipeline.attempt_url(request)
    forged = FIELDS | {"Mark": "forged"}
    actual = pipeline.provider.delivered_to(url)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    tries = [
        pipeline.provider.post(url, forged, token="not the token"),
        requests.post(actual, urlencode(forged), headers=form, timeout=10),
        requests.post(actual, urlencode(forged), headers=form | {"X-Twilio-Signature": ""}, timeout=10),
        requests.post(actual, urlencode(forged), headers=form | {"X-Twilio-Signature": "x" * 5000}, timeout=10),
        requests.post(
            actual,
            urlencode(forged | {"CallStatus": "completed"}),
            headers=form | {"X-Twilio-Signature": twilio.signature(url, list(forged.items()))},
            timeout=10,
        ),
        requests.post(
            pipeline.provider.delivered_to(pipeline.attempt_url(request, attempt=2)),
            urlencode(forged),
            headers=form | {"X-Twilio-Signature": twilio.signature(url, list(forged.items()))},
            timeout=10,
        ),
    ]
    assert [response.status_code for response in tries] == [403] * len(tries)
    pipeline.report(request, "ringing")
    pipeline.wait_committed("ivr-status", "CALLBACKS")
    assert not pipeline.callback_records(lambda record: b"forged" in record.value)


def test_an_unknown_channel_or_path_is_not_found(pipeline, gateway):
    for path in (
        "/callbacks/twilio/nowhere",
        "/callbacks/twilio/nowhere/acme/c-1/1",
        "/callbacks/vonage/main",
        "/callbacks/nobody/main/acme/c-1/1",
        "/callbacks/twilio",
        "/callbacks",
        "/nothing/here",
        "/",
    ):
        response = pipeline.provider.post(pipeline.public_url + path, FIELDS)
        assert response.status_code == 404, f"{path}: {response.status_code} {response.text}"


def test_paths_of_all_kinds_are_answered(pipeline, gateway):
    """Whatever stands in the path: an answer from 400 on, and never a record."""
    before = len(pipeline.callback_records())
    for path in (
        "/callbacks/twilio/main/../../v1/calls",
        "/callbacks/twilio/main/acme/%2e%2e/1",
        "/callbacks/twilio/main/acme/a%2Fb/1",
        "/callbacks/twilio/main/acme/%00/1",
        "/callbacks/twilio/main/acme/c-1/0",
        "/callbacks/twilio/main/acme/c-1/minus",
        "/callbacks/twilio/main/acme/c-1/99999999999999999999",
        "/callbacks/twilio/main/acme/c-1/1/more",
        "/callbacks/twilio/main/%ff/c-1/1",
        "/callbacks/" + "x" * 3000,
        "//callbacks//twilio//main",
        "/%",
    ):
        parts = urlsplit(gateway)
        with socket.create_connection((parts.hostname, parts.port), timeout=5) as wire:
            head = f"POST {path} HTTP/1.1\r\nHost: ivr.example.test\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            wire.sendall(head.encode())
            answer = wire.makefile("rb").readline().decode()
        assert answer.startswith("HTTP/1.1 4"), f"{path}: {answer!r}"
    assert len(pipeline.callback_records()) == before


def test_a_body_over_64_kib_is_too_large(pipeline):
    url = pipeline.short_url()
    assert pipeline.provider.post(url, FIELDS | {"Filler": "x" * (65 * 1024)}).status_code == 413
    assert pipeline.provider.post(url, FIELDS | {"Filler": "x" * (60 * 1024)}).status_code // 100 == 2


def test_an_oversized_body_of_unknown_length_is_too_large(pipeline, gateway):
    def chunks():
        for _ in range(200):
            yield b"x" * 1024

    path = urlsplit(pipeline.short_url()).path
    try:
        status = requests.post(gateway + path, data=chunks(), timeout=10).status_code
    except requests.ConnectionError:  # refusing before all was read ends the connection under the sender
        return
    assert status == 413


def test_other_methods_are_refused(pipeline, gateway):
    path = urlsplit(pipeline.short_url()).path
    for method in ("PUT", "DELETE", "PATCH"):
        assert requests.request(method, gateway + path, timeout=10).status_code in (404, 405)


def test_half_open_clients_do_not_keep_others_out(pipeline, gateway):
    parts = urlsplit(gateway)
    idle = [socket.create_connection((parts.hostname, parts.port), timeout=5) for _ in range(200)]
    try:
        for wire in idle:
            wire.sendall(b"POST /callbacks/twilio/main HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nCallSid=")
        started = time.monotonic()
        assert pipeline.provider.post(pipeline.short_url(), FIELDS).status_code // 100 == 2
        assert time.monotonic() - started < 2
    finally:
        for wire in idle:
            wire.close()


def test_many_callbacks_at_once_are_each_kept(pipeline):
    def send(number):
        response = pipeline.provider.post(pipeline.short_url(), FIELDS | {"Mark": f"many-{number:03d}"})
        codes.append(response.status_code // 100)

    codes = []
    threads = [threading.Thread(target=send, args=(number,)) for number in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == [2] * 100
    found = pipeline.tap.wait(pipeline.topics["CALLBACKS"], lambda r: b"many-" in r.value, "100 callbacks", count=100)
    assert len({record.headers["ce_id"] for record in found}) == 100


def test_callbacks_are_counted_by_result(pipeline):
    metrics = pipeline.worker("gateway").metrics()
    for result in ("accepted", "bad_signature", "unknown_channel", "too_large"):
        assert metrics.value("ivr_callbacks_total", result=result) > 0, f"{result} was never counted"


@pytest.fixture
def own_broker(workdir, redis_server):
    broker = Broker(workdir / "kafka-that-stops")
    yield Services(broker, redis_server)
    broker.stop()


def test_a_callback_is_not_acknowledged_while_kafka_does_not(own_broker, make_pipeline):
    pipeline = make_pipeline(services=own_broker, start=("gateway",))
    assert pipeline.provider.post(pipeline.short_url(), FIELDS).status_code // 100 == 2
    own_broker.broker.process.freeze()
    try:
        started = time.monotonic()
        response = pipeline.provider.post(pipeline.short_url(), FIELDS | {"Mark": "while-frozen"})
        took = time.monotonic() - started
        assert response.status_code == 503
        assert took < 4.5, f"503 took {took:.1f} s; the contract says within 4"
        response = pipeline.api("/v1/calls", "POST", json=pipeline.new_request())
        assert response.status_code == 503
    finally:
        own_broker.broker.process.thaw()
    wait_until(
        lambda: pipeline.provider.post(pipeline.short_url(), FIELDS).status_code // 100 == 2, "Kafka's return", 30
    )


# --- answers -----------------------------------------------------------------------------------------------------


def fetch_answer(pipeline, request, attempt=1, channel="main"):
    placement = (pipeline.provider.placements(request["to"]) or [None])[-1]
    sid = placement.sid if placement else twilio.new_sid()
    fields = twilio.callback_fields(sid, request["to"], "+254711082000", "in-progress")
    return pipeline.provider.post(pipeline.attempt_url(request, attempt, channel, "answer"), fields)


def test_the_answer_to_say_is_twiml(pipeline):
    request = pipeline.request(message={"say": 'Bei ya mahindi < 45 & "sawa"', "language": "sw-KE"})
    pipeline.placed(request)
    response = fetch_answer(pipeline, request)
    assert response.status_code == 200
    assert response.headers["Content-Type"].split(";")[0] in ("text/xml", "application/xml")
    say = ElementTree.fromstring(response.content).find("Say")
    assert say.text == 'Bei ya mahindi < 45 & "sawa"'
    assert say.get("language") == "sw-KE"


def test_the_answer_to_play_is_twiml(pipeline):
    request = pipeline.request(message={"play": "https://cdn.example.test/a.mp3?x=1&y=2"})
    pipeline.placed(request)
    document = ElementTree.fromstring(fetch_answer(pipeline, request).content)
    assert document.tag == "Response"
    assert document.find("Play").text == "https://cdn.example.test/a.mp3?x=1&y=2"


def test_the_answer_for_an_unknown_call_hangs_up(pipeline):
    response = fetch_answer(pipeline, pipeline.new_request())
    assert response.status_code == 404
    assert ElementTree.fromstring(response.content).find("Hangup") is not None


def test_the_answer_needs_a_signature(pipeline):
    request = pipeline.request()
    pipeline.placed(request)
    url = pipeline.provider.delivered_to(pipeline.attempt_url(request, what="answer"))
    assert requests.post(url, urlencode(FIELDS), timeout=10).status_code == 403


# --- /v1 ---------------------------------------------------------------------------------------------------------


def test_a_posted_request_is_placed(pipeline):
    request = pipeline.new_request()
    response = pipeline.api("/v1/calls", "POST", json=request)
    assert (response.status_code, response.json()) == (202, {"accepted": [request["call_id"]]})
    pipeline.placed(request)
    pipeline.wait_status(request, "Pending")


def test_an_array_is_taken_as_a_whole(pipeline):
    requests_ = [pipeline.new_request() for _ in range(20)]
    response = pipeline.api("/v1/calls", "POST", json=requests_)
    assert response.status_code == 202
    assert response.json()["accepted"] == [request["call_id"] for request in requests_]
    for request in requests_:
        pipeline.wait_status(request, "Pending")


def test_one_bad_request_refuses_the_whole_array_and_is_named(pipeline):
    good, bad = pipeline.new_request(), pipeline.new_request(ring_timeout="40")
    wrong = pipeline.new_request(to="0722000111")
    response = pipeline.api("/v1/calls", "POST", json=[good, bad, wrong])
    assert response.status_code == 422
    errors = response.json()["errors"]
    assert [(error["index"], error["field"]) for error in errors] == [(1, "ring_timeout"), (2, "to")]
    assert all(len(error["message"]) > 10 for error in errors)
    assert "0722000111" not in response.text
    marker = pipeline.request()
    pipeline.wait_status(marker, "Pending")
    assert pipeline.call(good) is None
    assert pipeline.provider.dials(good["to"]) == 0


@pytest.mark.parametrize("body", [b"", b"{", b"call", b"[1,", b"\xff\xfe", b"{}\0", b"[" * 50000])
def test_what_is_no_json_is_a_bad_request(pipeline, body):
    response = pipeline.api("/v1/calls", "POST", data=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 400


@pytest.mark.parametrize("body", ["17", "null", '"x"', "[17]", "[null]", "[[]]", "{}"])
def test_json_that_is_no_request_is_refused(pipeline, body):
    response = pipeline.api("/v1/calls", "POST", data=body, headers={"Content-Type": "application/json"})
    assert response.status_code in (400, 422), response.text


def test_v1_needs_its_token(pipeline):
    request = pipeline.request()
    pipeline.wait_status(request, "Pending")
    path = f"/v1/calls/acme/{request['call_id']}"
    for token in (None, "wrong", "a-token-for-the-tests-and-more", "a-token"):
        assert pipeline.api(path, token=token).status_code == 401
        assert pipeline.api("/v1/calls", "POST", token=token, json=pipeline.new_request()).status_code == 401
    assert pipeline.api(path).status_code == 200


def test_v1_is_off_without_a_token(make_pipeline):
    pipeline = make_pipeline(start=("gateway",), env={"IVR_API_TOKEN": None})
    assert pipeline.api("/v1/calls/acme/x").status_code == 404
    assert pipeline.api("/v1/calls", "POST", json=pipeline.new_request()).status_code == 404


def test_an_unknown_call_or_campaign_is_not_found(pipeline):
    for path in (
        "/v1/calls/acme/unknown",
        "/v1/calls/acme",
        "/v1/campaigns/acme/unknown",
        "/v1/calls/acme/..%2f..",
        "/v1",
    ):
        assert pipeline.api(path).status_code == 404, path


def test_the_state_of_a_call_and_its_campaign_can_be_read(pipeline):
    request = pipeline.request()
    pipeline.report(request, "ringing", "completed", CallDuration=9)
    call = pipeline.wait_final(request, "Completed")
    assert set(call) >= {
        "tenant", "campaign", "call_id", "to", "phase", "status", "final", "drop_reason", "seq", "next_attempt_at",
        "created_at", "updated_at", "attempts",
    }  # fmt: skip
    attempt = call["attempts"][0]
    assert set(attempt) >= {
        "attempt", "channel", "provider", "provider_call_id", "status", "reason", "placed_at", "ring_seconds",
        "talk_seconds", "cost", "hops",
    }  # fmt: skip
    assert set(attempt["hops"][0]) >= {"hop", "at", "recorded_at", "detail"}
    assert call["to"] == request["to"][:5] + "****" + request["to"][-4:]
    response = pipeline.api(f"/v1/campaigns/acme/{request['campaign']}")
    assert response.status_code == 200
    assert response.json()["by_status"]["Completed"] == 1


def test_the_public_url_may_have_a_path(make_pipeline):
    pipeline = make_pipeline(public_url="https://ivr.example.test/voice")
    request = pipeline.request()
    assert pipeline.placed(request).status_callback.startswith("https://ivr.example.test/voice/callbacks/twilio/main/")
    pipeline.report(request, "completed")
    pipeline.wait_final(request, "Completed")
