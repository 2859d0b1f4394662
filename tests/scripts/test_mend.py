"""What stands in no index is put back by a slow walk; what stands where it should is left alone."""

from conftest import *


def mend(store, call="t/c1"):
    return store.batch("mend", [[call]])[0]


def forget(store, *indexes, call="t/c1"):
    for index in indexes:
        store.redis.zrem(f"{store.shard}:{index}", call)


def doubtful(store):
    store.request(token="a")
    store.outcome("t/c1", 1, "a", "doubt", evidence(UNAVAILABLE, hops=[MESSAGE_OUT]))


def paused(store):
    store.request()
    store.control_call("pause")


def dropped(store):
    store.request(expires=1)


def final(store):
    store.placed()
    store.evidence("t/c1", evidence(COMPLETED, 1, answered=1, hops=[TERMINATE]))


def talking(store):
    store.placed()
    store.evidence("t/c1", evidence(COMPLETED, answered=1, hops=[CONNECTED]))


LIVES = {
    "waiting": (lambda store: store.request(), "due", "due"),
    "put off": (lambda store: store.request(not_before=store.now() + 60000), "due", "due"),
    "paused": (paused, "hold:call", "hold"),
    "being placed": (lambda store: store.request(token="a"), "open", "open"),
    "placed": (lambda store: store.placed(), "open", "open"),
    "in doubt": (doubtful, "open", "open"),
    "talking": (talking, "open", "open"),
}


@pytest.mark.parametrize("life", [*LIVES, "dropped", "final"])
def test_what_stands_where_it_should_is_left_alone(store, life):
    {"dropped": dropped, "final": final}.get(life, LIVES.get(life, [None])[0])(store)
    before = {key: store.redis.dump(key) for key in store.redis.scan_iter("*")}
    assert mend(store) == ""
    assert {key: store.redis.dump(key) for key in store.redis.scan_iter("*")} == before


@pytest.mark.parametrize("life", LIVES)
def test_what_stands_nowhere_is_put_back_where_it_belongs(store, life):
    begin, index, word = LIVES[life]
    begin(store)
    at = store.redis.zscore(f"{store.shard}:{index}", "t/c1")
    forget(store, index)
    assert mend(store) == word and mend(store) == "", "twice is once"
    back = store.redis.zscore(f"{store.shard}:{index}", "t/c1")
    assert back is not None and (life in ("being placed", "in doubt", "talking") or back == at), f"{at} became {back}"


def test_a_waiting_call_that_was_lost_is_dialled_and_a_claim_without_owner_settled(store):
    store.request()
    forget(store, "due")
    assert store.due() == []
    mend(store)
    assert [offer[0] for offer in store.due()] == ["t/c1"]
    store.request("t/c2", token="a")
    forget(store, "open", call="t/c2")
    mend(store, "t/c2")
    assert store.settle() == [], "its owner may be alive"
    store.later("t/c2", 400_000)
    assert ["t/c2", 1, "claim_lost", "", ""] in store.settle()


def test_a_paused_call_that_was_lost_comes_back_with_its_campaign(store):
    store.request()
    store.control("pause", "campaign:t/camp")
    store.due()
    forget(store, "hold:campaign:t/camp")
    store.redis.delete(f"{store.shard}:holds")
    assert mend(store) == "hold"
    store.control("resume", "campaign:t/camp")
    store.sweep_all()
    assert [offer[0] for offer in store.due()] == ["t/c1"]


def test_what_is_over_gets_its_expiry_and_what_is_not_loses_it(store):
    final(store)
    store.redis.persist(f"{store.shard}:call:t/c1")
    assert mend(store) == "expiry" and store.redis.pttl(f"{store.shard}:call:t/c1") > 6 * DAY_MS
    store.request("t/c2")
    store.redis.pexpire(f"{store.shard}:call:t/c2", 1000000)
    assert mend(store, "t/c2") == "expiry" and store.redis.pttl(f"{store.shard}:call:t/c2") == -1


def test_what_redis_does_not_know_is_nothing_to_mend(store):
    assert mend(store, "t/unknown") == ""
    assert not list(store.redis.scan_iter("*"))
