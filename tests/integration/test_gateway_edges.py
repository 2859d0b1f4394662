"""The gateway at its edges: the short form of answers, Redis that is gone, sizes, methods, traces, leaving."""

import base64
import hashlib
import hmac
import json
import threading
import time
from email.utils import formatdate
from urllib.parse import urlsplit
from xml.etree import ElementTree

import pytest
import requests

from harness import twilio
from harness.pipeline import Services
from harness.provider import accept, hold
from harness.redis_server import RedisServer
from harness.wait import wait_until

FIELDS = {"CallSid": "CA" + "0" * 32, "CallStatus": "ringing", "Timestamp": formatdate()}
SAY = {"say": "Maize is at 45 shillings.", "language": "en-GB"}


@pytest.fixture
def gateway(pipeline):
    return pipeline.worker("gateway").gateway


def ask(pipeline, sid, path="/answer/twilio/main"):
    """The answer request of a channel whose URL names no call; (response, seconds)."""
    started = time.monotonic()
    response = pipeline.provider.post(
        pipeline.public_url + path, FIELDS | {"CallSid": sid, "CallStatus": "in-progress"}
    )
    return response, time.monotonic() - started


def hangs_up(response):
    return ElementTree.fromstring(response.content).find("Hangup") is not None


# --- answers -----------------------------------------------------------------------------------------------------


def test_an_answer_that_names_only_the_provider_s_id_finds_the_message(pipeline):
    request = pipeline.request(message=SAY)
    placement = pipeline.placed(request)
    pipeline.wait_status(request, "Pending")
    response, _ = ask(pipeline, placement.sid)
    assert response.status_code == 200
    assert ElementTree.fromstring(response.content).find("Say").text == SAY["say"]


def test_an_answer_is_waited_for_until_its_id_is_linked(pipeline):
    gate = threading.Event()
    request = pipeline.new_request(message=SAY)
    pipeline.provider.script(request["to"], hold(gate, accept()))
    placement = pipeline.placed(pipeline.send(request))
    threading.Timer(0.8, gate.set).start()
    response, took = ask(pipeline, placement.sid)
    assert response.status_code == 200
    assert 0.5 < took < 2
    assert ElementTree.fromstring(response.content).find("Say").text == SAY["say"]


def test_an_answer_whose_id_is_never_linked_hangs_up_within_two_seconds(pipeline):
    response, took = ask(pipeline, twilio.new_sid())
    assert response.status_code == 404
    assert hangs_up(response)
    assert 1 < took < 2.3


def test_an_answer_that_names_no_call_at_all_hangs_up_at_once(pipeline):
    url = pipeline.public_url + "/answer/twilio/main"
    response = pipeline.provider.post(url, {"Digits": "1"})
    assert response.status_code == 404
    assert hangs_up(response)


def test_asking_what_to_do_proves_an_answer(pipeline):
    request = pipeline.request(message=SAY)
    placement = pipeline.placed(request)
    fields = twilio.callback_fields(placement.sid, request["to"], "+254711082000", "in-progress")
    pipeline.provider.post(pipeline.attempt_url(request, what="answer"), fields)
    pipeline.wait_status(request, "Completed")


def test_a_dropped_call_is_told_to_hang_up(pipeline):
    request = pipeline.request(expires_at="2020-01-01T00:00:00Z")
    pipeline.wait_call(request, lambda call: call["phase"] == "dropped", "the drop")
    fields = FIELDS | {"CallSid": twilio.new_sid()}
    response = pipeline.provider.post(pipeline.attempt_url(request, what="answer"), fields)
    assert response.status_code == 404
    assert hangs_up(response)


# --- callbacks ---------------------------------------------------------------------------------------------------


