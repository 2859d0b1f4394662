"""Africa's Talking's side of the wire: entries with session ids, one registered URL, nothing signed."""

import uuid
from urllib.parse import urlencode

NAME = "africastalking"
API_KEY = "atsk_of_the_tests"
SECRET = "a-secret-in-the-registered-url"
STARTED = "2021-10-13+19:10:16"
ACTIVE = ("Ringing", "Dialing", "Active", "Answered")


def channel():
    return {"provider": NAME, "credentials": {"username": "acme", "api_key": API_KEY}, "callback_secret": SECRET}


def wrong_key():
    """Credentials that are well-formed and not the account's."""
    return {"username": "acme", "api_key": "atsk_of_somebody_else"}


def places(path):
    return path.endswith("/call")


def new_id():
    return "ATVId_" + uuid.uuid4().hex


def to(placement):
    return placement.field("to")


def sender(placement):
    return placement.field("from")


def denied(headers):
    """What the provider itself says to a wrong key; None to the right one."""
    if headers.get("apiKey") == API_KEY:
        return None
    return 401, {"errorMessage": "The supplied authentication is invalid"}


def accepted(placement, **fields):
    entry = {"phoneNumber": placement.to, "status": "Queued", "sessionId": placement.sid} | fields
    return 200, {"entries": [entry], "errorMessage": "None"}


def refused(placement):
    """The number is no number. Its reason's code is REFUSAL."""
    return accepted(placement, status=REFUSAL, sessionId="None")


REFUSAL = "InvalidPhoneNumber"


def limited(placement):
    return 429, {"entries": [], "errorMessage": "Too many requests"}


def callback(placement, state, number=0, /, **fields):
    """A report by callSessionState; isActive follows from it. A field that is None is left out."""
    shown = {
        "isActive": "1" if state in ACTIVE else "0",
        "sessionId": placement.sid,
        "callSessionState": state,
        "direction": "Outbound",
        "callerNumber": placement.to,
        "destinationNumber": placement.sender,
        "callerCountryCode": "254",
        "callStartTime": "None",
        "clientRequestId": placement.field("clientRequestId"),
    }
    return {name: str(value) for name, value in (shown | fields).items() if value is not None}


def callback_url(placement, registered):
    """The provider knows one URL for each number that it rents out."""
    return f"{registered[placement.sender]}?token={SECRET}"


def delivery(url, fields, secret=None):
    """(method, url, headers, body) of a report; with a secret, that one is the token."""
    if secret is not None:
        url = f"{url.partition('?')[0]}?token={secret}"
    return "POST", url, {"Content-Type": "application/x-www-form-urlencoded"}, urlencode(fields).encode()
