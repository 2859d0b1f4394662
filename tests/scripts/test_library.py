"""Our functions stay loaded for weeks: what one call leaves behind would be another's, or never go."""

import pathlib
import re
import subprocess

import redis as redis_py
from conftest import *
from library import PATH, ROOT

# Lua 5.1 allows a function 200 locals and 60 upvalues.
LOCALS, UPVALUES = 150, 45


def vm_bytes(client):
    return client.info("memory")["used_memory_vm_functions"]


def test_functions_keep_nothing_of_the_calls_that_they_worked_on(store):
    def work(first, last):
        for n in range(first, last):
            call, campaign = f"t/c{n}", f"t/campaign{n}"
            store.placed(call, campaign=campaign, contact=f"+{n}")
            store.evidence(call, evidence(COMPLETED, 1, hops=[CONNECTED, TERMINATE], at=n, talk=n, ring=n, cost=1000000 + n,
                                          currency=f"X{n % 100:02}", kind=3, code=f"code{n}", detail=f"detail{n}"))
            store.request(f"t/w{n}", campaign=campaign, max_attempts=n % 50 + 1, delays=(n, n + 1))
            store.due()
        store.redis.flushall()

    work(0, 500)
    before = vm_bytes(store.redis)
    work(1000, 3000)
    assert vm_bytes(store.redis) < before + 200_000, "something of each call stays in Redis' Lua"


def test_a_call_that_ends_in_the_middle_leaves_nothing_to_the_next(store):
    store.placed("t/c1", campaign="t/one")
    store.placed("t/c2", campaign="t/two")
    seen = len(store.events)
    ringing = pack(["t/c1", 1, "ch", "twilio", evidence(hops=[DIALING], at=5), 0, ""])
    with pytest.raises(redis_py.ResponseError):
        store.run("evidence", ringing, b"\xc1")  # no MessagePack
    store.evidence("t/c2", evidence(hops=[DIALING], at=5))
    assert {event["id"] for event in store.events[seen:]} == {"t/c2"}
    assert store.counters("n", "t/one").get("ch|h:1", 0) == 0


def test_no_function_comes_near_luas_limits():
    listing = subprocess.run(["luac5.1", "-l", "-p", "-"], input=PATH.read_text().split("\n", 1)[1], capture_output=True,
                             text=True, check=True).stdout
    found = [tuple(map(int, numbers)) for numbers in re.findall(r"(\d+) upvalues?, (\d+) locals?", listing)]
    assert len(found) > 100
    assert max(upvalues for upvalues, _ in found) <= UPVALUES and max(locals_ for _, locals_ in found) <= LOCALS, max(found)


def test_constants_are_put_in_the_place_of_their_names():
    text = PATH.read_text()
    left = re.findall(r"\b(?:S|A|E|P|PHASE|STATUS|CLOSED|HOP|HOP_BIT|EVENT|RECORD)\.[A-Z_]+", text)
    assert not left, f"lib/layout.lua has no {left[0]}"


def test_every_verb_is_a_function_with_its_flags(store):
    listed = store.redis.function_list(store.scripts.name)[0]
    functions = {entry[1].decode(): {flag.decode() for flag in entry[5]} for entry in listed[5]}
    assert set(functions) == {store.scripts.function(verb) for verb in store.scripts.verbs}
    for path in pathlib.Path(ROOT / "workers").glob("*/*.lua"):
        reads_only = "-- Reads only." in path.read_text().split("\n")[:12]
        assert ("no-writes" in functions[store.scripts.function(path.stem)]) == reads_only, path.name
