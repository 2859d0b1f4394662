"""Callbacks that come before their call is known are parked, found, and never silently lost."""

from conftest import *

ID = "twilio:CA1"


def link(store, ref="t/c1/1", channel="ch"):
    return [part.encode() for part in store.batch("link", [[ID, ref, 1, channel]])[0]]


def test_a_linked_id_answers_its_attempt(store):
    link(store)
    assert store.park() == "t/c1/1"
    assert not store.redis.exists(f"{store.shard}:park:{ID}")


def test_an_early_callback_is_parked_and_found_by_the_link(store):
    assert store.park() == "" and store.park() == "", "parking twice is parking once"
    assert link(store) == [b"ch|cb:0:1", b"value of ch|cb:0:1"]
    assert link(store) == [b"ch|cb:0:1", b"value of ch|cb:0:1"], "until it is put back"
    assert store.unpark("ch|cb:0:1") == 0
    assert link(store) == [] and store.redis.zcard(f"{store.shard}:parks") == 0


def test_of_two_attempts_that_take_a_call_for_theirs_one_gets_it(store):
    def infer(ref):
        return store.batch("link", [[ID, ref, 0, "ch"]])[0]

    store.park()
    assert infer("t/c1/1") == ["ch|cb:0:1", "value of ch|cb:0:1"]
    assert infer("t/c2/1") is False and store.park() == "t/c1/1"
    assert infer("t/c1/1") == ["ch|cb:0:1", "value of ch|cb:0:1"], "asked again, the answer is the same"


def test_a_channel_links_and_finds_its_own_ids_only(store):
    """A hostile provider answers a placement with another's id; whoever may report on a channel names any id."""
    link(store)
    link(store, ref="t/own/1", channel="own")
    assert store.park() == "t/c1/1" and store.park(channel="own") == "t/own/1"
    assert store.park(field="third|cb:0:3", channel="third") == ""


def test_an_id_that_is_taken_on_one_channel_is_inferred_on_no_other(store):
    """Two channels may be of one account."""
    link(store)
    assert store.batch("link", [[ID, "t/c2/1", 0, "second"]])[0] is False


def test_a_link_that_version_0_1_made_is_found(store):
    store.redis.set(f"{store.shard}:id:{ID}", "t/c1/1")
    assert store.park() == "t/c1/1"
    assert store.batch("link", [[ID, "t/c2/1", 0, "ch"]])[0] is False
    link(store, ref="t/c2/1")
    assert store.park() == "t/c2/1"


def test_what_the_provider_says_goes_before_what_was_inferred(store):
    store.batch("link", [[ID, "t/c2/1", 0, "ch"]])
    link(store)
    assert store.park() == "t/c1/1"


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
    store.park(keep=0)
    store.park(field="ch|cb:0:2", keep=0)
    assert store.overdue()[:2] == [ID.encode(), b"0"] and len(store.overdue()[2]) == 4
    link(store)
    assert store.overdue()[1] == b"1", "linked by now: it goes back to the topic"


def test_a_parked_callback_of_an_unknown_call_is_known_once_the_call_is(store):
    store.park(keep=0, provider_id="call:t/c1")
    assert store.overdue()[1] == b"0"
    store.request()
    assert store.overdue()[1] == b"1"


def test_revisions_grow_strictly_and_conflict_when_somebody_was_first(store):
    def revise(seen):
        return store.scripts["revise"](keys=[store.shard], args=["campaign:t/c", seen, DAY_MS]).decode()

    first = revise("")
    assert int(first) > 1_700_000_000_000
    assert revise("") == "" and revise("12") == ""
    assert int(revise(first)) > int(first)


# ---- room ----

def parked_count(store):
    return {name.decode(): int(count) for name, count in store.redis.hgetall(f"{store.shard}:parked").items()}


def test_of_one_id_so_many_records_and_bytes_may_wait(store):
    for n in range(5):
        assert store.park(f"ch|cb:0:{n}", of_id=(5, 1000)) == ""
    assert store.park("ch|cb:0:5", of_id=(5, 1000)) == "!id"
    assert store.park("ch|cb:0:0", of_id=(5, 1000)) == "", "parking twice is parking once, also where it is full"
    assert store.park("ch|cb:0:1", of_id=(5, 1000), provider_id="twilio:CA2", value="x" * 1001) == "!id"
    assert store.park("ch|cb:0:2", of_id=(5, 1000), provider_id="twilio:CA2", value="x" * 600) == ""
    assert store.park("ch|cb:0:3", of_id=(5, 1000), provider_id="twilio:CA2", value="x" * 600) == "!id"


def test_who_fills_an_id_on_one_channel_keeps_out_nothing_of_another(store):
    for n in range(6):
        store.park(f"own|cb:0:{n}", of_id=(5, 1000))
    assert store.park("own|cb:0:9", of_id=(5, 1000)) == "!id" and store.park("ch|cb:0:9", of_id=(5, 1000)) == ""


def test_what_an_older_version_left_of_one_id_is_not_added_to(store):
    fill(store, 1000)
    assert store.park("other|cb:0:9", of_id=(30, 100000)) == "!id"


