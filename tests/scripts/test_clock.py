"""Redis' clock jumps back at a failover to a slower one: what the old clock wrote lies in the future then."""

from conftest import *

AHEAD = 3600 * 1000
CLAIMS_FIRST = 2**43
CLAIM_LONGEST = 310 * 1000


def now_ms(store):
    seconds, micros = store.redis.time()
    return seconds * 1000 + micros // 1000


def deadline(store, call="t/c1"):
    return int(store.redis.zscore(f"{store.shard}:open", call))


def test_a_claim_of_a_faster_clock_is_settled_in_its_longest_time(store):
    store.request(token="T1")
    store.later("t/c1", -AHEAD)
    store.settle()
    assert deadline(store) + CLAIMS_FIRST <= now_ms(store) + CLAIM_LONGEST
    store.later("t/c1", CLAIM_LONGEST + 1)
    assert [what for _, _, what, *_ in store.settle()] == ["claim_lost"]


def test_a_claim_in_its_time_is_left_alone(store):
    store.request(token="T1", claim_ms=300_000)
    before = deadline(store)
    assert store.settle() == [] and deadline(store) == before


def test_a_placed_call_of_a_faster_clock_is_looked_up_in_its_longest_time(store):
    store.placed()
    store.later("t/c1", -AHEAD)
    store.settle()
    assert deadline(store) <= now_ms(store) + store.config[3]


def test_parked_callbacks_of_a_faster_clock_end_in_their_longest_time(store):
    store.park(keep=60000 + AHEAD)
    assert store.overdue(longest=60000) == []
    assert store.redis.zscore(f"{store.shard}:parks", "twilio:CA1") <= now_ms(store) + 60000


def test_outbox_entries_of_a_faster_clock_are_found(store):
    assert store.scripts["outbox"](keys=[store.shard], args=[10000, 10]) == []
    entry = f"{now_ms(store) + AHEAD}-1"
    store.redis.xadd(f"{store.shard}:out", {"e": b"packed"}, id=entry)
    assert store.scripts["outbox"](keys=[store.shard], args=[10000, 10]) == [entry.encode(), b"packed"]


def test_recorded_at_never_goes_back_within_a_call(store):
    token = store.placed()
    state = store.state()
    state[UPDATED] += AHEAD
    store.redis.hset(f"{store.shard}:call:t/c1", "s", pack(state))
    assert store.evidence("t/c1", evidence(COMPLETED, terminal=1, hops=[CONNECTED, TERMINATE])) == "recorded"
    recorded = [event["recorded"] for event in store.events]
    assert recorded == sorted(recorded) and recorded[-1] >= state[UPDATED], token
