"""The harness itself: without these, a green run of the others would prove little."""

import http.client
import json
import pathlib
import threading
from urllib.parse import urlencode, urlsplit

import pytest
import requests

from harness import invariants, twilio
from harness.metrics import Metrics
from harness.placements import Placed, most_at_once, most_in_a_window, per_second, twice
from harness.provider import Provider, accept, answer, close, hold, refuse, reset
from harness.schedule import LONGEST
from harness.wait import Deadline

FORM = {"To": "+254722000111", "From": "+254711082000", "StatusCallback": "https://ivr.example.test/callbacks/x#rc=5"}


def test_the_files_that_begin_first_are_there():
    here = {path.stem for path in pathlib.Path(__file__).parent.glob("test_*.py")}
    assert set(LONGEST) <= here


@pytest.mark.parametrize("starved, seconds", [(0, 10), (0.3, 12.5), (1, 30)])
def test_a_deadline_comes_later_where_others_take_the_cpus(starved, seconds):
    """starved: the share of the time in which somebody waits for a CPU."""
    clock = [100.0]
    deadline = Deadline(10, now=lambda: clock[0], starved=lambda: clock[0] * starved)
    clock[0] = 100 + seconds - 0.1
    assert not deadline.passed()
    clock[0] = 100 + seconds + 0.1
    assert deadline.passed()


@pytest.fixture
def provider():
    provider = Provider()
    yield provider
    provider.close()


@pytest.fixture
def connection(provider):
    connection = http.client.HTTPConnection(urlsplit(provider.base_url).netloc, timeout=5)
    yield connection
    connection.close()


def place(connection, form=None):
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    connection.request("POST", "/2010-04-01/Accounts/AC1/Calls.json", urlencode(form or FORM), headers)
    response = connection.getresponse()
    return response.status, json.loads(response.read())


def test_the_broker_keeps_what_is_produced(make_pipeline):
    pipeline = make_pipeline(start=False)
    request = pipeline.request()
    record = pipeline.tap.wait(pipeline.topics["CALL_REQUESTS"], lambda r: True, "the request")[0]
    assert record.json == request
    assert record.key.decode() == request["call_id"]
    assert sum(pipeline.ends("CALL_REQUESTS").values()) == 1
    assert pipeline.committed("nobody", "CALL_REQUESTS") == {}


def test_redis_answers(services):
    assert services.redis.client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}


def test_a_placement_is_accepted_and_remembered(provider, connection):
    status, body = place(connection)
    placement = provider.wait_placement(FORM["To"])
    assert (status, body["status"], body["sid"]) == (201, "queued", placement.sid)
    assert placement.status_callback == FORM["StatusCallback"]


def test_replies_follow_the_script_and_the_last_one_stays(provider, connection):
    provider.script(FORM["To"], refuse(429, 20429), answer(200, b"{}"), accept())
    assert [place(connection)[0] for _ in range(4)] == [429, 200, 201, 201]
    assert provider.dials(FORM["To"]) == 4
    assert [p.nth_on_connection for p in provider.placements()] == [1, 2, 3, 4]


def test_a_reset_is_a_reset(provider, connection):
    provider.script(FORM["To"], accept(), reset())
    place(connection)
    with pytest.raises(ConnectionResetError):
        place(connection)
    assert provider.dials(FORM["To"]) == 2


def test_a_kept_connection_can_be_closed_after_the_request_was_read(provider, connection):
    provider.script(FORM["To"], accept(), close())
    place(connection)
    with pytest.raises(http.client.RemoteDisconnected):
        place(connection)
    assert provider.dials(FORM["To"]) == 2


def test_a_reply_can_be_held(provider, connection):
    gate = threading.Event()
    provider.script(FORM["To"], hold(gate, accept()))
    threading.Timer(0.2, gate.set).start()
    assert place(connection)[0] == 201
    assert gate.is_set()


