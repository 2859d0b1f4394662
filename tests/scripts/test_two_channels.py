"""Two channels' credentials and references in random combinations: whatever one says, nothing of the other changes.

What a stranger's report can reach of Redis is what these scripts do with it, whoever signed it: evidence, park and link. Between
honest steps of both channels a stranger on "own" names the other's calls, attempts and provider ids. A seed that fails is
printed. `make fuzz F=two_channels` goes on for FUZZ_SECONDS with seeds of its own.
"""

import os
import random
import re
import time

import pytest
from conftest import *

STEPS = 250
CALLS = {"ch": [f"v/c{n}" for n in range(4)], "own": [f"o/c{n}" for n in range(2)]}
IDS = {"ch": ["CAv0", "CAv1", "CAv2"], "own": ["CAo0", "CAo1"]}
EVERY_ID = ["", "CAnew", *IDS["ch"], *IDS["own"]]
NUMBERS = {"v": "+254700000001", "o": "+254700000002"}


class World:
    """Calls of a victim's channel "ch" and of a stranger's "own", in whatever state chance brings them to."""

    def __init__(self, store, seed):
        self.store, self.rng = store, random.Random(seed)
        self.claims, self.parked = {}, 0

    def random_evidence(self, ids):
        rng = self.rng
        status = rng.choice([0, 0, FAILED, NO_ANSWER, ABSENT, BUSY, COMPLETED])
        return evidence(status, int(status > 0 and rng.random() < 0.6), hops=[h for h in range(5) if rng.random() < 0.3],
                        at=rng.randint(0, 9) * 1000, talk=rng.choice([-1, 7]), cost=rng.choice([-1, 500]), currency="USD",
                        kind=rng.randint(0, 3), code=rng.choice(["", "a", "b"]), provider_id=rng.choice(ids),
                        permanent=int(rng.random() < 0.1))

    # --- honest steps: workers, and each channel's provider about its own calls ------------------------------------

    def step(self):
        channel = self.rng.choice(["ch", "ch", "own"])
        call = self.rng.choice(CALLS[channel])
        act = self.rng.choice([self.ask, self.claim, self.claim, self.end, self.end, self.end, self.report, self.report,
                               self.pass_time, self.settle, self.link, self.park, self.say])
        act(channel, call)

    def ask(self, channel, call):
        token = f"t{self.rng.random()}" if self.rng.random() < 0.5 else ""
        tenant = call.partition("/")[0]
        answer = self.store.request(call, campaign=f"{tenant}/camp", channel=channel, token=token, max_attempts=4,
                                    on=(FAILED, NO_ANSWER, ABSENT, BUSY), delays=(self.rng.choice([0, 60]),),
                                    body=f'{{"to":"{NUMBERS[tenant]}"}}')
        if answer[0] == "claimed":
            self.claims[call] = (token, answer[1])

    def claim(self, channel, call):
        """At times a failover forgets it, to a replica that lacks it: the call stands as before, its outcome is still to come."""
        key, token = f"{self.store.shard}:call:{call}", f"t{self.rng.random()}"
        before, due = self.store.redis.dump(key), self.store.due_at(call)
        what, attempt = self.store.claim(call, token, channel=channel)
        if what == "claimed":
            self.claims[call] = (token, attempt)
            if self.rng.random() < 0.3:
                self.store.redis.restore(key, 0, before, replace=True)
                self.store.redis.zadd(f"{self.store.shard}:due", {call: due})
                self.store.redis.zrem(f"{self.store.shard}:open", call)

    def end(self, channel, call):
        if call not in self.claims:
            return
        token, attempt = self.claims.pop(call)
        kind = self.rng.choice(["accepted", "accepted", "accepted", "doubt", "refused_now", "refused", "unreached", "back"])
        ev = {"accepted": evidence(PENDING, hops=[MESSAGE_OUT], provider_id=self.rng.choice(IDS[channel])),
              "doubt": evidence(UNAVAILABLE, hops=[MESSAGE_OUT]), "unreached": evidence(UNAVAILABLE, 1)}
        failed = evidence(FAILED, 1, hops=[MESSAGE_OUT], kind=3, code="x")
        self.store.batch("outcome", [[call, attempt, token, kind, ev.get(kind, failed), 0, 0, "", channel, "twilio"]])

    def report(self, channel, call):
        called = self.rng.choice([None, None, "", NUMBERS[call[0]]])
        self.store.evidence(call, self.random_evidence(["", *IDS[channel]]), self.rng.randint(1, 3), channel, called)

    def pass_time(self, channel, call):
        if self.store.state(call):
            self.store.later(call, self.rng.choice([20000, 70000]))

    def settle(self, channel, call):
        self.store.settle()
        self.store.due(lease=0)

    def say(self, channel, call):
        if channel == "ch":
            self.store.control_call(self.rng.choice(["pause", "resume", "resume"]), call)

    def link(self, channel, call):
        record = [f"twilio:{self.rng.choice(IDS[channel])}", f"{call}/{self.rng.randint(1, 2)}", self.rng.randint(0, 1), channel]
        self.store.batch("link", [record])

    def park(self, channel, call, ids=None):
        self.parked += 1
        provider_id = f"twilio:{self.rng.choice(ids or IDS[channel])}"
        return self.store.park(f"{channel}|cb:0:{self.parked}", provider_id=provider_id, value=f"of {channel}", channel=channel)

    # --- what a stranger does: only with "own" ------------------------------------------------------------------------

    def attack(self):
        victim, attempt = self.rng.choice(CALLS["ch"]), self.rng.choice([1, 1, 2, 2, 3, 4, 999999999])
        way = self.rng.randrange(4)
        if way == 0:  # another's id, on the own channel: it finds the own link or none
            assert not self.park("own", victim, EVERY_ID[1:]).startswith("v/")
        elif way == 1:  # a hostile provider's answer, a report that tells an id: an own call takes another's id for its own
            own = f"{self.rng.choice(CALLS['own'])}/1"
            self.store.batch("link", [[f"twilio:{self.rng.choice(EVERY_ID[1:])}", own, self.rng.randint(0, 1), "own"]])
        else:
            called = self.rng.choice([None, None, None, "", *NUMBERS.values()])
            said = self.store.evidence(victim, self.random_evidence(EVERY_ID), attempt, "own", called)
            assert said in ("unknown", "unproved"), (said, victim, attempt)

    def of_the_victim(self):
        """Everything in Redis but what is the stranger's own: calls, indexes, counters, events, links and what is parked."""
        own = (b":call:o/", b":n:o/", b":w:o/", b":parks", b":parked")
        keys = [key for key in self.store.redis.keys() if not any(part in key for part in own)]
        pipe = self.store.redis.pipeline(transaction=False)
        for key in keys:
            if HASH.search(key):
                pipe.hgetall(key)
            elif ZSET.search(key):
                pipe.zrange(key, 0, -1, withscores=True)
            else:
                pipe.dump(key)
        return {key: left for key, value in zip(keys, pipe.execute()) if (left := without_own(value))}

    def deadlines(self):
        """When what is parked has waited long enough: the stranger's own come to it, no other moves."""
        return set(self.store.redis.zrange(f"{self.store.shard}:parks", 0, -1, withscores=True))


