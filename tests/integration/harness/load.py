"""A campaign in the middle of its work, for tests that take Redis away, and what must hold of it afterwards."""

import time

from .provider import accept, after
from .wait import wait_until

# The simulated provider answers late on a busy machine, and a failover takes what it takes: no placement here may end in
# doubt for want of time. A worker that forgets an outcome leaves its call without a status for much longer than we wait.
CHANNELS = {"main": {"request_timeout": "60s"}}


def begin(pipeline, calls=300):
    """Calls placed, in flight and on the topic; some wait for their time."""
    soon = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 4))
    requests = [pipeline.new_request(not_before=soon if n % 4 == 0 else None) for n in range(calls)]
    for request in requests:
        pipeline.provider.script(request["to"], after(lambda placement: time.sleep(0.1), accept()))
    pipeline.send_all(requests)
    wait_until(lambda: len(pipeline.provider.placements()) > calls // 4, "a quarter of the calls to be placed", 60)
    return requests


def dials(pipeline, requests):
    """{number: how often it was dialled}."""
    wanted = {request["to"]: 0 for request in requests}
    for placement in pipeline.provider.placements():
        if placement.to in wanted:
            wanted[placement.to] += 1
    return wanted


def check_each_was_dialled_once(pipeline, requests, timeout=60):
    """And is Pending since: the provider took it, and has not reported yet."""
    wait_until(
        lambda: all(dials(pipeline, requests).values()),
        lambda: f"calls that nobody dialled: {[to for to, n in dials(pipeline, requests).items() if n == 0]}",
        timeout,
        0.2,
    )
    pipeline.wait_committed("ivr-dispatch", "CALL_REQUESTS", timeout)
    twice = [to for to, n in dials(pipeline, requests).items() if n > 1]
    assert not twice, f"dialled twice: {twice}"
    for request in requests:
        pipeline.wait_status(request, "Pending")
