"""Many calls at the same moment: each gets its turn soon, however little room there is."""

import time
from datetime import datetime, timedelta, timezone

from harness.wait import wait_until

CALLS = 200
SILENT = 32


def test_calls_that_are_due_at_once_are_dialled_one_after_the_other_without_pauses(make_pipeline):
    pipeline = make_pipeline(env={"IVR_MAX_IN_FLIGHT": "32"})
    due = datetime.now(timezone.utc) + timedelta(seconds=3)
    requests = [pipeline.new_request(not_before=due.isoformat(timespec="milliseconds").replace("+00:00", "Z"))
                for _ in range(CALLS)]
    pipeline.send_all(requests)
    wait_until(lambda: len(pipeline.provider.placements()) == CALLS, "every call to be dialled", timeout=25)
    assert all(pipeline.provider.dials(request["to"]) == 1 for request in requests)


def test_silent_calls_are_looked_up_soon_after_the_first_check_is_due(make_pipeline):
    pipeline = make_pipeline(env={"IVR_PENDING_CHECK": "20s"})
    begun = time.monotonic()
    pipeline.send_all([pipeline.new_request() for _ in range(SILENT)])
    wait_until(lambda: len(pipeline.provider.placements()) == SILENT, "every call to be dialled")
    wait_until(lambda: len(set(pipeline.provider.lookups)) == SILENT, "every call to be looked up", timeout=60)
    assert time.monotonic() - begun < 20 + 18, "those for which there was no room waited for another check"
