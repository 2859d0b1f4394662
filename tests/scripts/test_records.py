"""A row a call on ivr.call-records: the last one is the newest and equals the call, whoever sends, dies or comes late meanwhile."""

import random
import time

import pytest
from conftest import *

STORIES = 120


@pytest.fixture
def outbox(store):
    return Outbox(store)


class Outbox:
    """Senders of rows, and the topic that they send to."""

    def __init__(self, store):
        self.store, self.topic, self.leases = store, [], set()

    def wait(self):
        """The time is over that a row waits for further changes; what somebody has in hand stays there."""
        key = f"{self.store.shard}:records"
        for call, at in self.store.redis.zrange(key, 0, -1, withscores=True):
            if int(at) not in self.leases:
                self.store.redis.zadd(key, {call: 0.25})

    def take(self, lease=60000):
        self.wait()
        taken, _ = self.store.take_records(lease=lease)
        self.leases |= {until for until, _ in taken}
        return taken

    def send(self, taken):
        self.topic += [row for _, row in taken]

    def confirm(self, taken):
        self.store.sent_records(*[("record", row["id"], until) for until, row in taken])

    def send_all(self):
        deadline = time.monotonic() + 5
        while self.store.redis.zcard(f"{self.store.shard}:records") > 0:
            assert time.monotonic() < deadline, "a row that nobody gets"
            taken = self.take()
            self.send(taken)
            self.confirm(taken)

    def last(self, call="t/c1"):
        return next((row for row in reversed(self.topic) if row["id"] == call), None)


def completed(at=5000, **more):
    return evidence(COMPLETED, hops=[CONNECTED], at=at, answered=at, **more)


def test_a_call_that_is_not_final_has_no_record(store, outbox):
    store.placed()
    assert outbox.take() == []


def test_a_final_call_has_one_record_of_all_that_is_known(store, outbox):
    store.placed(max_attempts=1)
    store.evidence("t/c1", evidence(0, hops=[DIALING], at=2000))
    store.evidence("t/c1", completed())
    store.evidence("t/c1", evidence(COMPLETED, 1, hops=[TERMINATE], at=9000, talk=4, cost=6500, currency="USD"))
    outbox.send_all()
    assert len(outbox.topic) == 1, "what follows each other within a second is one row"
    row, state, attempt = outbox.last(), store.state(), store.attempt()
    assert row["seq"] == state[SEQ] and row["identity"] == '"call_id":"x"'
    assert (row["status"], row["drop"], row["in_doubt"], row["code"]) == (COMPLETED, "", 0, "")
    assert (row["channel"], row["provider"], row["provider_call_id"]) == ("ch", "twilio", "CAt/c1")
    assert (row["attempts"], row["created"], row["updated"]) == (1, state[CREATED], state[UPDATED])
    assert row["first_attempt"] == row["last_attempt"] == attempt[9]
    assert (row["answered"], row["ended"], row["ring"], row["talk"]) == (5000, 9000, 3, 4)
    assert row["costs"] == ["USD", 6500]
    assert 0 < row["final_at"] <= row["updated"]


def test_a_later_change_makes_another_and_keeps_when_it_was_final_first(store, outbox):
    store.placed()
    store.evidence("t/c1", completed())
    outbox.send_all()
    store.redis.hset(f"{store.shard}:call:t/c1", "z", 77)
    store.evidence("t/c1", evidence(COMPLETED, 1, hops=[TERMINATE], at=9000, talk=4))
    outbox.send_all()
    first, second = outbox.topic
    assert second["seq"] > first["seq"] and (first["talk"], second["talk"]) == (-1, 4)
    assert second["final_at"] == 77
    store.evidence("t/c1", evidence(COMPLETED, 1, hops=[TERMINATE], at=9000, talk=4))
    outbox.send_all()
    assert len(outbox.topic) == 2, "a repeated report changes nothing"


def test_a_change_without_an_event_is_one_all_the_same(store, outbox):
    store.placed()
    store.evidence("t/c1", evidence(COMPLETED, 1, hops=[CONNECTED, TERMINATE], at=9000, answered=7000))
    outbox.send_all()
    store.evidence("t/c1", evidence(0, hops=[], answered=6000))
    outbox.send_all()
    assert [row["answered"] for row in outbox.topic] == [7000, 6000]


