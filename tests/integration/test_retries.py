"""Calls that wait for another attempt, or for their time."""

from datetime import datetime, timedelta, timezone

import pytest
from harness.ports import free_port
from harness.provider import accept, refuse, reset

CHANNELS = {
    "main": {},
    "shut": {},
    "slow": {"from": "+254711082001", "calls_per_second": 0.5},
    "gone": {"from": "+254711082002", "base_url": f"http://127.0.0.1:{free_port()}"},
}


def attempt_of(placement):
    return int(placement.status_callback.partition("#")[0].rsplit("/", 1)[-1])


def seconds_between(earlier, later):
    return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()


def stamp(moment):
    return moment.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@pytest.mark.parametrize(
    "word, sip, status",
    [("no-answer", 487, "No_answer"), ("busy", 486, "User_busy"), ("no-answer", 480, "Subscriber_absent")],
)
def test_a_status_in_retry_on_is_tried_again_after_its_delay(pipeline, word, sip, status):
    request = pipeline.request(retry={"max_attempts": 2, "delays": [1]})
    pipeline.report(request, "ringing", word, SipResponseCode=sip)
    waiting = pipeline.wait_event(request, lambda e: e["type"] == "call.waiting" and e["status"], "a wait for a retry")
    assert (waiting["status"], waiting["final"]) == (status, False)
    assert waiting["next_attempt_at"] is not None
    second = pipeline.placed(request, count=2)
    assert attempt_of(second) == 2
    assert second.at - pipeline.placed(request).at >= 0.9, "the delay was not kept"
    pipeline.report(request, "completed", CallDuration=3)
    call = pipeline.wait_final(request, "Completed")
    assert [attempt["status"] for attempt in call["attempts"]] == [status, "Completed"]


def test_max_attempts_ends_the_retries_with_the_latest_status(pipeline):
    request = pipeline.request(retry={"max_attempts": 2, "delays": [1]})
    pipeline.report(request, "busy")
    pipeline.placed(request, count=2)
    pipeline.report(request, "no-answer")
    pipeline.wait_final(request, "No_answer")
    assert pipeline.provider.dials(request["to"]) == 2


def test_a_status_that_is_not_in_retry_on_is_final(pipeline):
    request = pipeline.request(retry={"max_attempts": 3, "on": ["No_answer"], "delays": [1]})
    pipeline.report(request, "busy")
    pipeline.wait_final(request, "User_busy")


def test_an_unknown_word_in_mid_call_does_not_redial_somebody_who_is_talking(pipeline):
    request = pipeline.request(retry={"max_attempts": 3, "on": ["Failed_unknown_reason"], "delays": [1]})
    pipeline.report(request, "in-the-middle-of-something")
    call = pipeline.wait_status(request, "Failed_unknown_reason")
    assert call["phase"] == "placed" and not call["final"]
    pipeline.report(request, "completed")
    pipeline.wait_final(request, "Completed")
    assert pipeline.provider.dials(request["to"]) == 1


def test_a_late_answer_of_the_first_attempt_ends_the_waiting_for_the_second(pipeline):
    request = pipeline.request(retry={"max_attempts": 2, "delays": [3600]})
    pipeline.report(request, "no-answer")
    pipeline.wait_event(request, lambda e: e["type"] == "call.waiting", "call.waiting")
    pipeline.report(request, "completed")
    call = pipeline.wait_final(request, "Completed")
    assert call["next_attempt_at"] is None
    summary = pipeline.wait_summary(request, lambda s: s["complete"], "complete")
    assert (summary["retrying"], summary["by_status"]["Completed"]) == (0, 1)


def test_a_call_that_waits_for_a_retry_is_counted_as_retrying(pipeline):
    request = pipeline.request(retry={"max_attempts": 2, "delays": [3600]})
    pipeline.report(request, "no-answer")
    summary = pipeline.wait_summary(request, lambda s: s["retrying"] == 1, "one that is retrying")
    assert not summary["complete"]
    assert summary["by_status"]["No_answer"] == 1 and summary["waiting"] == 0


def test_a_doubtful_call_is_redialled_only_where_the_request_says_so(pipeline):
    retry = {"max_attempts": 2, "on": ["Gateway_unavailable"], "delays": [1]}
    careful = pipeline.new_request(retry=retry)
    bold = pipeline.new_request(retry=retry, redial_in_doubt=True)
    for request in (careful, bold):
        pipeline.provider.script(request["to"], reset(), accept())
        pipeline.send(request)
    pipeline.placed(bold, count=2)
    pipeline.wait_status(bold, "Pending")
    call = pipeline.wait_status(careful, "Gateway_unavailable")
    assert call["phase"] != "waiting"
    assert pipeline.provider.dials(careful["to"]) == 1


