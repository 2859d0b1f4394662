"""calls_per_second, as the provider's clock sees it: exact over all replicas, whatever becomes of them, and changed by SIGHUP.

One campaign over three replicas, of which one is killed in the middle; what it looked like is kept, and each test looks at
one promise. The provider may see of a channel, in any second, its rate and the larger of one call and 2 % more."""

import time

import pytest
from harness.placements import allowed_in_a_second, instants, most_in_a_window, per_second, twice
from harness.simulator import Simulator
from harness.volume import dialling, everywhere, name_of, replicas, wait_tried
from harness.wait import wait_until

STEADY, SLOW, CHANGED, FAST = "+254711082001", "+254711082002", "+254711082003", "+254711082004"
RATES = {STEADY: 50, SLOW: 0.5, CHANGED: 5, FAST: 1000}
CALLS = {STEADY: 400, SLOW: 4, CHANGED: 330}
RAISED = 100
LEAST = 0.97  # of its rate is what a channel places while calls wait

pytestmark = pytest.mark.timeout(150)


def channels(simulator, rates):
    return dialling(simulator, {sender: {"from": sender, "calls_per_second": rate} for sender, rate in rates.items()})


class Campaign:
    """pipeline, simulator, placements {caller id: [...]}, and when the rate was raised and lowered."""


def change_rate(campaign, rate):
    """Every replica is told; the instant when the last of them was."""
    campaign.pipeline.write_channels(channels(campaign.simulator, RATES | {CHANGED: rate}))
    campaign.pipeline.reload()
    return time.monotonic()


def wait_steady(campaign, count):
    wait_until(lambda: campaign.simulator.count(STEADY) >= count, f"{count} placements of the steady channel", 30)


@pytest.fixture(scope="module")
def campaign(make_module_pipeline, workdir):
    campaign = Campaign()
    campaign.simulator = Simulator(workdir / "rates-simulator", "--callbacks", "off")
    campaign.pipeline = pipeline = make_module_pipeline(
        channels(campaign.simulator, RATES), start=("dispatch", "dispatch", "dispatch", "gateway")
    )
    campaign.requests = {
        sender: [pipeline.new_request(channel=name_of(sender)) for _ in range(count)] for sender, count in CALLS.items()
    }
    pipeline.send_all([request for sender in (SLOW, STEADY, CHANGED) for request in campaign.requests[sender]])
    pipeline.wait_committed("ivr-dispatch", "CALL_REQUESTS")
    wait_steady(campaign, 100)
    campaign.raised_at = change_rate(campaign, RAISED)
    wait_until(lambda: time.monotonic() > campaign.raised_at + 2.1, "two seconds of the raised rate")
    campaign.lowered_at = change_rate(campaign, RATES[CHANGED])
    wait_steady(campaign, 250)
    replicas(pipeline)[0].kill9()
    campaign.in_doubt = [
        request
        for sender in (STEADY, SLOW)
        for request in wait_tried(pipeline, campaign.simulator, campaign.requests[sender], sender, 45)
    ]
    campaign.ended_at = time.monotonic()
    campaign.placements = {sender: campaign.simulator.placements(sender) for sender in CALLS}
    yield campaign
    assert campaign.simulator.term(10) == 0, campaign.simulator.tail()


@pytest.mark.parametrize("sender", [STEADY, SLOW])
def test_no_second_sees_more_than_the_rate(campaign, sender):
    most = most_in_a_window(instants(campaign.placements[sender]))
    assert most <= allowed_in_a_second(RATES[sender]), f"{most} in a second"


def test_while_calls_wait_nearly_the_whole_rate_is_used(campaign):
    """From the second second on to the last but ten: what was in the killed replica's hands comes late."""
    times = instants(campaign.placements[STEADY])
    times = [at for at in times[:-10] if at >= times[0] + 1]
    assert per_second(times) >= LEAST * RATES[STEADY], f"{per_second(times):.2f} a second"


def test_a_rate_below_one_is_a_pause_between_any_two_calls(campaign):
    times = instants(campaign.placements[SLOW])
    pauses = [later - earlier for earlier, later in zip(times, times[1:])]
    assert min(pauses) >= 1.9 and max(pauses) <= 2.2, pauses


def test_a_killed_replica_costs_no_call_and_doubles_none(campaign):
    assert len(campaign.in_doubt) <= 3, f"in doubt: {campaign.in_doubt}"
    assert not twice(placed for placements in campaign.placements.values() for placed in placements)
    stats = campaign.simulator.stats()
    assert (stats["dialled_again_by_attempt"], stats["risked_again_by_attempt"]) == (0, 0)


def test_a_raised_rate_is_reached_within_a_second(campaign):
    times = instants(campaign.placements[CHANGED])
    before = [at for at in times if at < campaign.raised_at]
    after = [at for at in times if campaign.raised_at + 1 <= at < campaign.raised_at + 2]
    assert most_in_a_window(before) <= allowed_in_a_second(RATES[CHANGED])
    assert LEAST * RAISED <= len(after), f"{len(after)} in the second after"
    assert most_in_a_window(times) <= allowed_in_a_second(RAISED)


def test_a_lowered_rate_is_kept_within_a_second_by_every_replica(campaign):
    times = instants(campaign.placements[CHANGED])
    after = [at for at in times if at >= campaign.lowered_at + 1]
    assert most_in_a_window(after) <= allowed_in_a_second(RATES[CHANGED])
    assert len(after) >= LEAST * RATES[CHANGED] * (campaign.ended_at - campaign.lowered_at - 1) - 1, "it hardly dials"


def test_work_that_rates_allow_is_told_by_every_replica_alike(campaign):
    """For scaling: of the calls that wait for the lowered rate, five are of use to anybody within the next second."""
    pipeline = campaign.pipeline
    wait_until(
        lambda: all(4 <= useful <= 6 for useful in everywhere(pipeline, "ivr_useful_work", channel=name_of(CHANGED))),
        lambda: f"about 5 calls of useful work: {everywhere(pipeline, 'ivr_useful_work', channel=name_of(CHANGED))}",
        5,
    )
    assert everywhere(pipeline, "ivr_useful_work", channel=name_of(STEADY)) == [0, 0], "nothing waits there"


def test_a_thousand_a_second_are_a_thousand(campaign):
    pipeline, simulator = campaign.pipeline, campaign.simulator
    requests = [pipeline.new_request(channel=name_of(FAST)) for _ in range(3000)]
    pipeline.send_all(requests)
    assert wait_tried(pipeline, simulator, requests, FAST) == []
    placements = simulator.placements(FAST)
    times = instants(placements)
    assert not twice(placements)
    assert most_in_a_window(times) <= allowed_in_a_second(RATES[FAST])
    rate = per_second([at for at in times if at >= times[0] + 1])
    assert rate >= LEAST * RATES[FAST], f"{rate:.1f} a second"
