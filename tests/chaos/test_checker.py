"""The checker itself: a run without defects passes, and of each seeded defect it says the right thing and nothing else."""

import copy
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import msgpack
import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "integration")]

from checker.check import check  # noqa: E402
from checker.events import Event, check_stories  # noqa: E402
from checker.findings import Findings  # noqa: E402
from checker.words import STATUS_RANK  # noqa: E402
from redis_aof import DurableRedis  # noqa: E402
from synthetic import COMPLETED, HOLD_MS, START, Call, Remains  # noqa: E402

PENDING, NO_ANSWER, USER_BUSY = (STATUS_RANK[name] for name in ("Pending", "No_answer", "User_busy"))


@pytest.fixture
def remains():
    return Remains()


@pytest.fixture
def kinds(tmp_path):
    """Writes the remains and answers with the kinds of violations that the checker names."""

    def run(remains):
        _, findings = check(remains.write(tmp_path / "run"))
        run.findings = findings
        return findings.kinds()

    return run


def again(remains, topic, record, **changes):
    """The record once more, at the end of its topic."""
    remains.add(topic, record["key"], record["value"] | changes, record["headers"])


def restore(remains, number):
    """What Redis holds of a call, after a test changed the call."""
    call = remains.calls[number - 1]
    remains.redis[f"{{ivr:03}}:call:{call.id}"] = call.stored()


def commit_everything(remains):
    for topics in remains.committed.values():
        for topic in topics:
            topics[topic] = {"0": len(remains.topics[topic])}


def last_summary(remains, kind="campaign"):
    return [r["value"] for r in remains.topics["delivery-summaries"] if r["value"]["kind"] == kind][-1]


def test_run_without_defects_has_no_violations(remains, kinds):
    assert kinds(remains) == set(), kinds.findings.violations


def test_everything_delivered_twice_is_no_violation(remains, kinds):
    for topic in ("call-requests", "call-events", "dead-letters", "delivery-summaries"):
        last = remains.topics[topic][-1]
        remains.add(topic, last["key"], last["value"], last["headers"])
    again(remains, "call-requests", remains.topics["call-requests"][0])
    remains.bury(remains.topics["call-requests"][-2], "call-requests", "invalid_request")
    commit_everything(remains)
    assert kinds(remains) == set(), kinds.findings.violations


# ---- dials ----


def dial_too(remains, sid, **changes):
    """One more placement, much like the first, and soon over."""
    remains.placements.append(remains.placements[0] | {"at_ms": START + 5000, "sid": sid} | changes)
    remains.ends[sid] = START + 5005


def test_double_dial(remains, kinds):
    dial_too(remains, "CAcall-1again")
    assert kinds(remains) == {"double dial", "more dials than allowed"}
    assert "acme/call-1/1: placements.ndjson:1" in kinds.findings.violations["double dial"][0]


def test_double_dial_under_another_url_is_found_by_its_reference(remains, kinds):
    other = "https://elsewhere.example/x/callbacks/twilio/backup/acme/call-1/1?token=1"
    remains.placements.append(remains.placements[0] | {"status_callback": other, "attempt_ref": "acme/call-1/1"})
    assert "double dial" in kinds(remains)


def test_second_attempt_that_nobody_allowed(remains, kinds):
    url = remains.placements[0]["status_callback"].replace("/1#", "/2#")
    dial_too(remains, "CAother", status_callback=url)
    assert kinds(remains) == {"more dials than allowed", "dial that Redis does not know"}


def test_placement_again_after_a_doubtful_reply(remains, kinds):
    first = remains.placements[7]
    assert first["faults"] == ["timeout"]
    first |= {"dialled": False, "sid": None}
    remains.placements.append(first | {"faults": []})
    assert kinds(remains) == {"risked dial", "more dials than allowed"}


def test_placement_again_after_a_429_is_no_violation(remains, kinds):
    refused = {"faults": ["429"], "dialled": False, "sid": None, "outcome": None}
    remains.placements.insert(0, remains.placements[0] | refused)
    assert kinds(remains) == set(), kinds.findings.violations


