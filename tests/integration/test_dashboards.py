"""Every query of the dashboard, the alerts and the scalers finds its series in what running workers really show."""

import re
import sys
from pathlib import Path

import pytest
from harness.metrics import Metrics
from harness.provider import refuse, refuse_number, reset
from harness.wait import wait_until

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "deploy"))

import queries  # noqa: E402

HOLDS = {
    "=": lambda have, wanted: have == wanted,
    "!=": lambda have, wanted: have != wanted,
    "=~": lambda have, wanted: re.fullmatch(wanted, have) is not None,
    "!~": lambda have, wanted: re.fullmatch(wanted, have) is None,
}


def live(pipeline):
    """Some of everything: answered, refused and lost calls, a wrong signature, a bad request, a suspended channel."""
    answered, refused, lost, barred = (pipeline.new_request() for _ in range(4))
    pipeline.provider.script(refused["to"], refuse_number())
    pipeline.provider.script(lost["to"], reset())
    barred["channel"] = "barred"
    pipeline.provider.script(barred["to"], refuse(401, 20003))
    pipeline.send_all([answered, refused, lost, barred])
    pipeline.send({"call_id": "no-number", "tenant": "acme"})
    pipeline.report(answered, "initiated", "ringing", "completed", CallDuration=5)
    pipeline.wait_final(answered, "Completed")
    for request, status in ((refused, "Failed_unknown_reason"), (lost, "Gateway_unavailable")):
        pipeline.wait_status(request, status)
    placement = pipeline.placed(answered)
    assert pipeline.provider.post(placement.status_callback, {"CallSid": "CA1"}, token="f" * 32).status_code == 403
    pipeline.wait_dead_letter(lambda record: b"no-number" in record.value)
    pipeline.wait_summary(answered, lambda summary: summary["complete"], "a complete summary")


def scrape(pipeline):
    """What Prometheus would have: every sample of every worker, with the labels that it adds for a pod."""
    samples = []
    for worker in pipeline.workers:
        target = {"namespace": "ivr", "pod": worker.name, "instance": worker.admin, "job": "ivr"}
        samples += [(name, labels | target) for name, labels, _ in Metrics(worker.get("/metrics").text).samples]
    return samples


@pytest.fixture(scope="module")
def samples(make_module_pipeline):
    pipeline = make_module_pipeline({"main": {"calls_per_second": 100}, "barred": {"from": "+254711082001"}})
    live(pipeline)
    dispatch = pipeline.worker("dispatch")
    wait_until(lambda: dispatch.metrics().value("ivr_channel_open", channel="barred") == 1, "the channel to be suspended")
    wait_until(lambda: "ivr_waiting" in dispatch.metrics().names(), "the calls that wait to be counted")
    return scrape(pipeline)


def finds(samples, name, matchers):
    for have, labels in samples:
        if have == name and all(HOLDS[op](labels.get(label, ""), value) for label, (op, value) in matchers.items()):
            return True
    return False


@pytest.mark.parametrize("where, query", list(queries.all_queries()), ids=lambda value: value if len(value) < 50 else "")
def test_a_query_finds_its_series(samples, where, query):
    for variable in ("$namespace", "$channel"):
        query = query.replace(variable, ".*")
    for name, matchers in queries.selectors(query):
        assert finds(samples, name, matchers), f"{where}: nobody shows {name} with {matchers}"


def test_every_series_of_the_four_programs_is_in_the_scrape(samples):
    """What stands in the table of metrics is counted somewhere; redirects are a Redis Cluster's."""
    table = (queries.DEPLOY.parent / "common/run/metrics_table.h").read_text(encoding="utf-8")
    shown = {re.sub(r"_(bucket|sum|count)$", "", name) for name, _ in samples}
    assert set(re.findall(r'METRIC\(\w+, "(\w+)"', table)) - shown <= {"ivr_redis_redirects_total"}


def test_the_number_of_series_is_bounded(samples):
    """A worker shows a few hundred, however many calls there were: no label holds a number, an id or an address."""
    by_pod = {}
    for name, labels in samples:
        by_pod[labels["pod"]] = by_pod.get(labels["pod"], 0) + 1
        assert not any(re.search(r"(?<![0-9a-z])\d{7}", labels[label]) for label in set(labels) - queries.TARGET_LABELS), (name, labels)
    assert max(by_pod.values()) < 1000, by_pod
