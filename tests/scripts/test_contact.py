"""One call at a time to a number: who has the line to a contact, who waits for it, and who is told when it is free."""

import pytest
from conftest import *

KEY = "{ivr:00}:lock:t|ch|+1"


def holder(store):
    return (store.redis.get(KEY) or b"").decode()


def waiters(store):
    return [call.decode() for call in store.redis.zrange(KEY + ":w", 0, -1)]


def busy(store, call, ms=30000):
    """A call whose claim found the line busy."""
    store.request(call, token=call, contact="+1")
    assert store.contact(call) == "busy"
    assert store.outcome(call, 1, call, "busy", wait=ms) == "recorded"


def test_of_all_who_ask_one_has_the_line(store):
    assert [store.contact(f"t/c{n}") for n in range(4)] == ["free", "busy", "busy", "busy"]
    assert holder(store) == "t/c0/1"


def test_in_one_batch_too(store):
    asked = [["t", "+1", "t|ch|+1", f"t/c{n}", 1, 60000] for n in range(3)]
    assert store.batch("contact", asked) == [0, 2, 2]


def test_who_asks_twice_has_it_still(store):
    assert [store.contact(), store.contact()] == ["free", "free"]
    assert holder(store) == "t/c1/1"


def test_other_tenants_channels_and_numbers_have_lines_of_their_own(store):
    lines = ["t|ch|+1", "u|ch|+1", "t|other|+1", "t|ch|+2"]
    assert [store.contact(f"t/{n}", line=line) for n, line in enumerate(lines)] == ["free"] * 4


def test_where_no_line_is_asked_for_none_is_taken(store):
    assert [store.contact("t/c1", line=""), store.contact("t/c2", line="")] == ["free", "free"]
    assert store.redis.keys("*") == []


def test_a_call_is_not_locked_out_by_an_attempt_of_its_own(store):
    assert store.contact(attempt=1) == "free"
    assert store.contact(attempt=2) == "free"
    assert holder(store) == "t/c1/2"
    assert store.contact(attempt=1) == "free" and holder(store) == "t/c1/2", "what asks late takes nothing from it"


def test_a_call_whose_id_begins_like_the_holders_is_another(store):
    assert store.contact("t/c") == "free"
    assert [store.contact("t/c/1"), store.contact("t/c1"), store.contact("t")] == ["busy"] * 3


def test_an_older_attempts_end_does_not_free_a_newer_ones_line(store):
    store.contact(attempt=1)
    store.contact(attempt=2)
    assert store.unlock(attempt=1) == ""
    assert store.contact("t/c2") == "busy"


def test_freed_twice_is_freed_once(store):
    for call in ("t/c1", "t/c2", "t/c3"):
        store.contact(call)
    assert store.unlock() == "t/c2"
    assert store.contact("t/c2") == "free"
    assert store.unlock() == "" and holder(store) == "t/c2/1"
    assert waiters(store) == ["t/c3"]


def test_where_the_first_is_not_to_be_woken_the_next_one_is_named(store):
    for call in ("t/c1", "t/c2", "t/c3"):
        store.contact(call)
    assert [store.unlock(), store.unlock(), store.unlock()] == ["t/c2", "t/c3", ""]
    assert waiters(store) == [] and holder(store) == ""


def test_who_waited_longest_is_named_first(store):
    store.contact()
    for n, call in enumerate(["t/z", "t/a", "t/m"]):
        assert store.contact(call) == "busy"
        store.redis.zadd(KEY + ":w", {call: n})
    assert store.contact("t/z") == "busy", "who asks again keeps its place"
    named = []
    for holding in ("t/c1", "t/z", "t/a", "t/m"):
        named.append(store.unlock(holding))
        store.contact(named[-1] or "t/none")
    assert named == ["t/z", "t/a", "t/m", ""]


def test_who_gets_the_line_waits_no_longer(store):
    store.contact()
    store.contact("t/c2")
    store.redis.delete(KEY)
    assert store.contact("t/c2") == "free" and waiters(store) == []


def test_a_line_ends_by_itself(store):
    store.contact(hold_ms=60000)
    assert 59000 < store.redis.pttl(KEY) <= 60000
    store.contact("t/c2")
    assert 0 < store.redis.pttl(KEY + ":w") <= DAY_MS
    store.redis.pexpire(KEY, 0)
    assert store.contact("t/c2") == "free"


