"""What an attempt holds is given back once, by whatever shows first that it is over or was not placed."""

import itertools

import pytest
from conftest import *

OVER = evidence(BUSY, terminal=1, hops=[MESSAGE_OUT, TERMINATE], provider_id="CAt/c1")
UNREACHED = evidence(UNAVAILABLE, 1, code="unreachable")
REFUSED = evidence(FAILED, 1, hops=[MESSAGE_OUT], kind=3, code="21211")
FREED = [("t/c1", 1, "ch", "+1", 1)]
ENDS = {
    "refused": REFUSED, "refused_now": REFUSED, "unreached": UNREACHED, "elsewhere": UNREACHED, "back": evidence(),
    "busy": evidence(), "listed": evidence(),
}


def lined(store):
    return [member.decode() for member in store.redis.zrange("{ivr:00}:lined", 0, -1)]


def test_a_claim_notes_its_line_until_its_deadline(store):
    token = store.lined()
    assert lined(store) == ["ch|t/c1/1"]
    assert 59000 < store.redis.zscore("{ivr:00}:lined", "ch|t/c1/1") - store.now() <= 60000
    store.claim("t/c1", token, contact="+1", line=1)
    store.outcome("t/c1", 1, token, "accepted", accepted())
    assert lined(store) == ["ch|t/c1/1"] and store.freed == []


def test_what_holds_nothing_frees_nothing(store):
    store.placed()
    store.evidence("t/c1", OVER)
    assert store.freed == [] and lined(store) == []


def test_a_first_attempt_that_is_claimed_at_once_holds_its_contact_alone(store):
    store.request(token="a", contact="+1")
    assert lined(store) == []
    store.outcome("t/c1", 1, "a", "accepted", accepted())
    store.evidence("t/c1", OVER)
    assert store.freed == [("t/c1", 1, "ch", "+1", 0)]


def test_a_line_without_a_contact_is_freed_too(store):
    store.request()
    store.claim("t/c1", "a", line=1)
    store.outcome("t/c1", 1, "a", "back")
    assert store.freed == [("t/c1", 1, "ch", "", 1)]


@pytest.mark.parametrize("kind", ENDS)
def test_an_outcome_that_says_it_is_over_frees_it_once(store, kind):
    token = store.lined(max_attempts=3)
    for _ in range(2):
        store.outcome("t/c1", 1, token, kind, ENDS[kind], wait=60000)
        assert store.freed == FREED and lined(store) == []


def test_it_stands_in_the_outbox_with_its_events(store):
    token = store.lined()
    store.outcome("t/c1", 1, token, "listed")
    [entry] = [fields for _, fields in store.redis.xrange("{ivr:00}:out")][-1:]
    kinds = [values[0] for values in msgpack.unpackb(entry[b"e"])]
    assert sorted(kinds) == ["dropped", "freed"]


@pytest.mark.parametrize("kind", ["accepted", "doubt"])
def test_what_was_placed_or_may_have_been_holds_on(store, kind):
    token = store.lined()
    store.outcome("t/c1", 1, token, kind, accepted() if kind == "accepted" else evidence(UNAVAILABLE, code="no_response"))
    assert store.freed == [] and lined(store) == ["ch|t/c1/1"]
    store.evidence("t/c1", OVER)
    store.evidence("t/c1", OVER)
    assert store.freed == FREED and lined(store) == []


def test_a_claim_that_is_lost_holds_on_until_a_report(store):
    store.lined()
    store.later("t/c1", 20000)
    assert store.settle()[0][2] == "claim_lost"
    assert store.freed == []
    store.evidence("t/c1", OVER)
    assert store.freed == FREED


def test_an_answer_is_not_the_end(store):
    token = store.lined()
    store.outcome("t/c1", 1, token, "accepted", accepted())
    store.evidence("t/c1", evidence(COMPLETED, hops=[CONNECTED]))
    assert store.freed == []
    store.evidence("t/c1", evidence(COMPLETED, terminal=1, hops=[TERMINATE], talk=3))
    store.evidence("t/c1", evidence(COMPLETED, terminal=1, hops=[SESSION], talk=4))
    assert store.freed == FREED


def test_an_attempt_that_is_closed_for_want_of_a_report_is_freed(store):
    token = store.lined()
    store.outcome("t/c1", 1, token, "accepted", accepted())
    store.age("t/c1", DAY_MS + 1000)
    assert store.settle()[0][2] == "no_report"
    assert store.freed == FREED and lined(store) == []
    store.evidence("t/c1", OVER)
    assert store.freed == FREED


def test_the_line_of_an_answered_call_without_a_closing_report_ends_at_its_deadline(store):
    token = store.lined()
    store.outcome("t/c1", 1, token, "accepted", accepted())
    store.evidence("t/c1", evidence(COMPLETED, hops=[CONNECTED]))
    store.settle()
    assert lined(store) == ["ch|t/c1/1"]
    store.redis.zincrby("{ivr:00}:lined", -60001, "ch|t/c1/1")
    store.settle()
    assert lined(store) == [] and store.freed == []


