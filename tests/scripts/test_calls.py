"""One call's life in Redis: the promises of request, claim, outcome, evidence, due and settle."""

import time

import pytest
from conftest import *


def kinds(store):
    return [(e["type"], STATUSES[e["status"]], HOPS[e["hop"]] if e["hop"] >= 0 else None) for e in store.events]


def now_ms():
    return int(time.time() * 1000)


def test_an_answered_call_emits_the_events_of_the_contract(store):
    store.placed()
    store.evidence("t/c1", evidence(hops=[DIALING], at=1000))
    store.evidence("t/c1", evidence(hops=[DIALING], at=2000))
    store.evidence("t/c1", evidence(COMPLETED, hops=[CONNECTED], at=9000))
    store.evidence("t/c1", evidence(COMPLETED, terminal=1, hops=[CONNECTED, TERMINATE, SESSION], at=20000, talk=11))
    assert kinds(store) == [
        ("accepted", None, None),
        ("status", "Pending", "message_out"),
        ("hop", "Pending", "dialing"),
        ("final", "Completed", "connected"),
        ("hop", "Completed", "terminate"),
        ("hop", "Completed", "session_completed"),
    ]
    assert [e["seq"] for e in store.events] == [1, 2, 3, 4, 5, 6]
    last = store.events[-1]
    assert (last["ring"], last["talk"], last["final"], last["provider_call_id"]) == (8, 11, 1, "CAt/c1")


def test_the_closing_report_alone_proves_connected(store):
    store.placed()
    store.evidence("t/c1", evidence(COMPLETED, terminal=1, hops=[TERMINATE, SESSION], at=20000, talk=11))
    assert kinds(store)[2:] == [("final", "Completed", "connected"), ("hop", "Completed", "terminate"),
                                ("hop", "Completed", "session_completed")]


def test_a_busy_call_is_final_with_its_reason(store):
    store.placed()
    store.evidence("t/c1", evidence(BUSY, terminal=1, hops=[TERMINATE, SESSION], kind=2, code="486", detail="busy"))
    assert kinds(store)[2:] == [("final", "User_busy", "terminate"), ("hop", "User_busy", "session_completed")]
    assert store.counters("n", "t/camp")["ch|r:486"] == 1
    assert store.redis.zcard("{ivr:00}:open") == 0
    assert 0 < store.redis.pttl("{ivr:00}:call:t/c1") <= 7 * DAY_MS


def test_a_redelivered_request_is_not_dialled_again(store):
    store.placed()
    before = store.all_counters()
    assert store.request(token="other") == ["duplicate", 0]
    assert store.all_counters() == before


def test_the_same_token_asks_twice_for_one_claim(store):
    assert store.request(token="a") == ["claimed", 1]
    assert store.request(token="a") == ["claimed", 1]
    assert store.request(token="b") == ["duplicate", 0]
    assert len(store.events) == 1


def test_other_content_under_the_same_id_is_a_conflict(store):
    store.request(fingerprint="f1")
    assert store.request(fingerprint="f2") == ["conflict", 0]


def test_an_old_record_of_an_unknown_call_is_too_old(store):
    assert store.request(recorded=now_ms() - 8 * DAY_MS) == ["too_old", 0]
    assert store.state() is None and store.events == []


def test_an_old_record_of_a_known_call_is_a_duplicate(store):
    store.placed()
    assert store.request(recorded=now_ms() - 8 * DAY_MS) == ["duplicate", 0]


def test_a_request_that_has_expired_is_dropped(store):
    assert store.request(expires=now_ms() - 1, token="a") == ["dropped", 0]
    assert kinds(store) == [("accepted", None, None), ("dropped", None, None)]
    assert store.counters("n", "t/camp") == {"ch|calls": 1, "ch|d:expired": 1}


