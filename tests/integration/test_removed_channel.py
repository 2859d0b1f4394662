"""A channel that is taken out of the channels file while its calls ring is kept until they have ended: their callbacks
count, they can be hung up and asked for, and no new call goes out on it."""

import time

import pytest
from harness.wait import wait_until

LEFT = {"main": {}}
CHANNELS = LEFT | {
    "gone": {"from": "+254711084001"},
    "vonage": {"provider": "vonage", "from": "+254711084002"},
    "swapped": {"from": "+254711084003"},
    "back": {"from": "+254711084004"},
}
SWAPPED = {"swapped": {"provider": "vonage", "from": "+254711084003"}}
ENV = {"IVR_UNKNOWN_CALLBACK_KEEP": "1s"}  # as long is a channel kept at least

pytestmark = pytest.mark.timeout(90)


@pytest.fixture(autouse=True)
def whole_file(pipeline):
    change(pipeline, CHANNELS)


def change(pipeline, channels):
    pipeline.write_channels(channels)
    readers = [worker for worker in pipeline.workers if worker.program in ("ivr-dispatch", "ivr-gateway") and worker.alive()]
    before = [read(worker) for worker in readers]
    pipeline.reload()
    wait_until(lambda: all(read(w) > n for w, n in zip(readers, before)), "the file to be read again", 10)


def read(worker):
    return sum(line.get("msg") == "channels file read again" for line in worker.log())


def kept(pipeline, channel):
    return [pipeline.worker(kind).metrics().value("ivr_channel_retired", channel=channel) for kind in ("dispatch", "gateway")]


def wait_forgotten(pipeline, channel):
    wait_until(lambda: kept(pipeline, channel) == [0, 0], lambda: f"{channel} to be forgotten: {kept(pipeline, channel)}", 15)


def ring(pipeline, channel):
    request = pipeline.request(channel=channel)
    pipeline.wait_status(request, "Pending")
    return request


@pytest.mark.parametrize("channel, busy", [("gone", "busy"), ("vonage", "busy"), ("swapped", "busy")])
def test_its_calls_end_as_their_provider_reports(pipeline, channel, busy):
    request = ring(pipeline, channel)
    placement = pipeline.placed(request)
    change(pipeline, LEFT | (SWAPPED if channel == "swapped" else {}))
    assert kept(pipeline, channel) == [1, 1]
    for kind in ("dispatch", "gateway"):
        lines = [line for line in pipeline.worker(kind).log() if line.get("channel") == channel and line["level"] == "warn"]
        assert any("gone from the channels file" in line["msg"] for line in lines), lines
    pipeline.report(request, busy)
    pipeline.wait_final(request, "User_busy")
    wait_forgotten(pipeline, channel)
    body = placement.language.callback(placement, busy, 1)
    response = pipeline.provider.deliver(*placement.language.delivery(pipeline.provider.callback_url(placement), body))
    assert response.status_code in (403, 404), "it is unknown once its calls have ended"


def test_a_call_that_is_answered_is_kept_until_it_is_closed(pipeline):
    request = ring(pipeline, "gone")
    pipeline.report(request, "in-progress")
    pipeline.wait_status(request, "Completed")
    change(pipeline, LEFT)
    time.sleep(4)  # some looks at what is under way
    assert kept(pipeline, "gone") == [1, 1]
    pipeline.report(request, "completed", CallDuration="9")
    pipeline.wait_call(request, lambda call: call["attempts"][0]["talk_seconds"] == 9, "its seconds")
    wait_forgotten(pipeline, "gone")


def test_its_secrets_are_asked_for_as_before(pipeline):
    request = ring(pipeline, "gone")
    placement = pipeline.placed(request)
    change(pipeline, LEFT)
    fields = [("CallSid", placement.sid), ("CallStatus", "completed")]
    assert pipeline.provider.post(placement.status_callback, fields, token="not-the-token").status_code == 403
    assert pipeline.call(request)["status"] == "Pending"
    pipeline.report(request, "no-answer")
    pipeline.wait_final(request, "No_answer")


def test_no_new_call_is_placed_on_it(pipeline):
    ringing = ring(pipeline, "gone")
    change(pipeline, LEFT)
    request = pipeline.request(channel="gone")
    pipeline.wait_dead_letter(lambda r: r.json["call_id"] == request["call_id"] and r.headers["ivr-reason"] == "unknown_channel")
    assert pipeline.provider.dials(request["to"]) == 0
    pipeline.report(ringing, "busy")
    pipeline.wait_final(ringing, "User_busy")


def test_a_call_of_it_can_be_hung_up(pipeline):
    request = ring(pipeline, "vonage")
    change(pipeline, LEFT)
    assert pipeline.cli("cancel", "call", f"acme/{request['call_id']}").code == 0
    assert pipeline.provider.wait_hangup(pipeline.placed(request)) == ['{"action":"hangup"}']
    pipeline.report(request, "busy")
    pipeline.wait_final(request, "User_busy")


def test_back_in_the_file_it_is_as_the_file_says(pipeline):
    request = ring(pipeline, "back")
    change(pipeline, LEFT)
    assert kept(pipeline, "back") == [1, 1]
    change(pipeline, CHANNELS)
    assert kept(pipeline, "back") == [0, 0]
    pipeline.report(request, "busy")
    pipeline.wait_final(request, "User_busy")
    ring(pipeline, "back")
