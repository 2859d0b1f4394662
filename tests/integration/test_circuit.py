"""A channel whose provider is gone is left alone by all replicas, but for single probes; one whose key is wrong waits to be
mended. No call is burnt meanwhile. Busy people prove that a provider works."""

import json
import time

import pytest
from harness import twilio
from harness.ports import free_port
from harness.provider import Provider, accept, refuse, refuse_number
from harness.volume import everywhere, replicas
from harness.wait import wait_until

GONE_PORT = free_port()
RATE = 20  # so that "a handful" is one: without a limit all would be out before the first came back
IN_DOUBT = 19 + 8  # the twentieth opens the circuit; of a channel that has proved nothing eight are on their way by then
HANDFUL = 20  # at least 5 in a row, and what three replicas sent until they heard of it
CHANNELS = {
    "main": {},
    "gone": {"base_url": f"http://127.0.0.1:{GONE_PORT}", "calls_per_second": RATE},
    "broken": {"from": "+254711082002", "calls_per_second": RATE},
    "people": {"from": "+254711082003"},
    "key": {"from": "+254711082004", "calls_per_second": RATE},
    "mended": {"from": "+254711082005", "calls_per_second": RATE},
}

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def pipeline(make_module_pipeline):
    return make_module_pipeline(CHANNELS, start=("dispatch", "dispatch", "dispatch", "status", "report", "gateway"))


def is_open(pipeline, channel):
    """1 where a worker holds the channel back."""
    return everywhere(pipeline, "ivr_channel_open", channel=channel)


def wait_open(pipeline, channel, value, timeout=10.0):
    wait_until(
        lambda: is_open(pipeline, channel) == [value] * 3,
        lambda: f"ivr_channel_open of {channel} to be {value} everywhere: {is_open(pipeline, channel)}",
        timeout,
    )


def shown(pipeline, channel):
    """What ivrctl channels says of it."""
    result = pipeline.cli("channels", "--json")
    assert result.code == 0, result
    return next(row for row in json.loads(result.out)["channels"] if row["name"] == channel)


def told_why(pipeline, channel):
    """The first line of any replica's log that complains of the channel and says why."""
    lines = [line for worker in replicas(pipeline) for line in worker.log()]
    return next((line for line in lines if line.get("channel") == channel and line.get("reason")), None)


def tried(pipeline, channel):
    """Placements that ended in any way, by the workers' own account."""
    return sum(everywhere(pipeline, "ivr_placements_total", channel=channel))


def seen(pipeline, requests):
    return sum(pipeline.provider.dials(request["to"]) for request in requests)


def send(pipeline, n, reply=None, **fields):
    requests = [pipeline.new_request(**fields) for _ in range(n)]
    for request in requests:
        if reply:
            pipeline.provider.script(request["to"], reply)
    pipeline.send_all(requests)
    return requests


def wait_placed_once_each(pipeline, provider, requests, timeout):
    wait_until(
        lambda: all(provider.dials(request["to"]) for request in requests),
        lambda: f"calls that nobody dialled: {[pipeline.call(r) for r in requests if not provider.dials(r['to'])][:2]}",
        timeout,
    )
    assert [request for request in requests if provider.dials(request["to"]) > 1] == []
    for request in requests:
        pipeline.wait_status(request, "Pending")


def test_a_provider_that_cannot_be_reached_is_left_alone_until_it_is_back(pipeline):
    requests = send(pipeline, 60, channel="gone")
    wait_open(pipeline, "gone", 1)
    opened = time.monotonic()
    wait_until(lambda: told_why(pipeline, "gone"), "the reason in a log", 5)
    assert "connect" in json.dumps(shown(pipeline, "gone")).lower(), shown(pipeline, "gone")
    before = tried(pipeline, "gone")
    assert 5 <= before <= HANDFUL, f"{before} placements before the channel was left alone"
    free = send(pipeline, 5)
    for request in free:
        pipeline.placed(request, timeout=2)
    wait_until(lambda: time.monotonic() > opened + 6, "the first probe's time", 10)
    assert tried(pipeline, "gone") <= before + 2, "more than single probes"
    assert is_open(pipeline, "gone") == [1, 1, 1]
    assert not [call for call in map(pipeline.call, requests) if call["final"]], "a call was burnt"
    back = Provider(GONE_PORT)
    try:
        wait_placed_once_each(pipeline, back, requests, 40)
        wait_open(pipeline, "gone", 0)
    finally:
        back.close()