def test_a_channel_cannot_take_the_room_of_the_others(store):
    for n in range(5):
        store.park(f"mine|cb:0:{n}", provider_id=f"twilio:CA{n}", of_channel=(5, 1000))
    assert store.park("mine|cb:0:9", provider_id="twilio:CA9", of_channel=(5, 1000)) == "!channel"
    assert store.park("other|cb:0:9", provider_id="twilio:CA9", of_channel=(5, 1000)) == ""
    assert store.park("third|cb:0:9", provider_id="twilio:CA8", of_channel=(5, 1000), value="x" * 1001) == "!channel"
    assert store.park("third|cb:0:9", provider_id="twilio:CA8", of_all=(6, 100000)) == "!all"
    assert store.park("third|cb:0:9", provider_id="twilio:CA8", of_all=(60, 50)) == "!all"


def test_what_leaves_makes_room_again(store):
    for n in range(3):
        store.park(f"ch|cb:0:{n}", of_id=(3, 1000), value="x" * 10)
    assert parked_count(store) == {"n": 3, "b": 30, "n:ch": 3, "b:ch": 30}
    assert store.unpark("ch|cb:0:0", "ch|cb:0:1", "ch|cb:0:1", "ch|never") == 1
    assert parked_count(store) == {"n": 1, "b": 10, "n:ch": 1, "b:ch": 10}
    assert store.park("ch|cb:0:7", of_id=(3, 1000), value="x" * 10) == ""
    assert store.unpark("ch|cb:0:2", "ch|cb:0:7") == 0 and parked_count(store) == {}
    assert not list(store.redis.scan_iter(f"{store.shard[:-1]}*park*".replace("{", "\\{"))), "nothing stays behind"


def test_what_an_older_version_parked_leaves_without_having_been_counted(store):
    store.redis.hset(f"{store.shard}:park:{ID}", mapping={"cb:0:1": "old", "cb:0:2": "old"})
    store.redis.zadd(f"{store.shard}:parks", {ID: 1})
    store.park("ch|cb:0:3", provider_id="twilio:CA2")
    assert len(store.overdue()[2]) == 4
    assert store.unpark("cb:0:1", "cb:0:2") == 0
    assert parked_count(store).get("n:ch") == 1
    store.unpark("ch|cb:0:3", provider_id="twilio:CA2")
    assert parked_count(store) == {}


# ---- pages ----

def fill(store, n, bytes_=10, provider_id=ID):
    store.redis.hset(f"{store.shard}:park:{provider_id}", mapping={f"ch|cb:0:{i}": "x" * bytes_ for i in range(n)})
    store.redis.zadd(f"{store.shard}:parks", {provider_id: 1})


def drain(store, **options):
    """Every page that is offered is removed; the fields of all, and how many pages it took."""
    seen, pages = [], 0
    while (found := store.overdue(lease=60000, **options)):
        pages += 1
        for id_, _, page in zip(found[::3], found[1::3], found[2::3]):
            seen += page[::2]
            store.unpark(*page[::2], provider_id=id_)
    return seen, pages


def test_thousands_of_one_id_leave_page_by_page_without_a_pause(store):
    fill(store, 3000)
    seen, pages = drain(store)
    assert len(seen) == len(set(seen)) == 3000 and pages == 3000 // 32 + 1


def test_an_answer_holds_no_more_than_its_bytes_and_one_record(store):
    for n in range(8):
        fill(store, 8, bytes_=50_000, provider_id=f"twilio:CA{n}")
    found = store.overdue(lease=60000, most_bytes=200_000)
    assert sum(len(value) for page in found[2::3] for value in page[1::2]) <= 250_000 and store.more
    store.redis.zadd(f"{store.shard}:parks", {f"twilio:CA{n}": 1 for n in range(8)})
    seen, _ = drain(store, most_bytes=200_000)
    assert len(seen) == 64


def test_a_link_hands_out_a_page_and_the_rest_is_due_once_that_is_gone(store):
    fill(store, 100)
    store.redis.zadd(f"{store.shard}:parks", {ID: store.now() + 600_000})
    page = link(store)
    assert len(page) == 2 * 32 and store.overdue() == []
    assert store.unpark(*page[::2]) == 68
    found = store.overdue()
    assert found[1] == b"1" and len(found[2]) == 2 * 32, "the rest goes back to the topic"


# ---- without memory ----

def test_what_cleans_up_needs_no_memory(store):
    fill(store, 40)
    for n in range(3):
        store.park(f"ch|cb:1:{n}", keep=0, provider_id=f"twilio:CB{n}")
    store.placed()
    store.redis.config_set("maxmemory", 1)
    try:
        with pytest.raises(redis_py.exceptions.ResponseError, match="maxmemory"):
            store.park("ch|cb:1:9", provider_id="twilio:CC")
        seen, _ = drain(store)
        assert len(seen) == 43
        assert store.scripts["release"](keys=["{ivr:ch:ke}"], args=["t/c1/1"]) == 0
        assert store.scripts["forget"](keys=[store.shard], args=["t/camp", store.now() + 60000]) == 1
        store.run("hung_up", "t/c1")
    finally:
        store.redis.config_set("maxmemory", 0)
    assert parked_count(store) == {} and not store.redis.exists(f"{store.shard}:parks")
