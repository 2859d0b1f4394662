"""A call is dialled once, however often its request arrives."""

import json

import pytest


def settled(pipeline):
    """Everything on the requests topic is done: a dial that has not come by now does not come."""
    pipeline.wait_committed("ivr-dispatch", "CALL_REQUESTS")


def test_the_same_request_again_is_a_duplicate(pipeline):
    before = pipeline.worker("dispatch").metrics().value("ivr_requests_total", result="duplicate")
    request = pipeline.request()
    pipeline.wait_status(request, "Pending")
    pipeline.send(request)
    pipeline.send(request)
    settled(pipeline)
    assert pipeline.provider.dials(request["to"]) == 1
    assert [event["type"] for event in pipeline.wait_events(request, 2)] == ["call.accepted", "call.status"]
    assert pipeline.worker("dispatch").metrics().value("ivr_requests_total", result="duplicate") == before + 2
    assert not pipeline.dead_letters(lambda record: request["call_id"].encode() in record.value)


DEFAULTS = {
    "ring_timeout": 40,
    "time_limit": 3600,
    "priority": 5,
    "metadata": {},
    "redial_in_doubt": False,
    "retry": {"max_attempts": 1, "on": ["No_answer", "User_busy", "Subscriber_absent"], "delays": [300, 1800]},
}


@pytest.mark.parametrize("field", [*DEFAULTS, "all"])
def test_a_default_that_is_spelled_out_equals_one_that_is_absent(pipeline, field):
    request = pipeline.request()
    spelled = DEFAULTS if field == "all" else {field: DEFAULTS[field]}
    again = dict(reversed((request | spelled).items()))
    pipeline.send(again)
    settled(pipeline)
    assert not pipeline.dead_letters(lambda record: request["call_id"].encode() in record.value)
    assert pipeline.provider.dials(request["to"]) == 1


def test_times_are_compared_as_instants(pipeline):
    request = pipeline.request(expires_at="2031-05-01T12:00:00Z")
    pipeline.send(request | {"expires_at": "2031-05-01T15:00:00.000+03:00"})
    settled(pipeline)
    assert not pipeline.dead_letters(lambda record: request["call_id"].encode() in record.value)


def test_a_field_that_we_do_not_know_makes_no_conflict(pipeline):
    request = pipeline.request()
    pipeline.send(request | {"colour": "green"})
    settled(pipeline)
    assert not pipeline.dead_letters(lambda record: request["call_id"].encode() in record.value)
    assert pipeline.provider.dials(request["to"]) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"to": "+254700999888"},
        {"campaign": "another"},
        {"message": {"say": "Something else.", "language": "en-GB"}},
        {"ring_timeout": 41},
        {"channel": "main"},
        {"metadata": {"a": 1}},
        {"priority": 4},
        {"expires_at": "2031-05-01T12:00:00Z"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_the_same_call_id_with_other_content_is_a_conflict(pipeline, change):
    request = pipeline.request()
    pipeline.wait_status(request, "Pending")
    other = request | change
    pipeline.send(other)
    letter = pipeline.wait_dead_letter(lambda record: record.value == json.dumps(other).encode(), "the conflict")
    assert letter.headers["ivr-reason"] == "conflict"
    assert letter.key.decode() == request["call_id"]
    assert pipeline.provider.dials(request["to"]) == 1
    assert pipeline.provider.dials("+254700999888") == 0
    assert pipeline.call(request)["campaign"] == request["campaign"]


def test_a_call_id_belongs_to_its_tenant(pipeline):
    first = pipeline.request(tenant="acme")
    second = pipeline.request(tenant="umbrella", call_id=first["call_id"])
    pipeline.placed(first)
    pipeline.placed(second)
    assert pipeline.wait_status(second, "Pending")["to"] != pipeline.wait_status(first, "Pending")["to"]


def test_copies_that_arrive_at_once_at_two_replicas_are_dialled_once(make_pipeline):
    pipeline = make_pipeline(start=("dispatch", "dispatch", "gateway"))
    requests = [pipeline.new_request() for _ in range(25)]
    for request in requests:
        for partition in range(pipeline.partitions):
            pipeline.produce("CALL_REQUESTS", request, key=f"other-{partition}", partition=partition)
    for request in requests:
        pipeline.wait_status(request, "Pending")
    settled(pipeline)
    assert [pipeline.provider.dials(request["to"]) for request in requests] == [1] * len(requests)
    assert not pipeline.dead_letters()


def test_a_redelivered_request_is_not_dialled_again(make_pipeline):
    """A group that forgot its offsets reads the whole topic once more."""
    pipeline = make_pipeline(start=("dispatch", "gateway"))
    requests = [pipeline.request() for _ in range(20)]
    for request in requests:
        pipeline.wait_status(request, "Pending")
    pipeline.wait_committed("ivr-dispatch", "CALL_REQUESTS")
    pipeline.worker("dispatch").term()
    pipeline.start("dispatch", IVR_GROUP_ID=f"{pipeline.name}.again")
    pipeline.wait_committed("again", "CALL_REQUESTS")
    assert [pipeline.provider.dials(request["to"]) for request in requests] == [1] * len(requests)
    assert pipeline.worker("dispatch").metrics().value("ivr_requests_total", result="duplicate") == len(requests)
