#!/usr/bin/env python3
"""Steady load for a while: memory and file descriptors of every worker stay flat, and so does Redis.

    make soak                       20 minutes at 50 calls a second
    make soak SOAK_MINUTES=2        shorter
    build/venv/bin/python tests/soak/run.py --minutes 60 --rate 100

Calls of every kind (answered, busy, early and repeated callbacks, lost responses), a campaign a minute, and a short IVR_RETENTION, so that
what is kept of old calls goes away during the run as it does in a week. Prints a line a worker: its memory and descriptors in the second
quarter of the run and in the last. Exit 1 when one of them grew.
"""

import argparse
import pathlib
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

from harness.broker import Broker  # noqa: E402
from harness.ports import free_port  # noqa: E402
from harness.pipeline import Pipeline, Services  # noqa: E402
from harness.redis_server import RedisServer  # noqa: E402
from harness.simulator import Simulator  # noqa: E402
from harness.usage import descriptors, resident_kb  # noqa: E402

RETENTION_S = 20
GROWTH = 1.10  # of memory between the second quarter and the last; what a leak of 1 KB a call passes in minutes
SLACK_KB = 4096
SLACK_DESCRIPTORS = 64  # connections that are kept for the next request; a leaked one a call would be thousands
SAMPLE_S = 1.0


class Load:
    """Requests at a steady pace, from a thread of its own."""

    def __init__(self, pipeline, rate):
        self.pipeline, self.rate, self.sent = pipeline, rate, 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="load")
        self._thread.start()

    def _run(self):
        begun = time.monotonic()
        while not self._stop.wait(0.1):
            due = int((time.monotonic() - begun) * self.rate) - self.sent
            minute = int((time.monotonic() - begun) / 60)
            self.pipeline.send_all([self.pipeline.new_request(campaign=f"minute-{minute}") for _ in range(due)])
            self.sent += due

    def stop(self):
        self._stop.set()
        self._thread.join()


class Series:
    """What a process held, sample by sample."""

    def __init__(self, name, pid):
        self.name, self.pid, self.memory_kb, self.descriptors = name, pid, [], []

    def sample(self):
        self.memory_kb.append(resident_kb(self.pid))
        self.descriptors.append(descriptors(self.pid))

    def grew(self):
        """(second quarter, last quarter) of memory and descriptors, and whether the last is too much."""
        memory, files = quarters(self.memory_kb), quarters(self.descriptors)
        return memory, files, memory[1] > memory[0] * GROWTH + SLACK_KB or files[1] > files[0] + SLACK_DESCRIPTORS


def quarters(samples):
    quarter = len(samples) // 4
    assert quarter > 0, "too short to tell"
    second, last = samples[quarter : 2 * quarter], samples[-quarter:]
    return sum(second) / quarter, sum(last) / quarter


def start(services, folder):
    simulator = Simulator(folder / "simulator", "--seed", "11")
    simulator.switch(latency_ms="20-80", ring_ms="100-1000", talk_ms="100-2000", early=0.02, duplicate=0.05, reorder=0.05,
                     short_url=0.02, reset=0.005, garbage=0.005, **{"429": 0.02, "500": 0.005})
    port = free_port()
    pipeline = Pipeline(
        services, folder / "pipeline", {"main": {"base_url": simulator.base_url, "request_timeout": "3s"}},
        public_url=f"http://127.0.0.1:{port}",
        env={"IVR_GATEWAY_LISTEN": f"127.0.0.1:{port}", "IVR_RETENTION": f"{RETENTION_S}s", "IVR_PENDING_CHECK": "10s",
             "IVR_PENDING_LIMIT": "15s", "IVR_MAX_IN_FLIGHT": "200"},
    )
    pipeline.start("gateway", "status", "report", "dispatch")
    return simulator, pipeline


def watch(pipeline, services, minutes, say):
    series = [Series(worker.program, worker.pid) for worker in pipeline.workers]
    series.append(Series("redis", services.redis.process.pid))
    begun = time.monotonic()
    while time.monotonic() < begun + minutes * 60:
        time.sleep(SAMPLE_S)
        pipeline.check_alive()
        for one in series:
            one.sample()
        say(time.monotonic() - begun)
    return series


def soak(services, folder, minutes, rate, say=lambda seconds: None):
    """Runs it; returns (calls, [(name, memory, descriptors, grew)])."""
    simulator, pipeline = start(services, folder)
    load = Load(pipeline, rate)
    try:
        series = watch(pipeline, services, minutes, say)
    finally:
        load.stop()
        pipeline.close()
        assert simulator.term(10) == 0, simulator.tail()
    stats = [(one.name, *one.grew()) for one in series]
    return load.sent, stats


def table(stats):
    lines = [f"{'':14} {'memory, MB':>22}   {'descriptors':>20}"]
    for name, memory, files, grew in stats:
        lines.append(f"{name:14} {memory[0] / 1024:9.1f} -> {memory[1] / 1024:9.1f}   {files[0]:8.0f} -> {files[1]:8.0f}"
                     + ("   GREW" if grew else ""))
    return "\n".join(lines)


def progress(minutes):
    def say(seconds):
        if sys.stderr.isatty():
            print(f"\r{seconds:5.0f} of {minutes * 60:.0f} s", end="", file=sys.stderr, flush=True)

    return say


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--rate", type=float, default=50, help="calls a second")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ivr-soak-") as folder:
        folder = pathlib.Path(folder)
        services = Services(Broker(folder / "kafka"), RedisServer(folder / "redis"))
        try:
            calls, stats = soak(services, folder, args.minutes, args.rate, progress(args.minutes))
        finally:
            services.redis.stop()
            services.broker.stop()
    print(f"{calls} calls in {args.minutes:g} minutes; second quarter -> last quarter")
    print(table(stats))
    sys.exit(any(grew for *_, grew in stats))


if __name__ == "__main__":
    main()
