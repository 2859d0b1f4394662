"""Calls from queue to release over both kinds of slot, with workers that die and an outbox that is read late and twice: of those that
the provider has, never more than the lines, never two to a number, and none stays behind."""

import random

import pytest
from conftest import *

LINES, NUMBERS, CALLS = 2, 2, 4
OVER = evidence(BUSY, terminal=1, hops=[TERMINATE])
UNREACHED = evidence(UNAVAILABLE, 1, code="unreachable")


class World:
    def __init__(self, store, channel, seed):
        self.store, self.channel, self.random = store, channel, random.Random(seed)
        self.live, self.outbox, self.hands, self.lost = {}, [], [], []
        self.calls = [f"t/c{n}" for n in range(CALLS)]
        for call in self.calls:
            store.request(call, lease=1, max_attempts=99, redial=1, on=(BUSY, UNAVAILABLE), delays=(0,))

    def number(self, call):
        return f"+{self.calls.index(call) % NUMBERS}"

    def line(self, call):
        return f"t|ch|{self.number(call)}"

    def admit(self, **what):
        return self.channel.admit(lines=LINES, **what)

    def dies(self):
        return self.random.random() < 0.05

    def offer(self):
        """Due calls get a ticket; the look at their shard again comes soon."""
        for call in self.calls:
            if self.store.due_at(call) is not None:
                self.store.redis.zadd("{ivr:00}:due", {call: min(self.store.due_at(call), self.store.now())})
                state = self.store.state(call)
                if state[NEXT_AT] > self.store.now():
                    self.store.later(call, state[NEXT_AT] - self.store.now())
        self.admit(queue=[(f"{offer[0]}/{offer[5]}", 5) for offer in self.store.offers() if offer[1]])

    def take(self):
        tickets = self.admit(want=2).tickets
        if not self.dies():
            self.hands += tickets

    def expire(self):
        self.hands = []
        self.channel.end_leases()

    def look(self, ticket):
        """What may be claimed; whatever else it is, it is done with."""
        call, claim_no = ticket.rsplit("/", 1)
        found = self.store.look(call, int(claim_no))
        if found[0] == "ready":
            return call, int(claim_no), found[4]
        self.admit(**({"done": [(ticket, 60000)]} if found[0] == "live" else {"dropped": [ticket]}))

    def put_back(self):
        """Only what is seen to wait: what another claimed before it died keeps its line."""
        ticket = self.hands and self.hands.pop()
        if ticket and self.look(ticket):
            self.admit(back=[(ticket, 5)])

    def place(self):
        """Look, claim, contact, dial, done, outcome; the worker may die between."""
        ticket = self.hands and self.hands.pop(0)
        found = ticket and self.look(ticket)
        if found:
            call, claim_no, attempt = found
            token = next(self.store.tokens)
            assert self.store.claim(call, token, contact=self.number(call), line=1) == ["claimed", attempt]
            if self.dies():
                self.lost.append(ticket)
                return self.settle(call)
            self.send(ticket, call, claim_no, attempt, token)

    def send(self, ticket, call, claim_no, attempt, token):
        free = self.store.contact(call, claim_no, self.line(call), self.number(call)) == "free"
        kind = self.random.choice(["accepted", "accepted", "back", "back", "unreached"]) if free else "busy"
        if kind == "accepted":
            assert call not in self.live
            self.live[call] = attempt
            if self.dies():
                return self.settle(call)
        self.admit(done=[(ticket, 60000)])
        self.store.outcome(call, attempt, token, kind, {"accepted": accepted(call), "unreached": UNREACHED}.get(kind))

    def settle(self, call):
        self.store.later(call, 20000)
        self.store.settle()

    def deadline(self):
        """Of what was claimed and not dialled nobody hears."""
        if self.lost:
            ticket = self.lost.pop()
            self.channel.end_line(ticket)
            lock = f"{{ivr:00}}:lock:{self.line(ticket.rsplit('/', 1)[0])}"
            if self.store.redis.get(lock) == ticket.encode():
                self.store.redis.delete(lock)

    def end(self):
        if self.live:
            call = self.random.choice(sorted(self.live))
            self.store.evidence(call, OVER, attempt=self.live.pop(call))

    def read_outbox(self):
        """Late, in any order and some of it twice."""
        self.outbox += self.store.freed
        self.store.freed = []
        for freed in self.random.sample(self.outbox, min(3, len(self.outbox))):
            self.free(freed)
            if self.random.random() < 0.3:
                self.outbox.remove(freed)

    def free(self, freed):
        call, claim_no, _, _, line = freed
        named = self.store.unlock(call, claim_no, self.line(call))
        if line:
            self.channel.release(f"{call}/{claim_no}")
        if named:
            self.store.wake(named)

    def check(self):
        assert len(self.live) <= LINES and len(self.channel.in_line()) <= LINES
        numbers = [self.number(call) for call in self.live]
        assert len(set(numbers)) == len(numbers), "one call a number"
        lines = {attempt.rsplit("/", 1)[0] for attempt in self.channel.in_line()}
        assert set(self.live) <= lines, "who is called has a line"

    def step(self):
        getattr(self, self.random.choice(STEPS))()
        self.check()

    def finish(self):
        """Every call ends, every deadline comes, and the outbox is read."""
        while self.live:
            self.end()
        for freed in self.outbox + self.store.freed:
            self.free(freed)
        self.expire()
        for ticket in self.admit(want=99).tickets:
            self.look(ticket)
        for ticket in self.channel.in_line():
            self.channel.end_line(ticket)
        self.expire()
        self.admit(dropped=self.channel.in_hand())


STEPS = (["place"] * 3 + ["offer", "take", "end", "read_outbox"] * 2 + ["put_back", "expire", "deadline"])


@pytest.mark.parametrize("seed", range(3))
def test_lines_and_numbers_are_kept_to_whatever_happens_to_workers(store, channel, seed):
    world = World(store, channel, seed)
    for _ in range(400):
        world.step()
    world.finish()
    assert channel.in_line() == channel.in_hand() == set() and store.redis.keys("*:lock:t|ch|+?") == []