def test_a_claim_that_is_given_back_though_the_provider_knows_it_holds_on(store):
    token = store.lined()
    store.evidence("t/c1", evidence(PENDING, hops=[DIALING]))
    store.outcome("t/c1", 1, token, "back")
    assert store.freed == []
    store.evidence("t/c1", OVER)
    assert store.freed == FREED


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_reports_and_the_response_in_any_order_free_it_once(store, order):
    token = store.lined()
    said = [lambda: store.outcome("t/c1", 1, token, "accepted", accepted()),
            lambda: store.evidence("t/c1", evidence(PENDING, hops=[DIALING])),
            lambda: store.evidence("t/c1", OVER)]
    for n in order + order:
        said[n]()
    assert store.freed == FREED and lined(store) == []


def test_every_attempt_frees_its_own(store):
    token = store.lined(max_attempts=2)
    store.outcome("t/c1", 1, token, "accepted", accepted())
    store.evidence("t/c1", OVER)
    store.later("t/c1", 400000)
    store.claim("t/c1", "b", contact="+2", line=1)
    assert lined(store) == ["ch|t/c1/2"]
    store.outcome("t/c1", 2, "b", "accepted", accepted())
    store.evidence("t/c1", OVER, attempt=1)
    assert store.freed == FREED
    store.evidence("t/c1", OVER, attempt=2)
    assert store.freed == FREED + [("t/c1", 2, "ch", "+2", 1)]


def test_the_line_of_another_channel_is_freed_there(store):
    store.request()
    store.claim("t/c1", "a", channel="second", contact="+1", line=1)
    assert lined(store) == ["second|t/c1/1"]
    store.outcome("t/c1", 1, "a", "unreached", UNREACHED)
    assert store.freed == [("t/c1", 1, "second", "+1", 1)]


def test_elsewhere_makes_the_call_due_at_once(store):
    token = store.lined()
    assert store.outcome("t/c1", 1, token, "elsewhere", UNREACHED) == "recorded"
    assert store.state()[PHASE] == WAITING and store.due_at() <= store.now()
    assert [offer[3:5] for offer in store.offers()] == [[2, 1]]
    assert store.claim("t/c1", "b", channel="second") == ["claimed", 2]
    store.outcome("t/c1", 2, "b", "unreached", UNREACHED)
    assert store.due_at() > store.now(), "and unreached has it wait"


def test_elsewhere_after_the_time_to_give_up_ends_the_call(store):
    store.config[2] = 1000
    token = store.lined()
    store.outcome("t/c1", 1, token, "elsewhere", UNREACHED)
    state = store.state()
    state[12] -= 2000  # UNREACHED_SINCE
    store.redis.hset("{ivr:00}:call:t/c1", "s", pack(state))
    store.due()
    assert store.state()[FINAL] == 1 and store.state()[STATUS] == UNAVAILABLE


def test_elsewhere_of_a_cancelled_call_ends_it(store):
    token = store.lined()
    store.control("cancel", "campaign:t/camp")
    store.outcome("t/c1", 1, token, "elsewhere", UNREACHED)
    assert store.state()[PHASE] == DONE and store.due() == []


def test_once_somebody_may_have_been_reached_an_offer_says_so(store):
    store.request()
    assert store.offers(lease=0)[0][4] == 0
    store.claim("t/c1", "a")
    store.outcome("t/c1", 1, "a", "elsewhere", UNREACHED)
    assert store.offers(lease=0)[0][4] == 1
    store.placed("t/c2", max_attempts=2, delays=(0,))
    store.evidence("t/c2", evidence(BUSY, terminal=1))
    assert [offer[4] for offer in store.offers() if offer[0] == "t/c2"] == [-1]


def test_a_stored_call_is_offered_after_its_lease(store):
    assert store.request(lease=30000) == ["stored", 0]
    assert store.due() == [] and 29000 < store.due_at() - store.now() <= 30000
    assert store.state()[NEXT_AT] <= store.now() and store.claim("t/c1", "a") == ["claimed", 1]


def test_the_lease_of_a_stored_call_moves_neither_its_time_nor_its_expiry(store):
    store.request("t/later", not_before=store.now() + 5000, lease=30000)
    assert store.due_at("t/later") <= store.now() + 5000
    store.request("t/short", expires=store.now() + 5000, lease=30000)
    assert store.due_at("t/short") <= store.now() + 5000
    store.control("pause", "campaign:t/camp")
    store.request("t/held", lease=30000)
    assert store.due_at("t/held") is None and store.held("campaign:t/camp") == ["t/held"]
