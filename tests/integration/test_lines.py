"""concurrent_calls: never more calls at once than lines, by the provider's own account; each line comes back, once."""

import time

import pytest
from harness.placements import most_at_once, twice
from harness.provider import accept, limit, refuse, refuse_number
from harness.simulator import Simulator
from harness.volume import dialling, gateway_behind, name_of, replicas, wait_tried
from harness.wait import wait_until

LINES, CAP = 20, 5
WIDE, TENANTS = "+254711082001", "+254711082002"

# --- in volume, by the simulator's account ---------------------------------------------------------------------------


class Campaign:
    """pipeline, simulator, requests {caller id: [...]}."""


@pytest.fixture(scope="module")
def campaign(make_module_pipeline, workdir):
    """A call takes a bit more than a second, of which it talks for one."""
    campaign = Campaign()
    options, env = gateway_behind(("--speed", "10", "--outcomes", "completed=100"))
    campaign.simulator = Simulator(workdir / "lines-simulator", *options, "--ring-ms", "500", "--talk-ms", "10000")
    campaign.pipeline = pipeline = make_module_pipeline(start=False, env=env)
    channels = {WIDE: {"from": WIDE, "concurrent_calls": LINES}, TENANTS: {"from": TENANTS}}
    described = dialling(campaign.simulator, {n: c | {"request_timeout": "3s"} for n, c in channels.items()})
    pipeline.write_channels(described, tenants={"capped": {"concurrent_calls": CAP}})
    pipeline.start("gateway", "status", "dispatch", "dispatch", "dispatch")
    yield campaign
    assert campaign.simulator.term(10) == 0, campaign.simulator.tail()


def send(campaign, n, **fields):
    requests = [campaign.pipeline.new_request(**fields) for _ in range(n)]
    campaign.pipeline.send_all(requests)
    return requests


def wait_over(campaign, timeout=20.0):
    wait_until(
        lambda: campaign.simulator.stats()["in_progress"] == 0,
        lambda: f"every call to end: {campaign.simulator.stats()}",
        timeout,
    )


@pytest.mark.timeout(150)
def test_lines_are_kept_to_and_come_back_although_a_replica_is_killed(campaign):
    pipeline, simulator = campaign.pipeline, campaign.simulator
    requests = send(campaign, 120, channel=name_of(WIDE))
    wait_until(lambda: simulator.count(WIDE) >= 10, "the first placements")
    pipeline.wait_committed("ivr-dispatch", "CALL_REQUESTS")
    wait_until(lambda: simulator.count(WIDE) >= 50, "fifty placements", 20)
    replicas(pipeline)[0].kill9()
    doubtful = wait_tried(pipeline, simulator, requests, WIDE, 45)
    wait_over(campaign)
    placements = simulator.placements(WIDE)
    assert most_at_once(placements) <= LINES
    assert not twice(placements)
    assert len(doubtful) <= 3, f"in doubt: {doubtful}"

    free = LINES - len(doubtful)  # who may have been dialled and may be ringing keeps the line

    def wave():
        """Whether a crowd gets every line there is."""
        before = len(simulator.placements(WIDE))
        wait_tried(pipeline, simulator, send(campaign, LINES + 10, channel=name_of(WIDE)), WIDE)
        wait_over(campaign)
        waves.append(most_at_once(simulator.placements(WIDE)[before:]))
        return waves[-1] >= free

    waves = []
    wait_until(wave, lambda: f"each of {free} lines to be used again; at once there were {waves}", 40)
    assert max(waves) <= LINES


@pytest.mark.timeout(150)
def test_a_capped_tenant_has_its_lines_and_delays_nobody_else(campaign):
    pipeline, simulator = campaign.pipeline, campaign.simulator
    capped = send(campaign, 20, channel=name_of(TENANTS), tenant="capped")
    pipeline.wait_committed("ivr-dispatch", "CALL_REQUESTS")
    begun = time.monotonic()
    free = send(campaign, 20, channel=name_of(TENANTS), tenant="free")
    wait_tried(pipeline, simulator, free, TENANTS)
    took = max(placed.at for placed in simulator.placements(TENANTS) if placed.tenant == "free") - begun
    assert wait_tried(pipeline, simulator, capped, TENANTS) == []
    wait_over(campaign)
    placements = simulator.placements(TENANTS)
    assert most_at_once([placed for placed in placements if placed.tenant == "capped"]) == CAP
    assert most_at_once([placed for placed in placements if placed.tenant == "free"]) > CAP
    assert took < 2, f"the others waited {took:.1f} s for a tenant that has its cap"


# --- one line, by hand -------------------------------------------------------------------------------------------------

CHANNELS = {"single": {"concurrent_calls": 1}, "pair": {"concurrent_calls": 2}}


def stays_undialled(pipeline, request, seconds=1.0):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        assert pipeline.provider.dials(request["to"]) == 0
        pipeline.check_alive()
        time.sleep(0.05)


