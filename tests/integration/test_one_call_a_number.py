"""Nobody's phone is rung by two calls at once: a request for a number that has a call waits until that one is over."""

import time

import pytest

CHANNELS = {"main": {}, "second": {"from": "+254711082001"}, "free": {"one_call_per_number": False}}
SOON = 2.0  # not by looking again at some time, but because the end of the first was told


@pytest.fixture(scope="module")
def pipeline(make_module_pipeline):
    return make_module_pipeline(CHANNELS, start=("dispatch", "dispatch", "status", "report", "gateway"))


def dials(pipeline, request):
    return pipeline.provider.dials(request["to"])


def stay(pipeline, request, count, seconds=0.7):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        assert dials(pipeline, request) == count
        pipeline.check_alive()
        time.sleep(0.02)


def talking(pipeline, **fields):
    """A call that was answered and is not over."""
    request = pipeline.request(**fields)
    pipeline.report(request, "ringing", "in-progress")
    pipeline.wait_status(request, "Completed")
    return request


def finish(pipeline, placement):
    """Reports this placement as over; which request it was for does not matter."""
    pipeline.provider.report(placement, "completed", 3, CallDuration=2)


def test_the_second_request_for_a_number_waits_until_the_first_call_is_over(pipeline):
    first = talking(pipeline)
    second = pipeline.request(to=first["to"])
    pipeline.wait_call(second, lambda call: call["phase"] == "waiting", "the second to wait")
    stay(pipeline, first, 1)
    finish(pipeline, pipeline.placed(first))
    pipeline.placed(second, count=2, timeout=SOON)
    finish(pipeline, pipeline.placed(second, count=2))
    call = pipeline.wait_final(second, "Completed")
    assert len(call["attempts"]) == 1


@pytest.mark.parametrize("word, sip", [("busy", 486), ("no-answer", 487), ("failed", 404)])
def test_however_the_first_call_ends_the_second_follows(pipeline, word, sip):
    first = pipeline.request()
    pipeline.wait_status(first, "Pending")
    second = pipeline.request(to=first["to"])
    pipeline.wait_call(second, lambda call: call["phase"] == "waiting", "the second to wait")
    pipeline.report(first, word, SipResponseCode=sip)
    pipeline.placed(second, count=2, timeout=SOON)
    finish(pipeline, pipeline.placed(second, count=2))


def test_other_tenants_channels_and_numbers_are_not_held(pipeline):
    first = talking(pipeline)
    for fields in ({"tenant": "somebody-else"}, {"channel": "second"}):
        count = dials(pipeline, first)
        pipeline.request(to=first["to"], **fields)
        pipeline.placed(first, count=count + 1, timeout=SOON)
    pipeline.placed(pipeline.request(), timeout=SOON)
    for placement in pipeline.provider.placements(first["to"]):
        finish(pipeline, placement)


def test_a_channel_may_choose_not_to_look(pipeline):
    first = talking(pipeline, channel="free")
    pipeline.request(channel="free", to=first["to"])
    pipeline.placed(first, count=2, timeout=SOON)
    for placement in pipeline.provider.placements(first["to"]):
        finish(pipeline, placement)


def test_ten_requests_for_a_number_are_dialled_one_after_the_other(pipeline):
    to = pipeline.new_number()
    requests = [pipeline.new_request(to=to, campaign="ten-of-one") for _ in range(10)]
    pipeline.send_all(requests)
    pipeline.placed(requests[0])
    pipeline.wait_committed("ivr-dispatch", "CALL_REQUESTS")
    for count in range(1, 11):
        placement = pipeline.provider.wait_placement(to, count, SOON, pipeline.check_alive)
        stay(pipeline, requests[0], count, 0.15)
        finish(pipeline, placement)
    summary = pipeline.wait_summary(requests[0], lambda s: s["complete"], "complete")
    assert (summary["by_status"]["Completed"], summary["attempts"]) == (10, 10)
    assert pipeline.provider.dials(to) == 10


def test_a_call_is_not_locked_out_by_itself(pipeline):
    request = pipeline.request(retry={"max_attempts": 3, "delays": [1]})
    for count in (2, 3):
        pipeline.report(request, "busy")
        pipeline.placed(request, count=count, timeout=1.25 + SOON)
    pipeline.report(request, "completed", CallDuration=2)
    pipeline.wait_final(request, "Completed")


def test_what_is_cancelled_while_it_waits_for_a_number_ends_and_is_not_dialled(pipeline):
    first = talking(pipeline)
    second = pipeline.request(to=first["to"])
    pipeline.wait_call(second, lambda call: call["phase"] == "waiting", "the second to wait")
    assert pipeline.cli("cancel", "call", f"acme/{second['call_id']}").code == 0
    call = pipeline.wait_call(second, lambda call: call["phase"] == "dropped", "the drop", 5)
    assert call["drop_reason"] == "cancelled"
    finish(pipeline, pipeline.placed(first))
    stay(pipeline, first, 1)


def test_a_number_is_free_again_although_a_replica_is_gone(pipeline):
    """Whichever of the two is left wakes the second up. The last test: nobody starts the killed one again."""
    first = talking(pipeline)
    second = pipeline.request(to=first["to"])
    pipeline.wait_call(second, lambda call: call["phase"] == "waiting", "the second to wait")
    pipeline.worker("dispatch").kill9()
    finish(pipeline, pipeline.placed(first))
    pipeline.placed(second, count=2, timeout=15)
    finish(pipeline, pipeline.placed(second, count=2))
    stay(pipeline, first, 2)