def test_dial_of_a_dead_lettered_request(remains, kinds):
    url = remains.placements[0]["status_callback"].replace("call-1/", "call-bad/")
    remains.placements.append(remains.placements[0] | {"status_callback": url, "sid": "CAbad"})
    assert kinds(remains) == {"dial of a dead-lettered request"}


def test_dial_that_nobody_asked_for(remains, kinds):
    url = remains.placements[0]["status_callback"].replace("call-1/", "call-99/")
    remains.placements.append(remains.placements[0] | {"status_callback": url, "sid": "CAnone"})
    assert kinds(remains) == {"dial without an accepted request"}


def test_dial_of_another_number(remains, kinds):
    remains.placements[0]["to"] = "+254700000000"
    assert kinds(remains) == {"dial of another number"}


def test_dial_held_for_unreached(remains, kinds):
    call = remains.calls[6]
    fields = call.stored()
    attempt = msgpack.unpackb(fields["a1"])
    attempt[16] = 1  # unreached
    fields["a1"] = msgpack.packb(attempt)
    remains.redis[f"{{ivr:03}}:call:{call.id}"] = fields
    assert "dialled, and held for unreached" in kinds(remains)


# ---- rates, lines, numbers ----


def place_at(remains, number, at_ms):
    """The call's (only) placement comes at that time, and is over at once."""
    placement = next(p for p in remains.placements if f"/call-{number}/" in p["status_callback"])
    placement["at_ms"] = at_ms
    end_at(remains, number, at_ms + 5)


def end_at(remains, number, at_ms, attempt=1):
    remains.ends[f"CAcall-{number}{attempt}"] = at_ms


def overrun(remains):
    """Four placements within a second, where 2, and one more, are allowed."""
    first = remains.placements[0]["at_ms"]
    for number, after in ((2, 400), (3, 800), (4, 999)):
        place_at(remains, number, first + after)


def test_more_placements_than_the_rate(remains, kinds):
    overrun(remains)
    assert kinds(remains) == {"more placements than the rate"}
    assert "4 placements within a second" in kinds.findings.violations["more placements than the rate"][0]


def test_as_many_placements_as_the_rate_in_any_second_are_no_violation(remains, kinds):
    overrun(remains)
    place_at(remains, 4, remains.placements[0]["at_ms"] + 1000)
    assert kinds(remains) == set(), kinds.findings.violations


def test_windows_that_a_fault_on_the_way_met_are_counted_and_not_judged(remains, kinds):
    overrun(remains)
    at = remains.placements[0]["at_ms"] + 500
    remains.faults.append({"kind": "latency", "target": "provider", "at_ms": at, "end_ms": at, "in_flight": 9})
    assert kinds(remains) == set(), kinds.findings.violations
    (row,) = [row for row in kinds.findings.rows if row[0] == "windows of a second of main"]
    assert row[1] < len(remains.placements) and row[1] + int(row[2].split()[0]) == len(remains.placements)


def test_a_fault_elsewhere_excuses_no_window(remains, kinds):
    overrun(remains)
    at = remains.placements[0]["at_ms"] + 500
    for kind, target in (("latency", "redis-dispatch"), ("freeze", "status.1"), ("kill", "dispatch.1")):
        remains.faults.append({"kind": kind, "target": target, "at_ms": at, "end_ms": at, "in_flight": 9})
    assert kinds(remains) == {"more placements than the rate"}


@pytest.mark.parametrize("thaw, violations", [(500, set()), (9000, {"more placements than the rate"})])
def test_worker_that_stood_still_excuses_what_comes_when_it_wakes_up(remains, kinds, thaw, violations):
    overrun(remains)
    at = remains.placements[0]["at_ms"]
    freeze = {"kind": "freeze", "target": "dispatch.1", "at_ms": at - 9000, "end_ms": at + thaw, "in_flight": 9}
    remains.faults.append(freeze)
    assert kinds(remains) == violations