def finish(pipeline, *requests):
    """Nothing of this test may hold the line of the next one."""
    for request in requests:
        pipeline.report(request, "completed", CallDuration=2)
        pipeline.wait_final(request, "Completed")


def test_a_line_is_busy_while_they_talk(pipeline):
    first = pipeline.request(channel="single")
    pipeline.wait_status(first, "Pending")
    second = pipeline.request(channel="single")
    pipeline.report(first, "ringing", "in-progress")
    pipeline.wait_status(first, "Completed")
    stays_undialled(pipeline, second)
    pipeline.report(first, "completed", CallDuration=2)
    pipeline.placed(second, timeout=2)
    finish(pipeline, second)


def test_a_second_closing_report_frees_nothing(pipeline):
    first = pipeline.request(channel="single")
    pipeline.wait_status(first, "Pending")
    second, third = pipeline.request(channel="single"), pipeline.request(channel="single")
    pipeline.report(first, "no-answer")
    wait_until(lambda: pipeline.provider.dials(second["to"]) + pipeline.provider.dials(third["to"]) == 1, "one of them")
    if pipeline.provider.dials(third["to"]):
        second, third = third, second
    pipeline.report(first, "busy")
    pipeline.wait_status(first, "User_busy")
    pipeline.report(first, "completed", CallDuration=2)
    pipeline.wait_status(first, "Completed")
    stays_undialled(pipeline, third)
    pipeline.report(second, "busy")
    pipeline.placed(third, timeout=2)
    finish(pipeline, second, third)


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(refuse_number(), id="refused for good"),
        pytest.param(limit(), id="not now"),
        pytest.param(refuse(429, 20429, headers={"Retry-After": "3"}), id="not for three seconds"),
    ],
)
def test_what_was_not_placed_holds_no_line(pipeline, reply):
    first, second = pipeline.new_request(channel="single"), pipeline.new_request(channel="single")
    pipeline.provider.script(first["to"], reply, accept())
    pipeline.send(first)
    pipeline.placed(first)
    pipeline.send(second)
    pipeline.placed(second, timeout=2.5)
    finish(pipeline, second)
    if pipeline.call(first)["status"] != "Failed_unknown_reason":
        pipeline.placed(first, count=2)
        finish(pipeline, first)


def test_who_waits_for_a_number_that_talks_holds_no_line(pipeline):
    first = pipeline.request(channel="pair")
    pipeline.wait_status(first, "Pending")
    again = pipeline.request(channel="pair", to=first["to"])
    pipeline.wait_call(again, lambda call: call["phase"] == "waiting", "the second call to one number to wait")
    other = pipeline.request(channel="pair")
    pipeline.placed(other, timeout=2)
    finish(pipeline, other)
    finish(pipeline, first)
    pipeline.placed(again, count=2, timeout=2)
    finish(pipeline, again)


def test_with_all_lines_busy_no_work_is_of_use(pipeline):
    """For scaling: another replica could not place any of them."""
    first = pipeline.request(channel="single")
    pipeline.wait_status(first, "Pending")
    waiting = pipeline.request(channel="single")
    pipeline.wait_call(waiting, lambda call: call["phase"] == "waiting", "the call to wait")
    until = time.monotonic() + 1
    while time.monotonic() < until:
        assert pipeline.worker("dispatch").metrics().value("ivr_useful_work", channel="single") == 0
        time.sleep(0.1)
    finish(pipeline, first)
    pipeline.placed(waiting)
    finish(pipeline, waiting)


# --- what a failover may forget ---------------------------------------------------------------------------------------


@pytest.mark.timeout(120)
def test_lines_that_were_forgotten_or_never_given_back_are_found(pipeline):
    """The channel's own list is mended from the calls: a line of a call that goes on is put back, one of no call is freed."""
    first = pipeline.request(channel="single")
    pipeline.wait_status(first, "Pending")
    redis = pipeline.services.redis.client
    slot = f"{{{pipeline.env['IVR_REDIS_PREFIX']}:ch:single}}"
    (line,) = redis.zrange(f"{slot}:lines", 0, -1)
    nobodys = b"acme/nobody/1"
    redis.delete(f"{slot}:lines", f"{slot}:lines:acme")
    for key in (f"{slot}:lines", f"{slot}:lines:acme"):
        redis.zadd(key, {nobodys: (time.time() + 3600) * 1000})
    wait_until(
        lambda: redis.zrange(f"{slot}:lines", 0, -1) == redis.zrange(f"{slot}:lines:acme", 0, -1) == [line],
        lambda: f"the line of the living call alone: {redis.zrange(f'{slot}:lines', 0, -1)}",
        60,
    )
    second = pipeline.request(channel="single")
    stays_undialled(pipeline, second)
    pipeline.report(first, "completed", CallDuration=2)
    pipeline.placed(second, timeout=2)
    finish(pipeline, second)
