"""What one call, or one channel's reports, can make of events and counters is bounded, and the numbers add up all the while."""

import random

import pytest
from conftest import *

REFINEMENTS, REASONS = 100, 64


def failed(code, **more):
    return evidence(FAILED, kind=3, code=code, **more)


def report(store, call, reports, batch=50):
    for first in range(0, len(reports), batch):
        store.batch("evidence", [[call, 1, "ch", "twilio", ev, 0, ""] for ev in reports[first : first + batch]])


def reasons_of(counters):
    return {name: value for name, value in counters.items() if name.startswith(("r:", "ch|r:", "own|r:"))}


def check_sums(store, calls):
    """calls = waiting + dropped + by_status, and of the reasons as many as there are calls that have one."""
    counts = store.counters("n", "t/camp")
    kept = {name: int(value) for name, value in store.redis.hgetall("{ivr:00}:n:t/camp").items() if name != b"first"}
    assert 0 not in kept.values(), "what is zero is not kept"
    placed = sum(value for name, value in counts.items() if name.split("|")[1].split(":")[0] in ("s", "d", "waiting"))
    assert placed == counts["ch|calls"] == calls
    with_reason = sum(store.state(f"t/c{n}")[REASON] != "" for n in range(calls))
    assert sum(reasons_of(counts).values()) == with_reason
    assert len(reasons_of(counts)) <= REASONS + 1
    in_windows = 0
    for window in (name for name in store.all_counters() if name.startswith("w:")):
        counts = store.counters("w", window[2:])
        assert len(reasons_of(counts)) <= REASONS + 1 and all(value >= 0 for value in counts.values())
        in_windows += sum(reasons_of(counts).values())
    assert in_windows == sum(bool(store.attempt(f"t/c{n}")[3]) for n in range(calls))


def test_ever_better_reasons_of_one_call_make_a_bounded_number_of_events(store):
    store.placed("t/c0")
    report(store, "t/c0", [failed(f"{n:05}") for n in range(3000, 0, -1)])
    assert REFINEMENTS < len(store.events) < REFINEMENTS + 30
    assert len(store.redis.hkeys("{ivr:00}:n:t/camp")) < 20
    check_sums(store, 1)


@pytest.mark.parametrize("what", ["detail", "talk", "cost", "ring", "id"])
def test_whatever_is_refined_makes_a_bounded_number_of_events(store, what):
    store.request("t/c0", token="a")
    store.later("t/c0", 20000)
    store.settle()  # so that no response tells the id
    more = {"detail": lambda n: {"detail": f"{9999 - n}"}, "talk": lambda n: {"talk": n}, "ring": lambda n: {"ring": n},
            "cost": lambda n: {"cost": n, "currency": "USD"}, "id": lambda n: {"provider_id": f"CA{9999 - n}"}}[what]
    report(store, "t/c0", [failed("x", **more(n)) for n in range(300)])
    assert REFINEMENTS < len(store.events) < REFINEMENTS + 30
    check_sums(store, 1)


def test_an_attempt_that_was_refined_too_often_still_ends_and_is_still_corrected(store):
    store.placed("t/c0", max_attempts=2, delays=(60,), on=(BUSY,))
    report(store, "t/c0", [failed(f"{n:05}") for n in range(300, 0, -1)])
    kinds = len(store.events)
    assert store.evidence("t/c0", evidence(hops=[DIALING])) == "recorded"
    assert store.evidence("t/c0", evidence(BUSY, 1, hops=[TERMINATE, SESSION], kind=2, code="486")) == "recorded"
    assert store.state("t/c0")[PHASE] == WAITING and store.attempt("t/c0")[3] == "486"
    assert store.evidence("t/c0", evidence(COMPLETED, 1, talk=7)) == "recorded"
    assert store.state("t/c0")[STATUS] == COMPLETED and store.attempt("t/c0")[11] == 7
    assert len(store.events) <= kinds + 8
    check_sums(store, 1)


def test_an_attempt_that_was_refined_too_often_is_still_settled(store):
    store.request("t/c0", token="a")
    report(store, "t/c0", [failed(f"{n:05}") for n in range(300, 0, -1)])
    assert store.outcome("t/c0", 1, "a", "accepted", accepted("t/c0")) == "recorded"
    assert store.state("t/c0")[PHASE] == PLACED and store.attempt("t/c0")[7] == "CAt/c0"
    store.age("t/c0", 2 * DAY_MS)
    store.settle()
    assert store.state("t/c0")[FINAL] == 1
    check_sums(store, 1)


def test_more_reasons_than_a_summary_names_are_counted_as_other(store):
    for n in range(120):
        store.placed(f"t/c{n}")
        store.evidence(f"t/c{n}", failed(f"code{n:03}", terminal=1))
    counts = store.counters("n", "t/camp")
    assert len(reasons_of(counts)) == REASONS + 1 and counts["ch|r:other"] == 120 - REASONS
    check_sums(store, 120)


def test_a_reason_that_was_counted_as_other_is_taken_back_from_there(store):
    for n in range(100):
        store.placed(f"t/c{n}")
        store.evidence(f"t/c{n}", failed(f"code{n:03}", terminal=1))
    for n in reversed(range(100)):
        store.evidence(f"t/c{n}", evidence(COMPLETED, 1, hops=[CONNECTED]))
        if n % 10 == 0:
            check_sums(store, 100)
    assert reasons_of(store.counters("n", "t/camp")) == {}
    assert not [name for name in store.redis.hkeys("{ivr:00}:n:t/camp") if b"#r" in name]
    store.placed("t/c100")
    store.evidence("t/c100", failed("new"))
    assert store.counters("n", "t/camp")["ch|r:new"] == 1, "there is room again"


def test_a_batch_names_no_more_reasons_than_one_by_one(store):
    for n in range(150):
        store.placed(f"t/c{n}")
    for first in range(0, 150, 50):
        store.batch("evidence", [[f"t/c{n}", 1, "ch", "twilio", failed(f"code{n:03}"), 0, ""]
                                 for n in range(first, first + 50)])
    check_sums(store, 150)
    assert len(reasons_of(store.counters("n", "t/camp"))) == REASONS + 1


def test_the_numbers_add_up_whatever_is_reported_of_many_reasons(store):
    rng, calls = random.Random(8), 120
    for n in range(calls):
        store.placed(f"t/c{n}", max_attempts=1)
    for _ in range(6):
        store.batch("evidence", [
            [f"t/c{rng.randrange(calls)}", 1, "ch", "twilio",
             evidence(rng.choice([0, FAILED, NO_ANSWER, BUSY, COMPLETED]), int(rng.random() < 0.3), kind=rng.randint(1, 3),
                      code=f"code{rng.randrange(160)}", talk=rng.choice([-1, 5])), 0, ""] for _ in range(60)])
        check_sums(store, calls)


def test_counters_of_version_0_1_that_are_zero_do_no_harm(store):
    """It left them in the hash, and knew no '#r'."""
    store.placed("t/c0")
    store.redis.hset("{ivr:00}:n:t/camp", mapping={f"ch|r:old{n}": 0 for n in range(500)} | {"ch|r:486": 3})
    store.evidence("t/c0", failed("old7"))
    assert store.counters("n", "t/camp")["ch|r:old7"] == 1
    store.evidence("t/c0", evidence(BUSY, kind=2, code="486"))
    assert store.counters("n", "t/camp")["ch|r:486"] == 4
    assert not store.redis.hexists("{ivr:00}:n:t/camp", "ch|r:old7")