def test_one_line_too_many(remains, kinds):
    for number in (1, 2):
        end_at(remains, number, remains.placements[2]["at_ms"] + 10)
    del remains.channels["tenants"]
    assert kinds(remains) == {"more calls at once than lines"}
    (told,) = kinds.findings.violations["more calls at once than lines"]
    assert told.startswith("main: 3 at") and "acme/call-3/1 live" in told


def test_line_that_is_free_when_the_next_call_begins(remains, kinds):
    for number in (1, 2):
        end_at(remains, number, remains.placements[2]["at_ms"])
    assert kinds(remains) == set(), kinds.findings.violations


def test_tenant_with_more_calls_than_its_cap(remains, kinds):
    for number in (1, 2):
        end_at(remains, number, remains.placements[2]["at_ms"] + 10)
    del remains.channels["channels"]["main"]["concurrent_calls"]
    assert kinds(remains) == {"more calls at once than lines"}
    assert kinds.findings.violations["more calls at once than lines"][0].startswith("acme on main: 3 at")


def test_line_given_away_while_its_attempt_is_in_doubt(remains, kinds):
    end_at(remains, 6, remains.calls[7].attempt.placed_ms + 10, attempt=2)
    assert kinds(remains) == {"line given away while its attempt may be live"}


def test_call_longer_than_a_line_may_be_held_has_lost_it(remains, kinds):
    for number in (1, 2):
        end_at(remains, number, remains.placements[2]["at_ms"] + 10)
    for record in remains.topics["call-requests"][:2]:
        record["value"] |= {"ring_timeout": -30, "time_limit": -30}  # nothing is left of it
    assert kinds(remains) == set(), kinds.findings.violations


def call_the_same(remains):
    """Calls 1 and 2 are of one number, and the first lasts into the second."""
    number = remains.placements[0]["to"]
    remains.placements[1]["to"] = number
    remains.of("call-requests", 2)[0]["value"]["to"] = number
    end_at(remains, 1, remains.placements[1]["at_ms"] + 10)


def test_two_calls_to_one_number_at_once(remains, kinds):
    call_the_same(remains)
    assert kinds(remains) == {"two calls to one number at once"}


def test_two_calls_to_one_number_one_after_the_other(remains, kinds):
    call_the_same(remains)
    end_at(remains, 1, remains.placements[1]["at_ms"])
    assert kinds(remains) == set(), kinds.findings.violations


def test_two_calls_to_one_number_where_the_channel_allows_it(remains, kinds):
    call_the_same(remains)
    remains.channels["channels"]["main"]["one_call_per_number"] = False
    assert kinds(remains) == set(), kinds.findings.violations


@pytest.mark.parametrize("redialled, violations", [(1, {"number given away while an attempt may be live"}), (2, set())])
def test_number_of_an_attempt_in_doubt_is_given_away_by_its_next_attempt_only(remains, kinds, redialled, violations):
    doubt = remains.calls[6]
    remains.placements[-1] |= {"dialled": False, "sid": None, "faults": ["503"]}  # nothing of it is live
    number = remains.of("call-requests", 7)[0]["value"]["to"]
    later = Call(remains, 10)
    later.to = remains.of("call-requests", 10)[0]["value"]["to"] = number
    later.dial()
    later.hang_up()
    fields = doubt.stored()
    if redialled == 2:
        fields["a2"] = fields["a1"]
        again_ = msgpack.unpackb(fields["a2"])
        again_[0], again_[1] = COMPLETED, 1
        fields["a2"] = msgpack.packb(again_)
    remains.redis[f"{{ivr:03}}:call:{doubt.id}"] = fields
    kind = "number given away while an attempt may be live"
    assert kinds(remains) & {kind} == violations


def test_line_that_nobody_gave_back(remains, kinds):
    remains.redis["{ivr:ch:main}:lines"].append(("acme/call-1/1", START + 60_000))
    assert kinds(remains) == {"line that nobody gave back"}
    assert "acme/call-1/1 on main" in kinds.findings.violations["line that nobody gave back"][0]