@pytest.mark.parametrize("tenant", ["t", "*"])
def test_who_must_not_be_called_takes_no_line_and_waits_for_none(store, tenant):
    store.redis.zadd(f"{{ivr:00}}:dnc:{tenant}", {"+1": 0})
    assert store.contact() == "listed" and holder(store) == ""
    assert store.contact(number="+2", line="t|ch|+2") == "free"
    store.redis.delete(f"{{ivr:00}}:dnc:{tenant}")
    assert store.contact() == "free"
    store.redis.zadd(f"{{ivr:00}}:dnc:{tenant}", {"+1": 0})
    assert store.contact("t/c2") == "listed" and waiters(store) == []


def test_another_tenants_list_says_nothing(store):
    store.redis.zadd("{ivr:00}:dnc:u", {"+1": 0})
    assert store.contact() == "free"


def test_a_call_that_finds_the_line_busy_waits_without_an_attempt(store):
    store.contact("t/other")
    busy(store, "t/c1")
    assert store.state()[PHASE] == WAITING and store.state()[ATTEMPT] == 0 and store.attempt() is None
    assert 29000 < store.due_at() - store.now() <= 30000
    assert store.events[-1]["type"] == "waiting"
    assert store.counters("n", "t/camp") == {"ch|calls": 1, "ch|waiting": 1}


def test_from_a_free_line_to_the_next_call(store):
    store.contact("t/c0")
    busy(store, "t/c1")
    busy(store, "t/c2")
    freed = store.unlock("t/c0")
    assert freed == "t/c1" and store.wake(freed) == 1
    assert [offer[0] for offer in store.due()] == ["t/c1"]
    assert store.claim("t/c1", "b", contact="+1") == ["claimed", 1] and store.contact("t/c1") == "free"
    assert store.contact("t/c2") == "busy"
    assert store.unlock("t/c1") == "t/c2"


def test_a_busy_line_is_asked_for_again_when_nobody_told(store):
    store.contact("t/c0")
    busy(store, "t/c1")
    assert store.due() == []
    store.later("t/c1", 31000)
    assert [offer[0] for offer in store.due()] == ["t/c1"]


def test_waking_twice_wakes_once(store):
    store.contact("t/c0")
    busy(store, "t/c1")
    assert [store.wake(), store.wake()] == [1, 0]


def test_a_call_that_is_claimed_over_or_unknown_is_not_woken(store):
    assert store.wake("t/none") == 0
    store.contact("t/c0")
    busy(store, "t/c1")
    store.later("t/c1", 31000)
    store.claim("t/c1", "b")
    assert store.wake() == 0
    store.outcome("t/c1", 1, "b", "listed")
    assert store.wake() == 0 and store.state()[FINAL] == 1


def test_a_call_that_waits_for_something_else_is_left_alone(store):
    store.request(not_before=store.now() + 60000)
    assert store.wake() == 0
    store.request("t/c2", token="a")
    store.outcome("t/c2", 1, "a", "back", wait=60000)
    assert store.wake("t/c2") == 0 and store.due() == []


def test_a_call_that_waits_for_its_hours_by_now_is_left_alone(store):
    store.contact("t/c0")
    busy(store, "t/c1")
    store.later("t/c1", 31000)
    store.due()
    assert store.postpone("t/c1", store.now() + DAY_MS) == 1
    assert store.wake() == 0 and store.due() == []


def test_a_paused_call_is_not_woken_and_comes_back_after(store):
    store.contact("t/c0")
    busy(store, "t/c1")
    store.later("t/c1", 31000)
    store.control("pause", "campaign:t/camp")
    assert [offer[1] for offer in store.due()] == [""]
    assert store.wake() == 0 and store.held("campaign:t/camp") == ["t/c1"]
    store.control("resume", "campaign:t/camp")
    store.sweep_all()
    assert store.claim("t/c1", "b") == ["claimed", 1]


def test_a_retry_that_a_report_made_is_not_woken_early(store):
    """Its claim was forgotten, so the report makes the attempt; what the call waited for before is over."""
    store.contact("t/c0")
    store.placed(contact="+1", max_attempts=3, delays=(60,))
    store.evidence("t/c1", evidence(BUSY, terminal=1, hops=[TERMINATE]))
    store.later("t/c1", 61000)
    assert store.claim("t/c1", "a", contact="+1") == ["claimed", 2]
    store.outcome("t/c1", 2, "a", "busy")
    store.evidence("t/c1", evidence(BUSY, terminal=1, hops=[TERMINATE]), attempt=2)
    assert store.state()[PHASE] == WAITING and store.state()[ATTEMPT] == 2
    due_at = store.due_at()
    assert store.wake() == 0 and store.due_at() == due_at > store.now()
