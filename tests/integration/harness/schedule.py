"""In which order the files run, and how long a test may take at most."""

import pytest

# A limit ends a test that hangs; on a busy machine one that does not hang takes longer, too.
PATIENCE = 3

# Seconds of those that take longest, as `make integration` told them. They begin first, so that no process is left alone with
# one at the end. What stands here need not be right to the second, and a new file need not stand here.
LONGEST = {}
USUAL = 5


_arranged = pytest.StashKey[bool]()


def pytest_collection_modifyitems(items):
    """Longest files first; every process of a run comes to the same order."""
    items.sort(key=lambda item: -LONGEST.get(item.path.name, USUAL))
    for item in items:
        limit = item.get_closest_marker("timeout")
        if limit is not None and not item.stash.get(_arranged, False):
            item.add_marker(pytest.mark.timeout(limit.args[0] * PATIENCE), append=False)
        item.stash[_arranged] = True  # the hook stands in two folders
