"""What operators say: pause keeps calls waiting, cancel ends them, resume lets them go; every number still adds up."""

import random
import time

import pytest
from conftest import *

CAMPAIGN, TENANT, CHANNEL = "campaign:t/camp", "tenant:t", "channel:ch"
KEYS = [CAMPAIGN, TENANT, CHANNEL]


def now_ms():
    return int(time.time() * 1000)


def busy(store, call="t/c1", attempt=1):
    return store.evidence(call, evidence(BUSY, terminal=1, hops=[TERMINATE, SESSION]), attempt)


def counts(store, name="t/camp"):
    return store.counters("n", name)


def waits_for_a_retry(store, call="t/c1", **request):
    store.placed(call, max_attempts=3, **request)
    busy(store, call)
    assert store.state(call)[PHASE] == WAITING


# --- pause -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", KEYS)
def test_a_request_of_what_is_paused_is_stored_and_not_claimed(store, key):
    assert store.control("pause", key) == "paused"
    assert store.request(token="a") == ["stored", 0]
    assert counts(store) == {"ch|calls": 1, "ch|waiting": 1}
    assert store.due() == [] and store.claim("t/c1", "a") == ["no", 0]
    assert store.held(key) == ["t/c1"]
    assert store.redis.hget("{ivr:00}:waiting", "ch") == b"1"


@pytest.mark.parametrize("key", KEYS)
def test_a_paused_call_that_comes_due_is_moved_out_of_the_way_once(store, key):
    store.request()
    store.control("pause", key)
    assert store.due() == [["t/c1", "", "", 0]], "it was moved"
    assert store.due(lease=0) == [] and store.redis.zcard("{ivr:00}:due") == 0
    assert store.held(key) == ["t/c1"]


@pytest.mark.parametrize("key", KEYS)
def test_resume_brings_back_what_waited(store, key):
    store.control("pause", key)
    store.request(token="a")
    store.sweep_all()
    assert store.due() == []
    assert store.control("resume", key) == "running"
    store.sweep_all()
    assert store.due() == [["t/c1", "ch", "{}", 1]]
    assert store.claim("t/c1", "a") == ["claimed", 1]
    assert store.redis.exists("{ivr:00}:holds", "{ivr:00}:ctl") == 0
    assert [e["type"] for e in store.events] == ["accepted"]


def test_an_offer_that_was_made_before_the_pause_is_not_claimed(store):
    store.request()
    assert len(store.due()) == 1
    store.control("pause", CAMPAIGN)
    assert store.claim("t/c1", "a") == ["no", 0]
    assert store.held(CAMPAIGN) == ["t/c1"] and counts(store) == {"ch|calls": 1, "ch|waiting": 1}


def test_the_channel_that_is_about_to_be_dialled_is_the_one_that_counts(store):
    store.request()
    store.control("pause", "channel:other")
    assert store.claim("t/c1", "a", channel="other") == ["no", 0]
    assert store.held("channel:other") == ["t/c1"]
    store.control("resume", "channel:other")
    store.sweep_all()
    assert store.claim("t/c1", "a", channel="other") == ["claimed", 1]


@pytest.mark.parametrize("asked", ["request", "claim"])
def test_who_asks_for_its_claim_again_after_a_pause_is_told_to_give_it_back(store, asked):
    if asked == "claim":
        store.request()
        ask = lambda: store.claim("t/c1", "a")
    else:
        ask = lambda: store.request(token="a")
    assert ask() == ["claimed", 1]
    store.control("pause", TENANT)
    assert ask() == ["halted", 1]
    assert store.outcome("t/c1", 1, "a", "back") == "recorded"
    assert store.held(TENANT) == ["t/c1"] and store.due() == []
    assert counts(store) == {"ch|calls": 1, "ch|waiting": 1}


def test_other_campaigns_tenants_and_channels_go_on(store):
    for key in ("campaign:t/other", "campaign:u/camp", "tenant:u", "channel:dh"):
        store.control("pause", key)
        store.control("cancel", key.replace("pause", "cancel"))
    store.sweep_all()
    assert store.request(token="a") == ["claimed", 1]


