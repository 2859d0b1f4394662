"""calls_per_second, as the provider's clock sees it: exact over all replicas, whatever becomes of them, and changed by SIGHUP.

One campaign over three replicas, of which one is killed; what it looked like is kept, and each test looks at one promise. The
provider may see of a channel, in any second, its rate and the larger of one call and 2 % more."""

import time

import pytest
from harness.placements import allowed_in_a_second, instants, most_in_a_window, per_second, twice
from harness.simulator import Simulator
from harness.usage import Starved
from harness.volume import dialling, everywhere, name_of, replicas, wait_tried
from harness.wait import wait_until

STEADY, SLOW, CHANGED, FAST = "+254711082001", "+254711082002", "+254711082003", "+254711082004"
RATES = {STEADY: 50, SLOW: 0.5, CHANGED: 5, FAST: 1000}
CALLS = {STEADY: 400, SLOW: 20, CHANGED: 400}
RAISED = 100
LEAST = 0.97  # of its rate is what a channel places while calls wait
IN_HAND = 10  # so many calls of the killed replica's may come late: whoever finds them does so some seconds later

pytestmark = pytest.mark.timeout(150)


def channels(simulator, rates):
    return dialling(simulator, {sender: {"from": sender, "calls_per_second": rate} for sender, rate in rates.items()})


def least(share):
    """Of the rate, where everybody was starved for so much of the time. Beyond a half they wait for each other besides."""
    return LEAST - share - max(0.0, share - 0.5)


class Campaign:
    """pipeline, simulator, placements {caller id: [...]}; when the rate was raised and lowered, and when all was over; how
    starved everything was, meanwhile and while the rate was raised."""


def change_rate(campaign, rate):
    """Every replica is told; the instant when the last of them was."""
    campaign.pipeline.write_channels(channels(campaign.simulator, RATES | {CHANGED: rate}))
    campaign.pipeline.reload()
    return time.monotonic()


def wait_count(campaign, sender, count):
    what = f"{count} placements of {sender}"
    wait_until(lambda: campaign.simulator.count(sender) >= count, lambda: f"{what}: {campaign.simulator.stats()}", 30)


def wait_time(moment):
    wait_until(lambda: time.monotonic() >= moment, "a moment", 10, 0.01)


def starved(campaign):
    """Of those who are needed and will live on."""
    pids = [worker.pid for worker in replicas(campaign.pipeline)[-2:]]
    return Starved(campaign.pipeline.services.redis.process.pid, *pids)


def raise_and_lower(campaign):
    campaign.raised_at = change_rate(campaign, RAISED)
    wait_time(campaign.raised_at + 1)
    meanwhile = starved(campaign)
    wait_time(campaign.raised_at + 3)
    campaign.starved_while_raised = meanwhile.share()
    campaign.lowered_at = change_rate(campaign, RATES[CHANGED])


@pytest.fixture(scope="module")
def campaign(make_module_pipeline, workdir):
    campaign = Campaign()
    campaign.simulator = Simulator(workdir / "rates-simulator", "--callbacks", "off")
    campaign.pipeline = pipeline = make_module_pipeline(
        channels(campaign.simulator, RATES), start=("dispatch", "dispatch", "dispatch", "gateway")
    )
    requests = {
        sender: [pipeline.new_request(channel=name_of(sender)) for _ in range(count)] for sender, count in CALLS.items()
    }
    pipeline.send_all([request for sender in (SLOW, STEADY, CHANGED) for request in requests[sender]])
    pipeline.wait_committed("ivr-dispatch", "CALL_REQUESTS")
    wait_count(campaign, STEADY, 50)
    meanwhile = starved(campaign)
    replicas(pipeline)[0].kill9()
    raise_and_lower(campaign)
    wait_count(campaign, STEADY, CALLS[STEADY] - IN_HAND)
    campaign.starved = meanwhile.share()
    campaign.in_doubt = wait_tried(pipeline, campaign.simulator, requests[STEADY], STEADY, 45)
    campaign.ended_at = time.monotonic()
    campaign.placements = {sender: campaign.simulator.placements(sender) for sender in CALLS}
    yield campaign
    assert campaign.simulator.term(10) == 0, campaign.simulator.tail()


@pytest.mark.parametrize("sender", [STEADY, SLOW])
def test_no_second_sees_more_than_the_rate(campaign, sender):
    most = most_in_a_window(instants(campaign.placements[sender]))
    assert most <= allowed_in_a_second(RATES[sender]), f"{most} in a second"


def test_while_calls_wait_nearly_the_whole_rate_is_used(campaign):
    """From the second second on, until only the killed replica's are left."""
    times = instants(campaign.placements[STEADY])
    rate = per_second([at for at in times[:-IN_HAND] if at >= times[0] + 1])
    assert rate >= least(campaign.starved) * RATES[STEADY], f"{rate:.2f} a second, starved {campaign.starved:.3f}"


def test_a_rate_below_one_is_a_pause_between_any_two_calls(campaign):
    times = instants(campaign.placements[SLOW])
    pauses = [later - earlier for earlier, later in zip(times, times[1:])]
    assert min(pauses) >= 1.5, pauses  # each may come a bit late, and a late one shortens the next pause
    expected = (campaign.ended_at - times[0]) * RATES[SLOW]
    assert len(times) >= (0.8 - campaign.starved) * expected - 1, f"{pauses}, starved {campaign.starved:.3f}"


def test_a_killed_replica_costs_no_call_and_doubles_none(campaign):
    assert len(campaign.in_doubt) <= 3, f"in doubt: {campaign.in_doubt}"
    assert not twice(placed for placements in campaign.placements.values() for placed in placements)
    stats = campaign.simulator.stats()
    assert (stats["dialled_again_by_attempt"], stats["risked_again_by_attempt"]) == (0, 0)


def test_a_raised_rate_is_reached_within_a_second(campaign):
    times = instants(campaign.placements[CHANGED])
    before = [at for at in times if at < campaign.raised_at]
    after = [at for at in times if campaign.raised_at + 1 <= at < campaign.raised_at + 3]
    assert most_in_a_window(before) <= allowed_in_a_second(RATES[CHANGED])
    wanted = least(campaign.starved_while_raised) * RAISED * 2
    assert len(after) >= wanted, f"{len(after)} in the two seconds after, not {wanted:.0f}"
    assert most_in_a_window(times) <= allowed_in_a_second(RAISED)


def test_a_lowered_rate_is_kept_within_a_second_by_every_replica(campaign):
    times = instants(campaign.placements[CHANGED])
    after = [at for at in times if at >= campaign.lowered_at + 1]
    assert most_in_a_window(after) <= allowed_in_a_second(RATES[CHANGED])
    assert len(after) >= (0.8 - campaign.starved) * RATES[CHANGED] * (campaign.ended_at - campaign.lowered_at - 1)


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
    wait_count(campaign, FAST, 1000)
    meanwhile = starved(campaign)
    wait_count(campaign, FAST, 2900)
    share = meanwhile.share()
    assert wait_tried(pipeline, simulator, requests, FAST) == []
    placements = simulator.placements(FAST)
    times = instants(placements)
    assert not twice(placements)
    assert most_in_a_window(times) <= allowed_in_a_second(RATES[FAST])
    rate = per_second(times[1000:2900])
    assert rate >= least(share) * RATES[FAST], f"{rate:.1f} a second, starved {share:.3f}"
