"""The provider's own log against what was promised: at most one dial an attempt, and none that nobody asked for."""

from collections import Counter, defaultdict

from .calls import in_doubt
from .words import COMPLETED, CONNECTED, GATEWAY_UNAVAILABLE, PENDING, duration_ms, status_name, time_text

# Replies that say for sure: not placed, the number of the attempt may be used again.
NOT_NOW = {"429", "401", "limit"}
# What may have been placed as far as a client can tell, whatever the provider knows.
DOUBTFUL = {"timeout", "reset", "close", "garbage", "500", "503"}
# Its response waits for our own gateway, which the faults may keep busy for longer than the request may take.
SLOW = {"early"}
REFUSED = {"refused", "failed_reply"}
CLAIM_SLACK_MS = 15_000
SOON_MS = 2000  # a connection may have been broken before its request was sent
LOSS_MS = 60_000  # around these: what was dialled within it may be forgotten


def _not_now(placement):
    """Twilio does not say of its 503 (code 20503) whether the call was placed; with the others it is a refusal."""
    return placement.faults & NOT_NOW or ("503" in placement.faults and placement.provider != "twilio")


class Dials:
    def __init__(self, run, findings):
        self.by_attempt = defaultdict(list)  # (call, attempt): placements, in the log's order
        self.by_call = Counter()  # placements that may have become a call
        self.by_sid = {}
        self.by_channel = defaultdict(list)  # all of them, in the log's order
        self.count = self.dialled = 0
        self.strays = []
        for placement in run.placements():
            self.count += 1
            self.dialled += placement.dialled
            self.by_channel[placement.channel].append(placement)
            if placement.sid:
                self.by_sid[placement.provider, placement.sid] = (placement.call, placement.attempt)
            if placement.call is None:
                self.strays.append(placement)
                continue
            self.by_attempt[placement.call, placement.attempt].append(placement)
            self.by_call[placement.call] += not _not_now(placement)
        findings.checked("placements in the provider's log", self.count, f"{self.dialled:,} dialled")
        findings.checked("attempts that were placed", len(self.by_attempt))


def _shown(placement):
    faults = ",".join(sorted(placement.faults)) or "no fault"
    return f"placements.ndjson:{placement.line} {time_text(placement.at_ms)} dialled={placement.dialled} ({faults})"


def check_dials(run, dials, requests, store, findings):
    for placement in dials.strays:
        text = f"{_shown(placement)}: {placement.to}, no reference of ours"
        findings.wrong("dial without a reference", placement.to, text)
    for (call_id, number), placements in dials.by_attempt.items():
        _check_request(call_id, placements, requests, findings)
        _check_once(run, f"{call_id}/{number}", placements, findings)
        call = store.calls.get(call_id)
        if call:
            _check_known(call, number, placements, findings)
    for call_id, count in dials.by_call.items():
        request = requests.accepted.get(call_id)
        if request and count > request.max_attempts:
            text = f"{count} placements that may be calls, max_attempts is {request.max_attempts}"
            findings.wrong("more dials than allowed", call_id, text)
    _check_phantoms(dials, store, findings)


def _check_request(call_id, placements, requests, findings):
    request = requests.accepted.get(call_id)
    if request is None:
        letter = requests.refused.get(call_id)
        why = f"dead letter {letter.reason} at {letter.place[0]}@{letter.place[1]}" if letter else "no request"
        kind = "dial of a dead-lettered request" if letter else "dial without an accepted request"
        findings.wrong(kind, call_id, f"{_shown(placements[0])}; {why}")
        return
    for placement in placements:
        if placement.to != request.to:
            text = f"{_shown(placement)}: {placement.to}, call-requests asks for {request.to}"
            findings.wrong("dial of another number", call_id, text)


def _check_once(run, who, placements, findings):
    """A second one is right only after each before it was clearly turned down."""
    open_ = [p for p in placements if p.dialled or not (_not_now(p) or p.faults & REFUSED)]
    first = open_[0] if open_ else None
    for placement in placements[placements.index(first) + 1 :] if first else ():
        kind = "double dial" if first.dialled and placement.dialled else "risked dial"
        near = (run.faults_within(p.at_ms - LOSS_MS, p.at_ms + LOSS_MS) for p in (first, placement))
        excused = any(fault.may_lose for faults in near for fault in faults)
        findings.wrong(kind, who, f"{_shown(first)}; then {_shown(placement)}", excused)