def test_not_before_is_waited_for(pipeline):
    moment = datetime.now(timezone.utc) + timedelta(seconds=3)
    request = pipeline.request(not_before=stamp(moment))
    call = pipeline.wait_call(request, lambda call: call["next_attempt_at"] is not None, "the call to wait")
    assert (call["phase"], call["status"]) == ("waiting", None)
    meanwhile = pipeline.request()  # it holds nobody up
    pipeline.wait_status(meanwhile, "Pending")
    assert pipeline.provider.dials(request["to"]) == 0
    pipeline.placed(request)
    assert datetime.now(timezone.utc) >= moment


def test_a_call_that_expires_before_any_attempt_is_dropped(pipeline):
    request = pipeline.new_request(channel="shut", expires_at=stamp(datetime.now(timezone.utc) + timedelta(seconds=3)))
    pipeline.provider.script(request["to"], refuse(401, 20003, "Authenticate"))
    pipeline.send(request)
    call = pipeline.wait_call(request, lambda call: call["phase"] == "dropped", "the drop")
    assert (call["drop_reason"], call["status"], call["final"]) == ("expired", None, True)


def test_a_call_that_expires_between_attempts_ends_with_its_status(pipeline):
    request = pipeline.request(
        retry={"max_attempts": 2, "delays": [3600]},
        expires_at=stamp(datetime.now(timezone.utc) + timedelta(seconds=3)),
    )
    pipeline.report(request, "no-answer")
    call = pipeline.wait_final(request, "No_answer")
    assert call["phase"] == "done" and call["drop_reason"] is None
    assert pipeline.provider.dials(request["to"]) == 1


def test_a_call_that_expires_while_its_channel_is_busy_is_not_dialled_after_that(pipeline):
    """Its time is looked at before the dial, not only when it came in."""
    ahead = pipeline.request(channel="slow")
    pipeline.placed(ahead)
    late = pipeline.request(channel="slow", expires_at=stamp(datetime.now(timezone.utc) + timedelta(seconds=1)))
    behind = pipeline.request(channel="slow")
    call = pipeline.wait_call(late, lambda call: call["phase"] == "dropped", "the drop", 8)
    assert (call["drop_reason"], call["attempts"]) == ("expired", [])
    pipeline.placed(behind, timeout=10)
    assert pipeline.provider.dials(late["to"]) == 0


def test_a_retry_that_would_come_after_the_expiry_is_not_waited_for(pipeline):
    soon = stamp(datetime.now(timezone.utc) + timedelta(minutes=1))
    request = pipeline.request(retry={"max_attempts": 2, "delays": [3600]}, expires_at=soon)
    pipeline.report(request, "busy")
    pipeline.wait_final(request, "User_busy", 3)


def test_calls_that_failed_together_do_not_come_again_together(pipeline):
    """A minute's delay, and each its own minute: what was busy at once would be busy at once again."""
    requests = [pipeline.new_request(retry={"max_attempts": 2, "delays": [60]}) for _ in range(20)]
    pipeline.send_all(requests)
    delays = []
    for request in requests:
        pipeline.report(request, "busy")
        event = pipeline.wait_event(request, lambda e: e["type"] == "call.waiting" and e["status"], "the wait")
        delays.append(seconds_between(event["recorded_at"], event["next_attempt_at"]))
    assert 45 <= min(delays) and max(delays) <= 75, delays
    assert max(delays) - min(delays) > 2, delays


def test_attempts_in_doubt_use_the_budget(pipeline):
    retry = {"max_attempts": 2, "on": ["Gateway_unavailable"], "delays": [1]}
    request = pipeline.new_request(retry=retry, redial_in_doubt=True)
    pipeline.provider.script(request["to"], reset())
    pipeline.send(request)
    call = pipeline.wait_final(request, "Gateway_unavailable")
    assert pipeline.provider.dials(request["to"]) == len(call["attempts"]) == 2


def test_who_reaches_nobody_waits_longer_each_time(pipeline):
    request = pipeline.request(channel="gone")
    pauses = []
    for attempt in (1, 2, 3):
        event = pipeline.wait_event(
            request, lambda e, n=attempt: e["type"] == "call.waiting" and e["attempt"] == n, f"wait {attempt}"
        )
        pauses.append(seconds_between(event["recorded_at"], event["next_attempt_at"]))
    assert all(0.7 * 2**n <= pause <= 1.3 * 2**n for n, pause in enumerate(pauses)), pauses


def test_retry_after_is_waited_for(pipeline):
    request = pipeline.new_request()
    pipeline.provider.script(request["to"], refuse(429, 20429, headers={"Retry-After": "3"}), accept())
    pipeline.send(request)
    first, second = pipeline.placed(request), pipeline.placed(request, count=2)
    assert 2.9 <= second.at - first.at <= 5


def test_nobody_waits_longer_than_five_minutes_because_a_provider_says_so(pipeline):
    request = pipeline.new_request()
    pipeline.provider.script(request["to"], refuse(429, 20429, headers={"Retry-After": "86400"}))
    pipeline.send(request)
    pipeline.placed(request)
    call = pipeline.wait_call(request, lambda call: call["next_attempt_at"], "its next time")
    assert 60 <= seconds_between(stamp(datetime.now(timezone.utc)), call["next_attempt_at"]) <= 330
