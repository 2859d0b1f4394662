"""Vonage's side of the wire: JSON, requests with an RS256 token, webhooks signed with HS256."""

import hashlib
import json
import time
import uuid
from urllib.parse import urlencode

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

NAME = "vonage"
APPLICATION_ID = "aaaaaaaa-bbbb-cccc-dddd-0123456789ab"
SECRET = "qwertyuiopasdfghjklzxcvbnm123456"
REFUSAL = "HTTP 400"


def _new_key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _pem(key):
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(encoding, form, serialization.NoEncryption()).decode()


KEY = _new_key()


def channel():
    credentials = {"application_id": APPLICATION_ID, "private_key": _pem(KEY)}
    return {"provider": NAME, "credentials": credentials, "callback_secret": SECRET}


def wrong_key():
    """Credentials that are well-formed and not the application's."""
    return {"application_id": APPLICATION_ID, "private_key": _pem(_new_key())}


def places(path):
    return path.endswith("/v1/calls")


def new_id():
    return str(uuid.uuid4())


def to(placement):
    return "+" + placement.json["to"][0]["number"]


def sender(placement):
    return "+" + placement.json["from"]["number"]


def denied(headers):
    """What the provider itself says to a wrong token; None to the right one."""
    scheme, _, token = headers.get("Authorization", "").partition(" ")
    try:
        needed = {"require": ["application_id", "iat", "exp", "jti"]}
        claims = jwt.decode(token, KEY.public_key(), algorithms=["RS256"], options=needed)
        if scheme == "Bearer" and claims["application_id"] == APPLICATION_ID:
            return None
    except jwt.InvalidTokenError:
        pass
    kind = "https://developer.nexmo.com/api-errors#unauthorized"
    detail = "You did not provide correct credentials."
    return 401, {"type": kind, "title": "Unauthorized", "detail": detail, "instance": uuid.uuid4().hex}


def shown(placement, status="started", **fields):
    call = {"uuid": placement.sid, "status": status, "direction": "outbound"}
    return {**call, "conversation_uuid": f"CON-{placement.sid}", **fields}


def not_found():
    return 404, {"type": "https://developer.vonage.com/api-errors#not-found", "title": "Not found."}


def accepted(placement, **fields):
    return 201, shown(placement, **fields)


def refused(placement):
    """The number is no number. Its reason's code is REFUSAL."""
    reasons = [{"name": "number", "reason": "can contain up to 15 digits prefixed with +"}]
    return 400, {"type": 400, "title": "Bad Request", "invalid_parameters": reasons}


def limited(placement):
    kind = "https://developer.vonage.com/api-errors#rate-limit"
    return 429, {"type": kind, "title": "Rate Limit Hit", "detail": "Please wait, then retry your request"}


def callback(placement, status, number=0, /, **fields):
    """An event. A field that is None is left out."""
    shown = {
        "uuid": placement.sid,
        "conversation_uuid": f"CON-{placement.sid}",
        "from": placement.sender[1:],
        "to": placement.to[1:],
        "direction": "outbound",
        "status": status,
        "timestamp": "2026-11-22T18:50:50.000Z",
    }
    return {name: value for name, value in (shown | fields).items() if value is not None}


def callback_url(placement, registered):
    (url,) = placement.json["event_url"]
    return url


def bearer(payload, secret=SECRET):
    """The Authorization header of a webhook with this payload; None: one without a body."""
    claims = {"iat": int(time.time()), "jti": str(uuid.uuid4()), "iss": "Vonage", "application_id": APPLICATION_ID}
    if payload is not None:
        claims["payload_hash"] = hashlib.sha256(payload).hexdigest()
    return "Bearer " + jwt.encode(claims, secret, algorithm="HS256")


def delivery(url, event, secret=None):
    """(method, url, headers, body) of an event as JSON, signed."""
    payload = json.dumps(event).encode()
    headers = {"Content-Type": "application/json", "Authorization": bearer(payload, secret or SECRET)}
    return "POST", url, headers, payload


def delivery_by_get(url, event):
    """The same for an application that is set to send its events as queries."""
    return "GET", f"{url}?{urlencode(event)}", {"Authorization": bearer(None)}, None
