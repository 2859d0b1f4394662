"""What operators say, with ivrctl and over HTTP: pause, resume and cancel, for every worker within a second."""

import json
import time
from datetime import datetime, timedelta, timezone

import pytest

from harness.provider import accept, refuse
from harness.wait import wait_until

CHANNELS = {"main": {}, "second": {"from": "+254711082001"}, "vonage": {"provider": "vonage"}}
HOUR = 3600


def stamp(moment):
    return moment.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def say(pipeline, *words, code=0):
    result = pipeline.cli(*words)
    assert result.code == code, f"{words}: {result}"
    return result.out


def http(pipeline, path, code=200, method="POST"):
    response = pipeline.api(path, method)
    assert response.status_code == code, f"{path}: {response.status_code} {response.text}"
    return response.json()


def known_campaign(pipeline, **fields):
    """A campaign that has a call, so that it can be spoken of."""
    first = pipeline.request(**fields)
    pipeline.wait_status(first, "Pending")
    return first, f"{first['tenant']}/{first['campaign']}"


def more_of(pipeline, first, n, **fields):
    requests = [pipeline.new_request(campaign=first["campaign"], tenant=first["tenant"], **fields) for _ in range(n)]
    pipeline.send_all(requests)
    return requests


def dials(pipeline, requests):
    return sum(pipeline.provider.dials(request["to"]) for request in requests)


def wait_waiting(pipeline, requests):
    for request in requests:
        pipeline.wait_call(request, lambda call: call["phase"] == "waiting", "the call to wait")


def stays_undialled(pipeline, requests, seconds=1.5):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        assert dials(pipeline, requests) == 0
        pipeline.check_alive()
        time.sleep(0.05)


# --- pause -------------------------------------------------------------------------------------------------------


def test_a_paused_campaign_is_not_dialled_and_its_calls_keep_waiting(pipeline):
    pipeline.start("dispatch")  # a second replica
    first, campaign = known_campaign(pipeline)
    say(pipeline, "pause", "campaign", campaign)
    held = more_of(pipeline, first, 30)
    free = pipeline.request()
    pipeline.wait_status(free, "Pending")
    wait_waiting(pipeline, held)
    stays_undialled(pipeline, held)
    summary = pipeline.wait_summary(first, lambda s: s["waiting"] == 30, "30 waiting")
    assert summary["calls"] == 31
    said = time.monotonic()
    say(pipeline, "resume", "campaign", campaign)
    for request in held:
        pipeline.placed(request)
        pipeline.wait_status(request, "Pending")
    assert time.monotonic() - said < 10
    assert dials(pipeline, held) == 30


def test_a_pause_in_the_middle_of_a_campaign_holds_from_its_answer_on(pipeline):
    """By the time of the claims, which is Redis': the requests of a crowd that was claimed arrive when they can."""
    pipeline.start("dispatch")
    first, campaign = known_campaign(pipeline)
    calls = more_of(pipeline, first, 400)
    wait_until(lambda: dials(pipeline, calls) > 0, "the campaign to begin")
    say(pipeline, "pause", "campaign", campaign)
    answered = stamp(datetime.now(timezone.utc))
    pipeline.wait_committed("ivr-dispatch", "CALL_REQUESTS", 30)
    time.sleep(1)
    attempts = [attempt for request in calls for attempt in pipeline.call(request)["attempts"]]
    assert [attempt["placed_at"] for attempt in attempts if attempt["placed_at"] > answered] == []
    say(pipeline, "resume", "campaign", campaign)
    wait_until(lambda: dials(pipeline, calls) == 400, "the rest", 30)


@pytest.mark.parametrize("kind", ["tenant", "channel"])
def test_a_paused_tenant_or_channel_delays_nobody_else(pipeline, kind):
    name = "tenant-of-pause" if kind == "tenant" else "second"
    fields = {"tenant": name} if kind == "tenant" else {"channel": name}
    say(pipeline, "pause", kind, name)
    held = pipeline.request(**fields)
    free = pipeline.request()
    pipeline.wait_status(free, "Pending")
    wait_waiting(pipeline, [held])
    stays_undialled(pipeline, [held], 1)
    say(pipeline, "resume", kind, name)
    pipeline.placed(held)


