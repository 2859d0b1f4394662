"""What a provider's callback says of an attempt, read a second time and independently.

Twilio: a form with CallStatus, SipResponseCode, CallDuration (its article "Track outbound calls"; the meaning of the SIP
codes is RFC 3261's, as the seven statuses divide them). Of other providers only the id and "it has the call" are read.
"""

from typing import NamedTuple
from urllib.parse import unquote_plus

from .words import (
    COMPLETED,
    CONNECTED,
    DIALING,
    FAILED,
    NO_ANSWER,
    NONE,
    SESSION_COMPLETED,
    SUBSCRIBER_ABSENT,
    TERMINATE,
    USER_BUSY,
)

TEXT, SIP, NAMED = 1, 2, 3  # kinds of a reason, the better the higher
NOTHING, ENDED = frozenset(), frozenset((TERMINATE, SESSION_COMPLETED))


class Report(NamedTuple):
    status: int = NONE
    terminal: bool = False
    hops: frozenset = NOTHING
    talk: int = -1
    kind: int = 0
    code: str = ""
    sid: str = ""
    understood: bool = True  # False: of a provider, or of a kind, that is not read here


TWILIO_WORDS = {
    "queued": (NONE, NOTHING),
    "initiated": (NONE, frozenset((DIALING,))),
    "ringing": (NONE, frozenset((DIALING,))),
    "in-progress": (COMPLETED, frozenset((CONNECTED,))),
    "answered": (COMPLETED, frozenset((CONNECTED,))),
    "completed": (COMPLETED, ENDED),
    "busy": (USER_BUSY, ENDED),
    "no-answer": (NO_ANSWER, ENDED),
    "failed": (FAILED, ENDED),
    "canceled": (FAILED, ENDED),
}
# 408 and 480: nothing answered for the phone; 487: the ring timer; 486, 600, 603, 607: busy, or declined by the person.
SIP_STATUS = {408: SUBSCRIBER_ABSENT, 480: SUBSCRIBER_ABSENT, 487: NO_ANSWER}
SIP_STATUS |= dict.fromkeys((486, 600, 603, 607), USER_BUSY)


def _number(text):
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else -1


def _form(body):
    pairs = (pair.partition("=") for pair in body.decode("ascii", "replace").split("&"))
    form = {}
    for name, _, value in pairs:
        form.setdefault(name, value)
    return form


def twilio(body):
    form = _form(body)
    sid, word = unquote_plus(form.get("CallSid", "")), form.get("CallStatus")
    if word is None:
        return Report(sid=sid, understood="CallSid" in form)
    word = unquote_plus(word)
    if word not in TWILIO_WORDS:
        return Report(FAILED, False, NOTHING, -1, TEXT, word or "(empty)", sid)
    status, hops = TWILIO_WORDS[word]
    sip = _number(form.get("SipResponseCode", ""))
    if 400 <= sip <= 699 and (word == "failed" or (word == "no-answer" and sip == 480)):
        status = SIP_STATUS.get(sip, FAILED)
    kind, code = _twilio_reason(form, word, sip, status)
    talk = _number(form.get("CallDuration", "")) if word == "completed" else -1
    return Report(status, hops is ENDED, hops, talk, kind, code, sid)


def _twilio_reason(form, word, sip, status):
    if status in (NONE, COMPLETED):
        return 0, ""
    error = form.get("ErrorCode", "")
    if _number(error) > 0:
        return NAMED, error
    return (SIP, str(sip)) if 300 <= sip <= 699 else (TEXT, word)


READERS = {"twilio": twilio}


def read(provider, body):
    reader = READERS.get(provider)
    return reader(body) if reader else Report(understood=False)
