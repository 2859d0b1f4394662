"""Callbacks that come before their call is known are parked, found, and never silently lost."""

from conftest import *

ID = "twilio:CA1"


def park(store, field="cb:0:1", keep=60000, provider_id=ID, channel="ch"):
    args = [provider_id, field, "value of " + field, keep, channel]
    return store.scripts["park"](keys=[store.shard], args=args).decode()


def link(store, ref="t/c1/1", channel="ch"):
    return [part.encode() for part in store.batch("link", [[ID, ref, 1, channel]])[0]]


def overdue(store):
    return store.scripts["parked"](keys=[store.shard], args=[10])


def unpark(store, *fields):
    return store.scripts["unpark"](keys=[store.shard], args=[ID, *fields])


def test_a_linked_id_answers_its_attempt(store):
    link(store)
    assert park(store) == "t/c1/1"
    assert not store.redis.exists(f"{store.shard}:park:{ID}")


def test_an_early_callback_is_parked_and_found_by_the_link(store):
    assert park(store) == "" and park(store) == "", "parking twice is parking once"
    assert link(store) == [b"cb:0:1", b"value of cb:0:1"]
    assert link(store) == [b"cb:0:1", b"value of cb:0:1"], "until it is put back"
    assert unpark(store, "cb:0:1") == 0
    assert link(store) == [] and store.redis.zcard(f"{store.shard}:parks") == 0


def test_of_two_attempts_that_take_a_call_for_theirs_one_gets_it(store):
    def infer(ref):
        return store.batch("link", [[ID, ref, 0, "ch"]])[0]

    park(store)
    assert infer("t/c1/1") == ["cb:0:1", "value of cb:0:1"]
    assert infer("t/c2/1") is False and park(store) == "t/c1/1"
    assert infer("t/c1/1") == ["cb:0:1", "value of cb:0:1"], "asked again, the answer is the same"


def test_a_channel_links_and_finds_its_own_ids_only(store):
    """A hostile provider answers a placement with another's id; whoever may report on a channel names any id."""
    link(store)
    link(store, ref="t/own/1", channel="own")
    assert park(store) == "t/c1/1" and park(store, channel="own") == "t/own/1"
    assert park(store, field="cb:0:3", channel="third") == ""


def test_an_id_that_is_taken_on_one_channel_is_inferred_on_no_other(store):
    """Two channels may be of one account."""
    link(store)
    assert store.batch("link", [[ID, "t/c2/1", 0, "second"]])[0] is False


def test_a_link_that_version_0_1_made_is_found(store):
    store.redis.set(f"{store.shard}:id:{ID}", "t/c1/1")
    assert park(store) == "t/c1/1"
    assert store.batch("link", [[ID, "t/c2/1", 0, "ch"]])[0] is False
    link(store, ref="t/c2/1")
    assert park(store) == "t/c2/1"


def test_what_the_provider_says_goes_before_what_was_inferred(store):
    store.batch("link", [[ID, "t/c2/1", 0, "ch"]])
    link(store)
    assert park(store) == "t/c1/1"


def test_a_report_that_alone_tells_the_provider_s_id_asks_for_its_link(store):
    """The response that links it may never come; then whoever brought the report has to."""
    store.request("t/c1", token="a")
    report = evidence(hops=[DIALING], provider_id="CA1")
    assert store.evidence_number("t/c1", report) >= UNLINKED
    assert store.evidence_number("t/c1", report) >= UNLINKED, "whoever asked before may be dead"
    assert store.evidence_number("t/c1", evidence(hops=[TERMINATE])) < UNLINKED, "it tells no id"
    store.outcome("t/c1", 1, "a", "accepted", evidence(PENDING, hops=[MESSAGE_OUT], provider_id="CA1"))
    assert store.evidence_number("t/c1", report) < UNLINKED, "the response came, and its id was linked before"


def test_what_waits_too_long_is_reported_as_unknown(store):
    park(store, keep=0)
    park(store, field="cb:0:2", keep=0)
    assert overdue(store)[:2] == [ID.encode(), b"0"] and len(overdue(store)[2]) == 4
    link(store)
    assert overdue(store)[1] == b"1", "linked by now: it goes back to the topic"


def test_a_parked_callback_of_an_unknown_call_is_known_once_the_call_is(store):
    park(store, keep=0, provider_id="call:t/c1")
    assert overdue(store)[1] == b"0"
    store.request()
    assert overdue(store)[1] == b"1"


def test_revisions_grow_strictly_and_conflict_when_somebody_was_first(store):
    def revise(seen):
        return store.scripts["revise"](keys=[store.shard], args=["campaign:t/c", seen, DAY_MS]).decode()

    first = revise("")
    assert int(first) > 1_700_000_000_000
    assert revise("") == "" and revise("12") == ""
    assert int(revise(first)) > int(first)
