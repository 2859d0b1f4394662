"""In which order the files run, and how long a test may take at most."""

import pytest

# A limit ends a test that hangs; on a busy machine one that does not hang takes longer, too.
PATIENCE = 3

# They begin first, so that no process of a run is left alone with one at its end: some have a single test. The order is that of
# `make integration`'s durations, and need not be exact; a new file need not stand here.
LONGEST = ("test_outages", "test_rolling_update", "test_kafka_security", "test_scale", "test_providers", "test_cluster",
           "test_rates", "test_gateway", "test_controls", "test_summaries", "test_lines", "test_saturated", "test_in_doubt",
           "test_config", "test_placements", "test_callbacks", "test_circuit", "test_sentinel", "test_duplicates",
           "test_retries", "test_gateway_edges", "test_scheduled", "test_steady", "test_checker", "test_crowds")  # fmt: skip
_PLACES = {name: place for place, name in enumerate(LONGEST)}

_arranged = pytest.StashKey[bool]()


def pytest_collection_modifyitems(items):
    """Longest files first; every process of a run comes to the same order."""
    items.sort(key=lambda item: _PLACES.get(item.path.stem, len(LONGEST)))
    for item in items:
        limit = item.get_closest_marker("timeout")
        if limit is not None and not item.stash.get(_arranged, False):
            item.add_marker(pytest.mark.timeout(limit.args[0] * PATIENCE), append=False)
        item.stash[_arranged] = True  # the hook stands in two folders
