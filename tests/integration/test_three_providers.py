"""Three channels of three providers at once: what the simulator did to each call is what became of it."""

import json
from collections import Counter
from pathlib import Path

import pytest
import requests
from harness.ports import free_port
from harness.simulator import Simulator
from harness.wait import wait_until

CALLS = 150
KEY = Path(__file__).parents[1] / "corpus" / "vonage" / "private_key.pem"
APPLICATION = "aaaaaaaa-bbbb-cccc-dddd-0123456789ab"
SECRET = "qwertyuiopasdfghjklzxcvbnm123456"
TOKEN = "a-token-for-the-callback-url"
SENDERS = {"twilio": "+254711082000", "africastalking": "+254711082001", "vonage": "+254711082002"}
STATUSES = {
    "completed": "Completed",
    "no-answer": "No_answer",
    "busy": "User_busy",
    "absent": "Subscriber_absent",
    "failed": "Failed_unknown_reason",
}


@pytest.fixture
def port():
    return free_port()


@pytest.fixture
def simulator(workdir, port):
    callback = f"http://127.0.0.1:{port}/callbacks/africastalking/africastalking?token={TOKEN}"
    options = ["--africastalking-username", "acme", "--africastalking-api-key", "atsk_1"]
    options += ["--africastalking-callback", f"{SENDERS['africastalking']}={callback}"]
    options += ["--africastalking-events", callback, "--client-request-id", "final"]
    options += ["--vonage-application-id", APPLICATION, "--vonage-public-key", KEY]
    options += ["--vonage-signature-secret", SECRET]
    simulator = Simulator(workdir / "three", *options, "--seed", "11", "--speed", "40", "--latency-ms", "5-30")
    outcomes = dict.fromkeys(STATUSES, 10)
    simulator.switch(outcomes=outcomes, early=0.05, duplicate=0.05, reorder=0.05, short_url=0.05)
    yield simulator
    assert simulator.term(10) == 0, simulator.tail()


def channels(base_url):
    """One of each, named after its provider."""
    credentials = {
        "twilio": {},
        "africastalking": {
            "credentials": {"username": "acme", "api_key": "atsk_1"},
            "callback_secret": TOKEN,
        },
        "vonage": {
            "credentials": {"application_id": APPLICATION, "private_key": {"file": str(KEY)}},
            "callback_secret": SECRET,
        },
    }
    shared = {"base_url": base_url, "request_timeout": "5s"}
    return {name: {"provider": name, "from": SENDERS[name]} | shared | own for name, own in credentials.items()}


@pytest.fixture
def pipeline(make_pipeline, simulator, port):
    return make_pipeline(
        channels(simulator.base_url),
        public_url=f"http://127.0.0.1:{port}",
        env={"IVR_GATEWAY_LISTEN": f"127.0.0.1:{port}"},
    )


def placements(simulator):
    lines = requests.get(simulator.base_url + "/_sim/placements", timeout=10).text.splitlines()
    return [json.loads(line) for line in lines]


def last_events(pipeline):
    """The newest event of each call; ones before it may still be on their way from another worker."""
    newest = {}
    for event in (record.json for record in pipeline.tap.records(pipeline.topics["CALL_EVENTS"])):
        call = event["tenant"], event["call_id"]
        newest[call] = max(newest.get(call, event), event, key=lambda e: e["seq"])
    return newest


def wait_all_final(pipeline, simulator):
    def left():
        pipeline.check_alive()
        events = last_events(pipeline)
        return [e for e in events.values() if not e["final"]] if len(events) == CALLS else ["some unknown"]

    wait_until(lambda: not left(), lambda: f"every call to end; {left()[:3]} {simulator.stats()}", timeout=90)


def test_what_each_provider_did_is_what_became_of_its_calls(pipeline, simulator):
    wanted = [pipeline.new_request(channel=list(SENDERS)[n % 3], campaign="three") for n in range(CALLS)]
    pipeline.send_all(wanted)
    wait_all_final(pipeline, simulator)
    placed = {tuple(p["attempt_ref"].split("/")): p for p in placements(simulator)}
    ended = last_events(pipeline)
    wrong = []
    for request in wanted:
        placement = placed[request["tenant"], request["call_id"], "1"]
        event = ended[request["tenant"], request["call_id"]]
        assert placement["provider"] == request["channel"] and placement["from"] == SENDERS[request["channel"]]
        if event["status"] != STATUSES[placement["outcome"]] or event["provider_call_id"] != placement["sid"]:
            wrong.append((placement, event))
    assert not wrong, f"{len(wrong)} of {CALLS}, the first: {wrong[0]}"
    stats = simulator.stats()
    assert stats["dialled"] == CALLS and stats["dialled_again_by_attempt"] == 0, stats
    assert stats["refused_requests"] == 0 and stats["callbacks"]["given_up"] == 0, stats
    assert stats["instructions"]["failed"] == 0 and stats["instructions"]["understood"] > 0, stats
    answered = Counter(p["provider"] for p in placed.values() if p["outcome"] == "completed")
    assert len(answered) == 3, answered
    for provider, sender in SENDERS.items():
        assert stats["channels"][f"{provider} {sender}"]["placements"] == CALLS // 3, stats