def test_not_before_waits_and_is_offered_then(store):
    assert store.request(not_before=now_ms() + 60000, token="a") == ["stored", 0]
    assert store.due() == []
    assert store.claim("t/c1", "a")[0] == "no"
    store.later("t/c1", 61000)
    assert store.due() == [["t/c1", "ch", "{}", 1]]
    assert store.due() == [], "offered to one asker at a time"
    assert store.claim("t/c1", "a") == ["claimed", 1]
    assert store.claim("t/c1", "b")[0] == "no"
    assert store.claim("t/c1", "a") == ["claimed", 1]


def test_a_dropped_offer_is_made_again(store):
    store.request()
    assert len(store.due(lease=0)) == 1
    assert len(store.due(lease=0)) == 1


def test_a_claim_given_back_uses_its_number_again(store):
    store.request(token="a")
    assert store.outcome("t/c1", 1, "a", "back") == "recorded"
    assert store.outcome("t/c1", 1, "a", "back") == "unknown"
    assert store.state()[PHASE] == WAITING and store.attempt() is None
    assert store.counters("n", "t/camp") == {"ch|calls": 1, "ch|waiting": 1}
    assert store.claim("t/c1", "b") == ["claimed", 1]


def test_a_claim_without_outcome_is_in_doubt_and_never_dialled_again(store):
    store.request(token="a", max_attempts=3)
    assert store.settle() == []
    store.later("t/c1", 20000)
    assert store.settle() == [["t/c1", 1, "claim_lost", "", ""]]
    assert kinds(store)[1:] == [("final", "Gateway_unavailable", "message_out")]
    assert store.due() == [] and store.claim("t/c1", "b")[0] == "no"


def test_an_outcome_after_settlement_is_evidence_only(store):
    store.request(token="a", max_attempts=3, on=(FAILED,))
    store.later("t/c1", 20000)
    store.settle()
    assert store.outcome("t/c1", 1, "a", "unreached", evidence(UNAVAILABLE, 1)) == "late"
    assert store.outcome("t/c1", 1, "a", "back") == "late"
    assert store.state()[PHASE] == DONE
    refusal = evidence(FAILED, 1, hops=[MESSAGE_OUT], kind=3, code="21211")
    assert store.outcome("t/c1", 1, "a", "refused_now", refusal) == "late"
    assert store.state()[PHASE] == DONE and store.due() == [], "nothing is queued"
    assert store.state()[STATUS] == FAILED


def test_a_late_acceptance_corrects_the_doubt(store):
    store.request(token="a")
    store.later("t/c1", 20000)
    store.settle()
    assert store.outcome("t/c1", 1, "a", "accepted", accepted()) == "late"
    state = store.state()
    assert (state[STATUS], state[FINAL], state[PHASE]) == (UNAVAILABLE, 0, PLACED), "it exists: not final before its end"
    store.evidence("t/c1", evidence(COMPLETED, 1, hops=[TERMINATE, SESSION]))
    assert store.state()[STATUS] == COMPLETED and store.state()[FINAL] == 1


def test_redial_in_doubt_dials_again_only_where_the_request_says_so(store):
    store.request(token="a", max_attempts=2, redial=1, on=(UNAVAILABLE,), delays=(0,))
    store.outcome("t/c1", 1, "a", "doubt", evidence(UNAVAILABLE, hops=[MESSAGE_OUT], code="no_response"))
    assert store.state()[PHASE] == WAITING
    store.evidence("t/c1", evidence(hops=[DIALING]))
    assert store.state()[PHASE] == PLACED, "the provider reports: it exists, and is not redialled for doubt"
    assert store.claim("t/c1", "b")[0] == "no"


def test_unreached_attempts_back_off_and_are_counted_apart(store):
    store.request(token="a")
    store.outcome("t/c1", 1, "a", "unreached", evidence(UNAVAILABLE, 1, code="unreachable"))
    state = store.state()
    assert (state[PHASE], state[STATUS], state[FINAL], state[SPENT]) == (WAITING, UNAVAILABLE, 0, 0)
    assert kinds(store)[-1] == ("waiting", "Gateway_unavailable", None)
    counters = store.counters("n", "t/camp")
    assert counters["ch|retrying"] == 1 and counters["ch|s:2"] == 1 and "ch|h:0" not in counters
    for n in range(2, 15):
        store.later("t/c1", 400000)
        assert store.claim("t/c1", f"t{n}") == ["claimed", n]
        store.outcome("t/c1", n, f"t{n}", "unreached", evidence(UNAVAILABLE, 1, code="unreachable"))
    kept = sorted(int(k[1:]) for k in store.redis.hkeys("{ivr:00}:call:t/c1") if k[:1] == b"a")
    assert kept == [1, *range(6, 15)], "the first and the last nine"
    assert store.counters("n", "t/camp")["ch|attempts"] == 14


