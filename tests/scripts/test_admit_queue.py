"""The queue of a channel: tickets in, and out again in turn, none lost and none twice."""

import random

import pytest
from conftest import *

LINE_MS = 60000


def tickets(tenant, count, priority=5, first=0):
    return [(f"{tenant}/{n}/1", priority) for n in range(first, first + count)]


def tenants_of(taken):
    return [ticket.split("/")[0] for ticket in taken]


def arrive(channel, *batches):
    """One after the other, in a millisecond of its own each."""
    for batch in batches:
        channel.admit(queue=batch)
        came = channel.now()
        while channel.now() == came:
            pass


def test_more_may_be_wanted_than_waits(channel):
    channel.admit(queue=tickets("a", 2) + tickets("b", 1))
    found = channel.admit(want=64)
    assert sorted(found.tickets) == ["a/0/1", "a/1/1", "b/0/1"] and found.queued == 0
    assert channel.take(64) == []


def test_tickets_that_came_in_the_same_call_may_be_taken(channel):
    assert channel.take(1, queue=tickets("a", 1)) == ["a/0/1"]


def test_tenants_have_equal_turns_whatever_each_has_queued(channel):
    channel.admit(queue=tickets("a", 100) + tickets("b", 3) + tickets("c", 10))
    taken = tenants_of(channel.take(4) + channel.take(5) + channel.take(6))
    assert taken[:9] == ["a", "b", "c"] * 3
    assert taken[9:] == ["a", "c"] * 3


def test_a_tenant_that_comes_later_has_the_next_turn_but_those_before_it(channel):
    channel.admit(queue=tickets("a", 9))
    channel.take(3)
    channel.admit(queue=tickets("b", 2))
    assert tenants_of(channel.take(5)) == ["a", "b", "a", "b", "a"]


def test_of_a_tenant_the_first_priority_comes_first_and_then_who_came_first(channel):
    arrive(channel, [("a/1/1", 9)], [("a/2/1", 0)], [("a/3/1", 5)], [("a/4/1", 0)])
    assert channel.take(9) == ["a/2/1", "a/4/1", "a/3/1", "a/1/1"]


def test_one_turn_in_16_goes_to_the_lower_priorities_in_rotation(channel):
    for priority in (0, 3, 9):
        channel.admit(queue=[(f"a/p{priority}-{n}/1", priority) for n in range(100)])
    taken = [ticket.split("/")[1].split("-")[0] for ticket in channel.take(96)]
    assert [n for n, priority in enumerate(taken, 1) if priority != "p0"] == [16, 32, 48, 64, 80, 96]
    assert taken[15::16] == ["p3", "p9"] * 3


def test_no_priority_starves_however_many_come_before_it(channel):
    channel.admit(queue=[("a/last/1", 9)])
    taken = []
    for n in range(16):
        channel.admit(queue=[(f"a/{n}/1", 0), (f"a/{n}b/1", 0)])
        taken += channel.take(1)
    assert taken[15] == "a/last/1"


def test_a_ticket_is_queued_once_however_often_it_is_said(channel):
    for _ in range(3):
        found = channel.admit(queue=[("a/1/1", 5), ("a/1/1", 2)])
    assert found.queued == 1
    assert channel.take(9) == ["a/1/1"]


def test_a_ticket_in_hand_is_not_queued_again(channel):
    channel.admit(queue=tickets("a", 1))
    channel.take(1)
    assert channel.admit(queue=tickets("a", 1), want=5).queued == 0
    assert channel.take(5) == []


def test_a_ticket_whose_holder_died_is_handed_out_again_with_its_line(channel):
    channel.admit(queue=tickets("a", 2))
    assert channel.take(1, lines=2) == ["a/0/1"]
    assert channel.take(0) == []
    channel.end_leases()
    other = Channel(channel.redis, channel.scripts)
    assert other.take(2, lines=2) == ["a/0/1", "a/1/1"]
    assert channel.in_line() == {"a/0/1", "a/1/1"}
    assert channel.take(2, lines=2) == []


def test_a_lease_runs_as_long_as_was_said(channel):
    channel.admit(queue=tickets("a", 1))
    channel.take(1, lease=7000)
    left = channel.redis.zscore("{ivr:ch:ke}:taken", "a/0/1") - channel.now()
    assert 5000 < left <= 7000


def test_leases_of_a_clock_that_was_ahead_end(channel):
    channel.admit(queue=tickets("a", 1))
    channel.take(1)
    channel.redis.zincrby("{ivr:ch:ke}:taken", 3600 * 1000, "a/0/1")
    channel.take(1, lease=5000)
    left = channel.redis.zscore("{ivr:ch:ke}:taken", "a/0/1") - channel.now()
    assert left <= 11000