def test_line_that_only_the_shard_still_has(remains, kinds):
    remains.redis["{ivr:03}:lined"].append(("main|acme/call-1/1", START + 60_000))
    assert kinds(remains) == {"line that nobody gave back"}


def test_line_of_an_attempt_in_doubt_that_is_lost(remains, kinds):
    del remains.redis["{ivr:ch:main}:lines"], remains.redis["{ivr:ch:main}:lines:acme"]
    assert kinds(remains) == {"line of an attempt that may be live is lost"}


def test_line_of_an_attempt_in_doubt_that_is_held_for_too_long(remains, kinds):
    (name, deadline), *others = remains.redis["{ivr:ch:main}:lines"]
    remains.redis["{ivr:ch:main}:lines"] = [(name, deadline + 3600_000), *others]
    assert kinds(remains) == {"line held longer than it may be"}


def test_call_that_the_provider_never_closed_keeps_its_line_and_its_number(remains, kinds):
    call = remains.calls[0]
    call.attempt.terminal = 0
    for topic in ("callbacks", "call-events"):
        kept = [r for r in remains.topics[topic] if not ("CallDuration" in str(r["value"]) and call.name in r["key"])]
        remains.topics[topic] = kept
    restore(remains, 1)
    remains.redis["{ivr:ch:main}:lines"].append(("acme/call-1/1", call.attempt.placed_ms + HOLD_MS))
    remains.redis[f"{{ivr:05}}:lock:acme|main|{call.to}"] = "acme/call-1/1"
    assert not kinds(remains) & {"line that nobody gave back", "number that nobody gave back"}


def test_number_that_nobody_gave_back(remains, kinds):
    remains.redis["{ivr:05}:lock:acme|main|+254700000001"] = "acme/call-1/1"
    assert kinds(remains) == {"number that nobody gave back"}


def test_call_that_is_still_noted_as_waiting_for_a_number_is_counted(remains, kinds):
    remains.redis["{ivr:05}:lock:acme|main|+254700000001:w"] = [("acme/call-1", START)]
    assert kinds(remains) == set(), kinds.findings.violations
    assert ("calls still noted as waiting for a number", 1, "") in kinds.findings.rows


@pytest.mark.parametrize("key", ["q:acme", "taken"])
def test_ticket_left(remains, kinds, key):
    remains.redis["{ivr:ch:main}:" + key] = [("acme/call-1/1", 5)]
    assert kinds(remains) == {"ticket left"}


def change_channel(remains, number, attempt, channel):
    fields = remains.calls[number - 1].stored()
    packed = msgpack.unpackb(fields[f"a{attempt}"])
    packed[5] = channel
    remains.redis[f"{{ivr:03}}:call:acme/call-{number}"] = fields | {f"a{attempt}": msgpack.packb(packed)}


def test_fallback_after_what_may_be_a_call(remains, kinds):
    change_channel(remains, 6, 2, "spare")
    assert kinds(remains) >= {"fallback after what may be a call", "dial over another channel"}


def test_channel_that_nobody_named(remains, kinds):
    change_channel(remains, 1, 1, "elsewhere")
    assert "channel that nobody named" in kinds(remains)


def test_lossy_run_counts_what_was_given_twice(remains, kinds):
    remains.mode = "lossy"
    call_the_same(remains)
    remains.redis["{ivr:ch:main}:lines"].append(("acme/call-1/1", START + 60_000))
    assert kinds(remains) == set()
    assert set(kinds.findings.losses) == {"two calls to one number at once", "line that nobody gave back"}


# ---- fates ----


def test_lost_request(remains, kinds):
    request = remains.topics["call-requests"][0]
    again(remains, "call-requests", request, call_id="call-lost")
    commit_everything(remains)
    assert kinds(remains) == {"lost request"}
    assert "call-requests 0@10" in kinds.findings.violations["lost request"][0]