def test_what_two_pauses_hold_waits_for_both(store):
    store.control("pause", CAMPAIGN)
    store.control("pause", TENANT)
    store.request()
    store.control("resume", CAMPAIGN)
    store.sweep_all()
    assert store.held(CAMPAIGN) == [] and store.held(TENANT) == ["t/c1"]
    store.control("resume", TENANT)
    store.sweep_all()
    assert len(store.due()) == 1


def test_a_held_call_still_ends_at_its_expiry(store):
    expires = now_ms() + 500
    store.control("pause", CAMPAIGN)
    store.request(expires=expires)
    store.control("resume", CAMPAIGN)
    waits_for_a_retry(store, "t/c2", expires=expires, delays=(0,))
    store.control("pause", CAMPAIGN)
    store.due()
    time.sleep(max(0, expires - now_ms()) / 1000 + 0.02)
    store.sweep_all()
    assert store.state("t/c1")[DROP] == "expired" and store.state("t/c1")[PHASE] == DROPPED
    assert (store.state("t/c2")[PHASE], store.state("t/c2")[STATUS]) == (DONE, BUSY)
    values = counts(store)
    assert (values["ch|d:expired"], values["ch|s:6"], values.get("ch|retrying", 0)) == (1, 1, 0)
    assert store.held(CAMPAIGN) == []


def test_the_time_to_give_up_does_not_run_during_a_pause(store):
    store.config[2] = 5000
    store.request(token="a")
    store.outcome("t/c1", 1, "a", "unreached", evidence(UNAVAILABLE, 1, code="unreachable"))
    since = store.state()[12]
    store.control("pause", CAMPAIGN)
    store.later("t/c1", 4000)
    store.due()
    state = store.state()
    state[20] -= 60000  # held for a minute
    store.redis.hset("{ivr:00}:call:t/c1", "s", pack(state))
    store.control("resume", CAMPAIGN)
    store.sweep_all()
    assert store.state()[12] >= since + 60000
    assert len(store.due()) == 1, "not given up"


def test_a_late_answer_ends_a_held_call(store):
    waits_for_a_retry(store, delays=(0,))
    store.control("pause", CAMPAIGN)
    store.due()
    assert store.held(CAMPAIGN) == ["t/c1"] and counts(store)["ch|retrying"] == 1
    store.evidence("t/c1", evidence(COMPLETED, terminal=1, hops=[CONNECTED, TERMINATE]))
    assert store.state()[FINAL] == 1 and len(store.state()) == 19
    assert store.held(CAMPAIGN) == [] and "ch|retrying" not in counts(store)


def test_a_crowd_that_is_paused_does_not_stand_before_the_others(store):
    for n in range(150):
        store.request(f"t/p{n}")
    store.request("u/free", campaign="u/camp")
    store.control("pause", CAMPAIGN)
    offered = []
    for _ in range(3):
        offered += store.due(limit=64)
    assert len(offered) == 151, "a full answer asks for more at once"
    assert [item for item in offered if item[1]] == [["u/free", "ch", "{}", 1]]


def test_a_script_that_cannot_read_what_was_said_does_nothing(store):
    store.redis.set("{ivr:00}:ctl", "unreadable")
    with pytest.raises(redis_py.ResponseError):
        store.request(token="a")
    assert store.redis.keys("*") == [b"{ivr:00}:ctl"]
    store.redis.delete("{ivr:00}:ctl")
    assert store.request(token="a") == ["claimed", 1]


# --- cancel ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [CAMPAIGN, TENANT])
def test_later_requests_of_what_is_cancelled_are_dropped_until_resume(store, key):
    assert store.control("cancel", key) == "cancelled"
    assert store.request(token="a") == ["dropped", 0]
    assert counts(store) == {"ch|calls": 1, "ch|d:cancelled": 1}
    assert [(e["type"], e["drop"], e["final"]) for e in store.events] == [("accepted", "", 0), ("dropped", "cancelled", 1)]
    assert store.request(token="a") == ["duplicate", 0]
    assert 0 < store.redis.pttl("{ivr:00}:call:t/c1")
    store.control("resume", key)
    assert store.request("t/c2", token="a") == ["claimed", 1]
    assert store.request(token="a") == ["duplicate", 0], "resume does not bring back what is final"


