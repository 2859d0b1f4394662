"""A call that cannot be read in Redis is told by its key, and holds up none of its neighbours."""

from conftest import *

BAD, GOOD = "t/bad", "t/good"


def hset(store, field, value):
    store.redis.hset(f"{store.shard}:call:{BAD}", field, value)


def state_with(position, value):
    def spoil(store):
        state = store.state(BAD)
        state[position] = value
        hset(store, "s", pack(state))
    return spoil


def attempt_with(position, value):
    def spoil(store):
        attempt = store.attempt(BAD)
        if attempt:
            attempt[position] = value
            hset(store, "a1", pack(attempt))
        else:
            hset(store, "s", b"")
    return spoil


def another_type(store):
    store.redis.set(f"{store.shard}:call:{BAD}", "a string")


SPOILED = {
    "no MessagePack": lambda store: hset(store, "s", b"\xc1\xff"),
    "empty": lambda store: hset(store, "s", b""),
    "cut off": lambda store: hset(store, "s", pack(store.state(BAD))[:20]),
    "another kind of value": lambda store: hset(store, "s", pack("text")),
    "too short": lambda store: hset(store, "s", pack(store.state(BAD)[:10])),
    "a text for a number": state_with(NEXT_AT, "soon"),
    "a number for a text": state_with(CAMPAIGN, 7),
    "nil": state_with(UPDATED, None),
    "no such phase": state_with(PHASE, 9),
    "no such status": state_with(STATUS, 12),
    "no state": lambda store: store.redis.hdel(f"{store.shard}:call:{BAD}", "s"),
    "no policy": lambda store: store.redis.hdel(f"{store.shard}:call:{BAD}", "p"),
    "another policy": lambda store: hset(store, "p", pack([1, 2, 3])),
    "no identity": lambda store: store.redis.hdel(f"{store.shard}:call:{BAD}", "i"),
    "an attempt that is none": lambda store: hset(store, "a1", b"\xc1") if store.attempt(BAD) else hset(store, "s", b"\xc1"),
    "an attempt with a text for a number": attempt_with(9, "now"),
    "a string where a hash should be": another_type,
}
every_way = pytest.mark.parametrize("way", SPOILED)


def run(store, script, *args):
    """(result or results, what cannot be read)."""
    reply = store.scripts[script](keys=[store.shard], args=[pack(store.config), *args])
    return msgpack.unpackb(reply[2]) if reply[2] else [], [why.decode() for why in reply[3:]]


def records(store, script, *records_):
    return run(store, script, *[pack(record) for record in records_])


def assert_told(store, why):
    assert why.startswith(f"{store.shard}:call:{BAD} cannot be read: "), why


def assert_all_told(store, times):
    assert len(store.unreadable) == times
    for why in store.unreadable:
        assert_told(store, why)
    store.unreadable.clear()


def assert_isolated(store, script, bad, good, wanted):
    """In one batch, in any order: the bad one is told, the good one has its result."""
    results, told = records(store, script, bad, good, bad)
    assert [result[0] for result in (results[0], results[2])] == ["unreadable"] * 2
    for why in (results[0][1], *told):
        assert_told(store, why)
    assert len(told) == 2 and results[1] == wanted, results


@every_way
def test_a_waiting_one(store, way):
    for call in (BAD, GOOD):
        store.request(call)
    SPOILED[way](store)
    offers, told = run(store, "due", 64, 30000, "", "")
    assert [offer[0] for offer in offers] == [GOOD] and len(told) == 1
    assert_told(store, told[0])
    assert run(store, "due", 64, 30000, "", "") == ([], []), "nothing spins on it"
    assert store.due_at(BAD) > store.now() + 500_000, "it is met again later"
    store.redis.zadd(f"{store.shard}:due", {GOOD: 0})
    assert_isolated(store, "look", [BAD, 1, 30000, "ch"], [GOOD, 1, 30000, "ch"],
                    ["ready", GOOD, "ch", "{}", 1, 0, 1])
    assert_isolated(store, "defer", [BAD, 600000], [GOOD, 600000], 1)
    assert_isolated(store, "wake", [BAD], [GOOD], 0)
    assert_isolated(store, "postpone", [BAD, store.now() + 60000, "twilio"], [GOOD, store.now() + 60000, "twilio"], 1)
    store.later(GOOD, 60000)
    claim = ["token", 15000, "ch", "twilio", "", "", 0, 60000]
    assert_isolated(store, "claim", [BAD, *claim], [GOOD, *claim], ["claimed", 1, 1])


