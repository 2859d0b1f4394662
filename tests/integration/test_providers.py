"""What every provider's calls have in common: the seven statuses, early and shuffled callbacks, refusals and doubt."""

import random
import threading

import pytest
from harness import africastalking, twilio
from harness.provider import LANGUAGES, accept, after, answer, close, hold, limit, refuse_number, reset
from harness.wait import wait_until

PROVIDERS = ("twilio", "africastalking", "vonage")
CHANNELS = {name: {"provider": name} for name in PROVIDERS} | {
    "short-" + name: {"provider": name, "request_timeout": "1s", "from": f"+2547110830{number:02d}"}
    for number, name in enumerate(PROVIDERS)
}

each_provider = pytest.mark.parametrize("provider", PROVIDERS)

AT_TIME = "2026-11-22T18:51:00.000Z"
AT_ENDED = {"status": "NotAnswered", "durationInSeconds": "0", "amount": "0", "currencyCode": "KES"}
AT_TALKED = {
    "status": "Success", "hangupCause": "NORMAL_CLEARING", "callStartTime": africastalking.STARTED,
    "durationInSeconds": "34", "amount": "1.5", "currencyCode": "KES",
}  # fmt: skip


def at(cause):
    """Africa's Talking's closing report of a call that was not answered."""
    return [("Ringing", {}), ("NotAnswered", AT_ENDED | {"hangupCause": cause})]


def tw(word, **fields):
    return [("initiated", {}), ("ringing", {}), (word, fields)]


def vo(word, **fields):
    return [("started", {}), ("ringing", {}), (word, fields)]


# Which words make which status, and the reason's code that they leave. Of the seven, every provider can say all five
# that reports can make; Pending is its silence, Gateway_unavailable the lack of an answer to the placement.
# (Twilio has no word for an absent subscriber: the SIP code says so.)
REPORTED = [
    ("twilio", "Completed", tw("completed", CallDuration=7), None),
    ("twilio", "No_answer", tw("no-answer"), "no-answer"),
    ("twilio", "User_busy", tw("busy"), "busy"),
    ("twilio", "Subscriber_absent", tw("no-answer", SipResponseCode=480), "480"),
    ("twilio", "Failed_unknown_reason", tw("failed", SipResponseCode=404), "404"),
    ("africastalking", "Completed", [("Ringing", {}), ("Completed", AT_TALKED)], None),
    ("africastalking", "No_answer", at("NO_ANSWER"), "NO_ANSWER"),
    ("africastalking", "No_answer", at("NORMAL_CLEARING"), "NORMAL_CLEARING"),
    ("africastalking", "User_busy", at("USER_BUSY"), "USER_BUSY"),
    ("africastalking", "User_busy", at("CALL_REJECTED"), "CALL_REJECTED"),
    ("africastalking", "Subscriber_absent", at("SUBSCRIBER_ABSENT"), "SUBSCRIBER_ABSENT"),
    ("africastalking", "Failed_unknown_reason", at("UNALLOCATED_NUMBER"), "UNALLOCATED_NUMBER"),
    ("africastalking", "Failed_unknown_reason", at("TELEPORTED"), "TELEPORTED"),
    ("vonage", "Completed", vo("completed", duration="7", start_time=AT_TIME), None),
    ("vonage", "No_answer", vo("timeout"), "timeout"),
    ("vonage", "No_answer", vo("unanswered"), "unanswered"),
    ("vonage", "User_busy", vo("busy"), "busy"),
    ("vonage", "User_busy", vo("rejected", detail="declined"), "declined"),
    ("vonage", "Subscriber_absent", vo("unanswered", detail="unavailable"), "unavailable"),
    ("vonage", "Failed_unknown_reason", vo("failed", detail="cannot_route"), "cannot_route"),
    ("vonage", "Failed_unknown_reason", vo("completed", duration="0"), "completed"),
]


def on(provider, pipeline, *replies, prefix="", **fields):
    """A request on this provider's channel, sent; its placements are answered with these replies."""
    request = pipeline.new_request(channel=prefix + provider, **fields)
    if replies:
        pipeline.provider.script(request["to"], *replies)
    return pipeline.send(request)


def tell(pipeline, placement, story, **fields):
    for number, (word, said) in enumerate(story):
        pipeline.provider.report(placement, word, number, **(said | fields))


def hops(call):
    return {hop["hop"] for hop in call["attempts"][0]["hops"]}


# --- keys ------------------------------------------------------------------------------------------------------------

