"""Who may report on one channel changes nothing of another: not at its path, by its token, or with our reference.

Every provider has a call of its own here. Where a channel verifies nothing (which loopback allows), what another
provider says there is a dead letter.
"""

import itertools

import pytest
from harness import africastalking, vonage

PROVIDERS = ("twilio", "africastalking", "vonage")
CHANNELS = {name: {"provider": name} for name in PROVIDERS} | {
    "at-other": {"provider": "africastalking", "from": "+254711082901", "callback_secret": "the-other-number-s"},
    "at-open": {"provider": "africastalking", "from": "+254711082902", "callback_secret": None},
    "vonage-open": {"provider": "vonage", "callback_secret": None},
}
ENV = {"IVR_UNKNOWN_CALLBACK_KEEP": "3s"}
BUSY = {
    "twilio": ("busy", {}),
    "africastalking": ("NotAnswered", {"status": "NotAnswered", "hangupCause": "USER_BUSY"}),
    "vonage": ("busy", {}),
}
OPEN = {"africastalking": "at-open", "vonage": "vonage-open"}

_marks = itertools.count(1)


@pytest.fixture(scope="module")
def calls(pipeline):
    """{channel: (request, placement)} of calls that are Pending, and stay so."""
    asked = {channel: pipeline.request(channel=channel) for channel in CHANNELS}
    for request in asked.values():
        pipeline.wait_status(request, "Pending")
    return {channel: (request, pipeline.placed(request)) for channel, request in asked.items()}


def busy(placement, **fields):
    """(mark, body) of a report; the mark finds it on any topic."""
    mark = f"foreign{next(_marks):06d}"
    word, said = BUSY[placement.language.NAME]
    return mark, placement.language.callback(placement, word, **(said | fields | {"Mark": mark}))


def records_of(pipeline, mark):
    return pipeline.callback_records(lambda record: mark.encode() in record.value)


def assert_nothing_changed(pipeline, calls):
    """Behind a call of which everything is read by now."""
    marker = pipeline.request(channel="twilio")
    pipeline.report(marker, "completed")
    pipeline.wait_final(marker, "Completed")
    pipeline.wait_committed("ivr-status", "CALLBACKS")
    for channel, (request, _) in calls.items():
        call = pipeline.call(request)
        assert call["status"] == "Pending" and len(call["attempts"][0]["hops"]) == 1, f"{channel}: {call}"


PAIRS = list(itertools.permutations(PROVIDERS, 2))


@pytest.mark.parametrize("mine, other", PAIRS)
def test_a_report_at_another_provider_s_path_is_refused(pipeline, calls, mine, other):
    """With a signature or token that is right for its own channel, at every path that names the other provider."""
    placement = calls[mine][1]
    request = calls[other][0]
    tail = f"{request['tenant']}/{request['call_id']}/1"
    wanted = {
        f"callbacks/{other}/{mine}": 404,
        f"callbacks/{other}/{mine}/{tail}": 404,
        f"callbacks/{mine}/{other}": 404,
        f"callbacks/{mine}/{other}/{tail}": 404,
        f"callbacks/{other}/{other}": 403,
        f"callbacks/{other}/{other}/{tail}": 403,
        f"answer/{other}/{other}/{tail}": 403,
    }
    got, marks = {}, []
    for path in wanted:
        mark, body = busy(placement)
        secret = africastalking.SECRET if mine == "africastalking" else None
        sent = placement.language.delivery(f"{pipeline.public_url}/{path}", body, secret)
        got[path] = pipeline.provider.deliver(*sent).status_code
        marks.append(mark)
    assert got == wanted
    assert_nothing_changed(pipeline, calls)
    assert not [record for mark in marks for record in records_of(pipeline, mark)], "refused, and yet on the topic"


@pytest.mark.parametrize("mine, other", [pair for pair in PAIRS if pair[1] in OPEN])
def test_a_report_on_another_provider_s_open_channel_is_a_dead_letter(pipeline, calls, mine, other):
    placement, channel = calls[mine][1], OPEN[other]
    marks = []
    for url in (pipeline.short_url(channel), pipeline.attempt_url(calls[channel][0], channel=channel)):
        mark, body = busy(placement)
        method, _, headers, payload = placement.language.delivery(url, body)
        response = pipeline.provider.deliver(method, url, headers, payload)
        assert response.status_code // 100 == 2
        marks.append(mark)
    for mark in marks:
        letter = pipeline.wait_dead_letter(lambda record, mark=mark: mark.encode() in record.value, mark, timeout=20)
        assert letter.headers["ivr-reason"] in ("unparseable_callback", "unknown_call")
    assert_nothing_changed(pipeline, calls)


def foreign_references(calls):
    """{what it is: (channel it is posted on, its token, fields)}: none names a call that this channel placed."""
    mine = calls["africastalking"][0]["call_id"]
    other = {
        f"the reference of {victim}": {"clientRequestId": f"acme/{calls[victim][0]['call_id']}/1"}
        for victim in ("africastalking", "twilio", "vonage", "at-open")
    }
    other["the session of another channel"] = {"clientRequestId": None, "sessionId": calls["africastalking"][1].sid}
    named = {
        "another tenant's": f"globex/{mine}/1",
        "an attempt that never was": f"acme/{mine}/7",
        "without an attempt": f"acme/{mine}",
        "without a tenant": mine,
        "empty": "//1",
    }
    cases = {what: ("at-other", "the-other-number-s", fields) for what, fields in other.items()}
    for what, reference in named.items():
        cases[what] = ("africastalking", africastalking.SECRET, {"clientRequestId": reference, "sessionId": None})
    return cases


def test_a_reference_to_a_call_that_the_channel_did_not_place_is_not_believed(pipeline, calls):
    """Africa's Talking echoes our reference, and whoever knows a channel's token can echo any."""
    marks = {}
    for what, (channel, token, fields) in foreign_references(calls).items():
        marks[what], body = busy(calls[channel][1], **fields)
        sent = africastalking.delivery(pipeline.short_url(channel), body, token)
        assert pipeline.provider.deliver(*sent).status_code // 100 == 2, what
    for what, mark in marks.items():
        letter = pipeline.wait_dead_letter(lambda record, mark=mark: mark.encode() in record.value, what, timeout=20)
        assert letter.headers["ivr-reason"] in ("unknown_call", "unparseable_callback"), what
    assert_nothing_changed(pipeline, calls)


@pytest.mark.parametrize("victim", ["africastalking", "twilio"])
def test_another_channel_s_call_is_not_told_to_who_asks(pipeline, calls, victim):
    fields = {"clientRequestId": f"acme/{calls[victim][0]['call_id']}/1"}
    if victim == "africastalking":
        fields["sessionId"] = calls[victim][1].sid
    body = africastalking.callback(calls["at-other"][1], "Answered", **fields)
    sent = africastalking.delivery(pipeline.short_url("at-other"), body, "the-other-number-s")
    asked = pipeline.provider.deliver(*sent)
    assert asked.status_code == 200 and asked.text.endswith("<Response/>")
    assert_nothing_changed(pipeline, calls)


def test_a_vonage_event_is_read_only_with_its_own_secret(pipeline, calls):
    """Two channels of one provider: the other's signature is somebody else's."""
    request, placement = calls["vonage"]
    url = pipeline.attempt_url(request, channel="vonage")
    mark, body = busy(placement)
    assert pipeline.provider.deliver(*vonage.delivery(url, body, "another-account-s-secret-of-32-b")).status_code == 403
    assert_nothing_changed(pipeline, calls)
    assert not records_of(pipeline, mark)