def test_a_channel_s_cancel_ends_what_was_there_and_not_what_comes(store):
    store.request("t/before", wait=5000)
    time.sleep(0.002)
    assert store.control("cancel", CHANNEL) == "running"
    time.sleep(0.002)
    assert store.request("t/after", token="a") == ["claimed", 1]
    store.sweep_all()
    assert store.state("t/before")[DROP] == "cancelled"


@pytest.mark.parametrize("key", KEYS)
def test_cancel_ends_what_waits_wherever_it_stands(store, key):
    store.request("t/due")
    store.request("t/tomorrow", not_before=now_ms() + DAY_MS)
    waits_for_a_retry(store, "t/retry")
    for pause in KEYS:
        store.request(f"t/{pause[:3]}")
        store.control("pause", pause)
        store.request(f"t/held-{pause[:3]}")
        store.due()
        store.control("resume", pause)
        store.control("pause", pause) if pause == KEYS[-1] else None
    store.request("t/alone")
    store.control_call("pause", "t/alone")
    time.sleep(0.002)
    store.control("cancel", key)
    store.sweep_all(limit=3)
    values = counts(store)
    assert values == {"ch|calls": 10, "ch|d:cancelled": 9, "ch|s:6": 1, "ch|attempts": 1} | {
        k: v for k, v in values.items() if "|h:" in k or k.endswith("|r:")}
    assert store.state("t/retry")[PHASE] == DONE and store.state("t/retry")[FINAL] == 1
    assert store.redis.exists("{ivr:00}:due", "{ivr:00}:sweep") == 0
    assert [e["type"] for e in store.events if e["id"] == "t/retry"][-1] == "final"
    assert store.redis.hget("{ivr:00}:waiting", "ch") == b"0"


def test_cancelled_calls_are_not_dialled_before_the_sweep_reaches_them(store):
    store.request("t/c1")
    store.request("t/c2")
    store.due()
    store.control("cancel", CAMPAIGN)
    assert store.claim("t/c1", "a") == ["over", 0]
    store.later("t/c2", 60000)
    assert store.due() == [["t/c2", "", "", 0]]
    assert counts(store) == {"ch|calls": 2, "ch|d:cancelled": 2}


def test_a_placed_call_of_a_cancelled_campaign_is_hung_up_and_not_retried(store):
    store.placed(max_attempts=3)
    store.control("cancel", CAMPAIGN)
    store.sweep_all()
    assert store.hangups() == [["t/c1", 1, "ch", "CAt/c1"]]
    assert store.hangups() == [], "its turn"
    store.control("resume", CAMPAIGN)
    busy(store)
    assert (store.state()[PHASE], store.state()[FINAL], store.state()[STATUS]) == (DONE, 1, BUSY)
    busy(store)
    assert store.due() == [] and store.state()[PHASE] == DONE


def test_a_retry_that_would_begin_after_the_cancel_does_not(store):
    store.placed(max_attempts=3)
    store.control("cancel", CAMPAIGN)
    busy(store)
    store.control("resume", CAMPAIGN)
    store.evidence("t/c1", evidence(BUSY, terminal=1, code="b", kind=2))
    assert (store.state()[PHASE], store.state()[FINAL]) == (DONE, 1), "resume does not bring back what is final"


def test_a_claim_given_back_after_the_cancel_is_dropped(store):
    store.request(token="a")
    store.control("cancel", TENANT)
    assert store.outcome("t/c1", 1, "a", "back") == "recorded"
    assert counts(store) == {"ch|calls": 1, "ch|d:cancelled": 1}
    assert [e["type"] for e in store.events] == ["accepted", "dropped"]


