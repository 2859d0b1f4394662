#!/usr/bin/env python3
"""A crowd of calls with one not_before: how fast two replicas take them in, release them, and what they hold meanwhile.

    build/venv/bin/python tests/bench/scheduled.py                      100,000 calls
    build/venv/bin/python tests/bench/scheduled.py --calls 1000000 --lead 240

A Kafka, a Redis and a simulator of its own, on the same machine. --lead is how many seconds after its start the calls are due: they
have to be in Redis by then.
"""

import argparse
import pathlib
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

from harness.broker import Broker  # noqa: E402
from harness.pipeline import Pipeline, Services  # noqa: E402
from harness.redis_server import RedisServer  # noqa: E402
from harness.simulator import Simulator  # noqa: E402
from harness.usage import resident_kb  # noqa: E402
from harness.volume import dialling, replicas  # noqa: E402

CHUNK = 5000


def take_in(pipeline, calls, due):
    """Seconds until all are in Redis."""
    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(due))
    begun = time.monotonic()
    for _ in range(0, calls, CHUNK):
        pipeline.send_all([pipeline.new_request(not_before=when, campaign="at-noon") for _ in range(CHUNK)])
    pipeline.wait_committed("ivr-dispatch", "CALL_REQUESTS", timeout=900)
    if time.time() > due:
        sys.exit(f"{calls} calls were not in Redis before they were due: --lead is too short")
    return time.monotonic() - begun


def release(pipeline, simulator, calls, due):
    """(seconds of the middle four fifths, most resident MB of a worker)."""
    time.sleep(max(due - time.time(), 0))
    first = last = most_kb = 0
    while True:
        dialled = simulator.stats()["placements"]  # a few numbers the simulator refuses
        now = time.monotonic()
        most_kb = max([most_kb, *(resident_kb(worker.pid) for worker in replicas(pipeline))])
        if dialled < calls // 10:
            first = now
        if dialled >= calls * 9 // 10 and not last:
            last = now
        if dialled >= calls:
            return last - first, most_kb / 1024
        time.sleep(0.05)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=100000)
    parser.add_argument("--lead", type=int, default=40)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ivr-scheduled-") as folder:
        folder = pathlib.Path(folder)
        services = Services(Broker(folder / "kafka"), RedisServer(folder / "redis"))
        simulator = Simulator(folder / "simulator", "--callbacks", "off")
        pipeline = Pipeline(services, folder / "pipeline", dialling(simulator, {"main": {}}))
        pipeline.start("dispatch", "dispatch")
        due = int(time.time()) + args.lead
        try:
            taken_s = take_in(pipeline, args.calls, due)
            waiting_mb = max(resident_kb(worker.pid) for worker in replicas(pipeline)) / 1024
            redis_mb = resident_kb(services.redis.process.pid) / 1024
            released_s, most_mb = release(pipeline, simulator, args.calls, due)
            stats = simulator.stats()
        finally:
            pipeline.close()
            simulator.term(10)
            services.redis.stop()
            services.broker.stop()
    print(f"taken in            {args.calls / taken_s:8,.0f} calls a second")
    print(f"released            {args.calls * 0.8 / released_s:8,.0f} calls a second by two replicas (the middle four fifths)")
    print(f"dialled twice       {stats['dialled_again_by_attempt']:8,}")
    print(f"a worker, waiting   {waiting_mb:8.0f} MB")
    print(f"a worker, at most   {most_mb:8.0f} MB")
    print(f"redis, waiting      {redis_mb:8.0f} MB")


if __name__ == "__main__":
    main()
