"""Another channel takes a call over only while none of its attempts may have become a call."""

from .words import status_name


def check_fallbacks(run, dials, requests, store, findings):
    if not run.channels["channels"]:
        return
    count = 0
    for call in store.calls.values():
        request = requests.accepted.get(call.id)
        if request:
            count += _check_call(run, call, request.first_channel(run), findings)
        for number, attempt in call.attempts.items():
            _check_way(call, number, attempt, dials.by_attempt.get((call.id, number)), findings)
    findings.checked("attempts on a fallback channel", count)


def _check_call(run, call, first, findings):
    chain = run.channels["channels"].get(first, {}).get("fallback", [])
    count, before = 0, None
    for number, attempt in sorted(call.attempts.items()):
        who = f"{call.id}/{number}"
        if attempt.channel not in (first, *chain):
            text = f"{attempt.channel}, where {first} was asked for and its fallback is {chain}"
            findings.wrong("channel that nobody named", who, text)
        elif attempt.channel != first:
            count += 1
            if before and before.channel != attempt.channel:
                _check_change(call, who, number, attempt, findings)
        before = attempt
    return count


def _check_change(call, who, number, attempt, findings):
    for earlier, other in call.attempts.items():
        if earlier < number and not other.unreached:
            text = f"on {attempt.channel}; attempt {earlier} on {other.channel} is {status_name(other.status)}"
            findings.wrong("fallback after what may be a call", who, text)


def _check_way(call, number, attempt, placements, findings):
    """The provider's log names the channel that Redis does: the last one, for a number may be used again."""
    told = placements and placements[-1].channel
    if told and told != attempt.channel:
        text = f"placements.ndjson:{placements[-1].line} names {told}, Redis has {attempt.channel}"
        findings.wrong("dial over another channel", f"{call.id}/{number}", text)
