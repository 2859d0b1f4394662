"""under_way.lua: a channel that is gone from the file is kept while it has calls that ring, talk or are in doubt."""

import msgpack
from conftest import *

CHANNELS = ("a", "b", "c")


def under_way(store, channels=CHANNELS, page=16):
    """Page by page, as a worker asks."""
    found, cursor = set(), b"0"
    while True:
        cursor, *more = store.run("under_way", cursor, page, *channels)
        found |= set(more)
        if cursor == "0":
            return found


def test_a_call_is_under_way_from_its_claim_to_its_end(store):
    assert under_way(store) == set()
    store.request("t/1", channel="a", token="k")
    assert under_way(store) == {"a"}
    store.outcome("t/1", 1, "k", "accepted", accepted("t/1"))
    assert under_way(store) == {"a"}
    store.evidence("t/1", evidence(COMPLETED, hops=[CONNECTED], answered=5), channel="a")
    assert under_way(store) == {"a"}, "they talk"
    store.evidence("t/1", evidence(COMPLETED, terminal=1, hops=[TERMINATE]), channel="a")
    assert under_way(store) == set()


def test_a_call_in_doubt_may_ring(store):
    store.request("t/1", channel="b", token="k")
    store.outcome("t/1", 1, "k", "doubt", evidence(UNAVAILABLE, hops=[MESSAGE_OUT], code="no_response", kind=1))
    assert under_way(store) == {"b"}


def test_calls_that_wait_or_are_elsewhere_keep_no_channel(store):
    store.request("t/1", channel="a")
    store.placed("t/2", channel="elsewhere")
    assert under_way(store) == set()


def test_one_among_many_is_found(store):
    for number in range(600):
        store.placed(f"t/{number}", channel="elsewhere")
    store.placed("t/this", channel="c")
    assert under_way(store) == {"c"}


def test_an_answered_call_is_not_let_go_before_its_closing_report(store):
    """Nor for ever: as long as one that says nothing at all."""
    store.placed("t/1", channel="a")
    store.evidence("t/1", evidence(COMPLETED, hops=[CONNECTED], answered=5), channel="a")
    for _ in range(2):
        store.age("t/1", 900 * 1000)
        assert store.settle() == [], "nobody is asked about it"
        assert under_way(store) == {"a"}
    store.age("t/1", DAY_MS)
    assert store.settle() == []
    assert under_way(store) == set()
    store.evidence("t/1", evidence(COMPLETED, terminal=1, hops=[TERMINATE], talk=7), channel="a")
    assert store.attempt("t/1")[11] == 7, "what comes later still counts"


def test_an_answer_that_comes_after_the_end_is_under_way_until_it_is_closed(store):
    """Of an attempt that another one followed, on another channel."""
    store.placed("t/1", channel="a", max_attempts=2, delays=(0,))
    store.evidence("t/1", evidence(BUSY, hops=[TERMINATE], terminal=1), channel="a")
    assert store.claim("t/1", "k2", channel="b")[0] == "claimed"
    store.outcome("t/1", 2, "k2", "accepted", accepted("t/2"))
    assert under_way(store) == {"b"}
    store.evidence("t/1", evidence(COMPLETED, hops=[CONNECTED], answered=5), attempt=2, channel="b")
    assert under_way(store) == {"b"}
    store.evidence("t/1", evidence(COMPLETED, terminal=1, hops=[TERMINATE]), attempt=2, channel="b")
    assert under_way(store) == set()
