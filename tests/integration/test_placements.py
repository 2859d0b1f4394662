"""What certainly was not placed is tried again; what speaks of the channel suspends the channel, not the call."""

from datetime import datetime, timedelta, timezone

import pytest

from harness import twilio
from harness.ports import free_port
from harness.provider import Provider, accept, refuse
from harness.wait import wait_until

CHANNELS = {"main": {}, "busy": {}, "wrong-key": {}, "crowded": {}}


def attempt_of(placement):
    """The attempt number that a placement's callback URL carries."""
    return int(placement.status_callback.partition("#")[0].rsplit("/", 1)[-1])


def test_429_is_no_attempt_and_the_number_is_used_again(pipeline):
    request = pipeline.new_request(channel="busy")
    limited = refuse(429, 20429, "Too Many Requests")
    pipeline.provider.script(request["to"], limited, limited, accept())
    pipeline.send(request)
    call = pipeline.wait_status(request, "Pending", timeout=30)
    assert [attempt_of(p) for p in pipeline.provider.placements(request["to"])] == [1, 1, 1]
    assert [attempt["attempt"] for attempt in call["attempts"]] == [1]
    pipeline.report(request, "completed")
    pipeline.wait_final(request, "Completed")


def test_a_provider_s_own_not_now_is_no_attempt_either(pipeline):
    request = pipeline.new_request(channel="crowded")
    pipeline.provider.script(request["to"], refuse(403, 10004, "Call concurrency limit exceeded"), accept())
    pipeline.send(request)
    call = pipeline.wait_status(request, "Pending", timeout=30)
    assert [attempt["attempt"] for attempt in call["attempts"]] == [1]


@pytest.mark.parametrize("code", [21211, 21214, 21215, 21216, 21201, 21205, 13224])
def test_a_refusal_for_good_is_final_and_not_retried(pipeline, code):
    request = pipeline.new_request(retry={"max_attempts": 3, "on": ["Failed_unknown_reason"], "delays": [1]})
    pipeline.provider.script(request["to"], refuse(400, code), accept())
    pipeline.send(request)
    call = pipeline.wait_final(request, "Failed_unknown_reason")
    assert call["attempts"][0]["reason"]["code"] == str(code)
    assert pipeline.provider.dials(request["to"]) == 1


def test_a_wrong_key_suspends_the_channel_and_burns_no_call(pipeline):
    requests = [pipeline.new_request(channel="wrong-key") for _ in range(5)]
    denied = refuse(401, 20003, "Authenticate")
    for request in requests:
        pipeline.provider.script(request["to"], denied)
        pipeline.send(request)
    dispatch = pipeline.worker("dispatch")
    wait_until(
        lambda: dispatch.metrics().value("ivr_channel_open", channel="wrong-key") == 1, "the channel to be suspended"
    )
    other = pipeline.request()  # another channel is not concerned
    pipeline.wait_status(other, "Pending")
    for request in requests:
        call = pipeline.wait_call(request, lambda call: call["phase"] == "waiting", "the call to wait")
        assert not call["final"] and call["drop_reason"] is None, f"a typo in a secret burns no call: {call}"
    assert len([p for r in requests for p in pipeline.provider.placements(r["to"])]) <= 2 * len(requests)


def test_a_mended_key_ends_the_suspension(make_pipeline):
    pipeline = make_pipeline({"main": {}}, start=("dispatch", "gateway"))
    request = pipeline.new_request()
    pipeline.provider.script(request["to"], refuse(401, 20003, "Authenticate"))
    pipeline.send(request)
    pipeline.placed(request)
    pipeline.wait_call(request, lambda call: call["phase"] == "waiting", "the call to wait")
    pipeline.provider.script(request["to"], accept())
    mended = {"account_sid": twilio.ACCOUNT_SID, "auth_token": "the-right-one-now"}
    pipeline.write_channels({"main": {"credentials": mended}})
    pipeline.reload()
    call = pipeline.wait_status(request, "Pending", timeout=60)
    assert call["attempts"][-1]["provider_call_id"]


def test_a_provider_that_cannot_be_reached_is_tried_again_as_a_new_attempt(make_pipeline):
    port = free_port()
    pipeline = make_pipeline({"main": {"base_url": f"http://127.0.0.1:{port}"}})
    request = pipeline.request()
    waiting = pipeline.wait_event(request, lambda e: e["type"] == "call.waiting" and e["status"], "a wait for a retry")
    assert waiting["status"] == "Gateway_unavailable"
    assert waiting["next_attempt_at"] is not None and not waiting["final"]
    call = pipeline.wait_status(request, "Gateway_unavailable")
    assert call["phase"] == "waiting" and not call["final"]

    late = Provider(port)
    late.behind(pipeline.public_url, pipeline.worker("gateway").gateway)
    try:
        placement = late.wait_placement(request["to"], timeout=40)
        call = pipeline.wait_status(request, "Pending")
        numbers = [attempt["attempt"] for attempt in call["attempts"]]
        assert attempt_of(placement) == numbers[-1] >= 2
        assert call["attempts"][0]["status"] == "Gateway_unavailable"
        late.report(placement, "completed")
        pipeline.wait_final(request, "Completed")
        assert late.dials(request["to"]) == 1
    finally:
        late.close()


def test_what_cannot_be_reached_until_give_up_is_final(make_pipeline):
    pipeline = make_pipeline({"main": {"base_url": f"http://127.0.0.1:{free_port()}"}}, env={"IVR_GIVE_UP": "3s"})
    request = pipeline.request()
    pipeline.wait_final(request, "Gateway_unavailable", timeout=30)
    last = pipeline.wait_event(request, lambda e: e["final"], "the final event")
    assert (last["type"], last["status"]) == ("call.final", "Gateway_unavailable")


def test_expiry_ends_the_waiting_for_a_provider_that_cannot_be_reached(make_pipeline):
    pipeline = make_pipeline({"main": {"base_url": f"http://127.0.0.1:{free_port()}"}})
    soon = datetime.now(timezone.utc) + timedelta(seconds=4)
    request = pipeline.request(expires_at=soon.isoformat(timespec="milliseconds"))
    pipeline.wait_final(request, "Gateway_unavailable", timeout=30)


def test_a_name_that_does_not_resolve_is_not_placed_and_waits(make_pipeline):
    pipeline = make_pipeline({"main": {"base_url": "https://no-such-host.invalid"}}, start=("dispatch", "gateway"))
    request = pipeline.request()
    call = pipeline.wait_status(request, "Gateway_unavailable", timeout=30)
    assert call["phase"] == "waiting" and not call["final"]


def test_a_failed_tls_handshake_is_not_placed_and_waits(make_pipeline):
    """The listener is the fake provider's, which speaks no TLS: the handshake fails before the request is sent."""
    pipeline = make_pipeline(start=False)
    plain = pipeline.provider.base_url
    pipeline.write_channels({"main": {"base_url": plain.replace("http://", "https://")}})
    pipeline.start("dispatch", "gateway")
    request = pipeline.request()
    call = pipeline.wait_status(request, "Gateway_unavailable", timeout=30)
    assert call["phase"] == "waiting" and not call["final"]
    assert pipeline.provider.dials(request["to"]) == 0
