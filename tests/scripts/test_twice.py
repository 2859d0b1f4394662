"""A reply was lost and its owner asks again with the same values: what counted once counts once."""

import pytest
from conftest import *

NOT_NOW = evidence(FAILED, 1, hops=[MESSAGE_OUT], kind=3, code="x")
OUTCOMES_ASKED = {
    "accepted": accepted(),
    "refused": NOT_NOW,
    "refused_now": NOT_NOW,
    "doubt": evidence(UNAVAILABLE, hops=[MESSAGE_OUT], code="no_response"),
    "unreached": evidence(UNAVAILABLE, 1, code="unreachable"),
    "back": evidence(),
}


def everything(store):
    """The call, its indexes, counters and events."""
    call = store.redis.hgetall("{ivr:00}:call:t/c1")
    indexes = [store.redis.zrange("{ivr:00}:" + name, 0, -1, withscores=True) for name in ("due", "open")]
    return call, indexes, store.all_counters(), len(store.events)


@pytest.mark.parametrize("retried", [False, True])
@pytest.mark.parametrize("kind", OUTCOMES_ASKED)
def test_an_outcome_that_is_asked_again_changes_nothing(store, kind, retried):
    store.request(token="a", max_attempts=3, on=(UNAVAILABLE, FAILED) if retried else (BUSY,), redial=int(retried))
    assert store.outcome("t/c1", 1, "a", kind, OUTCOMES_ASKED[kind]) == "recorded"
    before = everything(store)
    store.outcome("t/c1", 1, "a", kind, OUTCOMES_ASKED[kind])
    assert everything(store) == before


def ask_request(store):
    return store.request(token="a", claim_ms=8000)


def ask_claim(store):
    return store.claim("t/c1", "a", claim_ms=8000)


@pytest.mark.parametrize("ask", [ask_request, ask_claim])
def test_an_owner_that_asks_again_keeps_its_claim(store, ask):
    """While replicas are away it has no answer and has not dialled: nobody may call that a doubt."""
    if ask is ask_claim:
        store.request()
    assert ask(store) == ["claimed", 1]
    for _ in range(3):
        store.later("t/c1", 6000)
        assert ask(store) == ["claimed", 1]
        assert store.settle() == [] and store.state()[PHASE] == PLACING
    store.later("t/c1", 9000)
    assert len(store.settle()) == 1, "once it asks no more, it is lost"
    assert ask(store)[0] in ("duplicate", "no"), "asking does not revive it"