# Twilio's is in test_placements.py; these two are checked by the provider itself.
WRONG_KEYS = {name: {"provider": name, "credentials": of.wrong_key()} for name, of in LANGUAGES.items() if of != twilio}


@pytest.fixture(scope="module")
def mended(make_module_pipeline):
    """A call on each channel with a wrong key, waiting; then the keys are mended. The last test asks what came of it,
    because a call that met a suspended channel is looked at again after half a minute."""
    pipeline = make_module_pipeline(WRONG_KEYS, start=("dispatch", "gateway"))
    asked = {name: on(name, pipeline) for name in WRONG_KEYS}
    dispatch = pipeline.worker("dispatch")
    for name, request in asked.items():
        pipeline.placed(request)
        wait_until(lambda name=name: dispatch.metrics().value("ivr_channel_open", channel=name) == 1, f"{name} to stop")
        pipeline.wait_call(request, lambda call: call["phase"] == "waiting", "the call to wait")
    before = {name: (pipeline.call(request), pipeline.provider.dials(request["to"])) for name, request in asked.items()}
    pipeline.write_channels({name: {"provider": name} for name in WRONG_KEYS})
    pipeline.reload()
    return pipeline, asked, before


@pytest.mark.parametrize("provider", WRONG_KEYS)
def test_a_wrong_key_suspends_the_channel_and_burns_no_call(mended, provider):
    call, dials = mended[2][provider]
    assert not call["final"] and call["drop_reason"] is None and dials == 1, call


# --- the seven -------------------------------------------------------------------------------------------------------


@each_provider
def test_a_call_is_pending_until_the_provider_reports(pipeline, provider):
    request = on(provider, pipeline)
    call = pipeline.wait_status(request, "Pending")
    attempt = call["attempts"][0]
    assert (attempt["provider"], attempt["channel"]) == (provider, provider)
    assert attempt["provider_call_id"] == pipeline.placed(request).sid
    assert hops(call) == {"message_out"} and not call["final"]


@pytest.mark.parametrize(
    "provider, status, story, code", [pytest.param(*row, id=f"{row[0]} {row[2][-1]}") for row in REPORTED]
)
def test_the_provider_s_words_make_the_status(pipeline, provider, status, story, code):
    request = on(provider, pipeline)
    tell(pipeline, pipeline.placed(request), story)
    call = pipeline.wait_final(request, status)
    assert {"message_out", "dialing", "terminate", "session_completed"} <= hops(call)
    assert ("connected" in hops(call)) == (status == "Completed")
    reason = call["attempts"][0]["reason"]
    assert (reason and reason["code"]) == code
    events = pipeline.wait_events(request, call["seq"])
    assert {event["hop"] for event in events} - {None} == hops(call)
    final = next(event for event in events if event["type"] == "call.final")
    assert (final["status"], final["previous_status"], final["provider"]) == (status, "Pending", provider)
    assert final["provider_call_id"] == pipeline.placed(request).sid
    assert (final["reason"] and final["reason"]["code"]) == code


ANSWERED = {
    "twilio": ("in-progress", {}),
    "africastalking": ("Answered", {"callStartTime": africastalking.STARTED}),
    "vonage": ("answered", {"start_time": AT_TIME}),
}


@each_provider
def test_an_answer_completes_the_call_before_it_ends(pipeline, provider):
    request = on(provider, pipeline)
    tell(pipeline, pipeline.placed(request), [ANSWERED[provider]])
    call = pipeline.wait_status(request, "Completed")
    assert hops(call) == {"message_out", "connected"}


@each_provider
def test_a_refused_number_is_final_with_the_provider_s_code(pipeline, provider):
    retry = {"max_attempts": 3, "on": ["Failed_unknown_reason"], "delays": [1]}
    request = on(provider, pipeline, refuse_number(), retry=retry)
    call = pipeline.wait_final(request, "Failed_unknown_reason")
    assert call["attempts"][0]["reason"]["code"] == pipeline.placed(request).language.REFUSAL
    assert hops(call) == {"message_out"}
    assert pipeline.provider.dials(request["to"]) == 1


# --- in doubt --------------------------------------------------------------------------------------------------------

