"""A rolling update as Kubernetes does it, under load: a new replica until it is ready, then SIGTERM to an old one. Of one version,
and from an older version to ours and back."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from harness import invariants
from harness.older import older_programs
from harness.paths import BIN
from harness.wait import wait_until

RATE = 30  # calls a second
RINGS_S = 0.2
GAP_S = 2.0  # the longest time without a placement
REPLICAS = ("gateway", "status", "status", "report", "dispatch", "dispatch", "dispatch")
ORDER = ("gateway", "dispatch", "status", "report", "dispatch", "status", "dispatch")


class Load:
    """Requests at a steady pace, and a provider that reports each placement's end a moment later."""

    def __init__(self, pipeline):
        self.pipeline, self.requests, self.problems = pipeline, [], []
        self.acknowledged = {}  # when Kafka had it, by number
        self._no_more, self._all_placed = threading.Event(), threading.Event()
        self._threads = [threading.Thread(target=self._watched, args=(run,)) for run in (self._ask, self._report)]
        for thread in self._threads:
            thread.start()

    def _watched(self, run):
        try:
            run()
        except Exception as problem:  # a thread's exception is the test's
            self.problems.append(problem)

    def _ask(self):
        begun = time.monotonic()
        while not self._no_more.wait(0.05):
            due = int((time.monotonic() - begun) * RATE) - len(self.requests)
            fresh = [self.pipeline.new_request(campaign="rolling") for _ in range(due)]
            self.pipeline.send_all(fresh)
            self.acknowledged |= {request["to"]: time.monotonic() for request in fresh}
            self.requests += fresh

    def _report(self):
        said = []
        with ThreadPoolExecutor(8) as lines:
            while True:
                ending = self._all_placed.is_set()  # looked at first: the last ones are reported, too
                said += [lines.submit(self._end, p) for p in self.pipeline.provider.placements()[len(said) :]]
                if ending:
                    break
                time.sleep(0.02)
        for report in said:
            report.result()

    def _end(self, placement):
        time.sleep(max(0.0, placement.at + RINGS_S - time.monotonic()))
        try:
            self.pipeline.provider.report(placement, "completed", CallDuration=3)
        except requests.ConnectionError:  # it went to the gateway that leaves in this moment: as a proxy would, the next one
            self.pipeline.provider.report(placement, "completed", CallDuration=3)

    def stop(self):
        """No more requests; ends when each has been placed and its end was reported."""
        self._no_more.set()
        self._threads[0].join()
        provider = self.pipeline.provider
        wait_until(
            lambda: self.problems or all(provider.dials(request["to"]) for request in self.requests),
            lambda: f"calls to be placed: {[r['call_id'] for r in self.requests if not provider.dials(r['to'])][:5]}",
        )
        self.end()

    def end(self):
        self._no_more.set()
        self._all_placed.set()
        for thread in self._threads:
            thread.join()


def roll(pipeline, kind):
    """One replica: the new one is ready (and callbacks go to it) before the oldest is told to go."""
    oldest = next(w for w in pipeline.workers if w.program == f"ivr-{kind}" and w.alive())
    pipeline.start(kind)
    assert oldest.term() == 0, oldest.tail()


def placed_more(pipeline, load):
    """Until so many calls were placed that each replica had its share of them."""
    placed = len(pipeline.provider.placements())
    wait_until(
        lambda: load.problems or len(pipeline.provider.placements()) > placed + 2 * RATE,
        "calls to be placed by both versions",
        timeout=30,
    )


def final_calls(pipeline):
    records = pipeline.tap.records(pipeline.topics["CALL_EVENTS"], lambda record: record.json["final"])
    return {record.json["call_id"]: record.json["status"] for record in records}


def longest_gap(placements, acknowledged):
    """The longest time in which a request was there and none was placed."""
    longest = 0.0
    for number, (before, after) in enumerate(zip(placements, placements[1:])):
        waiting_since = min(acknowledged[placement.to] for placement in placements[number + 1 :])
        longest = max(longest, after.at - max(before.at, waiting_since))
    return longest


