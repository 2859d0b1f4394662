"""Twilio's side of the wire: signatures, call objects, errors, callback bodies."""

import base64
import hashlib
import hmac
import uuid
from email.utils import formatdate
from urllib.parse import urldefrag, urlencode

NAME = "twilio"
ACCOUNT_SID = "AC" + "5" * 32
AUTH_TOKEN = "f00dfacecafebeef0123456789abcdef"
REFUSAL = "21211"


def channel():
    return {"provider": NAME, "credentials": {"account_sid": ACCOUNT_SID, "auth_token": AUTH_TOKEN}}


def places(path):
    return path.endswith("/Calls.json")


def new_sid():
    return "CA" + uuid.uuid4().hex


new_id = new_sid


def to(placement):
    return placement.field("To")


def sender(placement):
    return placement.field("From")


def denied(headers):
    """Tests of a wrong key script the refusal: in theirs the wrong token is the one that Twilio has."""
    return None


def signature(url, fields=(), token=AUTH_TOKEN):
    """X-Twilio-Signature: the URL without its fragment, then each distinct name and value in byte order."""
    text = urldefrag(url).url + "".join(name + value for name, value in sorted(set(fields)))
    return base64.b64encode(hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()).decode()


def signed_post(url, fields, token=AUTH_TOKEN):
    """(headers, body) of a form POST as Twilio sends it."""
    fields = list(fields.items()) if isinstance(fields, dict) else list(fields)
    headers = {
        "Content-Type": "application/x-www-form-urlencoded; charset=utf-8",
        "X-Twilio-Signature": signature(url, fields, token),
        "User-Agent": "TwilioProxy/1.1",
        "I-Twilio-Idempotency-Token": str(uuid.uuid4()),
    }
    return headers, urlencode(fields)


def call_object(sid, to, sender, status="queued", **fields):
    """The answer to a placement, and to a look-up. Numbers are strings, what is not known yet is null."""
    base = f"/2010-04-01/Accounts/{ACCOUNT_SID}/Calls/{sid}"
    shown = {
        "sid": sid,
        "account_sid": ACCOUNT_SID,
        "api_version": "2010-04-01",
        "status": status,
        "direction": "outbound-api",
        "to": to,
        "from": sender,
        "date_created": formatdate(usegmt=False),
        "date_updated": None,
        "start_time": None,
        "end_time": None,
        "duration": None,
        "price": None,
        "price_unit": "USD",
        "answered_by": None,
        "queue_time": "0",
        "parent_call_sid": None,
        "uri": base + ".json",
        "subresource_uris": {"events": base + "/Events.json", "recordings": base + "/Recordings.json"},
    }
    return {**shown, **fields}


def shown(placement, status="queued", **fields):
    return call_object(placement.sid, placement.to, placement.sender, status, **fields)


def not_found():
    return 404, error_object(404, 20404, "The requested resource was not found")


def accepted(placement, **fields):
    return 201, shown(placement, **fields)


def refused(placement):
    """The number is no number. Its reason's code is REFUSAL."""
    return 400, error_object(400, int(REFUSAL), "The 'To' number is not a valid phone number.")


def limited(placement):
    return 429, error_object(429, 20429, "Too Many Requests")


def error_object(status, code, message):
    more = f"https://www.twilio.com/docs/errors/{code}"
    return {"code": code, "message": message, "more_info": more, "status": status}


def callback_fields(sid, to, sender, status, number=0, **fields):
    """The parameters of a call-progress callback; numbers as text, as on the wire."""
    shown = {
        "AccountSid": ACCOUNT_SID,
        "ApiVersion": "2010-04-01",
        "CallSid": sid,
        "CallStatus": status,
        "CallbackSource": "call-progress-events",
        "Called": to,
        "Caller": sender,
        "Direction": "outbound-api",
        "From": sender,
        "To": to,
        "SequenceNumber": str(number),
        "Timestamp": formatdate(usegmt=False).replace("-0000", "+0000"),
        "ToCity": "",
    }
    return {**shown, **{name: str(value) for name, value in fields.items()}}


def callback(placement, status, number=0, /, **fields):
    return callback_fields(placement.sid, placement.to, placement.sender, status, number, **fields)


def callback_url(placement, registered):
    return placement.status_callback


def delivery(url, fields, secret=None):
    """(method, url, headers, body) of a signed report."""
    headers, body = signed_post(url, fields, secret or AUTH_TOKEN)
    return "POST", url, headers, body
