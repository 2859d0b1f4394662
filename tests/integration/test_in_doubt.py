"""What may have been placed is never dialled again: in doubt is Gateway_unavailable, and one dial."""

import threading
import time

import pytest

from harness.provider import accept, after, answer, close, hold, refuse, reset
from harness.wait import wait_until

CHANNELS = {"main": {}, "short": {"request_timeout": "1s"}, "idle": {"idle_timeout": "1s"}}


@pytest.fixture(scope="module")
def doubtful(pipeline):
    """Requests that must have been dialled exactly once, looked at again after the last test of the module."""
    requests = []
    yield requests
    pipeline.wait_committed("ivr-dispatch", "CALL_REQUESTS")
    dials = {request["call_id"]: pipeline.provider.dials(request["to"]) for request in requests}
    assert set(dials.values()) <= {1}, f"dialled more than once: {dials}"


def in_doubt(pipeline, doubtful, reply, **fields):
    """Sends a request whose placement is answered with `reply`; returns it once it is Gateway_unavailable."""
    request = pipeline.new_request(**fields)
    pipeline.provider.script(request["to"], reply, accept())
    pipeline.send(request)
    call = pipeline.wait_status(request, "Gateway_unavailable")
    assert pipeline.provider.dials(request["to"]) == 1
    assert [hop["hop"] for hop in call["attempts"][0]["hops"]] == ["message_out"]
    doubtful.append(request)
    return request


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(reset(), id="reset after the request"),
        pytest.param(close(), id="closed after the request"),
        pytest.param(answer(200, b""), id="empty 200"),
        pytest.param(answer(200, b"<html>Welcome</html>", "text/html"), id="HTML"),
        pytest.param(answer(201, b'{"sid": "CA'), id="truncated 201"),
        pytest.param(answer(201, b'{"sid": null, "status": "queued"}'), id="201 without sid"),
        pytest.param(answer(201, b'{"sid": 17}'), id="sid a number"),
        pytest.param(answer(201, b"[" * 50000), id="deeply nested 201"),
        pytest.param(answer(201, b"\xff\xfe\0\0"), id="binary 201"),
        pytest.param(answer(201, b" " * 3_000_000), id="endless 201"),
        pytest.param(refuse(500, 20500, "Internal Server Error"), id="500"),
        pytest.param(answer(502, b"<html>Bad Gateway</html>", "text/html"), id="502"),
        pytest.param(answer(504, b""), id="504"),
    ],
)
def test_a_reply_that_proves_nothing_leaves_the_call_in_doubt(pipeline, doubtful, reply):
    in_doubt(pipeline, doubtful, reply)


def test_a_response_that_does_not_come_in_time_leaves_the_call_in_doubt(pipeline, doubtful):
    gate = threading.Event()
    request = in_doubt(pipeline, doubtful, hold(gate, accept()), channel="short")
    gate.set()
    pipeline.report(request, "completed")
    pipeline.wait_final(request, "Completed")


@pytest.mark.parametrize("ending", [close(), reset()], ids=["closed", "reset"])
def test_a_kept_connection_that_dies_after_the_request_is_not_used_for_a_second_send(pipeline, doubtful, ending):
    """libcurl sends a POST again by itself when a kept connection ends without a byte of reply."""
    for _ in range(20):
        first = pipeline.request()
        pipeline.placed(first)
        pipeline.wait_status(first, "Pending")
        second = in_doubt(pipeline, doubtful, ending)
        if pipeline.placed(second).nth_on_connection > 1:
            return
    raise AssertionError("no placement ever came on a kept connection")


def test_connections_are_kept_between_placements(pipeline):
    requests = [pipeline.request() for _ in range(3)]
    for request in requests:
        pipeline.wait_status(request, "Pending")
    later = pipeline.request()
    assert pipeline.placed(later).nth_on_connection > 1


def test_an_idle_connection_is_not_trusted(pipeline):
    """A connection older than idle_timeout may be dead without our knowing: a new call gets a new one."""
    first = pipeline.request(channel="idle")
    pipeline.wait_status(first, "Pending")
    threading.Event().wait(2.5)  # what is tested is that nothing happens for longer than idle_timeout
    second = pipeline.request(channel="idle")
    assert pipeline.placed(second).peer != pipeline.placed(first).peer


def test_evidence_ends_the_doubt(pipeline, doubtful):
    request = in_doubt(pipeline, doubtful, reset())
    pipeline.report(request, "ringing")
    call = pipeline.wait_call(
        request, lambda call: "dialing" in str(call["attempts"][0]["hops"]), "the hop of the late report"
    )
    assert not call["final"], f"the provider speaks of the attempt, so it goes on: {call}"
    pipeline.report(request, "busy")
    pipeline.wait_final(request, "User_busy")


def test_a_report_that_tells_the_provider_s_id_brings_what_waited_under_it(pipeline, doubtful):
    """No response linked the id; one callback that carries our reference beside it does."""
    request = in_doubt(pipeline, doubtful, reset())
    placement = pipeline.provider.placements(request["to"])[-1]
    pipeline.provider.report(placement, "busy", 1, url=pipeline.short_url())
    pipeline.wait_committed("ivr-status", "CALLBACKS")
    assert pipeline.call(request)["status"] == "Gateway_unavailable"
    pipeline.provider.report(placement, "ringing")
    pipeline.wait_final(request, "User_busy")


def wait_settled(pipeline, request, placement):
    """Whoever is left settles a claim within request_timeout (1 s here) + 10 s; the rest is this machine's haste."""
    left = placement.at + 11 + 4 - time.monotonic()
    pipeline.wait_status(request, "Gateway_unavailable", timeout=left)
    pipeline.wait_event(
        request, lambda e: e["status"] == "Gateway_unavailable", "the doubt", timeout=20
    )  # accepted may stand in the outbox of the one that is gone


