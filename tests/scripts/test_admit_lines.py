"""Lines of a channel (concurrent_calls) and of its tenants: taken with the ticket, once, and never above a cap."""

import random

import pytest
from conftest import *

CAP, TENANT_CAPS = 5, {"b": 2}
LINE_MS = 60000


def queued(channel, tenant, count, first=0):
    channel.admit(queue=[(f"{tenant}/{n}/1", 5) for n in range(first, first + count)])


def test_no_more_lines_than_the_cap_are_taken(channel):
    queued(channel, "a", 5)
    assert len(channel.take(3, lines=2)) == 2
    assert channel.take(3, lines=2) == []
    assert len(channel.take(9, lines=4)) == 2, "a cap that was raised"
    assert channel.take(9, lines=1) == [], "a cap that was lowered"


def test_two_askers_share_the_lines(channel):
    queued(channel, "a", 5)
    assert len(channel.take(2, lines=3)) == 2
    assert len(Channel(channel.redis, channel.scripts).take(2, lines=3)) == 1


def test_a_claimed_line_stays_until_it_is_released_and_that_counts_once(channel):
    queued(channel, "a", 3)
    [ticket] = channel.take(1, lines=1)
    assert channel.admit(done=[(ticket, LINE_MS)], want=1, lines=1).tickets == []
    assert channel.release(ticket) == 1
    assert channel.release(ticket) == 0
    assert channel.in_line() == channel.in_line("a") == set()
    assert len(channel.take(3, lines=1)) == 1


def test_a_dropped_ticket_gives_its_line_back_in_the_same_step(channel):
    queued(channel, "a", 2)
    [ticket] = channel.take(1, lines=1)
    assert channel.admit(dropped=[ticket], want=1, lines=1).tickets == ["a/1/1"]


def test_what_was_claimed_by_another_is_not_dropped_by_the_holder_before(channel):
    queued(channel, "a", 2)
    [ticket] = channel.take(1, lines=1)
    channel.end_leases()
    assert channel.take(1, lines=1) == [ticket]
    channel.admit(done=[(ticket, LINE_MS)])
    assert channel.admit(dropped=[ticket], back=[(ticket, 5)], want=1, lines=1).tickets == []
    assert channel.in_line() == {ticket}


def test_a_line_ends_at_its_deadline(channel):
    queued(channel, "a", 2)
    [ticket] = channel.take(1, lines=1)
    channel.admit(done=[(ticket, LINE_MS)])
    left = channel.redis.zscore("{ivr:ch:ke}:lines", ticket) - channel.now()
    assert LINE_MS - 2000 < left <= LINE_MS
    channel.end_line(ticket)
    assert channel.take(1, lines=1) == ["a/1/1"]
    assert channel.in_line() == {"a/1/1"}


def test_a_line_that_was_released_is_not_taken_again_by_a_late_done(channel):
    queued(channel, "a", 2)
    [ticket] = channel.take(1, lines=1)
    channel.release(ticket)
    assert channel.admit(done=[(ticket, LINE_MS)], lines=1).lines == 0


def test_one_line_and_a_dead_holder_do_not_stop_the_channel(channel):
    queued(channel, "a", 2)
    [ticket] = channel.take(1, lines=1)
    assert channel.take(1, lines=1) == []
    channel.end_leases()
    assert channel.take(2, lines=1) == [ticket], "with the line that it has"
    channel.admit(done=[(ticket, LINE_MS)])
    channel.release(ticket)
    assert channel.take(1, lines=1) == ["a/1/1"]


def test_a_tenant_at_its_cap_leaves_the_lines_to_the_others(channel):
    queued(channel, "a", 4)
    queued(channel, "b", 4)
    taken = channel.take(9, lines=6, caps={"a": 1})
    assert sorted(taken) == ["a/0/1", "b/0/1", "b/1/1", "b/2/1", "b/3/1"]
    assert channel.take(9, lines=6, caps={"a": 1}) == []
    channel.admit(done=[("a/0/1", LINE_MS)])
    channel.release("a/0/1")
    assert channel.take(9, lines=6, caps={"a": 1}) == ["a/1/1"]


