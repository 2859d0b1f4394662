"""Nobody is called outside their calling hours: not at once, not again, not by a claim that came late."""

import json
from datetime import datetime, timedelta, timezone

import pytest
from harness.pipeline import Services
from harness.ports import free_port
from harness.redis_server import RedisServer
from harness.wait import wait_until
from harness.zones import Zones

ANY_TIME = {"timezone": "UTC", "from": "00:00", "to": "24:00"}


@pytest.fixture(scope="module")
def zones(workdir):
    return Zones(workdir / "zones")


@pytest.fixture(scope="module")
def pipeline(make_module_pipeline, zones):
    return make_module_pipeline(env={"TZDIR": str(zones.path)})


def stamp(moment):
    return moment.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def now():
    return datetime.now(timezone.utc)


def wait_for(pipeline, request, moment):
    """The call waits, and says until when."""
    until = stamp(moment)
    return pipeline.wait_call(request, lambda call: call["next_attempt_at"] == until, f"a wait until {until}")


def kinds(events):
    return [(event["type"], event["next_attempt_at"]) for event in events]


def test_a_request_outside_its_hours_is_dialled_when_they_open(pipeline, zones):
    hours, opening = zones.opening_in(4)
    request = pipeline.request(calling_hours=hours)
    call = wait_for(pipeline, request, opening)
    assert (call["phase"], call["status"], call["attempts"]) == ("waiting", None, [])
    assert kinds(pipeline.wait_events(request, 2)) == [("call.accepted", None), ("call.waiting", stamp(opening))]
    meanwhile = pipeline.request()  # it holds nobody up
    pipeline.wait_status(meanwhile, "Pending")
    assert pipeline.provider.dials(request["to"]) == 0 and now() < opening, "the test was too slow to see it"
    pipeline.placed(request)
    assert now() >= opening
    pipeline.wait_status(request, "Pending")


def test_not_before_within_closed_hours_waits_until_they_open(pipeline, zones):
    hours, opening = zones.closed()
    request = pipeline.request(calling_hours=hours, not_before=stamp(now() + timedelta(seconds=1)))
    wait_for(pipeline, request, opening)
    later = pipeline.request(calling_hours=hours, not_before=stamp(opening + timedelta(minutes=1)))
    wait_for(pipeline, later, opening + timedelta(minutes=1))


def test_a_retry_that_comes_after_closing_is_put_off(pipeline, zones):
    hours, closing, opening = zones.closing_in(4)
    request = pipeline.request(calling_hours=hours, retry={"max_attempts": 2, "delays": [6]})
    pipeline.report(request, "busy")
    call = wait_for(pipeline, request, opening)
    assert now() >= closing
    assert (call["phase"], call["status"], call["final"]) == ("waiting", "User_busy", False)
    event = pipeline.wait_event(request, lambda e: e["next_attempt_at"] == stamp(opening), "the wait for the opening")
    assert (event["type"], event["status"], event["attempt"]) == ("call.waiting", "User_busy", 1)
    assert pipeline.provider.dials(request["to"]) == 1
    summary = pipeline.wait_summary(request, lambda s: s["retrying"] == 1, "one that is retrying")
    assert summary["by_status"]["User_busy"] == 1


def test_a_call_that_expires_while_its_hours_are_closed_is_dropped(pipeline, zones):
    hours, _ = zones.closed()
    expires = now() + timedelta(seconds=3)
    request = pipeline.request(calling_hours=hours, expires_at=stamp(expires))
    wait_for(pipeline, request, expires)
    call = pipeline.wait_call(request, lambda call: call["phase"] == "dropped", "the drop")
    assert (call["drop_reason"], call["status"]) == ("expired", None)
    assert pipeline.provider.dials(request["to"]) == 0