DOUBTFUL = {
    "reset": reset(),
    "closed": close(),
    "empty 200": answer(200, b""),
    "half a document": answer(201, b'{"entries": [{"sessionId": "ATVId_1'),
    "no id": answer(200, b'{"entries": [{"status": "Queued", "sessionId": "None"}], "status": "started"}'),
    "HTML": answer(200, b"<html>Welcome</html>", "text/html"),
    "500": answer(500, b'{"title": "Internal Server Error", "errorMessage": "try later"}'),
    "502": answer(502, b"<html>Bad Gateway</html>", "text/html"),
    "503 of a proxy": answer(503, b"<html>Service Unavailable</html>", "text/html"),
}


@each_provider
def test_a_reply_that_proves_nothing_is_gateway_unavailable_and_one_dial(pipeline, provider):
    asked = {name: on(provider, pipeline, reply, accept()) for name, reply in DOUBTFUL.items()}
    gate = threading.Event()
    asked["no reply in time"] = on(provider, pipeline, hold(gate, accept()), accept(), prefix="short-")
    for name, request in asked.items():
        call = pipeline.wait_status(request, "Gateway_unavailable")
        assert hops(call) == {"message_out"}, name
    gate.set()
    pipeline.wait_committed("ivr-dispatch", "CALL_REQUESTS")
    assert {name: pipeline.provider.dials(request["to"]) for name, request in asked.items()} == dict.fromkeys(asked, 1)


@each_provider
def test_a_late_answer_corrects_earlier_failures(pipeline, provider):
    """From doubt to busy to Completed: the maximum of what was ever said."""
    busy, completed = (
        next(story for who, status, story, _ in REPORTED if (who, status) == (provider, wanted))
        for wanted in ("User_busy", "Completed")
    )
    request = on(provider, pipeline, answer(200, b"nonsense"))
    pipeline.wait_status(request, "Gateway_unavailable")
    placement = pipeline.placed(request)
    tell(pipeline, placement, busy)
    pipeline.wait_final(request, "User_busy")
    tell(pipeline, placement, completed)
    pipeline.wait_final(request, "Completed")  # since the answer; the closing report comes after it
    call = pipeline.wait_call(request, lambda call: call["attempts"][0]["talk_seconds"], "the closing report")
    assert call["attempts"][0]["provider_call_id"] == placement.sid and call["attempts"][0]["talk_seconds"] > 0
    tell(pipeline, placement, busy)
    pipeline.wait_committed("ivr-status", "CALLBACKS")
    assert pipeline.call(request)["status"] == "Completed"
    finals = [event["status"] for event in pipeline.all_events(request) if event["type"] == "call.final"]
    assert finals == ["Gateway_unavailable", "User_busy", "Completed"]
    assert pipeline.provider.dials(request["to"]) == 1


@each_provider
def test_429_is_no_attempt_and_the_number_is_used_again(pipeline, provider):
    request = on(provider, pipeline, limit(), accept())
    call = pipeline.wait_status(request, "Pending", timeout=30)
    assert [attempt["attempt"] for attempt in call["attempts"]] == [1]
    assert pipeline.provider.dials(request["to"]) == 2
    tell(pipeline, pipeline.placed(request, 2), [ANSWERED[provider]])
    pipeline.wait_status(request, "Completed")


# --- early, twice, in any order --------------------------------------------------------------------------------------

# Everything that a provider may say of a call: of one that was answered, and of one that was busy and is closed with
# a word that promises more ("completed" after busy).
STORIES = {
    "twilio": {
        "answered": tw("in-progress") + [("completed", {"CallDuration": 8, "SipResponseCode": 200})],
        "busy": tw("busy", SipResponseCode=486) + [("failed", {"SipResponseCode": 503})],
    },
    "africastalking": {
        "answered": [("Ringing", {}), ANSWERED["africastalking"], ("Completed", AT_TALKED)],
        "busy": at("USER_BUSY") + [("Completed", {"status": "Aborted", "durationInSeconds": "0"})],
    },
    "vonage": {
        "answered": vo("answered", start_time=AT_TIME, timestamp=AT_TIME)
        + [("completed", {"duration": "8", "price": "0.00052500", "start_time": AT_TIME})],
        "busy": vo("busy", sip_code=486) + [("completed", {"duration": "0"})],
    },
}
ENDS = {"answered": "Completed", "busy": "User_busy"}
STORY = [(provider, kind) for provider in PROVIDERS for kind in ENDS]


