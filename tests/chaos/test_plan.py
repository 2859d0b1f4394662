"""The schedule is the seed's, and nothing else's."""

from collections import Counter

from plan import DECK, GATEWAY_ALONE_S, MODES, deck_of, plan


def test_the_same_seed_gives_the_same_schedule():
    assert plan(7, 3600, 5) == plan(7, 3600, 5)
    assert plan(7, 3600, 5) != plan(8, 3600, 5)


def test_a_long_run_has_every_kind_of_fault():
    for seed in range(20):
        kinds = Counter(fault.kind for fault in plan(seed, 600, 5))
        assert set(kinds) == set(DECK), f"seed {seed} has {kinds}"


def test_kafka_is_away_from_the_gateway_for_a_minute_in_every_long_run():
    for seed in range(20):
        away = [f for f in plan(seed, 300, 5) if f.target == "kafka-gateway" and f.seconds == GATEWAY_ALONE_S]
        assert len(away) == 1


def test_a_minute_has_a_dozen_faults():
    for seed in range(20):
        assert 9 <= len(plan(seed, 60, 4.5)) <= 18


def test_every_mode_has_its_own_faults_of_redis():
    for mode in MODES:
        kinds = {fault.kind for fault in plan(5, 1200, 5, mode)}
        assert kinds == set(deck_of(mode)), mode
        assert ("move_slots" in kinds) == (mode == "cluster")
