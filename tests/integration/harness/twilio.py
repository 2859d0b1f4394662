"""Twilio's side of the wire: signatures, call objects, errors, callback bodies."""

import base64
import hashlib
import hmac
import uuid
from email.utils import formatdate
from urllib.parse import urldefrag, urlencode

ACCOUNT_SID = "AC" + "5" * 32
AUTH_TOKEN = "f00dfacecafebeef0123456789abcdef"


def new_sid():
    return "CA" + uuid.uuid4().hex


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
