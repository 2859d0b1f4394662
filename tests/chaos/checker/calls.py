"""What each call's state in Redis says of itself: it ended, its attempts add up, its hops are in order."""

from .store import NO_REPORT
from .words import COMPLETED, GATEWAY_UNAVAILABLE, HOPS, MESSAGE_OUT, NONE, PENDING, status_name, time_text

KEPT_UNREACHED = 10
AROUND_MS = 60_000
LIMITS = {"calls_per_second", "concurrent_calls"}


def in_doubt(attempt):
    return attempt.status == GATEWAY_UNAVAILABLE and not attempt.reported and not attempt.unreached


def may_be_live(attempt):
    """Nobody said that it is over: in doubt, or answered and never closed by the provider. It has its line, and its number,
    until their deadline."""
    return in_doubt(attempt) or (attempt.status != NONE and not attempt.terminal and attempt.closed != NO_REPORT)


def check_store(store, findings):
    for call in store.calls.values():
        _check_end(call, findings)
        _check_attempts(call, findings)
        _check_status(call, findings)
    if store.outbox:
        findings.wrong("event left in the outbox", "Redis", f"{store.outbox} entries that nobody produced")
    for parked, field in store.parked:
        findings.wrong("callback still parked", parked, f"the record {field} waits in Redis")
    for name, members in (("due", store.due), ("open", store.open)):
        for member in members:
            call = store.calls.get(member)
            if name == "open" and call is not None and (_may_be_found(call) or _talks(call)):
                continue
            if call is None or call.phase in ("done", "dropped"):
                shown = call.phase if call else "unknown"
                findings.wrong("index names a call that is over", member, f":{name} holds it, its phase is {shown}")


def _may_be_found(call):
    """Its latest attempt is in doubt: a few times somebody asks the provider for it."""
    latest = call.attempts.get(max(call.attempts, default=0))
    return call.phase == "done" and latest is not None and in_doubt(latest)


def _talks(call):
    """An attempt of it was answered, and its provider has not closed it."""
    return call.phase == "done" and any(
        attempt.status == COMPLETED and may_be_live(attempt) for attempt in call.attempts.values()
    )


def _check_end(call, findings):
    if call.phase == "dropped":
        if call.status or not call.drop or not call.final:
            findings.wrong("dropped without a reason", call.id, f"status {call.status}, drop reason {call.drop!r}")
    elif call.phase != "done" or not call.final:
        text = f"phase {call.phase}, status {status_name(call.status)}, attempt {call.attempt}, "
        text += f"next attempt {time_text(call.next_ms)}, last change {time_text(call.updated_ms)}"
        findings.wrong("call did not end", call.id, text)
    elif call.status in (0, PENDING):
        findings.wrong("call did not end", call.id, f"it is final with the status {status_name(call.status)}")


def _check_attempts(call, findings):
    missing = set(range(1, call.attempt + 1)) - set(call.attempts)
    if set(call.attempts) - set(range(1, call.attempt + 1)):
        findings.wrong("attempts are not numbered", call.id, f"{list(call.attempts)} with {call.attempt} attempts")
    elif missing and call.unreached_kept < KEPT_UNREACHED:
        findings.wrong("attempts are not numbered", call.id, f"{sorted(missing)} are missing of {call.attempt}")
    spent = sum(1 for a in call.attempts.values() if a.status and not a.unreached)
    if spent > call.max_attempts:
        findings.wrong("more attempts than allowed", call.id, f"{spent} were made, max_attempts is {call.max_attempts}")
    for number, attempt in call.attempts.items():
        later = max(call.attempts) > number
        if later and in_doubt(attempt) and not call.redial_in_doubt:
            text = f"attempt {number} is in doubt ({attempt.code}), and attempt {number + 1} was made"
            findings.wrong("in doubt and dialled again", call.id, text)
        if later and attempt.closed == NO_REPORT and attempt.status != COMPLETED:
            findings.wrong("no report and dialled again", call.id, f"attempt {number} was closed for want of a report")


def _check_status(call, findings):
    known = {n: a for n, a in call.attempts.items() if a.status}
    completed = any(a.status == COMPLETED for a in known.values())
    status = COMPLETED if completed else known[max(known)].status if known else 0
    if call.phase in ("done", "dropped") and call.status != status:
        shown = {n: status_name(a.status) for n, a in known.items()}
        findings.wrong("status is not that of its attempts", call.id, f"{status_name(call.status)}, attempts {shown}")


def check_limited(run, requests, store, findings):
    """That they ended is checked with all others; here is how many had to wait their turn for it."""
    limited = {name for name, channel in run.channels["channels"].items() if LIMITS & channel.keys()}
    capped = run.channels.get("tenants", {})
    count, ended = 0, 0
    for request in requests.accepted.values():
        if request.first_channel(run) in limited or request.id.partition("/")[0] in capped:
            call = store.calls.get(request.id)
            count += 1
            ended += call is not None and call.phase in ("done", "dropped")
    if count:
        findings.checked("calls of limited channels and tenants", count, f"{ended:,} ended")


def check_hops(run, store, findings):
    begin, end = run.about.get("started_ms"), run.about.get("ended_ms")
    count = 0
    for call in store.calls.values():
        for number, attempt in call.attempts.items():
            count += sum(1 for hop in attempt.hops if hop)
            _check_hops(call, number, attempt, begin, end, findings)
    findings.checked("hops", count)


def _check_hops(call, number, attempt, begin, end, findings):
    who, out = f"{call.id}/{number}", attempt.hops[MESSAGE_OUT]
    for index, hop in enumerate(attempt.hops):
        if hop is None:
            continue
        if out is None or hop.recorded_ms < out.recorded_ms:
            sent = time_text(out.recorded_ms) if out else "missing"
            findings.wrong("hop before message_out", who, f"{HOPS[index]} {time_text(hop.recorded_ms)}, message_out {sent}")
        if not attempt.placed_ms <= hop.recorded_ms <= call.updated_ms:
            text = f"{HOPS[index]} {time_text(hop.recorded_ms)}, claim {time_text(attempt.placed_ms)}, "
            findings.wrong("hop out of bounds", who, text + f"last change {time_text(call.updated_ms)}")
        early, late = begin and hop.recorded_ms < begin - AROUND_MS, end and hop.recorded_ms > end + AROUND_MS
        theirs = hop.at_ms and begin and end and not begin - AROUND_MS <= hop.at_ms <= end + AROUND_MS
        if early or late or theirs:
            text = f"{HOPS[index]} at {time_text(hop.at_ms)}, recorded {time_text(hop.recorded_ms)}, "
            findings.wrong("hop out of bounds", who, text + f"the run was {time_text(begin)} to {time_text(end)}")