def _check_known(call, number, placements, findings):
    """Redis has the attempt, and holds of it what may be held."""
    attempt = call.attempts.get(number)
    dialled = [p for p in placements if p.dialled]
    if attempt is None:
        if dialled:
            text = f"{_shown(dialled[0])}; Redis has the attempts {list(call.attempts)} of {call.attempt}"
            findings.wrong("dial that Redis does not know", f"{call.id}/{number}", text)
        return
    if attempt.unreached and dialled:
        text = f"{_shown(dialled[0])}; Redis says it certainly reached nobody ({attempt.detail})"
        findings.wrong("dialled, and held for unreached", f"{call.id}/{number}", text)
    sids = {p.sid for p in dialled}
    if dialled and attempt.id and attempt.id not in sids:
        text = f"{_shown(dialled[0])} as {dialled[0].sid}; Redis has {attempt.id}"
        findings.wrong("another provider call id", f"{call.id}/{number}", text)
    _check_after_answer(call, number, placements, findings)


def _check_after_answer(call, number, placements, findings):
    for earlier in range(1, number):
        before = call.attempts.get(earlier)
        answered = before and before.status == COMPLETED and before.hops[CONNECTED]
        if answered and answered.recorded_ms + CLAIM_SLACK_MS < placements[0].at_ms:
            text = f"attempt {earlier} was answered, recorded {time_text(answered.recorded_ms)}"
            findings.wrong("dialled again after an answer", f"{call.id}/{number}", f"{_shown(placements[0])}; {text}")


def _check_phantoms(dials, store, findings):
    """What the provider accepted or reported stands in its log."""
    for call in store.calls.values():
        for number, attempt in call.attempts.items():
            placed = attempt.reported or attempt.status == PENDING
            if placed and (call.id, number) not in dials.by_attempt:
                text = f"Redis: {status_name(attempt.status)}, id {attempt.id or 'unknown'}; not in the provider's log"
                findings.wrong("attempt that the provider does not know", f"{call.id}/{number}", text)


# ---- doubt ----


def check_doubt(run, dials, store, findings):
    """Each attempt in doubt has a cause: the provider's reply, or a fault while it was under way."""
    by_reply, by_fault, claim_ms = 0, 0, _claim_ms(run)
    for call in store.calls.values():
        for number, attempt in call.attempts.items():
            if attempt.status != GATEWAY_UNAVAILABLE or not in_doubt(attempt):
                continue
            if _doubtful_reply(dials.by_attempt.get((call.id, number), ())):
                by_reply += 1
            elif _fault_near(run, attempt.placed_ms, claim_ms):
                by_fault += 1
            else:
                _unexplained(call, number, attempt, dials, findings)
    findings.checked("attempts in doubt", by_reply + by_fault, f"{by_reply:,} by the reply, {by_fault:,} by faults")
    _check_bound(run, by_fault, findings)


def _fault_near(run, placed_ms, claim_ms):
    return any(f.may_cause_doubt for f in run.faults_within(placed_ms - SOON_MS, placed_ms + claim_ms))


def _claim_ms(run):
    """From the claim to its settlement: request_timeout + 10 s, and the sweep that finds it."""
    return duration_ms(run.about.get("request_timeout"), 10_000) + 10_000 + 5_000


def _doubtful_reply(placements):
    return any(p.faults & (DOUBTFUL | SLOW) for p in placements)


def _unexplained(call, number, attempt, dials, findings):
    placements = dials.by_attempt.get((call.id, number), ())
    logged = _shown(placements[-1]) if placements else "not in the provider's log"
    text = f"Redis: {attempt.code} ({attempt.detail}), claimed {time_text(attempt.placed_ms)}; {logged}; "
    findings.wrong("unexplained doubt", f"{call.id}/{number}", text + "no fault of the run was near")


def _check_bound(run, by_fault, findings):
    faults = [fault for fault in run.faults if fault.may_cause_doubt]
    known = [fault.in_flight for fault in faults if fault.in_flight is not None]
    if len(known) < len(faults):
        findings.note(f"in flight is known of {len(known)} of {len(faults)} faults: their sum bounds nothing")
    elif by_fault > sum(known):
        text = f"{by_fault} attempts are in doubt by faults, {sum(known)} requests were in flight at them"
        findings.wrong("more doubt than in flight", "run.json", text)