def test_a_provider_that_answers_with_errors_is_left_alone_too(pipeline):
    """What got an error is in doubt and not dialled again; the others wait."""
    requests = send(pipeline, 60, refuse(500, 20500, "Internal Server Error"), channel="broken")
    wait_open(pipeline, "broken", 1)
    assert "500" in json.dumps(told_why(pipeline, "broken")), told_why(pipeline, "broken")
    burnt = seen(pipeline, requests)
    assert 5 <= burnt <= IN_DOUBT, f"{burnt} calls are in doubt for it"
    for request in requests:
        pipeline.provider.script(request["to"], accept())
    doubtful = [request for request in requests if pipeline.provider.dials(request["to"])]
    spared = [request for request in requests if request not in doubtful]
    wait_until(lambda: all(pipeline.provider.dials(r["to"]) for r in spared), "the others to be placed", 40)
    wait_open(pipeline, "broken", 0)
    assert seen(pipeline, requests) == len(requests), "dialled twice"
    for request in doubtful:
        pipeline.wait_status(request, "Gateway_unavailable")


@pytest.mark.parametrize("word, sip", [("busy", 486), ("no-answer", 480), ("failed", 503)])
def test_people_that_are_not_reached_say_nothing_of_the_provider(pipeline, word, sip):
    requests = send(pipeline, 10, channel="people")
    for request in requests:
        pipeline.report(request, word, SipResponseCode=sip)
    for request in requests:
        pipeline.wait_call(request, lambda call: call["final"], "its end")
    pipeline.placed(pipeline.request(channel="people"), timeout=2)
    assert is_open(pipeline, "people") == [0, 0, 0]


def test_numbers_that_are_refused_say_nothing_of_the_provider(pipeline):
    for request in send(pipeline, 10, refuse_number(), channel="people"):
        pipeline.wait_final(request, "Failed_unknown_reason")
    pipeline.placed(pipeline.request(channel="people"), timeout=2)
    assert is_open(pipeline, "people") == [0, 0, 0]


def suspend(pipeline, channel):
    requests = send(pipeline, 30, refuse(401, 20003, "Authenticate"), channel=channel)
    wait_open(pipeline, channel, 1)
    assert told_why(pipeline, channel)
    pipeline.wait_committed("ivr-dispatch", "CALL_REQUESTS")
    before = seen(pipeline, requests)
    assert before <= HANDFUL
    time.sleep(2)
    assert seen(pipeline, requests) == before, "a suspended channel was dialled by a replica that did not know"
    assert not [call for call in map(pipeline.call, requests) if call["final"]], "a typo in a secret burnt a call"
    for request in requests:
        pipeline.provider.script(request["to"], accept())
    return requests, before


def wait_all_pending(pipeline, requests, before):
    """Each was accepted once; what was refused for the key was no attempt."""
    wait_until(lambda: seen(pipeline, requests) >= len(requests) + before, "every call to be placed", 15)
    for request in requests:
        call = pipeline.wait_status(request, "Pending")
        assert [attempt["attempt"] for attempt in call["attempts"]] == [1]
    assert seen(pipeline, requests) == len(requests) + before


def test_a_wrong_key_suspends_the_channel_for_every_replica_until_resume(pipeline):
    requests, before = suspend(pipeline, "key")
    assert pipeline.cli("resume", "channel", "key").code == 0
    wait_open(pipeline, "key", 0, 5)
    wait_all_pending(pipeline, requests, before)


def test_a_changed_channel_ends_its_suspension_and_no_other_s(pipeline):
    other, others_before = suspend(pipeline, "key")
    requests, before = suspend(pipeline, "mended")
    credentials = {"account_sid": twilio.ACCOUNT_SID, "auth_token": "the-right-one-now"}
    pipeline.write_channels(CHANNELS | {"mended": CHANNELS["mended"] | {"credentials": credentials}})
    pipeline.reload()
    wait_open(pipeline, "mended", 0, 5)
    wait_all_pending(pipeline, requests, before)
    assert is_open(pipeline, "key") == [1, 1, 1]
    assert pipeline.cli("resume", "channel", "key").code == 0
    wait_all_pending(pipeline, other, others_before)
