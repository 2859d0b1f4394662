"""A channel whose provider fails is closed for everybody, tried by single calls, and open again with the first success."""

import pytest
from conftest import *

SECOND = 1000
ENOUGH = 20  # failures in a row


def close(channel, why="unreachable"):
    return channel.admit(fails=ENOUGH, why=why)


def until_probe(channel):
    return channel.value("probe_at") - channel.now()


def probe_now(channel):
    channel.shift("probe_at", -until_probe(channel))


def test_twenty_failures_in_a_row_shut_it_whoever_saw_them(channel):
    other = Channel(channel.redis, channel.scripts)
    assert channel.admit(fails=ENOUGH - 8, why="x").closed == ""
    assert other.admit(fails=7, why="x").closed == ""
    found = channel.admit(fails=1, why="unreachable")
    assert (found.closed, found.why, found.epoch) == ("circuit", "unreachable", 1)
    assert abs(found.since - channel.now()) < 2 * SECOND
    assert other.admit().closed == "circuit"


def test_a_success_between_starts_the_count_again(channel):
    channel.admit(fails=ENOUGH - 1)
    assert channel.admit(ok=1, fails=ENOUGH - 1).closed == ""
    assert channel.admit(ok=9).closed == ""
    assert channel.admit(fails=ENOUGH - 1).closed == ""
    assert channel.admit(fails=1).closed == "circuit"


def test_failures_far_apart_are_no_outage(channel):
    channel.admit(fails=ENOUGH - 1)
    channel.shift("failed_at", -9 * SECOND)
    assert channel.admit(fails=1).closed == "circuit"
    channel.admit(resumed=channel.now() + 1, epoch=1)
    channel.admit(fails=ENOUGH - 1, epoch=1)
    channel.shift("failed_at", -11 * SECOND)
    assert channel.admit(fails=ENOUGH - 1, epoch=1).closed == ""


def test_what_went_well_shuts_nothing(channel):
    for _ in range(10):
        assert channel.admit(ok=5).closed == ""


def test_nothing_is_handed_out_while_it_is_closed(channel):
    close(channel)
    found = channel.admit(want=5, slots=5, queue=[("a/1/1", 5)], epoch=1)
    assert (found.tickets, found.slots, found.queued) == ([], [], 1)


def test_one_probe_at_a_time_is_let_through(channel):
    close(channel)
    channel.admit(queue=[(f"a/{n}/1", 5) for n in range(5)])
    assert 0 < until_probe(channel) <= SECOND
    probe_now(channel)
    found = channel.admit(want=5, epoch=1)
    assert len(found.tickets) == len(found.slots) == 1
    found = Channel(channel.redis, channel.scripts).admit(want=5, slots=5, epoch=1)
    assert (found.tickets, found.slots) == ([], [])


def test_a_probe_is_a_ticket_with_its_send_time_or_a_send_time_for_what_is_in_hand(channel):
    close(channel)
    channel.admit(queue=[("a/1/1", 5)])
    probe_now(channel)
    found = channel.admit(want=5, epoch=1)
    assert (found.tickets, found.slots) == (["a/1/1"], [0])
    probe_now(channel)
    assert channel.slots(5, epoch=1) == [0]
    assert channel.slots(5, epoch=1) == []


def test_probes_come_after_1_2_4_up_to_60_seconds(channel):
    close(channel)
    for seconds in (2, 4, 8, 16, 32, 60, 60):
        probe_now(channel)
        assert channel.slots(1, epoch=1) == [0]
        assert channel.admit(fails=1, why="again", epoch=1).why == "again"
        assert seconds - 1 < until_probe(channel) / SECOND <= seconds


@pytest.mark.parametrize("said, seconds", [({"fails": ENOUGH}, 10), ({"suspend": 1}, 30)])
def test_a_probe_that_nobody_hears_of_is_made_again(channel, said, seconds):
    channel.admit(why="x", **said)
    for _ in range(2):
        probe_now(channel)
        assert channel.slots(1, epoch=1) == [0]
        assert seconds - 1 < until_probe(channel) / SECOND <= seconds


def test_a_probe_that_the_rate_puts_off_is_not_used_up(channel):
    channel.slots(1, rate=1)
    close(channel)
    probe_now(channel)
    assert channel.slots(1, rate=1, epoch=1) == []
    channel.shift("slot", -1000000)
    assert channel.slots(1, rate=1, epoch=1) == [0]


def test_the_first_success_of_its_time_opens_it(channel):
    close(channel)
    found = channel.admit(ok=1, epoch=1, slots=3)
    assert (found.closed, found.why, found.since, found.slots) == ("", "", 0, [0] * 3)
    assert channel.admit(fails=ENOUGH - 1, epoch=1).closed == ""


def test_what_left_before_it_was_shut_says_nothing(channel):
    close(channel)
    before = until_probe(channel)
    assert channel.admit(ok=1, epoch=0).closed == "circuit"
    assert channel.admit(fails=3, epoch=0).closed == "circuit"
    assert channel.admit(suspend=1, why="key", epoch=0).closed == "circuit"
    assert until_probe(channel) <= before and channel.value("backoff") == SECOND


def test_what_left_before_it_was_shut_says_nothing_once_it_is_open_again(channel):
    channel.admit(suspend=1, why="key")
    assert channel.admit(resumed=channel.now() + 1).closed == ""
    assert channel.admit(suspend=1, why="key", epoch=0).closed == ""
    assert channel.admit(fails=ENOUGH, why="unreachable", epoch=0).closed == ""
    assert channel.admit(suspend=1, why="key", epoch=1).closed == "suspended"


@pytest.mark.parametrize("before", ["", "circuit"])
def test_a_suspension_is_at_once_and_probed_each_30_seconds(channel, before):
    if before:
        close(channel)
    epoch = channel.value("epoch")
    found = channel.admit(suspend=1, why="key_refused", epoch=epoch)
    assert (found.closed, found.why, found.epoch) == ("suspended", "key_refused", epoch + 1)
    for _ in range(3):
        assert 29 < until_probe(channel) / SECOND <= 30
        assert channel.slots(1, epoch=epoch + 1) == []
        probe_now(channel)
        assert channel.slots(2, epoch=epoch + 1) == [0]
        channel.admit(suspend=1, why="key_refused", epoch=epoch + 1)
    assert channel.value("epoch") == epoch + 1
    assert channel.admit(ok=1, epoch=epoch + 1).closed == ""


def test_a_suspended_channels_probe_that_fails_otherwise_keeps_its_30_seconds(channel):
    channel.admit(suspend=1, why="key")
    found = channel.admit(fails=1, why="unreachable", epoch=1)
    assert (found.closed, found.why) == ("suspended", "unreachable")
    assert 29 < until_probe(channel) / SECOND <= 30


def test_only_a_resume_that_is_newer_opens_it(channel):
    since = channel.admit(suspend=1, why="key").since
    assert channel.admit(resumed=since - 1).closed == "suspended"
    assert channel.admit(resumed=since + 1).closed == ""
    channel.admit(suspend=1, why="key", epoch=1)
    channel.shift("since", 5 * SECOND)
    assert channel.admit(resumed=since + 1).closed == "suspended", "it was resumed before that"
