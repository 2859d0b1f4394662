"""Delivery summaries: they add up in every revision, and one says that the campaign is complete."""

import re
import time

import pytest

from harness.broker import Broker
from harness.pipeline import Services
from harness.provider import answer, refuse
from harness.wait import wait_until

SEVEN = {
    "Pending", "Completed", "No_answer", "User_busy", "Subscriber_absent", "Gateway_unavailable",
    "Failed_unknown_reason",
}  # fmt: skip


def send_campaign(pipeline, campaign):
    """Eight calls: one of each status and one that has expired. Returns {status: request}."""
    calls = {status: pipeline.new_request(campaign=campaign) for status in sorted(SEVEN)}
    pipeline.provider.script(calls["Gateway_unavailable"]["to"], answer(200, b"nonsense"))
    pipeline.provider.script(calls["Failed_unknown_reason"]["to"], refuse(400, 21211))
    for request in calls.values():
        pipeline.send(request)
    pipeline.request(campaign=campaign, expires_at="2020-01-01T00:00:00Z")
    pipeline.report(calls["Completed"], "ringing", "in-progress", "completed", CallDuration=20)
    pipeline.report(calls["No_answer"], "ringing", "no-answer")
    pipeline.report(calls["User_busy"], "ringing", "busy", SipResponseCode=486)
    pipeline.report(calls["Subscriber_absent"], "initiated", "no-answer", SipResponseCode=480)
    return calls


@pytest.fixture(scope="module")
def campaign(pipeline):
    """A campaign whose calls ended in every way but one, which is still Pending."""
    calls = send_campaign(pipeline, "all-seven")

    def everyone(summary):
        return summary["calls"] == 8 and summary["by_status"] == dict.fromkeys(SEVEN, 1)

    summary = pipeline.wait_summary(calls["Pending"], everyone, "one call of each status", timeout=20)
    return calls, summary


def test_each_status_and_each_drop_is_counted(campaign):
    summary = campaign[1]
    assert summary["by_status"] == {status: 1 for status in SEVEN}
    assert summary["dropped"]["expired"] == 1
    assert summary["waiting"] == 0
    assert (summary["v"], summary["kind"]) == (1, "campaign")
    assert (summary["tenant"], summary["campaign"]) == ("acme", "all-seven")
    assert not summary["complete"], "one is still Pending"
    assert summary["answer_rate"] == pytest.approx(1 / 6, abs=0.001)
    assert summary["attempts"] == 7


def test_hops_reasons_channels_and_seconds_are_counted(campaign):
    summary = campaign[1]
    assert summary["hops"] == {
        "message_out": 7, "dialing": 4, "connected": 1, "terminate": 4, "session_completed": 4,
    }  # fmt: skip
    assert summary["by_reason"]["21211"] == 1
    assert summary["talk_seconds"] == {"p50": 20, "p95": 20, "sum": 20}
    assert {"ring_seconds", "cost", "first_call_at", "last_change_at", "as_of", "retrying"} <= set(summary)
    channel = summary["by_channel"]["main"]
    assert channel["by_status"] == summary["by_status"]


def test_the_last_call_completes_the_campaign_and_a_late_answer_corrects_it(pipeline, campaign):
    calls, before = campaign
    pipeline.report(calls["Pending"], "busy")
    done = pipeline.wait_summary(calls["Pending"], lambda s: s["complete"], "the summary that says complete")
    assert done["by_status"]["User_busy"] == 2 and done["by_status"].get("Pending", 0) == 0
    assert done["revision"] > before["revision"]
    pipeline.report(calls["No_answer"], "completed", CallDuration=40)
    late = pipeline.wait_summary(calls["Pending"], lambda s: s["by_status"]["Completed"] == 2, "the late answer")
    assert late["complete"] and late["revision"] > done["revision"]
    assert late["calls"] == done["calls"] == 8


def test_an_unchanged_campaign_is_not_published_again(pipeline):
    request = pipeline.request()
    pipeline.report(request, "completed")
    pipeline.wait_summary(request, lambda s: s["complete"], "complete")
    for _ in range(4):  # four other campaigns come and go, each with summaries of its own
        other = pipeline.request()
        pipeline.report(other, "completed")
        pipeline.wait_summary(other, lambda s: s["complete"], "complete")
    seen = pipeline.summaries("acme", request["campaign"])
    assert len(seen) <= 4, f"{len(seen)} revisions for one call"
    assert [s["revision"] for s in seen] == sorted({s["revision"] for s in seen})


def test_a_changed_campaign_is_published_at_most_once_an_interval(make_pipeline):
    pipeline = make_pipeline(env={"IVR_REPORT_INTERVAL": "2s"})
    begun = time.monotonic()
    requests = [pipeline.request(campaign="slow") for _ in range(60)]
    for request in requests:
        pipeline.report(request, "completed")
    newest = pipeline.wait_summary(requests[0], lambda s: s["complete"] and s["calls"] == 60, "the last summary")
    seen, took = pipeline.summaries("acme", "slow"), time.monotonic() - begun
    assert len(seen) <= took / 2 + 2, f"{len(seen)} summaries in {took:.1f} s"
    assert newest["by_status"]["Completed"] == 60


