"""What the sweeps of several workers may do at the same time without doing it twice or too much."""

from conftest import *


def forget(store, name="t/camp", before=None):
    before = before or int((time.time() + 60) * 1000)
    return store.scripts["forget"](keys=[store.shard], args=[name, before])


def test_an_overdue_callback_is_offered_to_one_worker_at_a_time(store):
    store.park(keep=0)
    assert len(store.overdue(lease=60000)) == 3
    assert store.overdue(lease=60000) == [], "another worker has it"


def test_an_offer_that_its_taker_dropped_is_made_again_after_the_lease(store):
    store.park(keep=0)
    store.overdue(lease=30)
    assert store.overdue(lease=30) == []
    time.sleep(0.05)
    assert store.overdue(lease=30)[2] == [b"ch|cb:0:1", b"value of ch|cb:0:1"]


def test_a_callback_that_may_still_wait_is_not_offered(store):
    store.park(keep=60000)
    assert store.overdue(lease=0) == []


def test_an_old_campaign_is_forgotten_with_its_counters(store):
    store.placed()
    assert store.counters("n", "t/camp")
    assert forget(store) == 1
    assert not store.redis.exists(f"{store.shard}:n:t/camp") and not store.redis.zcard(f"{store.shard}:campaigns")
    assert forget(store) == 1, "twice is once"


def test_a_campaign_that_changed_since_somebody_looked_stays(store):
    store.placed()
    before = store.counters("n", "t/camp")
    assert forget(store, before=int((time.time() - 60) * 1000)) == 0
    assert store.counters("n", "t/camp") == before
    assert store.redis.zscore(f"{store.shard}:campaigns", "t/camp")


def test_only_the_named_campaign_is_forgotten(store):
    store.placed()
    store.placed("t/c2", campaign="t/other")
    forget(store)
    assert store.counters("n", "t/other") and not store.counters("n", "t/camp")


def silent_calls(store, n):
    """Calls that their provider says nothing of, all to be asked for now."""
    for i in range(n):
        store.placed(f"t/s{i}")
        store.age(f"t/s{i}", 1000 * 1000)


def test_silent_calls_do_not_hold_up_a_lost_claim(store):
    silent_calls(store, 70)
    store.request("t/lost", token="a")
    store.later("t/lost", 16000)
    assert ["t/lost", 1, "claim_lost", "", ""] in store.settle(limit=64, look_ups=0)


def test_a_silent_call_for_which_there_is_no_room_is_the_next(store):
    silent_calls(store, 5)
    assert len(store.settle(look_ups=2)) == 2
    assert store.settle(look_ups=0) == []
    assert sorted(item[0] for item in store.settle(look_ups=3)) == ["t/s2", "t/s3", "t/s4"]


def test_an_offer_whose_answer_was_lost_is_made_again_at_once(store):
    store.request("t/offered")
    store.request("t/later", wait=5000)
    assert [call for call, *_ in store.due()] == ["t/offered"]
    assert store.due() == [], "the lease"
    assert [call for call, *_ in store.due(lost_ms=0)] == ["t/offered"], "and not what has to wait"
    assert store.due(lost_ms=10000) == [], "what was offered since is not"