def test_a_claim_whose_answer_comes_after_closing_is_not_dialled(broker, workdir, make_pipeline, zones):
    """Asked for while it was open: Redis is away until it is not."""
    redis = RedisServer(workdir / f"redis-{free_port()}")
    try:
        pipeline = make_pipeline(services=Services(broker, redis), env={"TZDIR": str(zones.path)})
        warm = pipeline.request(calling_hours=ANY_TIME)
        pipeline.wait_status(warm, "Pending")
        hours, closing, opening = zones.closing_in(3)
        redis.process.freeze()
        request = pipeline.request(calling_hours=hours)
        asked = pipeline.worker("dispatch").metrics
        wait_until(lambda: asked().value("ivr_in_flight") >= 1, "the claim to be asked for", 3)
        assert now() < closing, "the test was too slow to ask in time"
        wait_until(lambda: now() > closing, "closing time", 10)
        redis.process.thaw()
        wait_for(pipeline, request, opening)
        assert pipeline.provider.dials(request["to"]) == 0
        pipeline.close()
    finally:
        redis.process.thaw()
        redis.stop()


def with_hours(pipeline, by_code):
    """The channels file with these default hours; dispatch has read it."""
    document = json.loads(pipeline.channels_path.read_text(encoding="utf-8")) | {"calling_hours": by_code}
    pipeline.channels_path.write_text(json.dumps(document), encoding="utf-8")
    worker = pipeline.worker("dispatch")
    before = len(worker.log())
    pipeline.reload()
    wait_until(lambda: "read again" in json.dumps(worker.log()[before:]), "the new file")


def test_hours_of_the_country_hold_for_requests_without_their_own(pipeline, zones):
    closed, opening = zones.closed()
    with_hours(pipeline, {"254": ANY_TIME, "25499": closed})
    quiet = pipeline.request(to="+254990000001")
    wait_for(pipeline, quiet, opening)
    for request in (pipeline.request(), pipeline.request(to="+254990000002", calling_hours=ANY_TIME)):
        pipeline.placed(request)
    assert pipeline.provider.dials(quiet["to"]) == 0


def test_hours_that_the_file_gives_later_hold_for_calls_that_wait_already(pipeline, zones):
    """They are looked at when a call is due, not when its request came."""
    with_hours(pipeline, {})
    request = pipeline.request(to="+254980000001", not_before=stamp(now() + timedelta(seconds=4)))
    pipeline.wait_call(request, lambda call: call["phase"] == "waiting", "the call to wait")
    closed, opening = zones.closed()
    with_hours(pipeline, {"25498": closed})
    wait_for(pipeline, request, opening)
    assert pipeline.provider.dials(request["to"]) == 0


def test_the_operator_sees_the_hours_that_are_understood(pipeline):
    hours = {"timezone": "UTC", "from": "22:00", "to": "06:00", "days": ["fri"]}
    with_hours(pipeline, {"254": hours})
    shown = pipeline.cli("channels", "--json", env={"TZDIR": pipeline.env["TZDIR"]}).json()
    assert shown["calling_hours"] == {"254": hours}
    assert "calling hours of +254: 22:00-06:00 UTC, fri" in pipeline.cli("channels").out


REFUSED = {
    "calling_hours.timezone": {"calling_hours": ANY_TIME | {"timezone": "Africa/Nairobbi"}},
    "calling_hours.to": {"calling_hours": ANY_TIME | {"to": "00:00"}},
    "calling_hours.days": {"calling_hours": ANY_TIME | {"days": []}},
    "expires_at": {"not_before": "2031-05-01T12:00:00Z", "expires_at": "2031-05-01T12:00:00Z"},
    "calling_hours": {
        "calling_hours": ANY_TIME | {"from": "08:00", "to": "12:00"},
        "not_before": "2031-05-01T12:00:00Z",
        "expires_at": "2031-05-02T08:00:00Z",
    },
}


@pytest.mark.parametrize("field", REFUSED)
def test_times_that_cannot_be_are_refused_by_name_wherever_they_come_in(pipeline, field):
    request = pipeline.new_request(**REFUSED[field])
    response = pipeline.api("/v1/calls", "POST", json=request)
    assert (response.status_code, response.json()["errors"][0]["field"]) == (422, field)
    checked = pipeline.cli("request", "-", "--dry-run", stdin=json.dumps(request) + "\n")
    assert checked.code != 0 and field + ":" in checked.out + checked.err, checked
    pipeline.send(request)
    letter = pipeline.wait_dead_letter(lambda record: request["call_id"].encode() in (record.value or b""))
    assert letter.headers["ivr-reason"] == "invalid_request" and letter.headers["ivr-detail"].startswith(field + ":")
    assert pipeline.provider.dials(request["to"]) == 0