def test_a_claim_whose_worker_was_killed_is_settled_as_in_doubt(make_pipeline):
    """The response never reaches anybody."""
    gate = threading.Event()
    pipeline = make_pipeline({"main": {"request_timeout": "1s"}}, start=("dispatch", "gateway"))
    request = pipeline.new_request()
    pipeline.provider.script(request["to"], hold(gate, accept()))
    pipeline.send(request)
    placement = pipeline.placed(request)
    pipeline.worker("dispatch").kill9()
    pipeline.start("dispatch")
    wait_settled(pipeline, request, placement)
    gate.set()
    pipeline.wait_committed("ivr-dispatch", "CALL_REQUESTS")
    assert pipeline.provider.dials(request["to"]) == 1


def test_a_zombie_that_wakes_up_changes_nothing_that_others_settled(make_pipeline):
    """A worker frozen in mid-request loses its claim; its late outcome is evidence only."""
    gate = threading.Event()
    pipeline = make_pipeline({"main": {"request_timeout": "1s"}}, start=("dispatch", "status", "gateway"))
    zombie = pipeline.worker("dispatch")
    request = pipeline.new_request()
    pipeline.provider.script(request["to"], hold(gate, accept()))
    pipeline.send(request)
    placement = pipeline.placed(request)
    zombie.freeze()
    pipeline.start("dispatch")
    wait_settled(pipeline, request, placement)
    gate.set()
    zombie.thaw()
    after_wake_up = pipeline.request()  # both are at work again
    pipeline.wait_status(after_wake_up, "Pending")
    pipeline.report(request, "completed")
    pipeline.wait_final(request, "Completed")
    assert pipeline.provider.dials(request["to"]) == 1
    assert pipeline.provider.dials(after_wake_up["to"]) == 1


def test_sigterm_hears_a_request_that_is_out_to_its_end(make_pipeline):
    gate = threading.Event()
    pipeline = make_pipeline(start=("dispatch", "gateway"))
    worker = pipeline.worker("dispatch")
    request = pipeline.new_request()
    pipeline.provider.script(request["to"], hold(gate, accept()))
    pipeline.send(request)
    pipeline.placed(request)
    threading.Timer(1.0, gate.set).start()
    assert worker.term() == 0
    assert gate.is_set(), "the worker left before the response came"
    pipeline.wait_status(request, "Pending")
    assert pipeline.committed("ivr-dispatch", "CALL_REQUESTS") == pipeline.ends("CALL_REQUESTS")


def test_a_callback_during_the_wait_for_a_lost_response_is_kept(pipeline, doubtful):
    request = pipeline.new_request()
    ring = after(lambda placement: pipeline.provider.report(placement, "ringing"), reset())
    pipeline.provider.script(request["to"], ring, accept())
    pipeline.send(request)
    pipeline.placed(request)
    pipeline.wait_event(request, lambda e: e["hop"] == "dialing", "the hop of the early callback")
    pipeline.report(request, "completed")
    pipeline.wait_final(request, "Completed")
    doubtful.append(request)


# --- what the provider knows of it -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def asking(make_module_pipeline):
    """A pipeline that asks for attempts in doubt after two seconds, and dials a number for several calls at once."""
    return make_module_pipeline({"main": {"one_call_per_number": False}}, env={"IVR_PENDING_CHECK": "2s"})


def lost_reply(pipeline, **fields):
    """A request that was placed, although its response was lost."""
    request = pipeline.new_request(**fields)
    pipeline.provider.script(request["to"], close())
    pipeline.send(request)
    pipeline.wait_status(request, "Gateway_unavailable")
    return request, pipeline.placed(request)


def test_a_call_in_doubt_is_found_at_the_provider_by_its_number(asking):
    request, placement = lost_reply(asking)
    asking.provider.set_state(placement, "completed", duration="12")
    call = asking.wait_final(request, "Completed")
    assert call["attempts"][0]["provider_call_id"] == placement.sid
    assert asking.provider.dials(request["to"]) == 1


def test_a_found_call_is_linked_so_that_callbacks_with_its_id_alone_count(asking):
    request, placement = lost_reply(asking)
    asking.provider.set_state(placement, "ringing")
    asking.wait_call(request, lambda call: call["phase"] == "placed" and not call["final"], "the doubt to end")
    asking.provider.report(placement, "busy", 2, url=asking.short_url())
    asking.wait_final(request, "User_busy")


def test_another_attempts_call_does_not_end_a_doubt(asking):
    """Two calls to one number at the same time, one accepted, one in doubt and never placed."""
    known = asking.request()
    other = asking.placed(known)
    asking.wait_status(known, "Pending")
    asking.provider.set_state(other, "completed", duration="12")
    doubtful = asking.new_request(to=known["to"])
    asking.provider.script(known["to"], close())
    asking.send(doubtful)
    asking.wait_status(doubtful, "Gateway_unavailable")
    asked = len(asking.provider.lookups)
    wait_until(lambda: len(asking.provider.lookups) >= asked + 3, "the provider to be asked", 20)
    assert asking.call(doubtful)["status"] == "Gateway_unavailable"


def test_a_doubt_of_which_the_provider_knows_nothing_stays_one_and_is_not_dialled_again(asking):
    request = asking.new_request()
    asking.provider.script(request["to"], close())
    asking.send(request)
    asking.wait_status(request, "Gateway_unavailable")
    asking.provider.wait_lookup(lambda path: request["to"].removeprefix("+") in path)
    time.sleep(1)
    call = asking.call(request)
    assert (call["status"], call["final"]) == ("Gateway_unavailable", True)
    assert asking.provider.dials(request["to"]) == 1