def test_give_up_ends_a_call_that_reaches_nobody(redis_server):
    redis_server.flushall()
    store = Store(redis_server, give_up=1)
    store.request(token="a")
    time.sleep(0.01)
    store.outcome("t/c1", 1, "a", "unreached", evidence(UNAVAILABLE, 1, code="unreachable"))
    assert kinds(store)[-1] == ("final", "Gateway_unavailable", None)


def test_the_time_to_give_up_pauses_while_the_channel_is_suspended(redis_server):
    redis_server.flushall()
    store = Store(redis_server, give_up=800)
    store.request(token="a")
    store.outcome("t/c1", 1, "a", "unreached", evidence(UNAVAILABLE, 1, code="unreachable"))
    for _ in range(4):
        store.later("t/c1", 2000)
        assert len(store.due(lease=300, suspended=["other", "ch"])) == 1, "it stays"
        time.sleep(0.25)
    assert store.claim("t/c1", "b") == ["claimed", 2], "the channel is mended: there is time left"
    store.outcome("t/c1", 2, "b", "unreached", evidence(UNAVAILABLE, 1, code="unreachable"))
    time.sleep(1.3)
    store.later("t/c1", 10000)
    assert store.due(suspended=["other"]) == []
    assert kinds(store)[-1] == ("final", "Gateway_unavailable", None)


def test_give_up_ends_with_the_first_attempt_that_reached_somebody(redis_server):
    redis_server.flushall()
    store = Store(redis_server, give_up=1000)
    store.request(token="a", max_attempts=3, delays=(60,))
    store.outcome("t/c1", 1, "a", "unreached", evidence(UNAVAILABLE, 1, code="unreachable"))
    store.later("t/c1", 2000)
    assert store.claim("t/c1", "b") == ["claimed", 2]
    store.later("t/c1", 20000)
    store.settle()  # its worker died
    store.evidence("t/c1", evidence(NO_ANSWER, 1, hops=[TERMINATE]), attempt=2)
    assert store.state()[PHASE] == WAITING
    store.later("t/c1", 61000)
    time.sleep(1.01)
    assert store.claim("t/c1", "c") == ["claimed", 3], "it waits for its retry, not for a provider"


def test_the_gauge_of_waiting_calls_follows_them(store):
    def waiting():
        return {k.decode(): int(v) for k, v in store.redis.hgetall("{ivr:00}:waiting").items() if int(v)}

    store.request("t/c1")
    store.request("t/c2", channel="other", token="a")
    assert waiting() == {"ch": 1}
    store.outcome("t/c2", 1, "a", "back")
    assert waiting() == {"ch": 1, "other": 1}
    store.claim("t/c1", "b")
    store.outcome("t/c1", 1, "b", "unreached", evidence(UNAVAILABLE, 1))
    store.claim("t/c2", "c", channel="ch")
    assert waiting() == {"ch": 1} and store.redis.zcard("{ivr:00}:due") == 1


def test_expiry_comes_in_time_whatever_a_call_waits_for(store):
    expires = now_ms() + 300
    store.request(token="a", expires=expires)
    store.outcome("t/c1", 1, "a", "back", wait=30000)
    assert store.state()[NEXT_AT] == expires
    time.sleep(0.35)
    assert store.due() == [], "not offered: it ends"
    assert kinds(store)[-1] == ("dropped", None, None)
    assert store.state()[PHASE] == DROPPED and store.redis.zcard("{ivr:00}:due") == 0