def test_a_tenants_cap_needs_no_cap_of_the_channel(channel):
    queued(channel, "a", 3)
    assert len(channel.take(9, caps={"a": 2})) == 2
    assert channel.release("a/0/1") == 1
    assert channel.take(9, caps={"a": 2}) == ["a/2/1"]


def test_no_lines_are_kept_where_nothing_is_capped(channel):
    queued(channel, "a", 2)
    taken = channel.take(2)
    channel.admit(done=[(ticket, LINE_MS) for ticket in taken])
    assert channel.in_line() == set()


def test_a_tenants_lines_leave_nothing_behind_after_their_deadline(channel):
    queued(channel, "a", 2)
    [ticket] = channel.take(1, lines=1)
    channel.admit(done=[(ticket, LINE_MS)])
    channel.end_line(ticket)
    channel.admit(lines=1)
    channel.release(ticket)
    assert channel.in_line("a") == set()


class Workers:
    """Replicas that take, claim, lose answers, say things twice, die, and end calls; `calls` is what is really on a line."""

    def __init__(self, channel, seed):
        self.channel, self.random = channel, random.Random(seed)
        self.queued, self.hands, self.calls, self.said, self.placed = 0, [], set(), {}, set()

    def step(self):
        getattr(self, self.random.choice(
            ["queue", "take", "take", "take_and_lose", "claim", "claim", "drop", "put_back", "end", "end", "again", "expire"]))()

    def admit(self, **what):
        return self.channel.admit(lines=CAP, caps=TENANT_CAPS, **what)

    def pick(self, among):
        return self.random.choice(sorted(among))

    def queue(self):
        self.queued += 1
        ticket = f"{self.random.choice('abc')}/{self.queued}/1"
        for _ in range(self.random.randint(1, 2)):
            self.admit(queue=[(ticket, self.random.randint(0, 9))])

    def take(self):
        self.hands += self.admit(want=self.random.randint(1, 3)).tickets

    def take_and_lose(self):
        self.admit(want=1)

    def claim(self):
        if self.hands:
            ticket = self.hands.pop()
            self.said = {"done": [(ticket, LINE_MS)]}
            if ticket not in self.placed:
                self.calls.add(ticket)
                self.placed.add(ticket)
            self.admit(**self.said)

    def drop(self):
        if self.hands:
            self.said = {"dropped": [self.hands.pop(0)]}
            self.admit(**self.said)

    def put_back(self):
        if self.hands:
            self.admit(back=[(self.hands.pop(0), 5)])

    def end(self):
        if self.calls:
            ticket = self.pick(self.calls)
            self.calls.remove(ticket)
            for _ in range(self.random.randint(1, 2)):
                self.channel.release(ticket)

    def again(self):
        if self.said:
            self.admit(**self.said)

    def expire(self):
        """All leases end: who holds a ticket by then may not use it."""
        self.hands = []
        self.channel.end_leases()

    def check(self):
        used = self.channel.in_line()
        assert self.calls <= used and len(used) <= CAP
        assert used == set.union(*(self.channel.in_line(tenant) for tenant in "abc"))
        assert len(self.channel.in_line("b")) <= TENANT_CAPS["b"]


@pytest.mark.parametrize("seed", range(3))
def test_lines_stay_within_their_caps_whatever_workers_do(channel, seed):
    workers = Workers(channel, seed)
    for _ in range(200):
        workers.step()
        workers.check()
    workers.expire()
    for _ in range(40):  # nothing is stuck: all of it comes out
        workers.take()
        while workers.hands:
            workers.claim()
        while workers.calls:
            workers.end()
    assert channel.admit().queued == 0 and channel.in_line() == set() and channel.in_hand() == set()
