"""Whose turn it is where there is not enough for all: tenants alike, urgent calls first, and nobody starves.

One campaign on two scarce channels, over three replicas of which one is killed; the order is that of the placements at the
provider. What was first sent out is nobody's fault: turns count from the moment when all of them wait."""

from collections import Counter

import pytest
from harness.placements import twice
from harness.simulator import Simulator
from harness.volume import dialling, name_of, replicas
from harness.wait import wait_until

SHARED, URGENT = "+254711082001", "+254711082002"
RATE = 40
CROWD, FEW = 250, 40  # calls of the tenant that queues all it has, and of each of the others
FIRST, LAST = 0, 9  # priorities
FIRSTS, LASTS = 130, 200

pytestmark = pytest.mark.timeout(120)


class Campaign:
    """pipeline, simulator, and the placements of the two channels in their order."""


def of_tenants(pipeline):
    crowd = [pipeline.new_request(channel=name_of(SHARED), tenant="crowd") for _ in range(CROWD)]
    few = [pipeline.new_request(channel=name_of(SHARED), tenant=t) for _ in range(FEW) for t in ("second", "third")]
    return crowd, few


def of_priorities(pipeline):
    lasts = [pipeline.new_request(channel=name_of(URGENT), priority=LAST, call_id=f"last-{n}") for n in range(LASTS)]
    firsts = [pipeline.new_request(channel=name_of(URGENT), priority=FIRST, call_id=f"first-{n}") for n in range(FIRSTS)]
    return lasts, firsts


@pytest.fixture(scope="module")
def campaign(make_module_pipeline, workdir):
    campaign = Campaign()
    campaign.simulator = simulator = Simulator(workdir / "fairness-simulator", "--callbacks", "off")
    described = {sender: {"from": sender, "calls_per_second": RATE} for sender in (SHARED, URGENT)}
    pipeline = make_module_pipeline(dialling(simulator, described), start=("dispatch", "dispatch", "dispatch"))
    crowd, few = of_tenants(pipeline)
    lasts, firsts = of_priorities(pipeline)
    pipeline.send_all(crowd + lasts)
    pipeline.wait_committed("ivr-dispatch", "CALL_REQUESTS")
    pipeline.send_all(few + firsts)
    pipeline.wait_committed("ivr-dispatch", "CALL_REQUESTS")
    wait_until(lambda: simulator.count(SHARED) >= 90, "ninety placements")
    replicas(pipeline)[0].kill9()
    wait_until(
        lambda: sum(placed.tenant != "crowd" for placed in simulator.placements(SHARED)) >= 2 * FEW - 4
        and sum(placed.call_id.startswith("first") for placed in simulator.placements(URGENT)) >= FIRSTS - 4,
        lambda: f"the calls of the small tenants and the urgent ones to be placed: {simulator.stats()}",
        30,
    )
    campaign.shared, campaign.urgent = simulator.placements(SHARED), simulator.placements(URGENT)
    yield campaign
    assert simulator.term(10) == 0, simulator.tail()


def while_all_wait(placements, kind, spare):
    """The kinds of those that were placed while each kind had calls left: from where the last kind comes up first to where
    the first is used up, but for so many, which a killed replica may have held."""
    kinds = [kind(placed) for placed in placements]
    begin = max(kinds.index(one) for one in set(kinds))
    wanted = {one: [at for at, other in enumerate(kinds) if other == one] for one in set(kinds)}
    end = min(places[-1 - spare] for one, places in wanted.items() if one != "crowd")
    assert end - begin >= 60, f"only {end - begin} placements to look at: {kinds}"
    return kinds[begin : end + 1]


def windows(items, length):
    return [items[at : at + length] for at in range(len(items) - length + 1)]


def test_tenants_get_equal_turns_however_much_each_has_queued(campaign):
    turns = while_all_wait(campaign.shared, lambda placed: placed.tenant, spare=4)
    shares = Counter(turns)
    assert max(shares.values()) - min(shares.values()) <= 0.15 * len(turns) / 3, shares
    for window in windows(turns, 18):  # six turns of each, and some of them were in the killed replica's hands
        assert min(Counter(window)[tenant] for tenant in shares) >= 3, f"one had to wait: {window}"


def test_urgent_calls_go_first_and_the_last_priority_is_not_starved(campaign):
    kinds = [placed.call_id.partition("-")[0] for placed in campaign.urgent]
    begin, end = kinds.index("first"), max(at for at, kind in enumerate(kinds) if kind == "first")
    turns = kinds[begin : end - 3]
    assert len(turns) >= 100
    for window in windows(turns, 34):  # 32, and two that overtook each other on their way
        share = Counter(window)["last"]
        assert 1 <= share <= 6, f"{share} of {len(window)} had the last priority"


def test_turns_lose_and_double_nothing(campaign):
    assert not twice(campaign.shared + campaign.urgent)
    stats = campaign.simulator.stats()
    assert (stats["dialled_again_by_attempt"], stats["risked_again_by_attempt"]) == (0, 0)
