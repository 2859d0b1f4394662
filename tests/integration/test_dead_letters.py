"""A request that does not fit becomes a dead letter with a sentence; it is never dialled, and the next is processed."""

import json
import re
import time

import pytest
from confluent_kafka import Producer


def body(**changes):
    """A good request with these changes, as bytes; a field set to None is left out."""
    request = {
        "call_id": "bad-1",
        "tenant": "acme",
        "campaign": "bad",
        "to": "+254733000111",
        "message": {"say": "Hello."},
    } | changes
    return json.dumps({name: value for name, value in request.items() if value is not None}).encode()


GOOD = body()

# what stands on the topic, the reason, and the field that the sentence must name
BAD = {
    "nothing at all": (b"", "invalid_json", ""),
    "no JSON": (b"call me maybe", "invalid_json", ""),
    "truncated": (GOOD[:-10], "invalid_json", ""),
    "truncated in a string": (GOOD[: GOOD.index(b"Hello") + 2], "invalid_json", ""),
    "something behind it": (GOOD + b"}", "invalid_json", ""),
    "two documents": (GOOD + GOOD, "invalid_json", ""),
    "deeply nested": (b"[" * 60000, "invalid_json", ""),
    "deeply nested and closed": (b'{"call_id":' * 5000 + b"1" + b"}" * 5000, "invalid_request", "call_id"),
    "not UTF-8": (GOOD.replace(b"Hello", b"Hell\xff\xfe"), "invalid_json", ""),
    "half a UTF-8 character": (GOOD.replace(b"Hello", b"Hell\xc3"), "invalid_json", ""),
    "a NUL byte": (GOOD.replace(b"Hello", b"Hel\0lo"), "invalid_json", ""),
    "a NUL byte at the end": (GOOD + b"\0", "invalid_json", ""),
    "a NUL byte as the whole": (b"\0", "invalid_json", ""),
    "an escaped NUL": (GOOD.replace(b"Hello", b"Hel\\u0000lo"), "", ""),
    "an escaped NUL in the call_id": (GOOD.replace(b"bad-1", b"bad\\u00001"), "", ""),
    "half a surrogate": (GOOD.replace(b"Hello", b"\\ud800"), "", ""),
    "an array": (b"[" + GOOD + b"]", "invalid_request", ""),
    "a number": (b"17", "", ""),
    "null": (b"null", "", ""),
    "an empty object": (b"{}", "invalid_request", "call_id"),
    "huge": (body(metadata={"x": "y" * 900_000}), "invalid_request", ""),
    "call_id missing": (body(call_id=None), "invalid_request", "call_id"),
    "call_id empty": (body(call_id=""), "invalid_request", "call_id"),
    "call_id too long": (body(call_id="x" * 65), "invalid_request", "call_id"),
    "call_id with a slash": (body(call_id="a/b"), "invalid_request", "call_id"),
    "call_id with a newline": (body(call_id="a\n"), "invalid_request", "call_id"),
    "call_id a dot": (body(call_id="."), "invalid_request", "call_id"),
    "call_id two dots": (body(call_id=".."), "invalid_request", "call_id"),
    "call_id a number": (body(call_id=17), "invalid_request", "call_id"),
    "tenant missing": (body(tenant=None), "invalid_request", "tenant"),
    "tenant two dots": (body(tenant=".."), "invalid_request", "tenant"),
    "tenant with a colon": (body(tenant="a:b"), "invalid_request", "tenant"),
    "campaign missing": (body(campaign=None), "invalid_request", "campaign"),
    "campaign too long": (body(campaign="c" * 129), "invalid_request", "campaign"),
    "to missing": (body(to=None), "invalid_request", "to"),
    "to a number": (body(to=254733000111), "invalid_request", "to"),
    "to without plus": (body(to="254733000111"), "invalid_request", "to"),
    "to national": (body(to="0733000111"), "invalid_request", "to"),
    "to with spaces": (body(to="+254 733 000 111"), "invalid_request", "to"),
    "to with letters": (body(to="+254733OOO111"), "invalid_request", "to"),
    "to too long": (body(to="+2547330001112223"), "invalid_request", "to"),
    "to too short": (body(to="+254"), "invalid_request", "to"),
    "to starting with zero": (body(to="+0733000111"), "invalid_request", "to"),
    "to of Arabic digits": (body(to="+٢٥٤٧٣٣٠٠٠١١١"), "invalid_request", "to"),
    "from wrong": (body(**{"from": "SHOP"}), "invalid_request", "from"),
    "channel a number": (body(channel=1), "invalid_request", "channel"),
    "message missing": (body(message=None), "invalid_request", "message"),
    "message empty": (body(message={}), "invalid_request", "message"),
    "message a string": (body(message="Hello"), "invalid_request", "message"),
    "message of two kinds": (body(message={"say": "x", "play": "https://x.test/a.mp3"}), "invalid_request", "message"),
    "play is no URL": (body(message={"play": "prompt.mp3"}), "invalid_request", "message.play"),
    "play is a file": (body(message={"play": "file:///etc/passwd"}), "invalid_request", "message.play"),
    "say empty": (body(message={"say": ""}), "invalid_request", "message.say"),
    "ring_timeout a string": (body(ring_timeout="40"), "invalid_request", "ring_timeout"),
    "ring_timeout negative": (body(ring_timeout=-1), "invalid_request", "ring_timeout"),
    "ring_timeout enormous": (body(ring_timeout=10**30), "", ""),
    "ring_timeout a fraction": (body(ring_timeout=40.5), "invalid_request", "ring_timeout"),
    "time_limit a string": (body(time_limit="60"), "invalid_request", "time_limit"),
    "time_limit zero": (body(time_limit=0), "invalid_request", "time_limit"),
    "not_before no time": (body(not_before="tomorrow"), "invalid_request", "not_before"),
    "not_before a number": (body(not_before=1764000000), "invalid_request", "not_before"),
    "not_before the 30th of February": (body(not_before="2027-02-30T00:00:00Z"), "invalid_request", "not_before"),
    "expires_at without zone": (body(expires_at="2031-05-01T12:00:00"), "invalid_request", "expires_at"),
    "calling_hours without zone": (
        body(calling_hours={"from": "08:00", "to": "19:00"}),
        "invalid_request",
        "calling_hours",
    ),
    "calling_hours at 25:00": (
        body(calling_hours={"timezone": "Africa/Nairobi", "from": "25:00", "to": "19:00"}),
        "invalid_request",
        "calling_hours.from",
    ),
    "calling_hours on a day of its own": (
        body(calling_hours={"timezone": "Africa/Nairobi", "from": "08:00", "to": "19:00", "days": ["someday"]}),
        "invalid_request",
        "calling_hours.days",
    ),
    "calling_hours of nowhere": (
        body(calling_hours={"timezone": "Africa/Nairobbi", "from": "08:00", "to": "19:00"}),
        "invalid_request",
        "calling_hours.timezone",
    ),
    "calling_hours of no length": (
        body(calling_hours={"timezone": "Africa/Nairobi", "from": "08:00", "to": "08:00"}),
        "invalid_request",
        "calling_hours.to",
    ),
    "calling_hours that open when it has expired": (
        body(
            calling_hours={"timezone": "UTC", "from": "08:00", "to": "19:00"},
            not_before="2031-05-01T19:00:00Z",
            expires_at="2031-05-02T08:00:00Z",
        ),
        "invalid_request",
        "not_before and expires_at",
    ),
    "expires_at before not_before": (
        body(not_before="2031-05-01T19:00:00Z", expires_at="2031-05-01T19:00:00+03:00"),
        "invalid_request",
        "expires_at",
    ),
    "retry a number": (body(retry=3), "invalid_request", "retry"),
    "retry.max_attempts a string": (body(retry={"max_attempts": "3"}), "invalid_request", "retry.max_attempts"),
    "retry.max_attempts zero": (body(retry={"max_attempts": 0}), "invalid_request", "retry.max_attempts"),
    "retry.on an unknown status": (body(retry={"on": ["Sad"]}), "invalid_request", "retry.on"),
    "retry.delays negative": (body(retry={"delays": [-5]}), "invalid_request", "retry.delays"),
    "redial_in_doubt a string": (body(redial_in_doubt="no"), "invalid_request", "redial_in_doubt"),
    "priority ten": (body(priority=10), "invalid_request", "priority"),
    "priority a string": (body(priority="5"), "invalid_request", "priority"),
    "priority a boolean": (body(priority=True), "invalid_request", "priority"),
    "metadata a list": (body(metadata=[1]), "invalid_request", "metadata"),
    "metadata too big": (body(metadata={"x": "y" * 2048}), "invalid_request", "metadata"),
    "channel unknown": (body(channel="carrier-pigeon"), "unknown_channel", "carrier-pigeon"),
}


