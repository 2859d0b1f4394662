"""Under steady load nothing grows; `make soak` runs the same for twenty minutes."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "soak"))

import run as steady  # noqa: E402


@pytest.mark.memory
@pytest.mark.timeout(150)
def test_memory_and_descriptors_stay_flat_under_steady_load(services, workdir):
    calls, stats = steady.soak(services, workdir / "steady", minutes=0.6, rate=40)
    assert calls > 1000
    assert not any(grew for *_, grew in stats), steady.table(stats)


def test_what_grows_is_seen():
    leak = steady.Series("leaking", 0)
    leak.memory_kb = [50_000 + 200 * second for second in range(120)]
    leak.descriptors = [40] * 120
    assert leak.grew()[2]
    leak.memory_kb = [50_000 + second % 700 for second in range(120)]
    assert not leak.grew()[2]
    leak.descriptors = [40 + 2 * second for second in range(120)]
    assert leak.grew()[2]
