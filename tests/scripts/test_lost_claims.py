"""Redis forgot a claim (a failover) while its request was out: what our own worker brings is believed, not dialled again.

What a stranger says of it is believed where it can be such a claim, and nowhere else: a report makes no attempt.
"""

import pytest
from conftest import *


@pytest.mark.parametrize("kind,ev", [
    ("accepted", accepted()),
    ("doubt", evidence(UNAVAILABLE, hops=[MESSAGE_OUT], code="no_response")),
    ("refused", evidence(FAILED, 1, hops=[MESSAGE_OUT], kind=3, code="21211")),
])
def test_the_outcome_of_a_forgotten_claim_is_believed(store, kind, ev):
    store.request()  # as the replica has it: stored, and waiting
    assert store.outcome("t/c1", 1, "a", kind, ev) == "late"
    assert store.state()[PHASE] != WAITING and store.due() == []
    assert store.claim("t/c1", "b")[0] == "no"
    assert store.counters("n", "t/camp")["ch|attempts"] == 1


@pytest.mark.parametrize("kind", ["unreached", "back"])
def test_a_forgotten_claim_that_was_not_sent_is_left_to_wait(store, kind):
    store.request()
    assert store.outcome("t/c1", 1, "a", kind, evidence(UNAVAILABLE, 1)) == "unknown"
    assert store.state()[PHASE] == WAITING and len(store.due()) == 1


def waits_for_a_retry(store, **request):
    store.placed(max_attempts=3, delays=(60,), **request)
    store.evidence("t/c1", evidence(NO_ANSWER, 1, hops=[TERMINATE]))
    assert store.state()[PHASE] == WAITING and store.state()[ATTEMPT] == 1


RINGING = evidence(hops=[DIALING], provider_id="CA2")


def test_a_report_of_a_forgotten_retry_is_believed_and_it_is_not_dialled_again(store):
    waits_for_a_retry(store)
    store.later("t/c1", 61000)  # so it was claimed, as far as the old primary knew
    assert store.evidence("t/c1", RINGING, attempt=2) == "recorded"
    assert store.state()[PHASE] == PLACED and store.redis.zcard("{ivr:00}:due") == 0
    assert store.attempt(n=2)[5] == "ch" and store.claim("t/c1", "b")[0] == "no"


def test_a_forgotten_retry_that_is_over_is_followed_after_its_delay(store):
    waits_for_a_retry(store)
    store.later("t/c1", 61000)
    store.evidence("t/c1", evidence(NO_ANSWER, 1, hops=[TERMINATE]), attempt=2)
    assert store.state()[PHASE] == WAITING and store.due_at() > store.now() + 50000


def unchanged(store):
    return (store.redis.hgetall("{ivr:00}:call:t/c1"), store.all_counters(), store.redis.zrange("{ivr:00}:due", 0, -1),
            store.redis.xlen("{ivr:00}:out"))


def never_dialled(store):
    store.request()


def given_back(store):
    store.request(token="a")
    store.outcome("t/c1", 1, "a", "back")


def being_placed(store):
    store.request(token="a")


def placed(store):
    store.placed()


def final(store):
    store.placed()
    store.evidence("t/c1", evidence(NO_ANSWER, 1, hops=[TERMINATE]))


def refused_for_good(store):
    store.request(token="a", max_attempts=3)
    store.outcome("t/c1", 1, "a", "refused", evidence(FAILED, 1, hops=[MESSAGE_OUT], kind=3, code="21211"))


def in_doubt(store):
    store.request(token="a")
    store.outcome("t/c1", 1, "a", "doubt", evidence(UNAVAILABLE, hops=[MESSAGE_OUT], code="no_response"))


def dropped(store):
    store.request(expires=store.now() - 1)


def before_its_retry(store):
    waits_for_a_retry(store)


def due_for_its_retry(store):
    waits_for_a_retry(store)
    store.later("t/c1", 61000)


STATES = [never_dialled, given_back, being_placed, placed, final, refused_for_good, in_doubt, dropped, before_its_retry,
          due_for_its_retry]


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("attempt", [1, 2, 3, 999999999])
def test_a_report_on_another_channel_makes_no_attempt_and_changes_nothing(store, state, attempt):
    state(store)
    before = unchanged(store)
    for ev in (RINGING, evidence(COMPLETED, 1, hops=[TERMINATE, SESSION], cost=9000, currency="USD")):
        assert store.evidence("t/c1", ev, attempt=attempt, channel="own") == "unknown"
        assert store.evidence("t/c1", ev, attempt=attempt, channel="own", called="+1") == "unproved"
    assert unchanged(store) == before


@pytest.mark.parametrize("state", [state for state in STATES if state != due_for_its_retry])
def test_a_report_on_the_channel_itself_makes_no_attempt_that_cannot_have_been_given_out(store, state):
    state(store)
    before = unchanged(store)
    latest = store.state()[ATTEMPT]
    for attempt in (latest + 1, latest + 2):
        assert store.evidence("t/c1", RINGING, attempt=attempt) == "unknown"
    assert unchanged(store) == before


def test_a_reference_that_no_signature_covers_makes_no_attempt(store):
    due_for_its_retry(store)
    before = unchanged(store)
    assert store.evidence("t/c1", RINGING, attempt=2, called="") == "unproved"
    assert unchanged(store) == before
