"""What others wrote is shown as text: it moves no cursor, begins no line, hides nothing and speaks in nobody's name.

Everything that a producer can put into a record is full of escape sequences, line breaks, C1 controls and what
reorders text; the printers are ivrctl (text and JSON), both formats of the log, and what dead letters say of themselves.
"""

import json
import re
import uuid

import pytest
from confluent_kafka import Producer
from harness.worker import Worker

# ESC [2J, BEL, DEL, CSI as one character of C1, a line break with a line of its own, separators, bidi override, isolate.
EVIL = "\x1b[2J\x07\x7f\u009b2J\r\nforged: all is well\u2028\u2029\u202e\u2066"
OBEYED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
FORGED = {
    "ivr-reason": b"nothing-is-wrong",
    "IVR-Reason": b"nothing-is-wrong",
    "ivr-detail": b"nothing-is-wrong",
    "ivr-source-topic": b"nowhere",
    "ivr-source-partition": b"99",
    "ivr-source-offset": b"99",
    "ivr-source-time": b"1999-01-01T00:00:00.000Z",
    "ivr-failed-at": b"1999-01-01T00:00:00.000Z",
    "Ivr-Worker": b"nobody",
    "ivr-value-omitted": b"99",
}
ORIGINAL = {"x-mine": b"kept", "ivr-first-at": b"1"}
BAD = {
    "tenant": {"tenant": f"acme{EVIL}"},
    "call_id": {"call_id": f"c{EVIL}"},
    "campaign": {"campaign": EVIL},
    "to": {"to": f"+254{EVIL}"},
    "channel": {"channel": f"main{EVIL}"},
    "message.language": {"message": {"say": "Hi", "language": f"en{EVIL}"}},
    "message.play": {"message": {"play": f"https://media.example/{EVIL}"}},
    "not_before": {"not_before": EVIL},
    "calling_hours.timezone": {"calling_hours": {"timezone": EVIL, "from": "08:00", "to": "19:00"}},
}


def assert_shown(text, lines=None):
    """As a terminal has it that takes C1 only as UTF-8."""
    assert not OBEYED.search(text), repr(text)
    assert not any(line.startswith("forged") for line in text.splitlines()), repr(text)
    if lines is not None:
        assert text.count("\n") == lines, repr(text)


@pytest.fixture(scope="module")
def letters(pipeline):
    """{field: dead letter} of requests that are wrong in one field, under a key and headers of the same kind."""
    headers = list((FORGED | ORIGINAL).items())
    for field, changes in BAD.items():
        pipeline.produce("CALL_REQUESTS", pipeline.new_request(**changes), key=f"{field}{EVIL}", headers=headers)
    pipeline.produce("CALL_REQUESTS", b"no JSON " + EVIL.encode() + b"\x9b2J", key=f"json{EVIL}", headers=headers)
    found = pipeline.tap.wait(
        pipeline.topics["DEAD_LETTERS"], lambda record: EVIL.encode() in record.key, "all", count=len(BAD) + 1
    )
    return {record.key.decode().removesuffix(EVIL): record for record in found}


@pytest.mark.parametrize("field", [*BAD, "json"])
def test_a_dead_letter_s_words_are_cleaned_and_the_rest_is_untouched(letters, field):
    letter = letters[field]
    assert_shown(letter.headers["ivr-detail"], lines=0)
    assert letter.headers["ivr-reason"] in ("invalid_request", "invalid_json", "unknown_channel")
    assert EVIL.encode() in letter.value or json.dumps(EVIL)[1:-1].encode() in letter.value


def test_headers_of_the_original_do_not_speak_in_our_name(pipeline, letters):
    """Not under any case, for who reads the first of a name and who reads the last."""
    for letter in letters.values():
        pairs = [(name.lower(), value) for name, value in letter.header_pairs]
        for name, forged in FORGED.items():
            found = [value for other, value in pairs if other == name.lower()]
            assert forged not in found and len(found) <= 1, f"{name}: {found}"
        assert dict(pairs)["ivr-source-topic"].decode() == pipeline.topics["CALL_REQUESTS"]
        for name, value in ORIGINAL.items():
            assert (name, value) in pairs


def test_dead_letters_are_listed_a_line_each(pipeline, letters):
    shown = pipeline.cli("dead-letters", "list")
    assert shown.code == 0
    assert_shown(shown.out, lines=len(letters))
    shown = pipeline.cli("tail", "dead-letters", "--from-beginning", "-n", str(len(letters)))
    assert_shown(shown.out, lines=len(letters))


def test_dead_letters_as_json_are_the_same_text_with_escapes(pipeline, letters):
    shown = pipeline.cli("dead-letters", "list", "--json")
    assert_shown(shown.out, lines=len(letters))
    listed = {line["key"]: line for line in map(json.loads, shown.out.splitlines())}
    assert set(listed) == {letter.key.decode() for letter in letters.values()}
    assert listed["json" + EVIL]["value"] == "no JSON " + EVIL + "\ufffd2J"