def test_the_trace_of_a_callback_is_passed_on(pipeline):
    trace = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "tracestate": "congo=t61"}
    pipeline.provider.post(pipeline.short_url(), FIELDS | {"Mark": "traced"}, headers=trace)
    record = pipeline.tap.wait(pipeline.topics["CALLBACKS"], lambda r: b"Mark=traced" in r.value, "the callback")[0]
    assert {name: record.headers.get(name) for name in trace} == trace
    assert record.headers["ce_source"] == "ivr/ivr-gateway"


def signature_of_bytes(url, body):
    """Of a form with one field whose bytes are no text."""
    name, _, value = body.partition(b"=")
    text = url.encode() + name + value
    return base64.b64encode(hmac.new(twilio.AUTH_TOKEN.encode(), text, hashlib.sha1).digest()).decode()


def test_an_unreadable_callback_is_taken_and_becomes_a_dead_letter(pipeline):
    url = pipeline.short_url()
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    body = b"\xff\xfe=%zz\x00"
    headers["X-Twilio-Signature"] = signature_of_bytes(url, body)
    response = requests.post(pipeline.provider.delivered_to(url), body, headers=headers, timeout=10)
    assert response.status_code // 100 == 2
    record = pipeline.tap.wait(pipeline.topics["CALLBACKS"], lambda r: r.value == body, "the callback")[0]
    assert record.key == b"twilio:"
    pipeline.wait_dead_letter(lambda letter: letter.value == body)


def test_a_token_in_the_query_stays_off_the_topic_and_out_of_the_log(pipeline):
    url = pipeline.short_url() + "?a=1&token=very-secret&b=2"
    assert pipeline.provider.post(url, FIELDS | {"Mark": "token"}).status_code // 100 == 2
    forged = pipeline.provider.post(url, FIELDS, token="wrong")
    assert forged.status_code == 403
    record = pipeline.tap.wait(pipeline.topics["CALLBACKS"], lambda r: b"Mark=token" in r.value, "the callback")[0]
    assert record.headers["ce_query"] == "a=1&b=2"
    assert "very-secret" not in pipeline.worker("gateway").stderr()


# --- methods and sizes -------------------------------------------------------------------------------------------


def test_options_and_wrong_methods_name_what_a_path_takes(pipeline, gateway):
    bearer = {"Authorization": "Bearer a-token-for-the-tests"}
    for path, allow in (
        (urlsplit(pipeline.short_url()).path, "GET, POST, OPTIONS"),
        ("/answer/twilio/main", "GET, POST, OPTIONS"),
        ("/v1/calls", "POST, OPTIONS"),
        ("/v1/calls/acme/c-1", "GET, HEAD, OPTIONS"),
    ):
        for method, status in (("OPTIONS", 204), ("DELETE", 405)):
            response = requests.request(method, gateway + path, headers=bearer, timeout=10)
            assert (response.status_code, response.headers.get("Allow")) == (status, allow), f"{method} {path}"
    assert requests.options(gateway + "/nowhere", timeout=10).status_code == 404


def test_head_tells_whether_a_call_is_known(pipeline):
    request = pipeline.request()
    pipeline.wait_status(request, "Pending")
    response = pipeline.api(f"/v1/calls/acme/{request['call_id']}", "HEAD")
    assert (response.status_code, response.content) == (200, b"")
    assert pipeline.api("/v1/calls/acme/unknown", "HEAD").status_code == 404


def test_a_thousand_requests_are_taken_at_once_and_no_more(pipeline):
    many = [pipeline.new_request(not_before="2100-01-01T00:00:00Z") for _ in range(1001)]
    response = pipeline.api("/v1/calls", "POST", json=many)
    assert response.status_code == 422
    assert response.json()["errors"][0]["index"] == 1000
    response = pipeline.api("/v1/calls", "POST", json=many[:1000])
    assert response.status_code == 202
    assert response.json()["accepted"] == [request["call_id"] for request in many[:1000]]