def test_a_campaign_can_be_paused_ahead_of_its_first_request(pipeline):
    request = pipeline.new_request()
    campaign = f"acme/{request['campaign']}"
    refused = pipeline.cli("pause", "campaign", campaign)
    assert (refused.code, refused.out) == (1, "")
    told = json.loads(say(pipeline, "pause", "campaign", campaign, "--ahead", "--json"))
    assert told == {"kind": "campaign", "name": campaign, "state": "paused", "affected": 0}
    pipeline.send(request)
    wait_waiting(pipeline, [request])
    stays_undialled(pipeline, [request], 0.8)
    say(pipeline, "resume", "campaign", campaign)
    pipeline.placed(request)


def test_a_retry_waits_while_its_campaign_is_paused(pipeline):
    request = pipeline.request(retry={"max_attempts": 2, "delays": [1]})
    pipeline.placed(request)
    say(pipeline, "pause", "campaign", f"acme/{request['campaign']}")
    pipeline.report(request, "busy")
    pipeline.wait_event(request, lambda e: e["type"] == "call.waiting" and e["status"], "the wait for a retry")
    time.sleep(2)
    assert pipeline.provider.dials(request["to"]) == 1
    say(pipeline, "resume", "campaign", f"acme/{request['campaign']}")
    pipeline.placed(request, count=2)


def test_a_paused_call_still_ends_at_its_expiry(pipeline):
    first, campaign = known_campaign(pipeline)
    say(pipeline, "pause", "campaign", campaign)
    call = more_of(pipeline, first, 1, expires_at=stamp(datetime.now(timezone.utc) + timedelta(seconds=2)))[0]
    seen = pipeline.wait_call(call, lambda call: call["phase"] == "dropped", "the drop")
    assert seen["drop_reason"] == "expired" and pipeline.provider.dials(call["to"]) == 0


def test_what_was_said_outlives_the_workers(pipeline):
    first, campaign = known_campaign(pipeline)
    say(pipeline, "pause", "campaign", campaign)
    pipeline.worker("dispatch").kill9()
    held = more_of(pipeline, first, 5)
    pipeline.start("dispatch")
    wait_waiting(pipeline, held)
    stays_undialled(pipeline, held, 1)
    pipeline.worker("dispatch").kill9()
    say(pipeline, "resume", "campaign", campaign)
    pipeline.start("dispatch")
    for request in held:
        pipeline.placed(request)


def test_resume_of_a_channel_ends_its_suspension(make_pipeline):
    pipeline = make_pipeline(CHANNELS)
    request = pipeline.new_request(channel="second")
    pipeline.provider.script(request["to"], refuse(401, 20003, "Authenticate"), accept())
    pipeline.send(request)
    pipeline.worker("dispatch").wait_log(lambda line: "suspended" in line["msg"], "the suspension")
    later = pipeline.request(channel="second")
    wait_waiting(pipeline, [later])
    say(pipeline, "resume", "channel", "second")
    pipeline.worker("dispatch").wait_log(lambda line: "open again" in line["msg"], "the channel to open", 5)
    after = pipeline.request(channel="second")
    pipeline.wait_status(after, "Pending", 5)


# --- cancel ------------------------------------------------------------------------------------------------------