def test_an_offer_is_leased_no_longer_than_until_its_expiry(store):
    expires = now_ms() + 5000
    store.request(expires=expires)
    assert len(store.due(lease=30000)) == 1
    assert store.redis.zscore("{ivr:00}:due", "t/c1") == expires


def test_expiry_ends_a_waiting_call_with_its_status(store):
    expires = now_ms() + 300
    store.request(token="a", expires=expires)
    store.outcome("t/c1", 1, "a", "unreached", evidence(UNAVAILABLE, 1))
    time.sleep(0.35)
    assert store.claim("t/c1", "b") == ["over", 0]
    assert kinds(store)[-1] == ("final", "Gateway_unavailable", None)
    assert store.counters("n", "t/camp").get("ch|retrying") is None


def test_a_busy_call_is_retried_up_to_its_limit(store):
    store.placed(max_attempts=2, delays=(60,))
    store.evidence("t/c1", evidence(BUSY, 1, hops=[TERMINATE, SESSION], kind=2, code="486"))
    assert kinds(store)[2] == ("waiting", "User_busy", "terminate")
    assert store.counters("n", "t/camp")["ch|retrying"] == 1
    store.later("t/c1", 61000)
    assert store.claim("t/c1", "b") == ["claimed", 2]
    assert store.state()[STATUS] == BUSY, "until the second attempt says something"
    store.outcome("t/c1", 2, "b", "accepted", accepted())
    assert store.state()[STATUS] == PENDING
    assert "ch|retrying" not in store.counters("n", "t/camp")
    store.evidence("t/c1", evidence(BUSY, 1, hops=[TERMINATE, SESSION]), attempt=2)
    assert store.state()[FINAL] == 1


def test_a_late_completed_cancels_the_retry(store):
    store.placed(max_attempts=3, delays=(60,))
    store.evidence("t/c1", evidence(NO_ANSWER, 1, hops=[TERMINATE]))
    assert store.state()[PHASE] == WAITING
    store.evidence("t/c1", evidence(COMPLETED, 1, hops=[CONNECTED]))
    state = store.state()
    assert (state[PHASE], state[FINAL], state[STATUS]) == (DONE, 1, COMPLETED)
    assert store.redis.zcard("{ivr:00}:due") == 0


def test_a_call_is_completed_when_any_of_its_attempts_is(store):
    store.placed(max_attempts=3, delays=(60,))
    store.evidence("t/c1", evidence(NO_ANSWER, 1, hops=[TERMINATE]))
    store.later("t/c1", 61000)
    store.claim("t/c1", "b")
    store.evidence("t/c1", evidence(COMPLETED, hops=[CONNECTED]))
    assert (store.state()[STATUS], store.state()[FINAL], store.state()[PHASE]) == (COMPLETED, 1, PLACING)
    store.outcome("t/c1", 2, "b", "accepted", accepted())
    store.evidence("t/c1", evidence(BUSY, 1, hops=[TERMINATE]), attempt=2)
    state = store.state()
    assert (state[STATUS], state[FINAL], state[PHASE], state[SOURCE]) == (COMPLETED, 1, DONE, 1)
    assert store.counters("n", "t/camp")["ch|s:7"] == 1


def test_an_earlier_attempt_says_nothing_of_what_comes_next(store):
    store.placed(max_attempts=3, delays=(60,))
    store.evidence("t/c1", evidence(NO_ANSWER, 1, hops=[TERMINATE]))
    store.later("t/c1", 61000)
    store.claim("t/c1", "b")
    store.outcome("t/c1", 2, "b", "accepted", accepted())
    store.evidence("t/c1", evidence(BUSY, 1, hops=[SESSION]), attempt=1)
    state = store.state()
    assert (state[STATUS], state[FINAL], state[PHASE]) == (PENDING, 0, PLACED)


def test_a_refusal_for_good_is_not_retried(store):
    store.request(token="a", max_attempts=3, on=(FAILED,))
    store.outcome("t/c1", 1, "a", "refused", evidence(FAILED, 1, hops=[MESSAGE_OUT], kind=3, code="21211"))
    assert kinds(store)[-1] == ("final", "Failed_unknown_reason", "message_out")