def test_request_that_is_still_to_be_taken(remains, kinds):
    again(remains, "call-requests", remains.topics["call-requests"][0], call_id="call-late")
    assert kinds(remains) == {"request not taken", "not committed"}


def test_call_that_did_not_end(remains, kinds):
    call = remains.calls[4]
    call.phase, call.final = 3, 0
    restore(remains, 5)
    assert kinds(remains) == {"call did not end", "last event is not Redis' state"}


def test_conflict_without_a_dead_letter(remains, kinds):
    again(remains, "call-requests", remains.topics["call-requests"][0], to="+254733000000")
    commit_everything(remains)
    assert kinds(remains) == {"conflict without a dead letter"}


def test_dead_letter_that_was_changed(remains, kinds):
    remains.topics["dead-letters"][0]["value"] = {"changed": True}
    assert kinds(remains) == {"dead letter is not its original"}


# ---- doubt ----


def test_doubt_without_a_fault_near(remains, kinds):
    remains.faults[0] |= {"at_ms": START - 900_000, "end_ms": START - 900_000}
    assert kinds(remains) == {"unexplained doubt"}
    assert "acme/call-8/1" in kinds.findings.violations["unexplained doubt"][0]


def test_doubt_is_not_explained_by_a_killed_report_worker(remains, kinds):
    remains.faults[0]["target"] = "report.1"
    assert kinds(remains) == {"unexplained doubt"}


def test_more_doubt_than_was_in_flight(remains, kinds):
    remains.faults[0]["in_flight"] = 0
    assert kinds(remains) == {"more doubt than in flight"}


def test_doubtful_reply_explains_its_own_attempt_only(remains, kinds):
    remains.placements[7]["faults"] = []
    remains.faults.clear()
    assert kinds(remains) == {"unexplained doubt"}
    assert len(kinds.findings.violations["unexplained doubt"]) == 2


# ---- callbacks ----


def test_callback_that_was_acknowledged_and_is_not_on_the_topic(remains, kinds):
    lost = remains.gateway[0] | {"body": "CallSid=CAcall-11&CallStatus=ringing&SequenceNumber=7"}
    remains.gateway.append(lost)
    assert kinds(remains) == {"callback not on the topic"}


def test_callback_that_was_acknowledged_twice_and_stands_there_once(remains, kinds):
    remains.gateway.append(remains.gateway[0])
    assert kinds(remains) == {"callback not on the topic"}


def test_callback_that_nobody_applied(remains, kinds):
    call = remains.calls[6]  # in doubt, until the provider reports
    call.callback("busy", SipResponseCode=486)
    call.attempt.reported = 0
    commit_everything(remains)
    assert kinds(remains) == {"callback not reflected"}
    assert "Redis holds Gateway_unavailable" in kinds.findings.violations["callback not reflected"][0]


def test_status_that_nobody_reported(remains, kinds):
    for record in remains.topics["callbacks"]:
        record["value"] = record["value"].replace("busy&SipResponseCode=486", "no-answer")
    for line in remains.gateway:
        line["body"] = line["body"].replace("busy&SipResponseCode=486", "no-answer")
    remains.placements[3]["outcome"] = "no-answer"
    assert kinds(remains) == {"status that nobody reported"}


def test_reason_that_is_not_the_providers(remains, kinds):
    for records in (remains.topics["callbacks"], remains.gateway):
        for record in records:
            field = "value" if "value" in record else "body"
            record[field] = record[field].replace("SipResponseCode=486", "SipResponseCode=600")
    assert kinds(remains) == {"reason is not the provider's"}


def test_callback_given_up_although_its_call_is_known(remains, kinds):
    record = remains.topics["callbacks"][0]
    remains.bury(record, "callbacks", "unknown_call")
    assert "callback of a known call given up" in kinds(remains)


