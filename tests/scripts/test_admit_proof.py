"""admit.lua: until the provider has accepted a request with a channel's settings, few are on their way, whoever asks."""

import threading

import pytest

TRIALS = 8
OTHER = "fedcba9876543210"
SECOND = 1000
HOUR = 3600 * SECOND
PLENTY = 100


@pytest.fixture
def waiting(unproved):
    """200 calls of one tenant wait, and a worker has come."""
    unproved.admit(queue=[(f"t/c{n}/1", 5) for n in range(200)], coming=1)
    return unproved


def hand_out(channel, **more):
    return channel.admit(want=64, spare=0, **more)


def test_few_are_handed_out_until_one_is_accepted_and_then_all(waiting):
    found = hand_out(waiting)
    assert (len(found.tickets), len(found.slots), found.proved) == (TRIALS, TRIALS, 0)
    assert hand_out(waiting).tickets == []
    found = hand_out(waiting, ok=1, accepted=1, ended=1)
    assert (len(found.tickets), found.proved) == (64, 1)
    assert len(hand_out(waiting).tickets) == 64


def test_what_is_in_hand_already_gets_no_more_send_times(unproved):
    assert len(unproved.admit(slots=PLENTY, coming=1).slots) == TRIALS
    assert unproved.admit(slots=PLENTY).slots == []


def test_a_trial_that_is_over_makes_room_for_one(waiting):
    found = hand_out(waiting)
    assert len(hand_out(waiting, ended=3, proofs=found.proofs).tickets) == 3
    assert len(hand_out(waiting, ended=99, proofs=found.proofs).tickets) == TRIALS, "never more than all"


def test_answers_that_accept_nothing_prove_nothing(waiting):
    for news in ({"ok": 5}, {"fails": 3, "why": "http_500"}, {"ok": 1, "accepted": 1, "suspend": 1, "why": "key"}):
        assert hand_out(waiting, **news).proved == 0


def test_a_trial_of_a_worker_that_died_ends_by_itself(waiting):
    hand_out(waiting, trial=20 * SECOND)
    for trial, deadline in waiting.redis.zrange(f"{waiting.base}:trials", 0, -1, withscores=True):
        assert 19 * SECOND < deadline - waiting.now() <= 20 * SECOND
        waiting.redis.zadd(f"{waiting.base}:trials", {trial: 1})
    assert len(hand_out(waiting).tickets) == TRIALS


def test_a_trial_from_before_the_last_proof_ends_none_of_now(waiting):
    before = hand_out(waiting).proofs
    hand_out(waiting, ok=1, accepted=1)
    epoch = hand_out(waiting, suspend=1, why="key").epoch
    found = waiting.admit(want=64, spare=0, resumed=waiting.now() + 1, epoch=epoch)
    assert (len(found.tickets), found.proved) == (TRIALS, 0)
    assert hand_out(waiting, ended=5, proofs=before).tickets == []
    assert len(hand_out(waiting, ended=5, proofs=found.proofs).tickets) == 5


def test_what_was_on_its_way_at_a_suspension_counts_after_the_resume(waiting):
    hand_out(waiting)
    hand_out(waiting, suspend=1, why="key", ended=1)
    assert len(hand_out(waiting, resumed=waiting.now() + 1).tickets) == 1


def test_a_suspension_asks_for_a_new_proof(channel):
    assert channel.admit().proved == 1
    epoch = channel.admit(suspend=1, why="key").epoch
    assert channel.admit(resumed=channel.now() + 1).proved == 0
    assert channel.admit(ok=1, accepted=1, epoch=0).proved == 0, "an acceptance from before the suspension"
    assert channel.admit(ok=1, accepted=1, epoch=epoch).proved == 1


