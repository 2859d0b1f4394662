"""A status is the maximum of its evidence: any order of the same evidence, with duplicates, ends in the same state."""

import random

import msgpack
from conftest import *

PERMUTATIONS = 2400


def random_reports(rng):
    """What a confused provider could send for one attempt."""
    ids = rng.choice([("CA1", ["", "CA1"]), ("", ["", "CA0", "CA2"])])  # what the response tells is not outvoted
    reports = [evidence(PENDING, hops=[MESSAGE_OUT], provider_id=ids[0])]
    for _ in range(rng.randint(1, 6)):
        status = rng.choice([0, 0, FAILED, NO_ANSWER, ABSENT, BUSY, COMPLETED])
        terminal = int(status > 0 and rng.random() < 0.6)
        kind = rng.randint(1, 3) if 0 < status < COMPLETED else 0
        reports.append(evidence(
            status, terminal, hops=[h for h in range(5) if rng.random() < 0.4], at=rng.choice([0, rng.randint(1, 90) * 1000]),
            answered=rng.choice([0, 0, rng.randint(1, 90) * 1000]), talk=rng.choice([-1, rng.randint(0, 300)]),
            ring=rng.choice([-1, -1, rng.randint(0, 60)]), cost=rng.choice([-1, rng.randint(0, 9000)]),
            currency=rng.choice(["USD", "KES"]), kind=kind, code=rng.choice(["", "a", "b"]) if kind else "",
            detail=rng.choice(["", "x", "y"]) if kind else "", hop_detail=rng.choice(["", "p", "q"]),
            provider_id=rng.choice(ids[1]), permanent=int(rng.random() < 0.1)))
    return reports


def shuffled(rng, reports):
    order = reports + [rng.choice(reports) for _ in range(rng.randint(0, 4))]
    rng.shuffle(order)
    return order


def apply_all(store, call, order, rng, lost_claim):
    """The response is an outcome or, where the claim was lost, evidence; the rest are callbacks, alone or in batches."""
    store.request(call, token=call)
    if lost_claim:
        store.later(call, 10 ** 6)
        store.settle()
    pending = []
    for report in order:
        if report[0] == PENDING:
            flush(store, call, pending)
            store.outcome(call, 1, call, "accepted", report)
        else:
            pending.append(report)
            if rng.random() < 0.5:
                flush(store, call, pending)
    flush(store, call, pending)


def flush(store, call, pending):
    if pending:
        store.batch("evidence", [[call, 1, "ch", "twilio", ev, 0, ""] for ev in pending])
        pending.clear()


def outcome_of(store, call):
    """All but our own times and the number of events, which depend on the order."""
    state, attempt = store.state(call), store.attempt(call)
    seen = [(attempt[20 + 3 * h], attempt[21 + 3 * h] > 0, attempt[22 + 3 * h]) for h in range(5)]
    keep = [PHASE, STATUS, FINAL, ATTEMPT, CHANNEL, NEXT_AT, DROP, SPENT, TOKEN, REASON, SOURCE, WON]
    return [state[k] for k in keep], attempt[:9] + attempt[10:20], seen


def check_invariants(counters):
    for name, values in counters.items():
        assert all(v >= 0 for k, v in values.items() if not k.endswith("cost:")), (name, values)
        if name.startswith("n:"):
            statuses = sum(v for k, v in values.items() if "|s:" in k)
            waiting = sum(v for k, v in values.items() if k.endswith("|waiting") or "|d:" in k)
            assert values.get("ch|calls", 0) == statuses + waiting, (name, values)
        else:
            assert values["attempts"] == sum(v for k, v in values.items() if k.startswith("s:")), (name, values)


def test_any_order_with_duplicates_ends_in_the_same_state(store):
    rng = random.Random(20261122)
    done = 0
    while done < PERMUTATIONS:
        reports, lost = random_reports(rng), rng.random() < 0.2
        expected = None
        for n in range(8):
            store.redis.flushall()
            store.events.clear()
            apply_all(store, "t/c1", shuffled(rng, reports), rng, lost)
            counters = store.all_counters()
            check_invariants(counters)
            check_events(store.events)
            # The window's name holds the minute of the claim, which may pass between two runs.
            counts = sorted((name.split("|")[0], sorted(values.items())) for name, values in counters.items())
            result = outcome_of(store, "t/c1"), counts
            expected = expected or result
            assert result == expected, reports
            done += 1


def check_events(events):
    """No gaps; each event continues the one before; one event a hop."""
    status, hops = 0, set()
    for n, event in enumerate(events, 1):
        assert event["seq"] == n
        assert event["previous"] == status or event["type"] == "accepted"
        status = event["status"]
        if event["hop"] >= 0:
            assert event["hop"] not in hops
            hops.add(event["hop"])


def test_counters_of_many_calls_recount_from_the_calls(store):
    rng = random.Random(7)
    for n in range(60):
        apply_all(store, f"t/c{n}", shuffled(rng, random_reports(rng)), rng, rng.random() < 0.2)
    counters = store.counters("n", "t/camp")
    states = [store.state(f"t/c{n}") for n in range(60)]
    assert counters["ch|calls"] == 60
    for status in range(1, 8):
        assert counters.get(f"ch|s:{status}", 0) == sum(s[STATUS] == status for s in states)
    attempts = [store.attempt(f"t/c{n}") for n in range(60)]
    assert counters["ch|talksum"] == sum(max(a[11], 0) for a in attempts)
    for hop in range(5):
        assert counters.get(f"ch|h:{hop}", 0) == sum(a[21 + 3 * hop] > 0 for a in attempts)
    check_invariants(store.all_counters())