@pytest.mark.parametrize("kind, status", [("unreached", UNAVAILABLE), ("refused_now", FAILED)])
def test_an_attempt_that_ends_after_the_cancel_ends_the_call(store, kind, status):
    store.request(token="a", max_attempts=3, on=(FAILED,))
    store.control("cancel", CAMPAIGN)
    store.sweep_all()
    store.outcome("t/c1", 1, "a", kind, evidence(status, 1, code="x"))
    assert (store.state()[PHASE], store.state()[STATUS], store.state()[FINAL]) == (DONE, status, 1)


def test_what_was_marked_while_it_was_being_placed_is_hung_up_once_the_provider_has_it(store):
    store.request(token="a")
    store.control("cancel", CAMPAIGN)
    store.sweep_all()
    assert store.hangups() == []
    store.outcome("t/c1", 1, "a", "accepted", accepted())
    assert store.hangups() == [["t/c1", 1, "ch", "CAt/c1"]]


# --- one call ----------------------------------------------------------------------------------------------------


def test_an_unknown_call_is_unknown(store):
    assert [store.control_call(what) for what in ("pause", "resume", "cancel")] == ["unknown"] * 3


def test_a_paused_call_waits_for_its_own_resume(store):
    store.request()
    assert store.control_call("pause") == "paused" and store.control_call("pause") == "paused"
    assert store.due() == [] and store.claim("t/c1", "a") == ["no", 0]
    store.sweep_all()
    assert store.due() == []
    assert store.control_call("resume") == "running"
    assert store.claim("t/c1", "a") == ["claimed", 1]
    assert len(store.state()) == 19


def test_a_call_that_waits_for_both_its_own_pause_and_its_campaign_s(store):
    store.control("pause", CAMPAIGN)
    store.request()
    store.control_call("pause")
    store.control("resume", CAMPAIGN)
    store.sweep_all()
    assert store.due() == [] and store.held("call") == ["t/c1"]
    store.control("pause", CAMPAIGN)
    store.control_call("resume")
    store.due()
    assert store.held(CAMPAIGN) == ["t/c1"]


def test_pause_concerns_calls_that_wait(store):
    store.placed()
    assert store.control_call("pause") == "not_waiting"
    busy(store)
    assert store.control_call("pause") == "final" and store.control_call("resume") == "final"


def test_a_cancelled_call_is_dropped_by_the_next_look_at_what_is_due(store):
    store.request(not_before=now_ms() + DAY_MS)
    assert store.control_call("cancel") == "cancelled" and store.control_call("cancel") == "cancelled"
    assert store.claim("t/c1", "a") == ["no", 0]
    store.due()
    assert store.state()[DROP] == "cancelled" and counts(store) == {"ch|calls": 1, "ch|d:cancelled": 1}
    assert store.control_call("cancel") == "cancelled", "twice is once"


def test_a_cancelled_call_that_had_an_attempt_ends_with_its_status(store):
    waits_for_a_retry(store)
    store.control_call("cancel")
    store.due(lost_ms=0)
    assert (store.state()[PHASE], store.state()[STATUS], store.state()[DROP]) == (DONE, BUSY, "cancelled")
    assert store.events[-1]["type"] == "final" and store.events[-1]["final"] == 1


def test_a_placed_call_that_is_cancelled_is_hung_up(store):
    store.placed(max_attempts=2)
    assert store.control_call("cancel") == "cancelled"
    assert len(store.hangups()) == 1
    store.evidence("t/c1", evidence(hops=[DIALING]))
    assert store.hangups() == [], "one change more does not ask again"
    busy(store)
    assert store.state()[FINAL] == 1


def test_a_call_is_hung_up_while_they_talk_too(store):
    store.placed()
    store.evidence("t/c1", evidence(COMPLETED, hops=[CONNECTED]))
    assert store.state()[FINAL] == 1
    assert store.control_call("cancel") == "cancelled"
    assert len(store.hangups()) == 1