def test_a_probe_that_is_accepted_proves_the_channel_and_one_that_is_put_off_opens_it_only(channel):
    for accepted in (0, 1):
        epoch = channel.admit(suspend=1, why="key", epoch=channel.value("epoch")).epoch
        found = channel.admit(ok=1, accepted=accepted, epoch=epoch)
        assert (found.closed, found.proved) == ("", accepted)


def test_a_circuit_that_closes_leaves_the_proof_as_it_is(channel):
    epoch = channel.admit(fails=20, why="http_500").epoch
    found = channel.admit(ok=1, epoch=epoch)
    assert (found.closed, found.proved) == ("", 1)


@pytest.mark.parametrize("since, proved", [(1000, 0), (-1000, 1)])
def test_a_resume_that_is_newer_than_the_last_accepted_request_asks_for_a_new_proof(channel, since, proved):
    """Also of a channel that was only paused: whoever mended a key resumes it."""
    assert channel.admit(resumed=channel.value("proved_at") + since).proved == proved


def test_other_settings_are_proved_by_themselves(channel):
    """While workers read a changed file one after the other, neither undoes the other's proof."""
    assert channel.admit(settings=OTHER).proved == 0
    assert channel.admit().proved == 1
    assert channel.admit(settings=OTHER, ok=1, accepted=1).proved == 1
    assert channel.admit().proved == 1
    channel.admit(settings=OTHER, suspend=1, why="key")
    assert (channel.admit().proved, channel.admit(settings=OTHER).proved) == (0, 0)


def test_the_settings_of_long_ago_are_forgotten(channel):
    for number in range(20):
        assert channel.admit(settings=f"{number:016d}", ok=1, accepted=1).proved == 1
    assert len(channel.redis.hget(f"{channel.base}:state", "proved")) < 64
    assert channel.admit().proved == 0


@pytest.mark.parametrize("ago, proved", [(500, 1), (10 * SECOND, 0), (-10 * SECOND, 0)])
def test_the_first_worker_begins_anew_and_one_more_does_not(channel, ago, proved):
    """Another clock after a failover counts as nobody."""
    channel.admit(asker=1)
    channel.shift("heard_at", -ago)
    assert channel.admit(asker=2, coming=1).proved == proved


def test_a_worker_that_went_is_not_there(channel):
    for _ in range(2):
        channel.admit(asker=1, going=1)
    assert channel.admit(asker=2, coming=1).proved == 0


def test_the_last_of_several_that_went_leaves_nobody(channel):
    for going in (0, 1):
        for asker in (1, 2, 3):
            channel.admit(asker=asker, going=going)
    assert channel.admit(asker=4, coming=1).proved == 0


@pytest.mark.parametrize("asked", [(1, 2), (2, 1)])
def test_a_worker_that_stays_is_there_although_another_went(channel, asked):
    for asker in asked:
        channel.admit(asker=asker)
    for _ in range(2):
        channel.admit(asker=1, going=1)
    assert channel.admit(asker=3, coming=1).proved == 1


def test_without_an_accepted_request_for_an_hour_it_is_not_proved(channel):
    channel.shift("proved_at", -HOUR + SECOND)
    assert channel.admit(ok=1).proved == 1
    channel.shift("proved_at", -2 * SECOND)
    assert channel.admit().proved == 0


def test_rates_and_lines_hold_for_trials(waiting):
    assert len(waiting.admit(want=64, spare=0, rate=1).tickets) == 1
    assert len(waiting.admit(want=64, spare=0, lines=3).tickets) == 3


def test_any_number_of_askers_have_the_same_few(waiting):
    found = []

    def ask():
        for _ in range(20):
            found.extend(hand_out(waiting).tickets)

    askers = [threading.Thread(target=ask) for _ in range(4)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    assert len(found) == len(set(found)) == TRIALS


def test_a_proved_channel_keeps_no_trials(waiting):
    hand_out(waiting)
    hand_out(waiting, ok=1, accepted=1)
    hand_out(waiting)
    assert not waiting.redis.exists(f"{waiting.base}:trials")
