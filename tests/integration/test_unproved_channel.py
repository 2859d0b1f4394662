"""A wrong key, a wrong base_url or a proxy in between costs a channel a handful of refused requests and no call, however
many wait and whatever the number of workers; a right one is at full speed with the first request that is accepted."""

import json
import threading
import time

import pytest
from harness import twilio
from harness.provider import accept, answer, hold, refuse, refuse_number
from harness.volume import everywhere, replicas
from harness.wait import wait_until

FEW = 8  # requests on their way over all replicas while the provider has accepted none
CALLS = 200
ELSEWHERE = "https://user:secret@elsewhere.example/v2?key=secret"
NAMES = ("key", "moved", "proxy", "changed", "resumed", "slow", "numbers", "fresh")
# However slow the machine is, what a test holds back is no lost response.
CHANNELS = {"main": {}} | {
    name: {"from": f"+2547110830{n:02d}", "request_timeout": "60s"} for n, name in enumerate(NAMES)
}

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def pipeline(make_module_pipeline):
    return make_module_pipeline(CHANNELS, start=("dispatch", "dispatch", "dispatch", "gateway"))


def send(pipeline, channel, reply, n=CALLS):
    requests = [pipeline.new_request(channel=channel) for _ in range(n)]
    for request in requests:
        pipeline.provider.script(request["to"], reply)
    pipeline.send_all(requests)
    return requests


def seen(pipeline, requests):
    return sum(pipeline.provider.dials(request["to"]) for request in requests)


def wait_state(pipeline, channel, word, value):
    state = lambda: everywhere(pipeline, "ivr_channel_open", channel=channel)
    wait_until(lambda: set(state()) == {value}, lambda: f"{channel} to be {word} everywhere, not {state()}", 10)


def wait_shut(pipeline, channel):
    wait_state(pipeline, channel, "shut", 1)


def wait_open(pipeline, channel):
    wait_state(pipeline, channel, "open", 0)


def wait_queued(pipeline, channel, n):
    """So many calls wait in the channel's queue."""
    wait_until(lambda: shown(pipeline, channel)["queued"] >= n, lambda: f"{n} of {channel}: {shown(pipeline, channel)}", 20)


def shown(pipeline, channel):
    result = pipeline.cli("channels", "--json")
    assert result.code == 0, result
    return next(row for row in json.loads(result.out)["channels"] if row["name"] == channel)