@pytest.fixture(scope="module")
def letters(pipeline):
    """Every bad record, all in one partition, then a good request: {name: dead letter}, and the good one's call."""
    for name, (value, _, _) in BAD.items():
        pipeline.produce("CALL_REQUESTS", value, key=name, partition=0)
    after = pipeline.new_request()
    pipeline.produce("CALL_REQUESTS", after, key=after["call_id"], partition=0)
    found = pipeline.tap.wait(
        pipeline.topics["DEAD_LETTERS"],
        lambda r: r.key.decode() in BAD,
        "every bad request",
        count=len(BAD),
        timeout=30,
    )
    return {record.key.decode(): record for record in found}, after


@pytest.mark.parametrize("name", BAD)
def test_a_bad_request_is_a_dead_letter(letters, name):
    value, reason, field = BAD[name]
    letter = letters[0][name]
    headers = letter.headers
    assert letter.value == value
    assert headers["ivr-reason"] in ([reason] if reason else ["invalid_json", "invalid_request"])
    assert field in headers["ivr-detail"], f"the sentence does not name {field}: {headers['ivr-detail']}"
    assert 10 < len(headers["ivr-detail"]) < 2000
    assert "254733000111" not in headers["ivr-detail"] and "0733000111" not in headers["ivr-detail"]


