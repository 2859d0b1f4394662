"""The campaign is the seed's, and everything that is limited has its part of it."""

from collections import Counter, defaultdict

import pytest

from campaign import requests_of
from channels import CAPPED, SHARES, limits

COUNT, SECONDS = 6000, 120


@pytest.fixture
def requests():
    return good(7)


def good(seed):
    return [request for request, _, fits in requests_of(seed, COUNT, SECONDS) if fits]


def test_the_same_seed_gives_the_same_requests(requests):
    assert requests == good(7)
    assert requests != good(8)


def test_every_limited_channel_has_its_share(requests):
    counts = Counter(request.get("channel") for request in requests)
    expected = {name: pytest.approx(share * COUNT, rel=0.25) for name, share in SHARES.items()}
    assert {name: counts[name] for name in SHARES} == expected


def test_limited_channels_are_asked_for_more_than_they_may_in_a_wave_and_for_less_on_average(requests):
    channels, _ = limits(COUNT, SECONDS)
    rate = channels["paced"]["calls_per_second"]
    paced = [number for number, request in enumerate(requests) if request.get("channel") == "paced"]
    by_second = Counter(number * SECONDS // len(requests) for number in paced)
    assert sum(by_second.values()) < 0.8 * rate * SECONDS
    assert sum(count > rate for count in by_second.values()) > 10


def test_everything_is_there_that_waits_in_turns(requests):
    assert {request["priority"] for request in requests} == set(range(10))
    assert Counter(request["tenant"] for request in requests)[CAPPED] > COUNT / 40


def test_some_numbers_are_called_by_several_requests_of_one_tenant_and_channel(requests):
    callers = defaultdict(list)
    for request in requests:
        callers[request["to"]].append((request["tenant"], request.get("channel")))
    shared = {number: callers_ for number, callers_ in callers.items() if len(callers_) > 1}
    assert len(shared) > COUNT / 50
    assert all(len(set(callers_)) == 1 for callers_ in shared.values())
    assert {channel for callers_ in shared.values() for _, channel in callers_} == {None, *SHARES}
