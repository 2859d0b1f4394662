"""A call that is due outside its calling hours: put off until they open, once, and visibly."""

import time

import pytest
from conftest import *

HOUR_MS = 3600 * 1000
UNREACHED = evidence(UNAVAILABLE, 1, code="unreachable")


def now_ms():
    return int(time.time() * 1000)


def due_at(store, call="t/c1"):
    return store.redis.zscore("{ivr:00}:due", call)


def test_a_due_call_is_put_off_until_its_hours_open(store):
    store.request()
    opening = now_ms() + 10 * HOUR_MS
    assert len(store.due()) == 1
    assert store.postpone("t/c1", opening) == 1
    assert store.state()[NEXT_AT] == opening == due_at(store)
    assert store.due(lease=0) == [] and store.claim("t/c1", "a") == ["no", 0]
    assert [(e["type"], e["next_at"], e["provider"]) for e in store.events[1:]] == [("waiting", opening, "twilio")]
    store.later("t/c1", 10 * HOUR_MS)
    assert store.due() == [["t/c1", "ch", "{}", 1]] and store.claim("t/c1", "a") == ["claimed", 1]


def test_putting_off_twice_puts_off_once(store):
    store.request()
    opening = now_ms() + HOUR_MS
    assert [store.postpone("t/c1", opening), store.postpone("t/c1", opening + 1)] == [1, 0]
    assert store.state()[NEXT_AT] == opening and len(store.events) == 2


def test_putting_off_moves_no_counter(store):
    store.request()
    before = store.all_counters()
    store.postpone("t/c1", now_ms() + HOUR_MS)
    assert store.all_counters() == before
    assert store.redis.hgetall("{ivr:00}:waiting") == {b"ch": b"1"}


def claimed(store):
    assert store.claim("t/c1", "a") == ["claimed", 1]


def retried_later(store):
    """Its next attempt comes by itself after the hours have opened."""
    claimed(store)
    store.outcome("t/c1", 1, "a", "accepted", accepted())
    store.evidence("t/c1", evidence(BUSY, terminal=1))


def over(store):
    retried_later(store)
    store.later("t/c1", 20 * HOUR_MS)
    store.claim("t/c1", "b")
    store.outcome("t/c1", 2, "b", "accepted", accepted())
    store.evidence("t/c1", evidence(COMPLETED, terminal=1), attempt=2)


@pytest.mark.parametrize("before", [claimed, retried_later, over])
def test_a_call_that_moved_on_is_left_alone(store, before):
    store.request(max_attempts=2, delays=(7200,))
    before(store)
    state, due, events = store.state(), due_at(store), len(store.events)
    assert store.postpone("t/c1", now_ms() + HOUR_MS) == 0
    assert (store.state(), due_at(store), len(store.events)) == (state, due, events)


def test_an_unknown_call_is_no_error(store):
    assert store.postpone("t/nobody", now_ms() + HOUR_MS) == 0


def test_what_expires_before_its_hours_open_is_due_when_it_expires(store):
    expires = now_ms() + HOUR_MS
    store.request(expires=expires)
    assert store.postpone("t/c1", now_ms() + 10 * HOUR_MS) == 1
    assert store.state()[NEXT_AT] == expires == store.events[-1]["next_at"]


def test_a_put_off_call_that_expires_is_dropped(store):
    store.request(expires=now_ms() + 300)
    store.postpone("t/c1", now_ms() + 10 * HOUR_MS)
    time.sleep(0.4)
    assert store.due() == []
    assert store.state()[PHASE] == DROPPED and store.events[-1]["drop"] == "expired"


def test_the_time_to_give_up_does_not_run_while_nobody_may_be_called(store):
    store.request(token="a")
    store.outcome("t/c1", 1, "a", "unreached", UNREACHED)
    store.later("t/c1", 2000)
    assert store.postpone("t/c1", now_ms() + 10 * HOUR_MS) == 1
    kinds = [e["type"] for e in store.events]
    assert kinds[-1] == "waiting" and store.events[-1]["status"] == UNAVAILABLE
    # Ten hours go by: they must not count, the hour before and after them must.
    state = store.state()
    state[NEXT_AT] -= 10 * HOUR_MS
    state[12] -= 10 * HOUR_MS
    store.redis.hset("{ivr:00}:call:t/c1", "s", pack(state))
    store.redis.zadd("{ivr:00}:due", {"t/c1": state[NEXT_AT]})
    time.sleep(0.01)
    assert len(store.due()) == 1, "it had most of its hour left"
    state[12] -= HOUR_MS
    store.redis.hset("{ivr:00}:call:t/c1", "s", pack(state))
    assert store.claim("t/c1", "b") == ["over", 0]


def test_clocks_that_differ_put_off_for_a_moment_and_say_nothing(store):
    """By Redis' clock the hours are open already: the call comes again soon, and unchanged."""
    store.request()
    state = store.state()
    assert store.postpone("t/c1", now_ms() - 1) == 0
    assert store.state() == state and len(store.events) == 1
    assert 500 < due_at(store) - now_ms() <= 1000
    assert store.claim("t/c1", "a") == ["claimed", 1]
