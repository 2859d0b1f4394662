"""What a ticket is worth: the call behind it is looked at before a send time is spent on it."""

import pytest
from conftest import *

GONE = ["gone"]
READY = ["ready", "t/c1", "ch", "{}", 1, 0, 1]


def test_a_call_that_waits_is_ready_and_not_offered_to_others(store):
    store.request()
    assert store.look() == READY
    assert store.due() == [] and 29000 < store.due_at() - store.now() <= 30000
    assert store.look() == READY, "who asks again may have lost the answer"
    assert store.claim("t/c1", "a") == ["claimed", 1]


def test_a_call_that_is_unknown_is_gone(store):
    assert store.look() == GONE


@pytest.mark.parametrize("attempt", [0, 2, 3])
def test_a_ticket_of_another_attempt_is_gone(store, attempt):
    store.request()
    assert store.look(attempt=attempt) == GONE


def test_a_call_whose_time_has_not_come_is_gone(store):
    store.request(not_before=store.now() + 60000)
    due_at = store.due_at()
    assert store.look() == GONE and store.due_at() == due_at


def test_a_paused_call_is_put_out_of_the_way(store):
    store.request()
    store.control("pause", "campaign:t/camp")
    assert store.look() == GONE
    assert store.held("campaign:t/camp") == ["t/c1"]
    store.control("resume", "campaign:t/camp")
    store.sweep_all()
    assert store.look() == READY


def test_a_cancelled_call_ends_here(store):
    store.request()
    store.control("cancel", "campaign:t/camp")
    assert store.look() == GONE
    assert store.state()[PHASE] == DROPPED and store.events[-1]["drop"] == "cancelled"


def test_a_call_whose_time_ran_out_ends_here(store):
    store.request(expires=store.now() + 60000)
    policy = msgpack.unpackb(store.redis.hget("{ivr:00}:call:t/c1", "p"))
    policy[4] = store.now() - 1
    store.redis.hset("{ivr:00}:call:t/c1", "p", pack(policy))
    assert store.look() == GONE
    assert store.state()[PHASE] == DROPPED and store.events[-1]["drop"] == "expired"


LIVE = "live"  # and how long its line may be held yet


def test_an_attempt_under_way_keeps_its_line_until_it_is_over(store):
    token = store.lined()
    assert store.look()[0] == LIVE and store.claim("t/c1", "b")[0] == "no"
    store.outcome("t/c1", 1, token, "accepted", accepted())
    assert store.look()[0] == LIVE and store.claim("t/c1", "b")[0] == "no"
    store.evidence("t/c1", evidence(COMPLETED, hops=[CONNECTED]))
    assert store.look()[0] == LIVE
    store.evidence("t/c1", evidence(COMPLETED, terminal=1, hops=[TERMINATE]))
    assert store.look() == GONE and store.claim("t/c1", "b")[0] == "no"


def test_an_attempt_in_doubt_keeps_its_line(store):
    token = store.lined()
    store.outcome("t/c1", 1, token, "doubt", evidence(UNAVAILABLE, code="no_response"))
    assert store.look()[0] == LIVE
    store.lined("t/c2")
    store.later("t/c2", 20000)
    store.settle()
    assert store.look("t/c2")[0] == LIVE


def test_an_attempt_that_reached_nobody_or_was_closed_keeps_none(store):
    token = store.lined()
    store.outcome("t/c1", 1, token, "unreached", evidence(UNAVAILABLE, 1, code="unreachable"))
    assert store.look(attempt=1) == GONE
    token = store.lined("t/c2")
    store.outcome("t/c2", 1, token, "accepted", accepted())
    store.age("t/c2", DAY_MS + 1000)
    store.settle()
    assert store.look("t/c2") == GONE


def test_an_attempt_keeps_no_line_of_a_channel_that_it_is_not_on(store):
    store.request()
    store.claim("t/c1", "a", channel="second", line=1)
    assert store.look() == GONE and store.look(channel="second")[0] == LIVE
    store.request("t/c2")
    store.claim("t/c2", "a")
    assert store.look("t/c2") == GONE, "it was claimed without one"


def test_a_retry_is_ready_with_its_own_number_alone(store):
    store.placed(max_attempts=2, delays=(0,))
    store.evidence("t/c1", evidence(BUSY, terminal=1, hops=[TERMINATE]))
    assert store.look(attempt=1) == GONE
    assert store.look(attempt=2) == ["ready", "t/c1", "ch", "{}", 2, -1, 2]


def test_a_call_that_waits_for_a_busy_line_is_gone(store):
    store.request(token="a", contact="+1")
    store.outcome("t/c1", 1, "a", "busy", wait=30000)
    assert store.look() == GONE
    assert store.wake() == 1 and store.look(attempt=1) == GONE, "that ticket's claim was given back"
    assert store.look(attempt=2) == ["ready", "t/c1", "ch", "{}", 1, 0, 2]


def test_a_deferred_call_is_offered_later_and_still_claimed_at_any_time(store):
    store.request()
    assert store.defer(ms=600000) == 1
    assert store.due() == [] and 599000 < store.due_at() - store.now() <= 600000
    assert store.look() == READY and store.defer() == 1
    store.redis.zincrby("{ivr:00}:due", -600001, "t/c1")
    assert store.due() == [["t/c1", "ch", "{}", 1]]
    store.defer()
    assert store.claim("t/c1", "a") == ["claimed", 1]


def test_only_a_call_that_is_due_is_deferred(store):
    assert store.defer("t/none") == 0
    store.request("t/later", not_before=store.now() + 60000)
    due_at = store.due_at("t/later")
    assert store.defer("t/later") == 0 and store.due_at("t/later") == due_at
    store.placed("t/placed")
    assert store.defer("t/placed") == 0 and store.due_at("t/placed") is None
    store.request("t/short", expires=store.now() + 5000)
    assert store.defer("t/short") == 1 and store.due_at("t/short") <= store.now() + 5000
    store.request("t/held")
    store.control("pause", "campaign:t/camp")
    store.due()
    assert store.defer("t/held") == 0 and store.due_at("t/held") is None