def test_no_filter_is_fooled_by_a_forged_reason(pipeline, letters):
    assert pipeline.cli("dead-letters", "list", "--reason", "nothing-is-wrong").out == ""
    assert pipeline.cli("dead-letters", "list", "--reason", "invalid_json").out.count("\n") == 1


@pytest.fixture(scope="module")
def topic(services):
    """A topic of events that anybody may have written: {text of the record, ...}."""
    name = "t" + uuid.uuid4().hex[:8] + ".forged"
    services.broker.create_topics({name: 1})
    return name


def test_records_that_others_wrote_are_shown_a_line_each(pipeline, topic):
    event = {
        "v": 1, "id": f"acme/c{EVIL}", "type": f"call.{EVIL}", "status": EVIL, "hop": EVIL, "to": EVIL, "attempt": 1,
        "reason": {"code": EVIL, "detail": EVIL}, "recorded_at": EVIL, "next_attempt_at": EVIL, EVIL: EVIL,
    }  # fmt: skip
    summary = {"kind": "campaign", "as_of": EVIL, "by_status": {EVIL: 3}, "dropped": {EVIL: 1}, "complete": True}
    values = [
        json.dumps(event, ensure_ascii=False).encode(),
        json.dumps(event).encode(),
        json.dumps(summary, ensure_ascii=False, indent=2).replace("\n", "\r\n").encode(),
        EVIL.encode() + b"\x9b2J",
    ]
    producer = Producer({"bootstrap.servers": pipeline.services.broker.bootstrap})
    for value in values:
        producer.produce(topic, value, key=f"campaign:acme/x{EVIL}")
    assert producer.flush(15) == 0
    env = {"IVR_TOPIC_CALL_EVENTS": topic}
    for what, env in (("events", env), ("summaries", {"IVR_TOPIC_DELIVERY_SUMMARIES": topic})):
        options = ("tail", what, "--from-beginning", "-n", str(len(values)))
        shown = pipeline.cli(*options, env=env)
        assert shown.code == 0, shown
        assert_shown(shown.out, lines=len(values))
        shown = pipeline.cli(*options, "--json", env=env)
        assert_shown(shown.out, lines=len(values))
        read = [json.loads(line) for line in shown.out.splitlines()]
        assert read[:3] == [event, event, summary] and read[3]["unreadable"] == EVIL + "\ufffd2J"


def test_what_a_person_typed_comes_back_on_one_line(pipeline, tmp_path):
    typed = EVIL.replace("\0", "")
    for args in (
        ("call", typed), ("campaign", f"acme/{typed}"), ("pause", "campaign", f"acme/{typed}"), ("tail", typed),
        ("tail", "--campaign", typed), (typed,), ("call", "acme/x", typed), (f"--{typed}",), ("call", f"--{typed}"),
        ("tail", "-n", typed), ("dnc", "add", "acme", typed), ("dnc", "add", typed, "+254722000111"),
        ("request", typed), ("request", "-", "--format", typed),
    ):  # fmt: skip
        said = pipeline.cli(*args, stdin="")
        assert said.code in (1, 2) and said.out == ""
        assert_shown(said.err)
        assert all(line.startswith(("ivrctl: ", "stdin:")) for line in said.err.splitlines()), said
    table = tmp_path / "contacts.csv"
    for content in (f'to,"x{typed}"\n', f'to,campaign\n+254722000111,"c{typed}"\n', f'to,"metadata.{typed}","metadata.{typed}"\n'):
        table.write_text(content, encoding="utf-8")
        said = pipeline.cli("request", str(table), "--tenant", "acme", "--say", "Hi", "--campaign", "c")
        assert said.code == 1
        assert_shown(said.err)


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_both_formats_of_the_log_are_cleaned(make_pipeline, tmp_path, log_format):
    pipeline = make_pipeline(start=False)
    env = pipeline.worker_env("ivr-dispatch", {"IVR_LOG_FORMAT": log_format})
    dispatch = Worker("ivr-dispatch", tmp_path, env)  # not among the pipeline's, whose logs have to be JSON
    try:
        pipeline.send(pipeline.new_request(tenant=f"acme{EVIL}"))
        pipeline.send(pipeline.new_request(**{f"field{EVIL}": 1}))
        dispatch.wait_log(lambda entry: "unknown field" in str(entry), "the unknown field")
        dispatch.wait_log(lambda entry: "dead letter" in str(entry), "the dead letter")
    finally:
        dispatch.term()
    assert_shown(dispatch.stderr())
    line = next(line for line in dispatch.stderr().splitlines() if "unknown field" in line)
    if log_format == "json":
        assert json.loads(line)["field"] == "field" + EVIL
    assert r"field\u001b[2J\u0007\u007f\u009b2J\r\nforged: all is well\u2028\u2029\u202e\u2066" in line