def test_values_are_the_deciding_attempts_and_sums_are_of_all(store, outbox):
    store.placed(max_attempts=2, delays=[0])
    store.evidence("t/c1", evidence(NO_ANSWER, 1, hops=[TERMINATE], at=3000, ring=30, cost=100, currency="KES", kind=3, code="na"))
    store.later("t/c1", 10 ** 6)
    token = next(store.tokens)
    assert store.claim("t/c1", token)[0] == "claimed"
    store.outcome("t/c1", 2, token, "accepted", evidence(PENDING, hops=[MESSAGE_OUT], provider_id="CA2"))
    store.evidence("t/c1", evidence(BUSY, 1, hops=[TERMINATE], at=8000, ring=2, cost=50, currency="KES", kind=3, code="busy"), 2)
    outbox.send_all()
    row = outbox.last()
    assert (row["status"], row["code"], row["attempts"], row["provider_call_id"], row["ended"]) == (BUSY, "busy", 2, "CA2", 8000)
    assert (row["ring"], row["talk"], row["costs"]) == (32, -1, ["KES", 150])
    assert row["first_attempt"] == store.attempt(n=1)[9] and row["last_attempt"] == store.attempt(n=2)[9]


def test_two_currencies_stand_beside_each_other(store, outbox):
    store.placed(max_attempts=2, delays=[0])
    store.evidence("t/c1", evidence(NO_ANSWER, 1, hops=[TERMINATE], at=3000, cost=100, currency="KES"))
    store.later("t/c1", 10 ** 6)
    token = next(store.tokens)
    store.claim("t/c1", token)
    store.outcome("t/c1", 2, token, "accepted", evidence(PENDING, hops=[MESSAGE_OUT], provider_id="CA2"))
    store.evidence("t/c1", evidence(BUSY, 1, hops=[TERMINATE], at=8000, cost=50, currency="USD"), 2)
    outbox.send_all()
    costs = outbox.last()["costs"]
    assert dict(zip(costs[::2], costs[1::2])) == {"KES": 100, "USD": 50}


def test_a_dropped_call_has_one_too(store, outbox):
    store.request(wait=60000)
    store.control_call("cancel")
    store.due(lost_ms=0)
    outbox.send_all()
    row = outbox.last()
    assert (row["status"], row["drop"], row["attempts"], row["first_attempt"], row["provider"]) == (0, "cancelled", 0, 0, "")


def test_one_in_doubt_says_so_and_is_corrected(store, outbox):
    token = next(store.tokens)
    store.request(token=token)
    store.outcome("t/c1", 1, token, "doubt", evidence(UNAVAILABLE, kind=3, code="timeout"))
    outbox.send_all()
    assert outbox.last()["in_doubt"] == 1 and outbox.last()["status"] == UNAVAILABLE
    store.evidence("t/c1", completed())
    outbox.send_all()
    assert outbox.last()["in_doubt"] == 0 and outbox.last()["status"] == COMPLETED


def test_a_change_while_a_row_is_on_its_way_is_sent_after_it(store, outbox):
    store.placed()
    store.evidence("t/c1", completed())
    taken = outbox.take()
    store.evidence("t/c1", evidence(COMPLETED, 1, hops=[TERMINATE], at=9000, talk=4))
    assert outbox.take() == [], "one sender at a time"
    outbox.send(taken)
    outbox.confirm(taken)
    outbox.send_all()
    assert [row["talk"] for row in outbox.topic] == [-1, 4]


@pytest.fixture
def late(store, outbox):
    """What a sender has in hand whose lease is over, and the call has changed since."""
    store.placed()
    store.evidence("t/c1", completed())
    taken = outbox.take(lease=1)
    time.sleep(0.003)
    store.evidence("t/c1", evidence(COMPLETED, 1, hops=[TERMINATE], at=9000, talk=4))
    return taken


def test_a_sender_that_comes_late_has_the_present_row_sent_behind_its_own(outbox, late):
    outbox.send_all()
    outbox.send(late)
    outbox.confirm(late)
    outbox.send_all()
    assert outbox.last()["talk"] == 4


def test_two_senders_that_confirm_in_either_order_have_the_present_row_sent_behind_both(outbox, late):
    other = outbox.take()
    outbox.send(other)
    outbox.send(late)
    outbox.confirm(late)
    outbox.confirm(other)
    outbox.send_all()
    assert outbox.last()["talk"] == 4


@pytest.mark.parametrize("by_then", ["in hand", "sent by another", "in another's hand"])
def test_a_row_of_which_nobody_knows_whether_it_came_is_sent_again(store, outbox, by_then):
    store.placed()
    store.evidence("t/c1", completed())
    lost = outbox.take(lease=60000 if by_then == "in hand" else 1)
    time.sleep(0.003)
    other = outbox.take() if by_then != "in hand" else []
    outbox.send(other)
    if by_then == "sent by another":
        outbox.confirm(other)
    store.sent_records(*[("unsure", row["id"], until) for until, row in lost])
    if by_then == "in another's hand":
        outbox.confirm(other)
    before = len(outbox.topic)
    outbox.send_all()
    assert len(outbox.topic) == before + 1


def test_what_a_dead_sender_had_in_hand_is_taken_by_others(store, outbox):
    store.placed()
    store.evidence("t/c1", completed())
    assert len(outbox.take(lease=1)) == 1
    time.sleep(0.003)
    outbox.send_all()
    assert outbox.last()["status"] == COMPLETED