def test_short_url_callback_is_found_by_the_providers_id(remains, kinds):
    for record in remains.topics["callbacks"]:
        for name in ("ce_tenant", "ce_callid", "ce_attempt"):
            del record["headers"][name]
    for line in remains.gateway:
        line["url"] = line["url"].split("/acme/")[0]
    assert kinds(remains) == set(), kinds.findings.violations


# ---- events ----


def test_gap_in_seq(remains, kinds):
    gone = remains.of("call-events", 1, type="call.hop", hop="dialing")[0]
    gone["value"] = copy.deepcopy(remains.topics["call-events"][0]["value"])
    gone["headers"] = remains.topics["call-events"][0]["headers"]
    assert "gap in seq" in kinds(remains)


def test_id_with_two_contents(remains, kinds):
    again(remains, "call-events", remains.topics["call-events"][0], to="+2547****9999")
    commit_everything(remains)
    assert kinds(remains) == {"event id with two contents"}


def test_previous_status_that_is_not_the_one_before(remains, kinds):
    event = remains.of("call-events", 4, type="call.final")[0]
    event["value"]["previous_status"] = "No_answer"
    assert kinds(remains) == {"previous_status is not the status before"}


def test_attempt_that_is_heard_of_before_it_has_a_status():
    """Its first hop still carries the status of the attempt before; that status may be the higher one."""
    empty = dict.fromkeys(Event._fields, 0) | {"place": (0, 0), "code": "", "detail": "", "final": False, "hop": -1}
    story = [
        Event(**empty | {"seq": 1, "type": "call.accepted"}),
        Event(**empty | {"seq": 2, "type": "call.status", "attempt": 1, "status": USER_BUSY}),
        Event(**empty | {"seq": 3, "type": "call.hop", "attempt": 2, "status": USER_BUSY, "previous": USER_BUSY, "hop": 0}),
        Event(**empty | {"seq": 4, "type": "call.status", "attempt": 2, "status": NO_ANSWER, "previous": USER_BUSY}),
        Event(**empty | {"seq": 5, "type": "call.status", "attempt": 2, "status": PENDING, "previous": NO_ANSWER}),
    ]
    assert back_at(story[:4]) == []
    assert len(back_at(story)) == 1


def back_at(story):
    findings = Findings()
    check_stories(SimpleNamespace(calls={"acme/call-1": story}), findings)
    return findings.violations.get("status goes back", [])


def test_final_that_is_said_of_a_status_event(remains, kinds):
    event = remains.of("call-events", 4, type="call.final")[0]
    event["value"]["type"] = "call.status"
    event["headers"]["ce_type"] = "ivr.call.status"
    assert kinds(remains) == {"event is not as its type says"}


def test_recorded_at_that_goes_back(remains, kinds):
    event = remains.of("call-events", 4, type="call.final")[0]
    event["value"]["recorded_at"] = "2026-11-18T00:00:00.000Z"
    assert kinds(remains) == {"recorded_at goes back"}


def test_last_event_that_is_not_what_redis_holds(remains, kinds):
    event = remains.of("call-events", 4)[-1]
    event["value"]["reason"] = {"code": "600", "detail": "busy"}
    found = kinds(remains)
    assert found == {"attempt's last event is not Redis' state", "summary is not the recount from the events"}


def test_redis_changed_without_an_event(remains, kinds):
    call = remains.calls[3]
    call.seq += 1
    restore(remains, 4)
    assert kinds(remains) == {"last event is not Redis' state", "last record is not what Redis holds"}


def test_wrong_status_in_redis(remains, kinds):
    call = remains.calls[3]
    call.status = COMPLETED
    restore(remains, 4)
    assert kinds(remains) >= {"status is not that of its attempts", "last event is not Redis' state"}


def test_event_that_stays_in_the_outbox(remains, kinds):
    remains.redis["{ivr:03}:out"] = 1
    assert kinds(remains) == {"event left in the outbox"}


# ---- records ----


def test_final_call_without_a_record(remains, kinds):
    remains.topics["call-records"].pop(2)
    assert kinds(remains) == {"final call without a record"}