HASH = re.compile(rb":(call|n|w|ids|park):|:(waiting|ctl|sweep)$")
ZSET = re.compile(rb":hold:|:(due|open|lined|hangups|campaigns|windows)$")


def without_own(value):
    if isinstance(value, dict):
        return {name: said for name, said in value.items() if name != b"own" and not name.startswith(b"own|")}
    if isinstance(value, list):
        return [(member, score) for member, score in value if b"o/" not in member]
    return value


def run(store, seed, steps):
    store.redis.flushall()
    store.events.clear()
    world = World(store, seed)
    for _ in range(steps):
        world.step()
        if world.rng.random() < 0.6:
            before, deadlines = world.of_the_victim(), world.deadlines()
            world.attack()
            assert world.of_the_victim() == before and deadlines <= world.deadlines()
    return world


def check_numbers(store):
    """Every number of the victim's adds up behind all that."""
    counts = store.counters("n", "v/camp")
    calls = [store.state(call) for call in CALLS["ch"] if store.state(call)]
    assert counts.get("ch|calls", 0) == len(calls) and not any(name.startswith("own|") for name in counts)
    for status in range(1, 8):
        assert counts.get(f"ch|s:{status}", 0) == sum(state[STATUS] == status for state in calls)
    assert sum(value for name, value in counts.items() if "|r:" in name) == sum(state[REASON] != "" for state in calls)


@pytest.mark.parametrize("seed", range(3))
def test_whatever_one_channel_says_nothing_of_another_changes(store, seed):
    run(store, seed, STEPS)
    check_numbers(store)


def test_for_as_long_as_is_asked(store):
    """A second, unless somebody asks for more: make fuzz F=two_channels."""
    until, runs = time.monotonic() + float(os.environ.get("FUZZ_SECONDS", 1)), 0
    while time.monotonic() < until:
        seed = random.SystemRandom().getrandbits(32)
        print(f"seed {seed}")
        run(store, seed, STEPS)
        check_numbers(store)
        runs += 1
    print(f"two_channels: {runs} runs of {STEPS} steps, no finding")