def test_what_is_over_cannot_be_cancelled(store):
    store.placed()
    busy(store)
    assert store.control_call("cancel") == "final" and store.hangups() == []


def test_hanging_up_is_asked_for_a_bounded_number_of_times(store):
    store.placed()
    store.control_call("cancel")
    asked = 0
    for _ in range(20):
        asked += len(store.hangups())
        if store.redis.zscore("{ivr:00}:hangups", "t/c1"):
            store.redis.zadd("{ivr:00}:hangups", {"t/c1": 1})
    assert asked == 8 and store.redis.zcard("{ivr:00}:hangups") == 0


def test_hanging_up_ends_with_the_provider_s_answer_or_the_call(store):
    for call in ("t/c1", "t/c2"):
        store.placed(call)
        store.control_call("cancel", call)
    store.run("hung_up", "t/c1")
    busy(store, "t/c2")
    assert store.hangups() == [] and store.redis.zcard("{ivr:00}:hangups") == 0


# --- do not call ---------------------------------------------------------------------------------------------------


def lists(store, *pairs):
    return store.batch("contact", [[*pair, "", "", 1, 0] for pair in pairs])


def test_a_number_is_looked_up_in_the_tenant_s_list_and_in_everybody_s(store):
    edit = lambda what, tenant, number: store.batch("dnc_edit", [[what, tenant, number]])
    assert edit("add", "t", "+1") == [1] and edit("add", "t", "+1") == [0]
    assert lists(store, ("t", "+1"), ("u", "+1"), ("t", "+2")) == [1, 0, 0]
    edit("add", "*", "+2")
    assert lists(store, ("t", "+2"), ("u", "+2")) == [1, 1]
    assert edit("remove", "t", "+1") == [1] and edit("remove", "t", "+1") == [0]
    assert lists(store, ("t", "+1")) == [0]


def test_a_listed_number_s_claim_is_given_back_and_the_call_dropped(store):
    store.request(token="a")
    assert store.outcome("t/c1", 1, "a", "listed") == "recorded"
    assert counts(store) == {"ch|calls": 1, "ch|d:do_not_call": 1}
    assert [(e["type"], e["drop"]) for e in store.events] == [("accepted", ""), ("dropped", "do_not_call")]
    assert store.outcome("t/c1", 1, "a", "listed") == "unknown"


def test_a_listed_number_at_its_retry_ends_the_call_with_its_status(store):
    waits_for_a_retry(store, delays=(0,))
    assert store.claim("t/c1", "b") == ["claimed", 2]
    assert store.outcome("t/c1", 2, "b", "listed") == "recorded"
    assert (store.state()[PHASE], store.state()[STATUS], store.state()[DROP]) == (DONE, BUSY, "do_not_call")
    store.evidence("t/c1", evidence(BUSY, terminal=1, code="later", kind=2))
    assert store.state()[PHASE] == DONE, "it stays over"


# --- all of it, in any order ---------------------------------------------------------------------------------------

ROUNDS = 80


def one_step(store, rng, world):
    """Something that a worker, a provider or an operator does."""
    call = f"t/c{rng.randint(1, 4)}"
    key = rng.choice(KEYS + ["campaign:t/other"])
    state = store.state(call)
    step = rng.choice(["request", "due", "evidence", "control", "control", "call", "sweep", "outcome", "time", "hangup"])
    if step == "request":
        token = rng.choice(["", f"token-{call}"])
        told = store.request(call, token=token or None, max_attempts=3, delays=(0,),
                             campaign="t/camp" if call < "t/c3" else "t/other")
        remember(world, call, told, token)
    elif step == "due":
        for found, channel, *_ in store.due(limit=2, lease=0):
            if channel:
                token = f"due{rng.random()}"
                remember(world, found, store.claim(found, token), token)
    elif step == "outcome" and call in world:
        attempt, token = world.pop(call)
        kind = rng.choice(["accepted", "back", "unreached", "listed"])
        said = {"accepted": accepted(call), "unreached": evidence(UNAVAILABLE, 1)}.get(kind, evidence())
        store.outcome(call, attempt, token, kind, said)
    elif step == "evidence" and state and state[4]:
        status = rng.choice([BUSY, BUSY, COMPLETED])
        store.evidence(call, evidence(status, terminal=rng.randint(0, 1), hops=[TERMINATE]), state[4])
    elif step == "control":
        store.control(rng.choice(["pause", "resume", "cancel"]), key)
    elif step == "call":
        store.control_call(rng.choice(["pause", "resume", "cancel"]), call)
    elif step == "sweep":
        store.sweep(limit=rng.randint(1, 64))
    elif step == "hangup":
        store.hangups()
    elif step == "time" and state:
        store.later(call, 10 ** 6)