def test_record_that_is_not_the_newest(remains, kinds):
    remains.topics["call-records"][2]["value"]["seq"] -= 1
    assert kinds(remains) == {"last record is not what Redis holds"}


def test_older_record_that_came_last(remains, kinds):
    late = remains.topics["call-records"][2]
    remains.add("call-records", late["key"], late["value"] | {"seq": late["value"]["seq"] - 1})
    assert kinds(remains) == {"an older record came last", "last record is not what Redis holds"}


def test_record_with_another_cost(remains, kinds):
    remains.topics["call-records"][0]["value"]["cost_amount"] = "9.00"
    assert kinds(remains) == {"last record is not what Redis holds"}


# ---- summaries ----


def test_wrong_counter(remains, kinds):
    counters = remains.redis["{ivr:03}:n:acme/maize"]
    counters["main|h:1"] = b"%d" % (int(counters["main|h:1"]) + 1)
    assert kinds(remains) == {"counter is not the recount"}


@pytest.mark.parametrize("where", ["hops", "by_reason", "ring_seconds", "talk_seconds"])
def test_wrong_number_in_the_last_summary(remains, kinds, where):
    counts = last_summary(remains)[where] = dict(last_summary(remains)[where])
    name = next(reversed(counts))
    counts[name] += 1
    expected = {"summary is not the recount from Redis", "summary is not the recount from the events"}
    assert kinds(remains) == expected


def test_summary_that_does_not_add_up(remains, kinds):
    summary = remains.topics["delivery-summaries"][0]["value"]
    summary["calls"] += 1
    assert kinds(remains) == {"summary does not add up"}


def test_wrong_answer_rate(remains, kinds):
    remains.topics["delivery-summaries"][1]["value"]["answer_rate"] = 0.9
    assert kinds(remains) == {"summary does not add up"}


def test_last_summary_is_missing(remains, kinds):
    last = remains.topics["delivery-summaries"][1]
    last["value"] = copy.deepcopy(remains.topics["delivery-summaries"][0]["value"])
    last["headers"] = remains.topics["delivery-summaries"][0]["headers"]
    expected = {"summary is not the recount from Redis", "summary is not the recount from the events"}
    assert kinds(remains) == expected


def test_older_revision_that_stays_the_last(remains, kinds):
    first = remains.topics["delivery-summaries"][0]
    remains.add("delivery-summaries", first["key"], first["value"], first["headers"])
    assert kinds(remains) == {"older revision stays the last"}


def test_revision_with_two_contents(remains, kinds):
    last = remains.topics["delivery-summaries"][1]
    again(remains, "delivery-summaries", last, as_of="2026-11-18T00:00:00.000Z")
    assert kinds(remains) == {"revision with two contents"}


def test_wrong_window(remains, kinds):
    last_summary(remains, "window")["attempts"] += 1
    assert kinds(remains) == {"window is not the recount from Redis"}


def test_missing_window(remains, kinds):
    remains.topics["delivery-summaries"].pop()
    assert kinds(remains) == {"window without a summary"}


def test_window_that_is_still_open_needs_no_summary(remains, kinds):
    remains.topics["delivery-summaries"].pop()
    remains.ended_ms = START + 40_000
    assert kinds(remains) == set(), kinds.findings.violations


# ---- offsets ----


def test_commit_past_the_end(remains, kinds):
    remains.committed["s"]["callbacks"]["0"] += 1
    assert kinds(remains) == {"committed past the end"}


def test_what_was_not_committed(remains, kinds):
    remains.committed["r"]["call-events"]["0"] -= 1
    assert kinds(remains) == {"not committed"}


def sample(remains, topic, at_ms):
    remains.commits.append({"at_ms": at_ms, "topic": topic, "partition": 0, "offset": 1})


def test_commit_ahead_of_its_request(remains, kinds):
    sample(remains, "call-requests", START)
    assert kinds(remains) == {"committed ahead of its work"}
    assert "acme/call-1: call-requests 0@0" in kinds.findings.violations["committed ahead of its work"][0]