def wait_all_placed(pipeline, requests, before=0):
    wait_until(
        lambda: seen(pipeline, requests) >= len(requests) + before, lambda: f"all: {seen(pipeline, requests)}", 30
    )
    for request in requests[:: len(requests) // 10]:
        call = pipeline.wait_status(request, "Pending")
        assert [attempt["attempt"] for attempt in call["attempts"]] == [1]
    assert seen(pipeline, requests) == len(requests) + before


REFUSALS = {
    "key": (refuse(401, 20003, "Authenticate"), "20003"),
    "moved": (answer(301, b"", headers={"Location": ELSEWHERE}), "redirected to elsewhere.example"),
    "proxy": (answer(407, b"<html>Proxy Authentication Required</html>", "text/html"), "proxy_authentication"),
}


@pytest.mark.parametrize("channel", REFUSALS)
def test_a_start_with_a_wrong_setting_costs_few_requests_and_no_call(pipeline, channel):
    reply, reason = REFUSALS[channel]
    requests = send(pipeline, channel, reply)
    wait_shut(pipeline, channel)
    wait_queued(pipeline, channel, CALLS - FEW)
    before = seen(pipeline, requests)
    assert 1 <= before <= FEW, f"{before} refused requests"
    row = shown(pipeline, channel)
    assert row["state"] == "suspended" and row["reason"].startswith(reason), row
    assert "secret" not in json.dumps(row) + "".join(worker.tail(1000) for worker in replicas(pipeline))
    assert not [call for call in map(pipeline.call, requests) if call["final"]], "a call was burnt"
    for request in requests:
        pipeline.provider.script(request["to"], accept())
    assert pipeline.cli("resume", "channel", channel).code == 0
    wait_all_placed(pipeline, requests, before)


@pytest.mark.parametrize("status", [302, 303, 307, 308])
def test_every_redirect_is_none_of_the_calls(pipeline, status):
    request = pipeline.new_request(channel="moved")
    pipeline.provider.script(request["to"], answer(status, b"", headers={"Location": "/elsewhere"}), accept())
    wait_open(pipeline, "moved")  # all have heard of the last resume: it does not count for what is refused now
    pipeline.send(request)
    wait_shut(pipeline, "moved")
    assert shown(pipeline, "moved")["reason"] == "redirected to 127.0.0.1, with another path"
    assert not [p for p in pipeline.provider.placements() if p.path == "/elsewhere"], "a redirect was followed"
    assert pipeline.cli("resume", "channel", "moved").code == 0
    call = pipeline.wait_status(request, "Pending")
    assert len(call["attempts"]) == 1 and pipeline.provider.dials(request["to"]) == 2


def prove(pipeline, channel):
    request = pipeline.request(channel=channel)
    pipeline.wait_status(request, "Pending")
    unproved = lambda: everywhere(pipeline, "ivr_channel_unproved", channel=channel)
    wait_until(lambda: set(unproved()) == {0}, lambda: f"{channel} to be proved everywhere: {unproved()}", 5)


def test_a_resumed_channel_begins_with_few_again(pipeline):
    prove(pipeline, "resumed")
    assert pipeline.cli("pause", "channel", "resumed").code == 0
    first = send(pipeline, "resumed", refuse(401, 20003, "Authenticate"), 1)
    assert pipeline.cli("resume", "channel", "resumed").code == 0
    wait_shut(pipeline, "resumed")
    requests = send(pipeline, "resumed", refuse(401, 20003, "Authenticate"))
    wait_queued(pipeline, "resumed", CALLS)
    for _ in range(2):
        before = seen(pipeline, first + requests)
        assert pipeline.cli("resume", "channel", "resumed").code == 0
        wait_until(lambda: seen(pipeline, first + requests) > before, "a request after the resume", 10)
        wait_shut(pipeline, "resumed")
        assert seen(pipeline, first + requests) - before <= FEW
    for request in first + requests:
        pipeline.provider.script(request["to"], accept())
    before = seen(pipeline, first + requests)
    assert pipeline.cli("resume", "channel", "resumed").code == 0
    wait_all_placed(pipeline, first + requests, before)


def test_a_changed_channel_begins_with_few_again(pipeline):
    """Although it had proved itself with what the file said before; others are left as they are."""
    prove(pipeline, "changed")
    prove(pipeline, "main")
    credentials = {"account_sid": twilio.ACCOUNT_SID, "auth_token": "the-wrong-one"}
    pipeline.write_channels(CHANNELS | {"changed": CHANNELS["changed"] | {"credentials": credentials}})
    pipeline.reload()
    unproved = lambda name: everywhere(pipeline, "ivr_channel_unproved", channel=name)
    wait_until(lambda: unproved("changed") == [1, 1, 1], lambda: f"it to count as unproved: {unproved('changed')}", 5)
    assert unproved("main") == [0, 0, 0]
    requests = send(pipeline, "changed", refuse(401, 20003, "Authenticate"))
    wait_shut(pipeline, "changed")
    wait_queued(pipeline, "changed", CALLS - FEW)
    before = seen(pipeline, requests)
    assert 1 <= before <= FEW, f"{before} refused requests"
    for request in requests:
        pipeline.provider.script(request["to"], accept())
    pipeline.write_channels(CHANNELS)
    pipeline.reload()
    wait_all_placed(pipeline, requests, before)


def test_until_one_is_accepted_few_are_on_their_way_and_none_goes_elsewhere(pipeline):
    gate = threading.Event()
    requests = send(pipeline, "slow", hold(gate, accept()))
    wait_until(lambda: seen(pipeline, requests) >= FEW, "the first few", 10)
    wait_queued(pipeline, "slow", CALLS - FEW)
    time.sleep(0.5)  # others would have followed within milliseconds
    assert seen(pipeline, requests) == FEW
    opened = time.monotonic()
    gate.set()
    wait_all_placed(pipeline, requests)
    last = max(pipeline.provider.placements(request["to"])[0].at for request in requests)
    assert last - opened < 3, f"{last - opened:.1f} s until all were sent"


def test_numbers_that_are_refused_prove_the_key(pipeline):
    """The provider has read it to say so, and what was tried is over."""
    requests = send(pipeline, "numbers", refuse_number(), 50)
    for request in requests:
        pipeline.wait_final(request, "Failed_unknown_reason")
    assert set(everywhere(pipeline, "ivr_channel_unproved", channel="numbers")) == {0}


def test_when_the_last_worker_went_the_next_one_begins_with_few_again(pipeline):
    """And not where others stay."""
    prove(pipeline, "fresh")
    replicas(pipeline)[0].term()
    pipeline.start("dispatch")
    assert set(everywhere(pipeline, "ivr_channel_unproved", channel="fresh")) == {0}
    for worker in replicas(pipeline):
        worker.term()
    requests = send(pipeline, "fresh", refuse(401, 20003, "Authenticate"))
    pipeline.start("dispatch", "dispatch", "dispatch")
    wait_shut(pipeline, "fresh")
    wait_queued(pipeline, "fresh", CALLS - FEW)
    before = seen(pipeline, requests)
    assert 1 <= before <= FEW, f"{before} refused requests"
    for request in requests:
        pipeline.provider.script(request["to"], accept())
    assert pipeline.cli("resume", "channel", "fresh").code == 0
    wait_all_placed(pipeline, requests, before)