def test_a_wrong_number_is_not_retried_when_the_report_says_so(store):
    store.placed(max_attempts=3, on=(FAILED,))
    store.evidence("t/c1", evidence(FAILED, 1, hops=[TERMINATE], kind=2, code="404", permanent=1))
    assert store.state()[FINAL] == 1 and store.due() == []


def test_a_refusal_for_now_is_retried_where_asked(store):
    store.request(token="a", max_attempts=3, on=(FAILED,))
    store.outcome("t/c1", 1, "a", "refused_now", evidence(FAILED, 1, hops=[MESSAGE_OUT], kind=3, code="x"))
    assert store.state()[PHASE] == WAITING


def test_silence_is_closed_as_no_report_and_corrected_later(store):
    store.placed(max_attempts=3, on=(FAILED,))
    store.age("t/c1", 2 * DAY_MS)
    assert store.settle() == [["t/c1", 1, "no_report", "", ""]]
    assert kinds(store)[-1] == ("final", "Failed_unknown_reason", None), "and not retried"
    store.evidence("t/c1", evidence(BUSY, 1, hops=[TERMINATE]))
    assert kinds(store)[-1] == ("final", "User_busy", "terminate")


def test_an_attempt_in_doubt_is_offered_to_be_found_by_its_number_a_few_times(store):
    store.request(token="a")
    store.outcome("t/c1", 1, "a", "doubt", evidence(UNAVAILABLE, hops=[MESSAGE_OUT], code="no_response"))
    assert store.settle() == [], "not before its time"
    placed = store.attempt()[9]
    for _ in range(3):
        store.age("t/c1", 900 * 1000)
        placed -= 900 * 1000
        assert store.settle(look_ups=0) == [], "no room: it comes again as soon as there is"
        assert store.settle() == [["t/c1", 1, "find", "ch", "", "{}", placed]]
    store.age("t/c1", 900 * 1000)
    assert store.settle() == [] and store.redis.zcard("{ivr:00}:open") == 0
    assert store.state()[STATUS] == UNAVAILABLE and store.state()[PHASE] == DONE, "which permits no redial"


def test_a_doubt_that_a_report_ended_is_not_looked_for(store):
    store.request(token="a")
    store.outcome("t/c1", 1, "a", "doubt", evidence(UNAVAILABLE, hops=[MESSAGE_OUT], code="no_response"))
    assert store.redis.zcard("{ivr:00}:open") == 1
    store.evidence("t/c1", evidence(BUSY, 1, hops=[TERMINATE]))
    assert store.redis.zcard("{ivr:00}:open") == 0


def test_a_silent_attempt_is_offered_for_a_look_up(store):
    store.placed()
    assert store.settle() == []
    store.age("t/c1", 1000 * 1000)
    assert store.settle(look_ups=0) == [], "no room: it comes again as soon as there is"
    assert store.settle() == [["t/c1", 1, "look_up", "ch", "CAt/c1"]]
    assert store.settle() == [], "one asker at a time"
    store.evidence("t/c1", evidence(BUSY, 1, hops=[TERMINATE]))
    assert store.redis.zcard("{ivr:00}:open") == 0


def test_a_report_before_the_response_is_neither_lost_nor_guessed(store):
    store.request(token="a")
    store.evidence("t/c1", evidence(BUSY, 1, hops=[TERMINATE, SESSION], code="486", kind=2))
    assert store.state()[PHASE] == PLACING, "the claim waits for its outcome"
    store.outcome("t/c1", 1, "a", "accepted", accepted())
    state = store.state()
    assert (state[STATUS], state[FINAL], state[PHASE]) == (BUSY, 1, DONE)


def test_unknown_calls_and_attempts_are_told(store):
    assert store.evidence("t/nobody", evidence(BUSY)) == "unknown"
    store.placed()
    assert store.evidence("t/c1", evidence(BUSY), attempt=3) == "unknown"