def test_the_next_request_is_processed(pipeline, letters):
    pipeline.placed(letters[1])
    pipeline.wait_status(letters[1], "Pending")


def test_each_bad_record_is_one_dead_letter_and_none_is_dialled(pipeline, letters):
    pipeline.wait_committed("ivr-dispatch", "CALL_REQUESTS")
    assert len(pipeline.dead_letters(lambda record: record.key.decode() in BAD)) == len(BAD)
    assert not [p for p in pipeline.provider.placements() if p.to != letters[1]["to"]]


def test_a_dead_letter_says_where_it_came_from(pipeline, letters):
    names = list(BAD)
    for name, letter in letters[0].items():
        assert letter.headers["ivr-source-topic"] == pipeline.topics["CALL_REQUESTS"]
        assert letter.headers["ivr-source-partition"] == "0"
        assert int(letter.headers["ivr-source-offset"]) == names.index(name)
        assert re.match(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$", letter.headers["ivr-failed-at"])
        assert "ivr-dispatch" in letter.headers["ivr-worker"]


def test_dead_letters_are_counted_by_reason(pipeline, letters):
    metrics = pipeline.worker("dispatch").metrics()
    counted = {
        reason: metrics.value("ivr_dead_letters_total", reason=reason)
        for reason in ("invalid_json", "unknown_channel")
    }
    seen = [letter.headers["ivr-reason"] for letter in letters[0].values()]
    assert counted == {reason: seen.count(reason) for reason in counted}


def test_a_record_without_key_or_value_is_a_dead_letter_too(pipeline):
    pipeline.produce("CALL_REQUESTS", None, key="a tombstone")
    letter = pipeline.wait_dead_letter(lambda record: record.key == b"a tombstone")
    assert not letter.value
    pipeline.produce("CALL_REQUESTS", b"no key here", key=None)
    letter = pipeline.wait_dead_letter(lambda record: record.value == b"no key here")
    assert not letter.key


def test_a_record_older_than_the_retention_is_never_dialled(pipeline):
    old = pipeline.new_request()
    pipeline.send(old, timestamp=int((time.time() - 8 * 86400) * 1000))
    letter = pipeline.wait_dead_letter(lambda record: old["call_id"].encode() in (record.value or b""))
    assert letter.headers["ivr-reason"] == "too_old"
    assert letter.value == json.dumps(old).encode()
    assert pipeline.provider.dials(old["to"]) == 0


def test_an_old_copy_of_a_known_call_is_a_duplicate(pipeline):
    request = pipeline.request()
    pipeline.wait_status(request, "Pending")
    pipeline.send(request, timestamp=int((time.time() - 8 * 86400) * 1000))
    pipeline.wait_committed("ivr-dispatch", "CALL_REQUESTS")
    assert not pipeline.dead_letters(lambda record: request["call_id"].encode() in (record.value or b""))
    assert pipeline.provider.dials(request["to"]) == 1


def test_an_unknown_field_is_kept_out_and_warned_of_once(pipeline):
    first = pipeline.request(colour_of_the_phone="green")
    second = pipeline.request(colour_of_the_phone="red")
    pipeline.wait_status(first, "Pending")
    pipeline.wait_status(second, "Pending")
    lines = [line for line in pipeline.worker("dispatch").log() if "colour_of_the_phone" in json.dumps(line)]
    assert len(lines) == 1 and lines[0]["level"] == "warn"


def test_a_record_with_many_headers_is_a_dead_letter_too(pipeline):
    headers = [(f"x-{n}", b"y") for n in range(40)]
    pipeline.produce("CALL_REQUESTS", b"no JSON either", key="headers", headers=headers)
    letter = pipeline.wait_dead_letter(lambda record: record.key == b"headers")
    assert letter.value == b"no JSON either" and letter.headers["ivr-reason"] == "invalid_json"
    assert letter.headers["x-0"] == "y"


@pytest.mark.parametrize("size", [1_020_000, 1_048_400], ids=["nearly", "just"])
def test_a_record_as_large_as_the_broker_takes_holds_nothing_up(pipeline, size):
    producer = Producer({"bootstrap.servers": pipeline.services.broker.bootstrap, "message.max.bytes": 2_000_000})
    key = f"large-{size}"
    producer.produce(pipeline.topics["CALL_REQUESTS"], b"x" * size, key=key)
    assert producer.flush(15) == 0
    letter = pipeline.wait_dead_letter(lambda record: record.key == key.encode())
    assert letter.headers["ivr-reason"] == "invalid_request" and letter.headers["ivr-source-offset"]
    if letter.value is None:
        assert letter.headers["ivr-value-omitted"] == str(size), "too large with its headers: where it came from stays"
    else:
        assert letter.value == b"x" * size
    pipeline.wait_committed("ivr-dispatch", "CALL_REQUESTS")
