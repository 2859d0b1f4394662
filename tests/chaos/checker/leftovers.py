"""What attempts and calls had beside their own state is given back when they are over: lines, numbers, tickets.

Only an attempt that may be live keeps its line and its number, until their deadline.
"""

from .calls import may_be_live
from .lines import BEFORE_CLAIM_MS
from .words import status_name, time_text

# The deadline counts from when the channel hears of the claim.
AFTER_CLAIM_MS = 30_000


def check_leftovers(run, requests, store, findings):
    held = store.held
    kept = [_check_line(where, keys, requests, store, findings) for where, keys in held.lines.items()]
    findings.checked("lines that are still held", len(kept), f"{sum(kept):,} of them by attempts that may be live")
    kept = [_check_lock(line, holder, store, findings) for line, holder in held.locks.items()]
    findings.checked("numbers that are still locked", len(kept), f"{sum(kept):,} of them by attempts that may be live")
    # Not given back by anybody: whoever frees the number passes over those that do not wait any more.
    findings.checked("calls still noted as waiting for a number", sum(map(len, held.waiters.values())))
    for (channel, ticket), keys in held.tickets.items():
        call = store.calls.get(ticket.rpartition("/")[0])
        findings.wrong("ticket left", ticket, f"{', '.join(keys)}; {_told_call(call)}")
    _check_kept(run, requests, store, findings)


def _attempt(store, name):
    """The attempt that has the claim, where one still does."""
    call_id, _, claim = name.rpartition("/")
    call = store.calls.get(call_id)
    attempts = call.attempts.items() if call else ()
    return next((attempt for number, attempt in attempts if (attempt.claim_no or number) == int(claim)), None)


def _held_rightly(store, name):
    attempt = _attempt(store, name)
    return attempt is not None and may_be_live(attempt)


def _check_line(where, keys, requests, store, findings):
    channel, name = where
    shown = ", ".join(f"{key} until {time_text(deadline)}" for key, deadline in keys.items())
    if _held_rightly(store, name):
        _check_deadline(f"{name} on {channel}", name, keys, shown, requests, store, findings)
        return True
    findings.wrong("line that nobody gave back", f"{name} on {channel}", f"{shown}; {_told(store, name)}")
    return False


def _check_deadline(who, name, keys, shown, requests, store, findings):
    request, claimed = requests.accepted.get(name.rpartition("/")[0]), _attempt(store, name).placed_ms
    if request and max(keys.values()) > claimed + request.hold_ms + AFTER_CLAIM_MS:
        text = f"{shown}; claimed {time_text(claimed)}, it may be held for {request.hold_ms // 1000} s"
        findings.wrong("line held longer than it may be", who, text)


def _check_lock(line, holder, store, findings):
    if _held_rightly(store, holder):
        return True
    findings.wrong("number that nobody gave back", line, f"{holder} has it; {_told(store, holder)}")
    return False


def _told(store, name):
    attempt = _attempt(store, name)
    if attempt is None:
        return f"no attempt has that claim; {_told_call(store.calls.get(name.rpartition('/')[0]))}"
    return f"it is {status_name(attempt.status)} ({attempt.code}), terminal {attempt.terminal}, closed {attempt.closed}"


def _told_call(call):
    if call is None:
        return "Redis does not know the call"
    status = f"{call.phase}, {status_name(call.status)}, attempt {call.attempt}"
    return f"the call is {status}, changed {time_text(call.updated_ms)}"


# ---- and it is kept as long as it must be ----


def _check_kept(run, requests, store, findings):
    """Of an attempt that may be live on a channel with lines: until its deadline the channel counts it."""
    ended, count = run.about.get("ended_ms"), 0
    caps = {name for name, about in run.channels["channels"].items() if about.get("concurrent_calls")}
    for call in store.calls.values() if ended else ():
        request = requests.accepted.get(call.id)
        for number, attempt in call.attempts.items() if request else ():
            until = attempt.placed_ms + request.hold_ms - BEFORE_CLAIM_MS
            if attempt.channel in caps and may_be_live(attempt) and until > ended:
                count += 1
                _check_counted(f"{call.id}/{attempt.claim_no or number}", attempt, until, store, findings)
    if count:
        findings.checked("lines that attempts must still have", count)


def _check_counted(name, attempt, until, store, findings):
    keys = store.held.lines.get((attempt.channel, name), {})
    if not any(":ch:" in key for key in keys):
        text = f"{attempt.channel} does not count it; claimed {time_text(attempt.placed_ms)}, "
        text += f"it may be live until {time_text(until)}"
        findings.wrong("line of an attempt that may be live is lost", name, text)