def test_revisions_grow_across_a_restart_and_after_redis_forgot(make_pipeline):
    pipeline = make_pipeline()
    first = pipeline.request(campaign="grows")
    pipeline.report(first, "completed")
    before = pipeline.wait_summary(first, lambda s: s["complete"], "complete")["revision"]
    pipeline.restart("report")
    second = pipeline.request(campaign="grows")
    pipeline.report(second, "busy")
    between = pipeline.wait_summary(second, lambda s: s["calls"] == 2 and s["complete"], "two calls")["revision"]
    assert between > before
    redis = pipeline.services.redis.client
    keys = [key for key in redis.scan_iter(match=f"*{pipeline.name}*", count=1000)]
    assert keys, "nothing in Redis carries IVR_REDIS_PREFIX"
    for worker in [worker for worker in pipeline.workers if worker.alive()]:
        worker.term()
    redis.delete(*keys)
    pipeline.start()
    third = pipeline.request(campaign="grows", tenant="acme")
    pipeline.report(third, "completed")
    after = pipeline.wait_summary(third, lambda s: s["revision"] > between, "a revision beyond the old ones")
    assert after["calls"] >= 1


@pytest.fixture
def own_broker(workdir, redis_server):
    broker = Broker(workdir / "kafka-that-is-late")
    yield Services(broker, redis_server)
    broker.stop()


def test_a_summary_that_came_after_a_younger_one_is_followed_by_one_more(own_broker, make_pipeline):
    """As from a worker that was paused while its successor published: the topic must not end with the older one."""
    pipeline = make_pipeline(services=own_broker, env={"IVR_REPORT_INTERVAL": "5s"})
    redis, broker = own_broker.redis.client, own_broker.broker.process
    first = pipeline.request(campaign="late")
    pipeline.report(first, "completed")
    pipeline.wait_summary(first, lambda s: s["complete"], "complete")
    (key,) = redis.scan_iter(match="*:rev:campaign:acme/late", count=1000)
    stored = redis.get(key)
    pipeline.wait_event(pipeline.request(campaign="late"), lambda event: event["status"] == "Pending", "Pending")
    report = pipeline.worker("report")
    wait_until(lambda: report.metrics().value("ivr_in_flight") > 0, "the report worker to have something to publish")
    broker.freeze()
    wait_until(lambda: redis.get(key) != stored, "a revision that Kafka does not take yet", timeout=20)
    successors = int(redis.get(key)) + 60_000
    redis.set(key, successors, keepttl=True)
    broker.thaw()
    pipeline.wait_summary(first, lambda s: s["revision"] > successors, "a summary after the older one", timeout=30)


def test_the_summary_is_keyed_for_compaction(pipeline, campaign):
    records = pipeline.tap.records(
        pipeline.topics["DELIVERY_SUMMARIES"], lambda record: record.key == b"campaign:acme/all-seven"
    )
    assert records
    assert all(record.headers["ce_type"].startswith("ivr.") for record in records)


def test_live_counters_agree_with_the_published_summary(pipeline, campaign):
    published = pipeline.summaries("acme", "all-seven")[-1]
    live = pipeline.api("/v1/campaigns/acme/all-seven").json()
    shown = pipeline.cli("campaign", "acme/all-seven", "--json").json()
    for field in (
        "calls",
        "waiting",
        "dropped",
        "by_status",
        "attempts",
        "hops",
        "answer_rate",
        "complete",
        "retrying",
    ):
        assert live[field] == shown[field] == published[field], field


@pytest.mark.timeout(130)
def test_a_minute_s_window_is_published_once_it_closes(pipeline, campaign):
    """Last in its module, because a minute has to pass: the others have used most of it."""

    def newest():
        return {record.key.decode(): record for record in pipeline.windows("acme", "all-seven")}

    wait_until(
        lambda: sum(record.json["attempts"] for record in newest().values()) == 7,
        lambda: f"windows with all seven attempts; there are {newest()}",
        timeout=100,
        interval=0.5,
    )
    for key, record in newest().items():
        window = record.json
        assert window["kind"] == "window"
        assert (window["tenant"], window["campaign"], window["channel"]) == ("acme", "all-seven", "main")
        assert re.match(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:00\.000Z$", window["window_start"])
        assert key == f"window:acme/all-seven/main/{window['window_start']}"
        assert sum(window["by_status"].values()) == window["attempts"]
        assert {"by_reason", "hops", "ring_seconds", "talk_seconds", "cost"} <= set(window)


def test_a_zombies_older_record_does_not_stay_the_last(make_pipeline):
    """Records of a worker that lost its partitions may come until its message.timeout.ms is over."""
    pipeline = make_pipeline(env={"IVR_KAFKA_MESSAGE_TIMEOUT_MS": "2000"})
    request = pipeline.request()
    newest = pipeline.wait_summary(request, lambda summary: summary["calls"] == 1, "the campaign's summary")
    key = f"campaign:acme/{request['campaign']}"
    older = newest | {"revision": newest["revision"] - 1}
    record = pipeline.tap.records(pipeline.topics["DELIVERY_SUMMARIES"], lambda record: record.key == key.encode())[-1]
    headers = list((record.headers | {"ce_id": f"{key}#{older['revision']}"}).items())
    pipeline.several_reporters = True  # revisions as a reader meets them, the zombie's among them
    pipeline.produce("DELIVERY_SUMMARIES", older, key=key, headers=headers)
    records = pipeline.tap.wait(
        pipeline.topics["DELIVERY_SUMMARIES"],
        lambda record: record.key == key.encode() and record.json["revision"] > newest["revision"],
        "a newer revision after the zombie's",
        timeout=20,
    )
    assert records[-1].json["calls"] == 1
