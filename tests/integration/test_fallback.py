"""Another channel is tried only while nobody can have been rung: never after the network reached the phone, never in doubt."""

import time

import pytest
from harness.ports import free_port
from harness.provider import Provider, accept, refuse, refuse_number, reset
from harness.wait import wait_until

NOBODY = f"http://127.0.0.1:{free_port()}"  # nobody listens there
BACKUP = "+254711082009"
CHANNELS = {
    "backup": {"from": BACKUP},
    "primary": {"from": "+254711082001", "base_url": NOBODY, "fallback": ["backup"]},
    "chained": {"from": "+254711082002", "base_url": NOBODY, "fallback": ["primary", "backup"]},
    "doubtful": {"from": "+254711082003", "fallback": ["backup"]},
    "key": {"from": "+254711082004", "fallback": ["backup"]},
    "alone": {"from": "+254711082005", "base_url": NOBODY},
}
AT_ONCE = 3.0


@pytest.fixture(scope="module")
def pipeline(make_module_pipeline):
    return make_module_pipeline(CHANNELS)


def chosen(call):
    return [(attempt["channel"], attempt["status"]) for attempt in call["attempts"]]


def senders(pipeline, request):
    return [placement.sender for placement in pipeline.provider.placements(request["to"])]


@pytest.mark.parametrize("channel", ["primary", "chained"])
def test_a_provider_that_cannot_be_reached_is_replaced_at_once(pipeline, channel):
    request = pipeline.request(channel=channel)
    pipeline.placed(request, timeout=AT_ONCE)
    call = pipeline.wait_status(request, "Pending")
    assert senders(pipeline, request) == [BACKUP]
    assert chosen(call)[-1] == ("backup", "Pending")
    assert {status for _, status in chosen(call)[:-1]} == {"Gateway_unavailable"}
    placement = pipeline.report(request, "completed", CallDuration=3)
    assert "/backup/" in placement.status_callback
    call = pipeline.wait_final(request, "Completed")
    assert call["attempts"][-1]["channel"] == "backup"
    summary = pipeline.wait_summary(request, lambda s: s["complete"], "complete")
    assert summary["by_channel"]["backup"]["by_status"]["Completed"] == 1


def test_while_its_circuit_is_open_the_first_channel_is_not_even_tried(pipeline):
    crowd = [pipeline.request(channel="primary") for _ in range(10)]
    for request in crowd:
        pipeline.placed(request, timeout=AT_ONCE)
    dispatch = pipeline.worker("dispatch")
    wait_until(lambda: dispatch.metrics().value("ivr_channel_open", channel="primary") == 1, "the circuit to open")
    request = pipeline.request(channel="primary")
    pipeline.placed(request, timeout=1.5)
    assert chosen(pipeline.wait_status(request, "Pending")) == [("backup", "Pending")]


def test_a_suspended_channel_is_replaced_as_well(pipeline):
    first = pipeline.new_request(channel="key")
    pipeline.provider.script(first["to"], refuse(401, 20003, "Authenticate"), accept())
    pipeline.send(first)
    pipeline.placed(first, count=2, timeout=AT_ONCE)
    assert senders(pipeline, first)[-1] == BACKUP
    second = pipeline.request(channel="key")
    pipeline.placed(second, timeout=AT_ONCE)
    assert senders(pipeline, second) == [BACKUP]


def test_a_call_in_doubt_is_not_dialled_on_the_fallback(pipeline):
    request = pipeline.new_request(channel="doubtful")
    pipeline.provider.script(request["to"], reset(), accept())
    pipeline.send(request)
    call = pipeline.wait_final(request, "Gateway_unavailable")
    assert chosen(call) == [("doubtful", "Gateway_unavailable")]
    time.sleep(1)
    assert pipeline.provider.dials(request["to"]) == 1


def test_a_number_that_is_refused_for_good_is_refused_everywhere(pipeline):
    request = pipeline.new_request(channel="doubtful")
    pipeline.provider.script(request["to"], refuse_number(), accept())
    pipeline.send(request)
    call = pipeline.wait_final(request, "Failed_unknown_reason")
    assert chosen(call) == [("doubtful", "Failed_unknown_reason")]


def test_who_declined_is_not_rung_on_the_fallback(make_pipeline):
    """The network reached the phone. Its provider goes away before the second attempt: that waits until it is back."""
    port = free_port()
    pipeline = make_pipeline(start=False)
    pipeline.write_channels(
        {
            "backup": {"from": BACKUP},
            # No kept connection outlives its listener.
            "leaving": {"base_url": f"http://127.0.0.1:{port}", "fallback": ["backup"], "idle_timeout": "1s"},
        }
    )
    pipeline.start("dispatch", "status", "gateway")
    provider = Provider(port)
    provider.behind(pipeline.public_url, pipeline.worker("gateway").gateway)
    request = pipeline.request(channel="leaving", retry={"max_attempts": 2, "delays": [2]})
    placement = provider.wait_placement(request["to"])
    pipeline.wait_status(request, "Pending")
    provider.report(placement, "busy")
    provider.close()
    pipeline.wait_event(request, lambda e: e["attempt"] == 2 and e["status"] == "Gateway_unavailable", "a vain attempt")
    unreached = pipeline.wait_call(request, lambda call: len(call["attempts"]) >= 3, "another one", 20)
    assert {channel for channel, _ in chosen(unreached)} == {"leaving"}
    assert pipeline.provider.dials(request["to"]) == 0, "somebody who had declined was rung on the fallback"
    back = Provider(port)
    back.behind(pipeline.public_url, pipeline.worker("gateway").gateway)
    try:
        last = back.wait_placement(request["to"], timeout=40)
        back.report(last, "completed", CallDuration=2)
        pipeline.wait_final(request, "Completed")
        assert pipeline.provider.dials(request["to"]) == 0
    finally:
        back.close()


def test_without_a_fallback_the_call_waits(pipeline):
    request = pipeline.request(channel="alone")
    call = pipeline.wait_status(request, "Gateway_unavailable")
    assert call["phase"] == "waiting" and not call["final"]
    assert {channel for channel, _ in chosen(call)} == {"alone"}
    assert pipeline.provider.dials(request["to"]) == 0
