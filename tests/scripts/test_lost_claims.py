"""Redis forgot a claim (a failover) while its request was out: what the provider said is believed, not dialled again."""

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
