"""What somebody with a channel of their own can send: signed or guarded rightly for that channel, whatever it says."""

import base64
import hashlib
import hmac
import itertools
from urllib.parse import urlsplit

from harness import africastalking, twilio, vonage

PROVIDERS = ("twilio", "africastalking", "vonage")
LANGUAGES = {"twilio": twilio, "africastalking": africastalking, "vonage": vonage}
OWN_SECRETS = {
    "twilio": "0123456789abcdef0123456789abcdef",
    "africastalking": "the-secret-of-another-number",
    "vonage": "another-account-s-secret-of-32-b",
}
SECRETS = {"twilio": twilio.AUTH_TOKEN, "africastalking": africastalking.SECRET, "vonage": vonage.SECRET}

# Each provider has a channel of the platform's, and one of somebody who brings an account of their own.
CHANNELS = {name: {"provider": name} for name in PROVIDERS} | {
    "own-twilio": {
        "provider": "twilio",
        "credentials": {"account_sid": "AC" + "6" * 32, "auth_token": OWN_SECRETS["twilio"]},
    },
    "own-africastalking": {
        "provider": "africastalking",
        "from": "+254711082901",
        "callback_secret": OWN_SECRETS["africastalking"],
    },
    "own-vonage": {"provider": "vonage", "callback_secret": OWN_SECRETS["vonage"]},
    # Reaches nobody, so that its calls go on elsewhere.
    "gone": {"provider": "twilio", "base_url": "http://127.0.0.1:9", "fallback": ["own-twilio"]},
}

ANSWERED = {
    "twilio": ("completed", {"CallDuration": 7, "Price": "-0.5", "PriceUnit": "USD"}),
    "africastalking": (
        "Completed",
        {"status": "Success", "durationInSeconds": "7", "amount": "1.5", "currencyCode": "KES"},
    ),
    "vonage": ("completed", {"duration": "7", "price": "0.5", "start_time": "2026-11-22T18:51:00.000Z"}),
}
BUSY = {
    "twilio": ("busy", {}),
    "africastalking": ("NotAnswered", {"status": "NotAnswered", "hangupCause": "USER_BUSY"}),
    "vonage": ("busy", {}),
}
# What their own calls say, so that the words of others' show.
OWN_MESSAGE = {"say": "Nothing of interest.", "language": "en-GB"}
NO_ANSWER = {
    "twilio": ("no-answer", {}),
    "africastalking": ("NotAnswered", {"status": "NotAnswered", "hangupCause": "NO_ANSWER"}),
    "vonage": ("timeout", {}),
}
RINGING = {"twilio": ("ringing", {}), "africastalking": ("Ringing", {}), "vonage": ("ringing", {})}
ID_FIELD = {"twilio": "CallSid", "africastalking": "sessionId", "vonage": "uuid"}

_marks = itertools.count(1)


def new_mark():
    """In a body it finds its records on any topic."""
    return f"forged{next(_marks):06d}"


def said(placement, what, **fields):
    """(mark, body) of a report in the placement's language; `what` is one of the tables above."""
    name, mark = placement.language.NAME, new_mark()
    word, own = what[name]
    return mark, placement.language.callback(placement, word, **(own | fields | {"Mark": mark}))


def with_token(url, secret):
    """A URL of a provider that signs nothing: the fixed one has the secret, one for a call its HMAC over the path."""
    path = urlsplit(url).path
    token = secret
    if path.count("/") > 3:
        mac = hmac.new(secret.encode(), path.encode(), hashlib.sha256).digest()
        token = base64.urlsafe_b64encode(mac).decode().rstrip("=")
    return f"{url}?token={token}"


def delivery(provider, url, body, secret):
    """(method, url, headers, body), right for whoever has that secret."""
    if provider != "africastalking":
        return LANGUAGES[provider].delivery(url, body, secret)
    method, _, headers, payload = africastalking.delivery(url, body)
    return method, with_token(url, secret), headers, payload


def url_of(pipeline, channel, request=None, attempt=1, what="callbacks"):
    """The channel's URL for the attempt, or its fixed one."""
    if request is not None:
        return pipeline.attempt_url(request, attempt, channel, what)
    return f"{pipeline.public_url}/{what}/{pipeline.provider_of(channel)}/{channel}"