def test_a_cancelled_campaign_ends_what_waits_and_drops_what_comes_until_resume(pipeline):
    first, campaign = known_campaign(pipeline)
    retrying = more_of(pipeline, first, 1, retry={"max_attempts": 2, "delays": [HOUR]})[0]
    pipeline.report(retrying, "no-answer")
    pipeline.wait_event(retrying, lambda e: e["type"] == "call.waiting" and e["status"], "the wait for a retry")
    tomorrow = stamp(datetime.now(timezone.utc) + timedelta(days=1))
    waiting = more_of(pipeline, first, 20, not_before=tomorrow)
    wait_waiting(pipeline, waiting)
    assert "cancelled" in say(pipeline, "cancel", "campaign", campaign)
    for request in waiting:
        call = pipeline.wait_call(request, lambda call: call["phase"] == "dropped", "the drop", 5)
        assert (call["drop_reason"], call["status"]) == ("cancelled", None)
    call = pipeline.wait_final(retrying, "No_answer", 5)
    assert (call["phase"], call["drop_reason"]) == ("done", "cancelled")
    late = more_of(pipeline, first, 3)
    for request in late:
        assert pipeline.wait_call(request, lambda call: call["final"], "the drop")["drop_reason"] == "cancelled"
    assert dials(pipeline, waiting + late) == 0
    say(pipeline, "resume", "campaign", campaign)
    pipeline.placed(more_of(pipeline, first, 1)[0])
    summary = pipeline.wait_summary(first, lambda s: s["dropped"].get("cancelled") == 23 and s["calls"] == 26, "all of it")
    assert summary["calls"] == summary["waiting"] + sum(summary["dropped"].values()) + sum(summary["by_status"].values())


def test_cancel_of_a_campaign_hangs_up_what_rings(pipeline):
    ringing, campaign = known_campaign(pipeline, retry={"max_attempts": 3, "delays": [1]})
    placement = pipeline.report(ringing, "ringing")
    talking = more_of(pipeline, ringing, 1)[0]
    pipeline.report(talking, "ringing", "in-progress")
    pipeline.wait_status(talking, "Completed")
    say(pipeline, "cancel", "campaign", campaign)
    assert pipeline.provider.wait_hangup(placement) == ["Status=completed"]
    pipeline.report(ringing, "no-answer")
    pipeline.wait_final(ringing, "No_answer")
    heard = pipeline.placed(talking).sid
    assert heard not in [sid for sid, _ in pipeline.provider.hangups], "who hears the message hears its end"
    assert pipeline.provider.dials(ringing["to"]) == 1


@pytest.mark.parametrize("channel", ["main", "vonage"])
def test_cancel_of_a_placed_call_hangs_up(pipeline, channel):
    request = pipeline.request(channel=channel, retry={"max_attempts": 3, "delays": [1]})
    pipeline.wait_status(request, "Pending")
    placement = pipeline.placed(request)
    say(pipeline, "cancel", "call", f"acme/{request['call_id']}")
    said = pipeline.provider.wait_hangup(placement)
    assert said == (['{"action":"hangup"}'] if channel == "vonage" else ["Status=completed"])
    say(pipeline, "cancel", "call", f"acme/{request['call_id']}")
    pipeline.report(request, "busy")
    pipeline.wait_final(request, "User_busy")
    assert pipeline.provider.dials(request["to"]) == 1


def test_cancel_of_a_call_hangs_up_while_they_talk(pipeline):
    request = pipeline.request()
    placement = pipeline.report(request, "ringing", "in-progress")
    pipeline.wait_final(request, "Completed")
    say(pipeline, "cancel", "call", f"acme/{request['call_id']}")
    pipeline.provider.wait_hangup(placement)


def test_hanging_up_is_asked_for_again_until_the_provider_answers(pipeline):
    """A proxy's or another address' answer is none of the provider's."""
    refusals = [503, 401, 407, 302, 308]
    requests = [pipeline.request() for _ in refusals]
    for request in requests:
        pipeline.wait_status(request, "Pending")
    pipeline.provider.hangup_answers = refusals
    for request in requests:
        say(pipeline, "cancel", "call", f"acme/{request['call_id']}")
    for request in requests:
        pipeline.provider.wait_hangup(pipeline.placed(request), times=2, timeout=25)


def test_a_call_that_waits_is_paused_resumed_and_cancelled(pipeline):
    tomorrow = stamp(datetime.now(timezone.utc) + timedelta(days=1))
    request = pipeline.request(not_before=tomorrow)
    name = f"acme/{request['call_id']}"
    wait_waiting(pipeline, [request])
    assert "paused" in say(pipeline, "pause", "call", name)
    assert "goes on" in say(pipeline, "resume", "call", name)
    assert "cancelled" in say(pipeline, "cancel", "call", name)
    call = pipeline.wait_call(request, lambda call: call["phase"] == "dropped", "the drop", 3)
    assert call["drop_reason"] == "cancelled"
    pipeline.wait_event(request, lambda e: e["type"] == "call.dropped" and e["drop_reason"] == "cancelled", "its event")
    assert say(pipeline, "resume", "call", name, code=1) == "", "nothing brings back what is final"