@pytest.mark.parametrize("provider, kind", STORY)
def test_callbacks_that_overtake_the_response_find_their_call(pipeline, provider, kind):
    story = STORIES[provider][kind]
    request = on(provider, pipeline, after(lambda placement: tell(pipeline, placement, story), accept()))
    call = pipeline.wait_final(request, ENDS[kind])
    pipeline.wait_committed("ivr-dispatch", "CALL_REQUESTS")
    call = pipeline.call(request)
    assert call["status"] == ENDS[kind], "the response that came later took something back"
    assert call["attempts"][0]["provider_call_id"] == pipeline.placed(request).sid
    assert {"message_out", "dialing", "terminate", "session_completed"} <= hops(call)
    assert pipeline.provider.dials(request["to"]) == 1


@pytest.mark.parametrize("provider, kind", STORY)
def test_early_callbacks_by_the_provider_s_id_alone_wait_for_the_response(pipeline, provider, kind):
    """Nobody knows the id before the response is recorded: they are parked under it and come back."""
    gate = threading.Event()
    request = on(provider, pipeline, hold(gate, accept()))
    placement = pipeline.placed(request)
    unnamed = {"clientRequestId": None} if provider == "africastalking" else {}
    story = [(word, fields | unnamed) for word, fields in STORIES[provider][kind] if word != "Answered"]
    for number, (word, fields) in enumerate(story):
        url = None if unnamed else pipeline.short_url(provider)
        pipeline.provider.report(placement, word, number, url=url, **fields)
    pipeline.wait_committed("ivr-status", "CALLBACKS")
    assert pipeline.call(request)["status"] is None
    gate.set()
    pipeline.wait_final(request, ENDS[kind])
    assert not pipeline.dead_letters(lambda record: placement.sid.encode() in record.value)


def state_of(call):
    """What must not depend on the order of reports: everything but names, and our own clock's times."""
    attempt = call["attempts"][0]
    kept = {name: attempt[name] for name in ("status", "reason", "ring_seconds", "talk_seconds", "cost")}
    told = sorted((hop["hop"], hop["at"], hop["detail"]) for hop in attempt["hops"] if hop["hop"] != "message_out")
    return {"status": call["status"], "final": call["final"], "phase": call["phase"]} | kept | {"hops": told}


COUNTED = (
    "calls", "complete", "by_status", "attempts", "answer_rate", "by_reason", "hops", "ring_seconds", "talk_seconds",
    "cost",
)  # fmt: skip


def counts_of(pipeline, request):
    """The campaign's summary once nothing of it is outstanding."""
    summary = pipeline.wait_summary(request, lambda s: s["hops"].get("session_completed") == 1, "the closing report")
    return {name: summary[name] for name in COUNTED}


SEEDS = range(5)


@pytest.mark.parametrize("provider, kind", STORY)
def test_every_order_with_duplicates_ends_in_the_same_state(pipeline, provider, kind):
    """The first call hears its story once and in order; the others shuffled, each report up to three times."""
    plain = [(number, word, dict(fields)) for number, (word, fields) in enumerate(STORIES[provider][kind])]
    for number, _, fields in plain:
        if provider == "twilio":
            fields["Timestamp"] = f"Sun, 22 Nov 2026 18:50:{number:02d} +0000"
    asked = []
    for seed in SEEDS:
        order, reports = random.Random(f"{provider} {kind} {seed}"), list(plain)
        if seed > 0:
            reports += order.choices(plain, k=len(plain)) + order.choices(plain, k=2)
            order.shuffle(reports)
        request = on(provider, pipeline)
        placement = pipeline.placed(request)
        for number, word, fields in reports:
            pipeline.provider.report(placement, word, number, **fields)
        asked.append((request, [word for _, word, _ in reports]))
    for request, _ in asked:
        pipeline.wait_final(request, ENDS[kind])
    pipeline.wait_committed("ivr-status", "CALLBACKS")
    first = asked[0][0]
    state, counts = state_of(pipeline.call(first)), counts_of(pipeline, first)
    assert counts["complete"] and counts["by_status"][ENDS[kind]] == 1
    for request, words in asked[1:]:
        assert state_of(pipeline.call(request)) == state, words
        pipeline.wait_summary(
            request, lambda s: {name: s[name] for name in COUNTED} == counts, f"{counts} after {words}"
        )
        assert len(pipeline.wait_events(request, pipeline.call(request)["seq"])) >= 4


@pytest.mark.parametrize("provider", WRONG_KEYS)
def test_a_mended_key_places_the_call_that_waited(mended, provider):
    pipeline, asked, _ = mended
    request = asked[provider]
    call = pipeline.wait_status(request, "Pending", timeout=60)
    assert call["attempts"][-1]["provider_call_id"] == pipeline.provider.placements(request["to"])[-1].sid