def check_each_was_dialled_once_and_ended(pipeline, load):
    assert not load.problems, load.problems
    placements = pipeline.provider.placements()
    assert len(placements) == len(load.requests), "a call was dialled twice, or not at all"
    assert len({placement.to for placement in placements}) == len(load.requests)
    wait_until(
        lambda: len(final_calls(pipeline)) == len(load.requests),
        lambda: f"an end of each call; {len(final_calls(pipeline))} of {len(load.requests)} have one",
        timeout=30,
    )
    assert set(final_calls(pipeline).values()) == {"Completed"}
    assert not pipeline.dead_letters()


@pytest.mark.timeout(120)
def test_a_rolling_update_loses_nothing_dials_nothing_twice_and_makes_no_gap(make_pipeline):
    pipeline = make_pipeline(start=REPLICAS, partitions=6)
    load = Load(pipeline)
    try:
        wait_until(lambda: len(pipeline.provider.placements()) > RATE // 2, "the first calls to be placed")
        before = [worker.name for worker in pipeline.workers]
        for kind in ORDER:
            roll(pipeline, kind)
        rolled = time.monotonic()
        wait_until(
            lambda: load.problems or pipeline.provider.placements()[-1].at > rolled + 0.5,
            "calls to be placed by the new ones",
            timeout=30,
        )
        load.stop()
    finally:
        load.end()
    assert not any(worker.alive() for worker in pipeline.workers if worker.name in before)
    check_each_was_dialled_once_and_ended(pipeline, load)
    gap = longest_gap(pipeline.provider.placements(), load.acknowledged)
    print(f"the longest time without a placement was {gap:.2f} s of {len(load.requests)} calls")
    assert gap <= GAP_S, f"nothing was placed for {gap:.1f} s"


@pytest.mark.timeout(300)
def test_an_older_version_and_ours_lose_nothing_and_dial_nothing_twice_beside_each_other(make_pipeline):
    """An update, and a rollback of it, both stopped half-way for a while: what one version wrote, the other goes on with."""
    pipeline = make_pipeline(start=False, partitions=6)
    pipeline.has_older_workers = True
    pipeline.bin = older_programs()
    kinds = ("gateway", "dispatch", "status", "report", "dispatch")
    pipeline.start(*kinds)
    load = Load(pipeline)
    try:
        placed_more(pipeline, load)
        for folder in (BIN, older_programs()):
            pipeline.bin = folder
            for n, kind in enumerate(kinds):
                roll(pipeline, kind)
                if n == 2:
                    assert {worker.folder for worker in pipeline.workers if worker.alive()} == {BIN, older_programs()}
                    placed_more(pipeline, load)
        load.stop()
    finally:
        load.end()
    check_each_was_dialled_once_and_ended(pipeline, load)
    check_what_the_older_version_does_not_know_waited_for_ours(pipeline)


def check_what_the_older_version_does_not_know_waited_for_ours(pipeline):
    """Marks of records were neither published as events nor dropped by the older workers: ours send them when they are back."""
    client = pipeline.services.redis.client
    pipeline.bin = BIN
    pipeline.start("dispatch")

    def unsent():
        sent = invariants.last_records(pipeline.tap.records(pipeline.topics["CALL_RECORDS"]))
        calls = [key.decode() for key in client.scan_iter(match=f"{{{pipeline.name}:*}}:call:*", count=10_000)]
        ours = [key.partition(":call:")[2] for key in calls if client.hexists(key, "z")]
        assert ours, "no call became final under our version"
        return [call for call in ours if call not in sent]

    wait_until(lambda: not unsent(), lambda: f"the records of {unsent()[:5]}", timeout=60)
    marks = [key for key in client.scan_iter(match=f"{{{pipeline.name}:*}}:records", count=10_000)]
    wait_until(lambda: not any(client.exists(key) for key in marks), "no record to be left", timeout=60)
