"""The words of the contract, written down a second time: the checker shares no code with what it checks."""

from datetime import datetime, timezone

STATUSES = (
    "Pending",
    "Gateway_unavailable",
    "Failed_unknown_reason",
    "No_answer",
    "Subscriber_absent",
    "User_busy",
    "Completed",
)
NONE, PENDING, GATEWAY_UNAVAILABLE, FAILED, NO_ANSWER, SUBSCRIBER_ABSENT, USER_BUSY, COMPLETED = range(8)
STATUS_RANK = {name: rank for rank, name in enumerate(STATUSES, 1)} | {None: NONE}

HOPS = ("message_out", "dialing", "connected", "terminate", "session_completed")
MESSAGE_OUT, DIALING, CONNECTED, TERMINATE, SESSION_COMPLETED = range(5)
HOP_NUMBER = {name: number for number, name in enumerate(HOPS)} | {None: -1}

EVENT_TYPES = ("call.accepted", "call.waiting", "call.status", "call.hop", "call.dropped", "call.final")
TOPICS = ("call-requests", "callbacks", "call-events", "call-records", "delivery-summaries", "dead-letters", "audit")
PERIODS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}

_minutes = {}


def status_name(rank):
    return STATUSES[rank - 1] if rank else None


def time_ms(text):
    """RFC 3339, UTC, milliseconds; None of None. Minutes are remembered: a run has few of them and many times."""
    if text is None:
        return None
    if len(text) != 24 or text[23] != "Z":
        return int(datetime.fromisoformat(text).timestamp() * 1000)
    minute = _minutes.get(text[:16])
    if minute is None:
        start = datetime.fromisoformat(text[:16]).replace(tzinfo=timezone.utc)
        minute = _minutes[text[:16]] = int(start.timestamp()) * 1000
    return minute + int(text[17:19]) * 1000 + int(text[20:23])


def time_text(ms):
    if not ms:
        return "never"
    return datetime.fromtimestamp(ms / 1000, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.") + f"{ms % 1000:03d}Z"


def duration_ms(text, otherwise):
    """ "15m" in ms, as the settings have it."""
    if not text:
        return otherwise
    unit = text.lstrip("0123456789")
    return int(text[: len(text) - len(unit)]) * PERIODS[unit]


def micros(amount):
    """ "0.0065" in millionths."""
    whole, _, part = amount.partition(".")
    return int(whole) * 1_000_000 + int((part + "000000")[:6])