def test_evidence_again_changes_nothing_and_emits_nothing(store):
    store.placed()
    busy = evidence(BUSY, 1, hops=[TERMINATE, SESSION], at=5000, code="486", kind=2, cost=1300, currency="USD")
    assert store.evidence("t/c1", busy) == "recorded"
    before, events = store.all_counters(), len(store.events)
    assert store.evidence("t/c1", busy) == "repeated"
    assert store.all_counters() == before and len(store.events) == events


def test_a_corrected_final_call_says_final_again(store):
    store.placed()
    store.evidence("t/c1", evidence(NO_ANSWER, 1, hops=[TERMINATE, SESSION]))
    store.evidence("t/c1", evidence(COMPLETED, hops=[CONNECTED]))
    assert kinds(store)[-1] == ("final", "Completed", "connected")


def test_what_no_one_expects_in_mid_call_is_not_final(store):
    store.placed(max_attempts=3, on=(FAILED,))
    store.evidence("t/c1", evidence(FAILED, kind=1, code="warming-up"))
    state = store.state()
    assert (state[STATUS], state[FINAL], state[PHASE]) == (FAILED, 0, PLACED)


def test_the_outbox_holds_every_event_until_it_is_removed(store):
    store.placed()
    entries = store.redis.xrange("{ivr:00}:out")
    stored = [e for _, fields in entries for e in msgpack.unpackb(fields[b"e"])]
    assert [dict(zip(EVENT, e)) for e in stored] == store.events
    found = store.scripts["outbox"](keys=[store.shard], args=[0, 10])
    assert len(found) == 2 * len(entries)
    assert store.scripts["outbox"](keys=[store.shard], args=[60000, 10]) == []


def test_a_window_that_has_gone_is_left_alone(store):
    store.placed()
    key = next(store.redis.scan_iter("*:w:*"))
    assert 0 < store.redis.pttl(key) <= 48 * 3600 * 1000
    attempt = store.attempt()
    attempt[9] -= 49 * 3600 * 1000
    store.redis.hset("{ivr:00}:call:t/c1", "a1", pack(attempt))
    store.redis.delete(key)
    store.evidence("t/c1", evidence(BUSY, 1, hops=[TERMINATE]))
    assert list(store.redis.scan_iter("*:w:*")) == []
    assert store.counters("n", "t/camp")["ch|s:6"] == 1


@pytest.mark.parametrize("seconds,bucket", [(0, 0), (59, 59), (60, 60), (61, 61), (63, 61), (64, 62), (600, 108)])
def test_seconds_fall_into_buckets_of_five_per_cent(store, seconds, bucket):
    store.placed()
    store.evidence("t/c1", evidence(COMPLETED, 1, talk=seconds))
    assert store.counters("n", "t/camp")[f"ch|talk:{bucket}"] == 1
    low, high = (60 * 1.05 ** (bucket - 61), 60 * 1.05 ** (bucket - 60)) if bucket > 60 else (bucket, bucket)
    assert low <= seconds <= high * (1 + 1e-9)


def test_a_batch_of_many_records_keeps_their_order(store):
    store.placed()
    reports = [evidence(hops=[DIALING]), evidence(COMPLETED, hops=[CONNECTED]),
               evidence(COMPLETED, 1, hops=[TERMINATE, SESSION], talk=3), evidence(hops=[DIALING])]
    results = store.batch("evidence", [["t/c1", 1, "ch", "twilio", ev, 0, ""] for ev in reports])
    assert [EVIDENCES[r // 8] for r in results] == ["recorded", "recorded", "recorded", "repeated"]
    assert [e["seq"] for e in store.events] == list(range(1, 7))


def test_what_is_reported_on_another_channel_is_not_believed(store):
    store.placed()
    before = store.state(), store.attempt(), store.all_counters()
    busy = evidence(BUSY, terminal=1, hops=[TERMINATE, SESSION])
    assert store.evidence("t/c1", busy, channel="other") == "unknown"
    assert (store.state(), store.attempt(), store.all_counters()) == before
