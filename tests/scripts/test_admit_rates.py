"""Send times of a channel: `between` apart whoever asks, at most `ahead` from now, and none saved up."""

from conftest import *

SECOND_US = 1000000
RATE = 100
GAP = SECOND_US // RATE


def last(channel):
    return channel.value("slot")


def test_send_times_are_a_gap_apart_and_not_far_ahead(channel):
    assert channel.slots(9, rate=1, ahead=3 * SECOND_US) == [0, SECOND_US, 2 * SECOND_US, 3 * SECOND_US]
    found = channel.admit(slots=9, rate=1, ahead=3 * SECOND_US)
    assert found.slots == [] and 0 < found.wait <= SECOND_US


def test_without_a_rate_all_are_given_at_once(channel):
    found = channel.admit(slots=64)
    assert found.slots == [0] * 64 and found.wait == 0


def test_only_as_many_as_are_wanted_are_used_up(channel):
    assert channel.slots(2, rate=RATE) == [0, GAP]
    before = last(channel)
    assert channel.slots(0, rate=RATE) == []
    assert last(channel) == before


def test_two_askers_share_one_row_of_send_times(channel):
    askers, given = [channel, Channel(channel.redis, channel.scripts)], []
    for n in range(60):
        before = last(channel)
        slots = askers[n % 2].slots(2, rate=1000)
        given += [last(channel) - 1000 * (len(slots) - 1 - i) for i in range(len(slots))]
        assert not slots or given[-len(slots)] >= before + 1000
    assert all(b - a >= 1000 for a, b in zip(given, given[1:])) and len(given) > 30


def test_an_idle_channel_saves_up_no_burst(channel):
    channel.slots(1, rate=RATE)
    channel.shift("slot", -3600 * SECOND_US)
    assert channel.slots(9, rate=RATE) == [0, GAP, 2 * GAP, 3 * GAP]


def test_another_rate_is_followed_at_once(channel):
    assert channel.slots(1, rate=1) == [0]
    assert 0 < channel.admit(slots=1, rate=1).wait <= SECOND_US
    faster = channel.slots(64, rate=1000)
    assert len(faster) > 20 and 0 <= faster[0] <= 1000
    assert channel.slots(1, rate=1) == []
    channel.shift("slot", -2 * SECOND_US)
    assert channel.slots(2, rate=1) == [0]


def test_a_late_placement_costs_a_send_time(channel):
    channel.slots(1, rate=1)
    before = last(channel)
    channel.admit(rate=1, late=3)
    assert last(channel) == before + 3 * SECOND_US


def test_late_placements_after_a_pause_cost_what_they_were(channel):
    channel.slots(1, rate=1)
    channel.shift("slot", -3600 * SECOND_US)
    assert channel.admit(rate=1, late=2, ahead=0).wait == 2 * SECOND_US


def test_late_placements_are_not_forgotten_at_a_low_rate(channel):
    channel.slots(1, rate=1)
    channel.admit(rate=1, late=3)
    assert channel.admit(rate=1).wait > 3.5 * SECOND_US


def test_a_clock_that_jumped_back_stops_nobody_for_long(channel):
    channel.slots(1, rate=RATE)
    channel.shift("slot", 3600 * SECOND_US)
    found = channel.admit(slots=1, rate=RATE)
    assert found.slots == [] and found.wait <= 2 * SECOND_US + GAP
    channel.shift("slot", -2 * SECOND_US - GAP)
    assert channel.slots(1, rate=RATE) == [0]


def test_a_ticket_comes_with_its_send_time(channel):
    """So turns are kept: nobody holds a ticket and waits for a send time that others have."""
    channel.admit(queue=[(f"a/{n}/1", 5) for n in range(10)])
    few = {"rate": 1, "ahead": 3 * SECOND_US}  # the next one is a second away, however slow this machine is
    found = channel.admit(want=10, spare=0, **few)
    assert len(found.tickets) == len(found.slots) and 3 <= len(found.tickets) <= 4
    assert channel.admit(want=10, spare=0, **few).tickets == []
    assert len(channel.admit(want=10, spare=2, **few).tickets) == 2, "more than send times where that is asked for"


def test_what_is_in_hand_has_the_first_send_times(channel):
    channel.admit(queue=[(f"a/{n}/1", 5) for n in range(10)])
    found = channel.admit(want=10, slots=3, spare=0, rate=100)
    assert len(found.slots) >= 3 and len(found.tickets) == len(found.slots) - 3