def test_only_who_has_the_token_may_send_a_large_body(pipeline):
    body = json.dumps([pipeline.new_request(metadata={"x": "y" * 1900}) for _ in range(100)])
    assert len(body) > 128 * 1024
    body = body.replace('"to"', '"tos"')  # so that none of them is dialled
    assert pipeline.api("/v1/calls", "POST", data=body).status_code == 422
    assert pipeline.api("/v1/calls", "POST", data=body, token="wrong").status_code == 401
    assert pipeline.api("/v1/calls", "POST", data=b"[" + b" " * (4 * 1024 * 1024) + b"]").status_code == 413


def test_a_request_for_a_channel_that_does_not_exist_is_refused(pipeline):
    response = pipeline.api("/v1/calls", "POST", json=pipeline.new_request(channel="nowhere"))
    assert response.status_code == 422
    error = response.json()["errors"][0]
    assert (error["index"], error["field"]) == (0, "channel")
    assert "nowhere" in error["message"]


def test_an_accepted_request_is_a_cloudevent_keyed_by_its_call_id(pipeline):
    request = pipeline.new_request(metadata={"n": 1})
    assert pipeline.api("/v1/calls", "POST", json=request).status_code == 202
    record = pipeline.tap.wait(
        pipeline.topics["CALL_REQUESTS"], lambda r: r.key == request["call_id"].encode(), "the request"
    )[0]
    assert record.json == request
    assert record.headers["content-type"] == "application/json"
    assert record.headers["ce_specversion"] == "1.0"
    assert record.headers["ce_id"] and record.headers["ce_type"] and record.headers["ce_source"] == "ivr/ivr-gateway"


# --- parts that fail, and leaving --------------------------------------------------------------------------------


@pytest.fixture
def own_redis(workdir, broker):
    server = RedisServer(workdir / "redis-that-stops")
    yield Services(broker, server)
    server.process.thaw()
    server.stop()


def test_without_redis_answers_are_refused_in_time_and_callbacks_still_taken(make_pipeline, own_redis):
    pipeline = make_pipeline(services=own_redis, start=("gateway",))
    request = pipeline.new_request()
    url = pipeline.attempt_url(request, what="answer")
    own_redis.redis.process.freeze()
    started = time.monotonic()
    response = pipeline.provider.post(url, FIELDS)
    assert (response.status_code, time.monotonic() - started < 2.3) == (503, True)
    started = time.monotonic()
    assert pipeline.api(f"/v1/calls/acme/{request['call_id']}").status_code == 503
    assert time.monotonic() - started < 2.3
    assert pipeline.provider.post(pipeline.short_url(), FIELDS).status_code // 100 == 2
    own_redis.redis.process.thaw()
    wait_until(lambda: pipeline.api("/v1/calls/acme/unknown").status_code == 404, "Redis' return", 20)


def test_a_reload_brings_a_new_channel_and_a_bad_file_changes_nothing(make_pipeline):
    pipeline = make_pipeline(start=("gateway",))
    url = f"{pipeline.public_url}/callbacks/twilio/later"
    assert pipeline.provider.post(url, FIELDS).status_code == 404
    pipeline.write_channels({"main": {}, "later": {}})
    pipeline.reload()
    wait_until(lambda: pipeline.provider.post(url, FIELDS).status_code // 100 == 2, "the new channel", 10)
    pipeline.channels_path.write_text("{", encoding="utf-8")
    pipeline.reload()
    pipeline.worker("gateway").wait_log(lambda line: line["level"] == "error", "the bad file")
    assert pipeline.provider.post(url, FIELDS).status_code // 100 == 2


def test_leaving_answers_what_is_in(make_pipeline):
    pipeline = make_pipeline(start=("gateway",))
    worker = pipeline.worker("gateway")
    answers = []
    asking = threading.Thread(target=lambda: answers.append(ask(pipeline, twilio.new_sid())[0]))
    asking.start()
    time.sleep(0.5)
    assert worker.term() == 0
    asking.join()
    assert answers[0].status_code == 404
    assert hangs_up(answers[0])