def remember(world, call, told, token):
    if told[0] in ("claimed", "halted"):
        world[call] = (told[1], token)


def check_indexes(store):
    """A waiting call stands in exactly one place, any other in none; the gauge counts them."""
    waiting = 0
    for key in store.redis.scan_iter("{ivr:00}:call:*"):
        call = key.decode().split(":call:")[1]
        state = store.state(call)
        places = [name for name in ["due"] + [f"hold:{k}" for k in KEYS + ["campaign:t/other", "call"]]
                  if store.redis.zscore(f"{store.shard}:{name}", call) is not None]
        expected = ["due"] if len(state) < 20 or not state[19] else [f"hold:{state[19]}"]
        waiting += state[PHASE] == WAITING
        assert places == (expected if state[PHASE] == WAITING else []), (call, state, places)
    assert int(store.redis.hget("{ivr:00}:waiting", "ch") or 0) == waiting


def check_counts(store):
    for name, values in store.all_counters().items():
        assert all(value >= 0 for value in values.values()), (name, values)
        if name.startswith("n:"):
            parts = sum(v for k, v in values.items() if "|s:" in k or k.endswith("|waiting") or "|d:" in k)
            assert values.get("ch|calls", 0) == parts, (name, values)


def test_any_order_of_work_and_words_keeps_every_call_in_its_place_and_every_number_right(store):
    rng = random.Random(20261123)
    for _ in range(ROUNDS):
        store.redis.flushall()
        store.events.clear()
        world = {}
        for _ in range(rng.randint(5, 40)):
            one_step(store, rng, world)
            check_indexes(store)
        check_counts(store)
        finals = {}
        for event in sorted(store.events, key=lambda e: e["seq"]):
            finals.setdefault(event["id"], []).append(event["seq"])
        assert all(seqs == list(range(1, len(seqs) + 1)) for seqs in finals.values())
        settle_down(store)


def settle_down(store):
    """Once everything is resumed and swept, nothing is held any more but what was paused by itself."""
    for key in KEYS + ["campaign:t/other"]:
        store.control("resume", key)
    store.sweep_all(limit=2)
    assert all(store.held(key) == [] for key in KEYS + ["campaign:t/other"])
    for key in KEYS + ["campaign:t/other"]:
        store.control("cancel", key)
    store.sweep_all(limit=2)
    for key in store.redis.scan_iter("{ivr:00}:call:*"):
        assert store.state(key.decode().split(":call:")[1])[PHASE] != WAITING
    check_indexes(store)
    check_counts(store)


def test_how_many_calls_it_concerns_is_told_beforehand(store):
    for call, campaign in (("t/w1", "t/camp"), ("t/w2", "t/camp"), ("t/w3", "t/other"), ("u/w4", "u/camp")):
        store.request(call, campaign=campaign, wait=60000)
    store.placed("t/p1")
    store.placed("t/f1")
    store.evidence("t/f1", evidence(COMPLETED, 1, hops=[CONNECTED, TERMINATE], at=5000))
    assert store.concerned("campaign:t/camp") == (2, 1)
    assert store.concerned("tenant:t") == (3, 1)
    assert store.concerned("tenant:u") == (1, 0)
    assert store.concerned("channel:ch") == (4, 0)
    assert store.concerned("campaign:t/unknown") == (0, 0)