def test_a_look_up_tells_what_the_test_says(provider, connection):
    place(connection)
    placement = provider.wait_placement(FORM["To"])
    provider.set_state(placement, "busy")
    url = f"{provider.base_url}/2010-04-01/Accounts/AC1/Calls"
    assert requests.get(f"{url}/{placement.sid}.json", timeout=5).json()["status"] == "busy"
    assert requests.get(f"{url}/CA0.json", timeout=5).status_code == 404
    assert len(requests.get(url + ".json", params={"To": FORM["To"]}, timeout=5).json()["calls"]) == 1
    assert len(provider.lookups) == 3


def test_signatures_are_twilio_s_own():
    """Vectors from the test suites of Twilio's libraries."""
    url = "https://mycompany.com/myapp.php?foo=1&bar=2"
    fields = [("CallSid", "CA1234567890ABCDE"), ("Caller", "+14158675309"), ("Digits", "1234")]
    fields += [("From", "+14158675309"), ("To", "+18005551212")]
    assert twilio.signature(url, fields, "12345") == "RSOYDt4T1cUTdK1PDd93/VVr8B8="
    assert twilio.signature(url + "#rc=5&rp=all", fields, "12345") == "RSOYDt4T1cUTdK1PDd93/VVr8B8="
    repeated = [("Sid", "CA123"), ("SidAccount", "AC123"), ("Digits", "5678"), ("Digits", "1234"), ("Digits", "1234")]
    assert twilio.signature(url, repeated, "12345") == "IK+Dwps556ElfBT0I3Rgjkr1wJU="


def test_metrics_are_read_back():
    metrics = Metrics('# HELP a b\na_total{x="1",y="q\\"}"} 2\na_total{x="2"} 3\nb 1e3\n')
    assert metrics.value("a_total") == 5
    assert metrics.value("a_total", x="1") == 2
    assert metrics.value("b") == 1000
    assert metrics.value("c") == 0


class _Record:
    def __init__(self, key, value, **headers):
        self.key, self.json, self.headers = key.encode(), value, headers
        self.value = json.dumps(value).encode()


def _event(seq, status, previous, **more):
    kind = "call.accepted" if seq == 1 else "call.status"
    value = {"id": f"acme/c/{seq}", "tenant": "acme", "campaign": "m", "call_id": "c", "seq": seq, "type": kind}
    value |= {"status": status, "previous_status": previous} | more
    return _Record("acme/m", value, ce_id=value["id"], ce_type="ivr." + kind)


def test_the_checks_see_a_gap_a_changed_event_and_a_summary_that_does_not_add_up():
    good = [_event(1, None, None), _event(2, "Pending", None)]
    invariants.check_events(good + good)
    with pytest.raises(AssertionError, match="gap in seq"):
        invariants.check_events([good[0], _event(3, "Pending", None)])
    with pytest.raises(AssertionError, match="two contents"):
        invariants.check_events(good + [_event(2, "Completed", None)])
    with pytest.raises(AssertionError, match="previous_status"):
        invariants.check_events(good + [_event(3, "Completed", "No_answer")])
    summary = {"kind": "campaign", "calls": 3, "waiting": 1, "dropped": {"expired": 0}, "retrying": 0}
    summary |= {"by_status": {"Pending": 0, "Completed": 1}, "answer_rate": 1.0, "complete": False}
    with pytest.raises(AssertionError, match="3 calls, but 2"):
        invariants.check_summary(summary)


def _placed(at, ended=None, to="+254722000111"):
    line = {"at_mono_us": at * 1e6, "ended_mono_us": ended and ended * 1e6, "to": to, "from": "+254711082000"}
    return Placed(line | {"attempt_ref": "acme/c/1", "dialled": True})


def test_rates_and_lines_are_counted_as_a_provider_would():
    assert most_in_a_window([0, 0.5, 0.999, 1, 1.2, 1.4, 3]) == 5
    assert most_in_a_window([0, 1, 2, 3]) == 1, "a window has its beginning and not its end"
    assert most_in_a_window([]) == 0
    assert per_second([10, 10.5, 11, 12]) == 1.5
    assert most_at_once([_placed(0, 2), _placed(2, 5), _placed(3, 4), _placed(3.5)]) == 3
    assert most_at_once([_placed(0, 2), _placed(2, 3)]) == 1
    assert twice([_placed(0), _placed(1), _placed(2, to="+254722000112")]) == {"+254722000111": 2}