def test_what_cannot_be_done_says_why_and_prints_nothing(pipeline):
    request = pipeline.request()
    pipeline.wait_status(request, "Pending")
    placed = f"acme/{request['call_id']}"
    for words in (
        ("pause", "call", "acme/never-heard-of"),
        ("resume", "campaign", "acme/never-heard-of"),
        ("cancel", "campaign", "acme/never-heard-of"),
        ("pause", "channel", "never-heard-of"),
        ("pause", "call", placed),
    ):
        result = pipeline.cli(*words)
        assert (result.code, result.out) == (1, "") and result.err, words
    assert pipeline.cli("pause", "street", "x").code == 2
    assert pipeline.cli("pause", "call", "x").code == 2


# --- over HTTP -----------------------------------------------------------------------------------------------------


def test_the_same_over_http(pipeline):
    first, campaign = known_campaign(pipeline)
    path = f"/v1/campaigns/{campaign}"
    assert http(pipeline, f"{path}/pause") == {"kind": "campaign", "name": campaign, "state": "paused", "affected": 0}
    held = more_of(pipeline, first, 3)
    wait_waiting(pipeline, held)
    stays_undialled(pipeline, held, 0.8)
    assert http(pipeline, f"{path}/resume")["state"] == "running"
    for request in held:
        pipeline.placed(request)
    assert http(pipeline, f"{path}/cancel")["state"] == "cancelled"
    http(pipeline, f"{path}/pause", 409)
    dropped = more_of(pipeline, first, 1)[0]
    pipeline.wait_call(dropped, lambda call: call["drop_reason"] == "cancelled", "the drop")
    http(pipeline, f"/v1/calls/acme/{dropped['call_id']}/resume", 409)
    http(pipeline, f"{path}/resume")
    assert http(pipeline, "/v1/tenants/nobody-yet/pause") == {"kind": "tenant", "name": "nobody-yet", "state": "paused", "affected": 0}
    assert http(pipeline, "/v1/channels/second/pause")["state"] == "paused"
    assert http(pipeline, "/v1/channels/second/resume")["state"] == "running"


def test_what_cannot_be_done_over_http(pipeline):
    http(pipeline, "/v1/calls/acme/never-heard-of/cancel", 404)
    http(pipeline, "/v1/campaigns/acme/never-heard-of/pause", 404)
    http(pipeline, "/v1/channels/never-heard-of/pause", 404)
    assert http(pipeline, "/v1/campaigns/acme/not-yet/pause?ahead=true")["state"] == "paused"
    http(pipeline, "/v1/campaigns/acme/not-yet/resume")
    request = pipeline.request()
    pipeline.wait_status(request, "Pending")
    http(pipeline, f"/v1/calls/acme/{request['call_id']}/pause", 409)
    assert pipeline.api("/v1/tenants/acme/pause", "POST", token=None).status_code == 401
    assert pipeline.api("/v1/tenants/acme/pause", "GET").status_code == 405
    http(pipeline, "/v1/tenants/acme/stop", 404)


# --- without reading them nothing is dialled -----------------------------------------------------------------------


def test_a_worker_that_cannot_read_what_operators_said_does_not_dial(pipeline):
    """Every shard's copy is made unreadable: a key of another type, as no other state of Redis would be."""
    redis = pipeline.services.redis.client
    keys = [f"{{{pipeline.name}:{shard:02d}}}:ctl" for shard in range(16)]
    for key in keys:
        redis.set(key, "unreadable")
    request = pipeline.request()
    stays_undialled(pipeline, [request], 2)
    for key in keys:
        redis.delete(key)
    pipeline.placed(request)