def test_a_call_that_cannot_be_read_holds_up_no_other(store, outbox):
    for call in ("t/bad", "t/good"):
        store.placed(call)
        store.evidence(call, completed())
    store.redis.hset(f"{store.shard}:call:t/bad", "s", b"\xc1")
    taken = outbox.take()
    assert [row["id"] for _, row in taken] == ["t/good"] and "t/bad" in store.unreadable[0]
    store.unreadable.clear()


def random_change(rng, store, call):
    ev = evidence(rng.choice([0, NO_ANSWER, BUSY, COMPLETED]), rng.randint(0, 1), hops=[h for h in range(5) if rng.random() < 0.4],
                  at=rng.choice([0, rng.randint(1, 90) * 1000]), answered=rng.choice([0, rng.randint(1, 90) * 1000]),
                  talk=rng.choice([-1, rng.randint(0, 300)]), cost=rng.choice([-1, rng.randint(0, 9000)]), currency="USD")
    store.evidence(call, ev)


def test_in_any_order_of_changes_and_senders_the_last_row_is_the_newest(store):
    """Two senders race; either is killed with rows in hand, sent or not, or comes late with its confirmation."""
    rng = random.Random(16)
    for story in range(STORIES):
        outbox, calls = Outbox(store), [f"t/s{story}-{n}" for n in range(3)]
        for call in calls:
            store.placed(call, max_attempts=1)
        hands = [[], []]
        for _ in range(rng.randint(5, 40)):
            random_change(rng, store, rng.choice(calls))
            who, does = rng.randrange(2), rng.random()
            if not hands[who] and does < 0.7:
                hands[who] = outbox.take(lease=rng.choice([1, 60000]))
            elif does < 0.4:
                outbox.send(hands[who])
                outbox.confirm(hands[who])
                hands[who] = []
            elif does < 0.45 and hands[who]:  # nobody knows whether they came
                if rng.random() < 0.5:
                    outbox.send(hands[who])
                store.sent_records(*[("unsure", row["id"], until) for until, row in hands[who]])
                hands[who] = []
            elif does < 0.5 and all(until > store.now() + 1000 for until, _ in hands[who]):
                if rng.random() < 0.5:
                    outbox.send(hands[who])
                for _, row in hands[who]:  # killed: its lease runs out
                    store.redis.zadd(f"{store.shard}:records", {row["id"]: 1.5})
                hands[who] = []
            if rng.random() < 0.3:
                time.sleep(0.002)
        for hand in hands:
            outbox.send(hand)
            outbox.confirm(hand)
        outbox.send_all()
        for call in [call for call in calls if store.state(call)[FINAL]]:
            last, state = outbox.last(call), store.state(call)
            assert (last["seq"], last["status"], last["updated"]) == (state[SEQ], state[STATUS], state[UPDATED])
            assert last["seq"] == max(row["seq"] for row in outbox.topic if row["id"] == call)


# ---- what ivr.audit is to say ----

SAID = 't\n{"v":1,"id":"x","action":"pause"'


def audits(store):
    return [text for _, text in store.take_records()[1]]


def test_who_pauses_is_noted_with_the_pause(store):
    store.control("pause", "campaign:t/camp", SAID + ',"affected":7')
    assert audits(store) == [SAID + ',"affected":7,"result":"done"}']
    assert audits(store) == [], "one sender at a time"


def test_what_is_sent_is_said_no_more(store):
    store.control("cancel", "tenant:t", SAID)
    (_, text), = store.take_records()[1]
    store.sent_records(("audit", text))
    assert store.redis.exists(f"{store.shard}:audit") == 0


def test_a_lease_that_is_over_gives_it_to_others(store):
    store.control("pause", "channel:ch", SAID)
    store.take_records(lease=1)
    time.sleep(0.003)
    assert len(audits(store)) == 1


@pytest.mark.parametrize("what", ["pause", "cancel", "resume"])
def test_of_one_call_it_is_said_whether_it_was_done(store, what):
    store.request(wait=60000)
    store.control_call(what, audit=SAID)
    assert audits(store) == [SAID + ',"affected":1,"result":"done"}']
    store.control_call(what, "t/unknown", audit=SAID)
    assert audits(store) == [SAID + ',"affected":0,"result":"refused"}']


def test_who_edits_a_list_is_noted_once(store):
    store.batch("dnc_edit", [["add", "t", "+1", SAID], ["add", "t", "+2", ""], ["add", "t", "+3"]])
    assert audits(store) == [SAID + ',"result":"done"}']


def test_nobody_is_noted_where_nobody_is_named(store):
    store.control("pause", "campaign:t/camp")
    store.request(wait=60000)
    store.control_call("cancel")
    assert store.redis.exists(f"{store.shard}:audit") == 0