@every_way
def test_one_that_its_provider_has(store, way):
    for call in (BAD, GOOD):
        store.placed(call)
    SPOILED[way](store)
    report = evidence(hops=[DIALING], at=1)
    if way == "another policy":
        report = evidence(NO_ANSWER, hops=[TERMINATE], terminal=1)  # what ends nothing does not need it
    assert_isolated(store, "evidence", [BAD, 1, "ch", "twilio", report, 0, ""], [GOOD, 1, "ch", "twilio", report, 0, ""],
                    NO_ANSWER if way == "another policy" else PENDING)
    if way == "another policy":
        return
    answer, told = run(store, "control", BAD, "cancel")
    assert answer[0] == "unreadable" and len(told) == 1
    for call in (BAD, GOOD):
        store.redis.zadd(f"{store.shard}:open", {call: 1})
    results, told = run(store, "settle", 64, 8)
    assert [item[0] for item in results] == [GOOD] and len(told) == 1
    assert run(store, "settle", 64, 8) == ([], []), "nothing spins on it"
    store.control_call("cancel", GOOD)
    store.redis.zadd(f"{store.shard}:hangups", {BAD: 0})
    results, told = run(store, "hangup", 64)
    assert [item[0] for item in results] == [GOOD] and len(told) == 1
    assert run(store, "hangup", 64) == ([], [])


@every_way
def test_one_that_is_being_placed(store, way):
    for call in (BAD, GOOD):
        store.request(call, token="a")
    SPOILED[way](store)
    outcome = [1, "a", "accepted", accepted(), 0, 0, "", "ch", "twilio"]
    assert_isolated(store, "outcome", [BAD, *outcome], [GOOD, *outcome], 0)


@every_way
def test_one_whose_request_comes_again(store, way):
    for call in (BAD, GOOD):
        store.request(call)
    SPOILED[way](store)

    def record(call):
        policy = pack([1, 56, [300], 0, 0])
        return [call, "f1", "t/camp", "ch", "twilio", "", "{}", policy, 0, 0, "", 15000, 0, "", "", 60000, 0]

    assert_isolated(store, "request", record(BAD), record(GOOD), ["duplicate", 0])


def test_one_that_has_lost_what_tells_its_request_apart(store):
    """It may have been dialled, so it is not taken for a new one."""
    store.placed(BAD)
    store.redis.hdel(f"{store.shard}:call:{BAD}", "f")
    assert store.request(BAD, token="b")[0] == "unreadable"
    assert_all_told(store, 1)


@every_way
def test_one_that_is_held_and_one_that_is_cancelled(store, way):
    for call in (BAD, GOOD):
        store.request(call)
    store.control("pause", "campaign:t/camp")
    store.due()
    SPOILED[way](store)
    store.control("resume", "campaign:t/camp")
    store.sweep_all()
    assert store.due_at(GOOD) and not store.held("campaign:t/camp"), "its hold is emptied"
    assert store.due_at(BAD) > store.now() + 500_000
    assert_all_told(store, 1)
    store.control("cancel", "campaign:t/camp")
    store.sweep_all()
    assert store.state(GOOD)[PHASE] == DROPPED
    assert_all_told(store, 1)


def test_what_was_counted_stays_right_beside_it(store):
    for call in (BAD, GOOD):
        store.placed(call)
    before = store.all_counters()
    hset(store, "a1", b"\xc1")
    done = evidence(NO_ANSWER, 1, hops=[TERMINATE])
    records(store, "evidence", [BAD, 1, "ch", "twilio", done, 0, ""], [GOOD, 1, "ch", "twilio", done, 0, ""])
    after = store.all_counters()
    moved = {field: after["n:t/camp"].get(field, 0) - before["n:t/camp"].get(field, 0) for field in ("ch|s:1", "ch|s:4")}
    assert moved == {"ch|s:1": -1, "ch|s:4": 1}


def test_a_call_that_was_mended_by_hand_goes_on(store):
    store.request(BAD)
    kept = store.redis.hget(f"{store.shard}:call:{BAD}", "s")
    hset(store, "s", b"garbage")
    run(store, "due", 64, 30000, "", "")
    hset(store, "s", kept)
    store.redis.zincrby(f"{store.shard}:due", -700_000, BAD)
    assert [offer[0] for offer in store.due()] == [BAD]