def test_what_is_put_back_is_the_first_of_its_priority(channel):
    arrive(channel, tickets("a", 1), tickets("a", 2, first=1), [("a/first/1", 0)])
    assert channel.take(2) == ["a/first/1", "a/0/1"]
    assert channel.admit(back=[("a/0/1", 5), ("a/first/1", 6)]).queued == 4
    assert channel.take(9) == ["a/0/1", "a/1/1", "a/2/1", "a/first/1"]


def test_what_is_put_back_twice_waits_once(channel):
    channel.admit(queue=tickets("a", 1))
    channel.take(1)
    for _ in range(2):
        assert channel.admit(back=[("a/0/1", 5)]).queued == 1
    assert channel.take(2) == ["a/0/1"]


def test_what_is_done_or_dropped_does_not_come_again(channel):
    channel.admit(queue=tickets("a", 2))
    channel.take(2)
    channel.admit(done=[("a/0/1", LINE_MS)], dropped=["a/1/1"])
    channel.end_leases()
    assert channel.take(9) == [] and channel.in_hand() == set()


def test_a_turn_without_tickets_stops_nobody(channel):
    """A list that names a tenant whose queue is gone."""
    channel.admit(queue=tickets("a", 1) + tickets("b", 1))
    channel.redis.delete("{ivr:ch:ke}:q:a")
    assert channel.take(9) == ["b/0/1"]
    channel.admit(queue=tickets("a", 1))
    assert channel.take(9) == ["a/0/1"]
    assert channel.admit(want=1).queued == 0


def test_an_empty_channel_leaves_nothing_but_its_state(channel):
    channel.admit(queue=tickets("a", 20) + tickets("b", 20, priority=0))
    taken = channel.take(64, lines=64)
    channel.admit(done=[(ticket, LINE_MS) for ticket in taken])
    channel.release(*taken)
    assert channel.redis.keys("*") == [b"{ivr:ch:ke}:state"]


class Model:
    """What stands where, in Python. `left`: those in hand whose lease has ended."""

    def __init__(self, channel, seed):
        self.channel, self.random = channel, random.Random(seed)
        self.waiting, self.hands, self.left, self.priority, self.made = set(), set(), set(), {}, 0

    def some(self, among):
        return self.random.sample(sorted(among), min(len(among), self.random.randint(0, 3)))

    def new(self):
        self.made += 1
        ticket = f"{self.random.choice('abcd')}/{self.made}/1"
        self.priority[ticket] = self.random.randint(0, 9)
        return ticket

    def with_priority(self, tickets):
        return [(ticket, self.priority[ticket]) for ticket in tickets]

    def step(self):
        """All of it in one call: done, dropped, back and queue, each with some said twice, then tickets out."""
        done, dropped, back = [], [], []
        for ticket in self.some(self.hands):
            self.random.choice([done, dropped, back]).append(ticket)
        self.hands -= {*done, *dropped, *back}
        self.left &= self.hands
        fresh = [self.new() for _ in range(self.random.randint(0, 3))]
        queue = fresh + self.some(self.waiting | self.hands) + self.some(fresh)
        if self.random.random() < 0.1:
            self.channel.end_leases()
            self.left = set(self.hands)
        self.waiting |= {*back, *fresh}
        want = self.random.randint(0, 4)
        found = self.channel.admit(want=want, done=[(ticket, LINE_MS) for ticket in done + done[:1]],
                                   dropped=dropped + dropped[:1], back=self.with_priority(back + back[:1]),
                                   queue=self.with_priority(queue))
        self.check(found, want)

    def check(self, found, want):
        out = set(found.tickets)
        assert len(out) == len(found.tickets) == min(want, len(self.left) + len(self.waiting))
        assert out <= self.left | self.waiting
        assert len(out & self.left) == min(want, len(self.left)), "what a dead holder left comes first"
        self.left -= out
        self.waiting -= out
        self.hands |= out
        assert found.queued == len(self.waiting)
        assert self.channel.in_hand() == self.hands


@pytest.mark.parametrize("seed", range(4))
def test_no_ticket_is_lost_or_doubled_and_the_count_is_exact(channel, seed):
    model = Model(channel, seed)
    for _ in range(150):
        model.step()
    assert set(channel.take(10000)) == model.waiting | model.left
    assert channel.admit().queued == channel.redis.llen("{ivr:ch:ke}:turns") == 0