def test_commit_ahead_of_its_callback(remains, kinds):
    sample(remains, "callbacks", START)
    assert kinds(remains) == {"committed ahead of its work"}


def test_commit_behind_its_work_is_no_violation(remains, kinds):
    sample(remains, "call-requests", START + 1900)
    sample(remains, "callbacks", START + 1900)
    assert kinds(remains) == set(), kinds.findings.violations


# ---- hops ----


def test_hop_before_message_out(remains, kinds):
    attempt = remains.calls[0].attempts[0]
    attempt.hops[1] = (0, attempt.hops[0][1] - 1)
    restore(remains, 1)
    assert kinds(remains) == {"hop before message_out"}


def test_hop_of_another_day(remains, kinds):
    attempt = remains.calls[0].attempts[0]
    attempt.hops[1] = (START - 86_400_000, attempt.hops[1][1])
    restore(remains, 1)
    assert kinds(remains) == {"hop out of bounds"}


# ---- modes, and the command ----


def test_lossy_run_counts_what_was_lost(remains, kinds):
    remains.mode = "lossy"
    again(remains, "call-requests", remains.topics["call-requests"][0], call_id="call-lost")
    commit_everything(remains)
    assert kinds(remains) == set()
    assert len(kinds.findings.losses["lost request"]) == 1


def test_lossy_run_still_names_a_double_dial_far_from_any_loss(remains, kinds):
    remains.mode = "lossy"
    remains.faults.append({"kind": "failover", "target": "redis", "at_ms": START + 900_000, "end_ms": START + 900_000})
    remains.placements.append(remains.placements[0] | {"sid": "CAagain"})
    assert kinds(remains) == {"double dial"}


def test_lossy_run_counts_a_double_dial_near_a_loss(remains, kinds):
    remains.mode = "lossy"
    remains.faults.append({"kind": "failover", "target": "redis", "at_ms": START, "end_ms": START + 2000})
    remains.placements.append(remains.placements[0] | {"sid": "CAagain"})
    assert kinds(remains) == set()
    assert len(kinds.findings.losses["double dial"]) == 1


def run_command(directory):
    command = [sys.executable, "-m", "checker", str(directory)]
    return subprocess.run(command, cwd=HERE, capture_output=True, text=True, timeout=60)


def test_command_tells_what_it_checked_and_what_is_wrong(remains, tmp_path):
    done = run_command(remains.write(tmp_path / "good"))
    assert (done.returncode, done.stderr) == (0, "") and "no violations" in done.stdout
    remains.gateway += [remains.gateway[0] | {"body": f"CallSid=CA{n}"} for n in range(25)]
    done = run_command(remains.write(tmp_path / "bad"))
    assert done.returncode == 1 and "callback not on the topic (25)" in done.stdout
    assert "... and 5 more" in done.stdout


def load(client, keys):
    for key, value in keys.items():
        if isinstance(value, dict):
            client.hset(key, mapping=value)
        elif isinstance(value, list):
            client.zadd(key, dict(value))
        else:
            client.set(key, value)


def test_living_redis_says_what_its_copy_says(remains, tmp_path):
    remains.redis["{ivr:ch:main}:taken"] = [("acme/call-1/1", START)]
    remains.redis["{ivr:05}:lock:acme|main|+254700000001:w"] = [("acme/call-1", START)]
    directory = remains.write(tmp_path / "run")
    (directory / "redis.ndjson").unlink()
    redis = DurableRedis(tmp_path / "redis")
    try:
        load(redis.client, remains.redis)
        (directory / "redis.url").write_text(redis.url, encoding="utf-8")
        _, living = check(directory, save=True)
    finally:
        redis.stop()
    _, copied = check(directory)
    assert copied.violations == living.violations and copied.rows == living.rows
    assert living.kinds() == {"ticket left"}, living.violations


def test_directory_that_is_no_run(tmp_path):
    done = run_command(tmp_path)
    assert done.returncode == 2 and "run.json" in done.stderr
