"""Doing what the plan says. Each fault is a generator that yields the seconds until it wants to go on, so that one
thread carries them all, beside the campaign."""

import heapq
import itertools
import random
import time

from world import now_ms

# A drain may take IVR_DRAIN_TIMEOUT, and somewhat longer on a machine this busy.
_DRAIN_S = 30


class Faults:
    def __init__(self, world, plan, seed):
        self._world = world
        self._chance = random.Random(f"faults-{seed}")
        self._order = itertools.count()
        self._waiting = []  # heap of (when, order, generator)
        self._busy = set()  # what a fault holds until it is over
        self.planned = len(plan)
        self.log = []
        started = time.monotonic()
        for fault in plan:
            self._push(started + fault.at, self._carry(fault))

    def _push(self, when, generator):
        heapq.heappush(self._waiting, (when, next(self._order), generator))

    def step(self):
        """Whatever is due by now."""
        while self._waiting and self._waiting[0][0] <= time.monotonic():
            _, _, generator = heapq.heappop(self._waiting)
            pause = next(generator, None)
            if pause is not None:
                self._push(time.monotonic() + pause, generator)

    def done(self):
        return not self._waiting

    def _carry(self, fault):
        holds = _holds(fault)
        while holds in self._busy:
            yield 0.2
        self._busy.add(holds)
        entry = {"kind": fault.kind, "target": fault.target, "seconds": fault.seconds, "at_ms": now_ms()}
        self.log.append(entry)
        under_way = UnderWay(self._world, fault)
        yield from getattr(self, "_" + fault.kind)(fault, entry)
        entry["end_ms"] = now_ms()
        entry["in_flight"] = under_way.count()
        self._busy.discard(holds)

    # --- workers -------------------------------------------------------------------------------------------------

    def _kill(self, fault, entry):
        slot = self._world.slots[fault.target]
        slot.kill()
        yield fault.seconds
        slot.start()

    def _term(self, fault, entry):
        slot = self._world.slots[fault.target]
        slot.ask_to_leave()
        deadline = time.monotonic() + _DRAIN_S
        while not slot.left():
            yield 0.1
            if time.monotonic() > deadline:
                entry["drain"] = "did not end"
                slot.kill()
                break
        yield fault.seconds
        slot.start()

    def _freeze(self, fault, entry):
        slot = self._world.slots[fault.target]
        slot.freeze()
        yield fault.seconds
        slot.thaw()

    def _join(self, fault, entry):
        slot = self._world.add_slot(fault.target)
        slot.start()
        yield fault.seconds
        if not slot.worker.alive():
            return  # it could not begin while its Kafka or Redis was away; the world notes that
        slot.ask_to_leave()
        deadline = time.monotonic() + _DRAIN_S
        while not slot.left():
            yield 0.1
            if time.monotonic() > deadline:
                entry["drain"] = "did not end"
                slot.kill()
                return

    # --- brokers -------------------------------------------------------------------------------------------------

    def _back(self, brokers, seconds):
        kafka = self._world.kafka
        yield seconds
        for broker in brokers:
            while kafka.processes[broker].alive():  # a broker that was asked to stop
                yield 0.2
            kafka.start_broker(broker)
        while not kafka.listening():
            yield 0.5
        # What it was before it fell may still be told of it; and the next fault must not take away the only replica
        # that is in sync.
        yield 2
        while not kafka.in_sync():
            yield 1

    def _broker_stop(self, fault, entry):
        broker = int(fault.target)
        self._world.kafka.processes[broker].send(15)
        yield from self._back([broker], fault.seconds)

    def _broker_kill(self, fault, entry):
        broker = int(fault.target)
        self._world.kafka.processes[broker].kill9()
        yield from self._back([broker], fault.seconds)

    def _leader_kill(self, fault, entry):
        broker = self._world.kafka.leader("ivr.call-requests") or 1
        entry["broker"] = broker
        self._world.kafka.processes[broker].kill9()
        yield from self._back([broker], fault.seconds)

    def _brokers_away(self, fault, entry):
        left = int(fault.target)
        brokers = [broker for broker in self._world.kafka.processes if broker != left]
        for broker in brokers:
            self._world.kafka.processes[broker].kill9()
        yield from self._back(brokers, fault.seconds)

    # --- Redis ---------------------------------------------------------------------------------------------------

    def _redis_kill(self, fault, entry):
        self._world.redis.process.kill9()
        yield fault.seconds
        self._world.redis.start()
        while not self._world.redis.answers():
            yield 0.2

    def _redis_freeze(self, fault, entry):
        self._world.redis.process.freeze()
        yield fault.seconds
        self._world.redis.process.thaw()

    def _failover(self, fault, entry):
        yield from self._world.redis.failover(self._chance, fault.seconds)

    def _primary_kill(self, fault, entry):
        yield from self._world.redis.kill_primary(self._chance, fault.seconds)

    def _primary_freeze(self, fault, entry):
        yield from self._world.redis.freeze_primary(self._chance, fault.seconds)

    def _move_slots(self, fault, entry):
        yield from self._world.redis.move_slots(self._chance, fault.seconds)

    # --- the network ---------------------------------------------------------------------------------------------

    def _cut(self, fault, entry):
        self._world.proxies.cut(fault.target)
        yield fault.seconds
        self._world.proxies.restore(fault.target)

    def _poison(self, fault, toxic, **attributes):
        self._world.proxies.poison(fault.target, toxic, **attributes)
        yield fault.seconds
        self._world.proxies.cure(fault.target, toxic)

    def _latency(self, fault, entry):
        yield from self._poison(fault, "latency", latency=self._chance.choice((50, 300, 900)), jitter=50)

    def _reset_peer(self, fault, entry):
        yield from self._poison(fault, "reset_peer", timeout=self._chance.choice((0, 20, 200)))

    def _slow_close(self, fault, entry):
        yield from self._poison(fault, "slow_close", delay=2000)

    def _bandwidth(self, fault, entry):
        yield from self._poison(fault, "bandwidth", rate=20)


class UnderWay:
    """How many placements a fault meets, which is the most that it may leave in doubt, by the dispatch workers' own
    account: what each works on when it begins; what those that live on conclude during it and work on at its end."""

    def __init__(self, world, fault):
        # Whoever is killed, frozen or asked to leave has only itself to lose; anything else touches every dispatch.
        self._alone = world.slots.get(fault.target)
        self._slots = [self._alone] if self._alone else world.of("dispatch")
        self._before = self._loads()

    def _loads(self):
        asked = [slot for slot in self._slots if slot.group == "dispatch" and slot.wanted]
        return {slot.worker: slot.load() for slot in asked}

    def count(self):
        after = self._loads()
        began = set() if self._alone else set(after) - set(self._before)
        met = [_met(load, after.get(worker)) for worker, load in self._before.items()]
        return sum(met) + sum(_met(None, after[worker]) for worker in began)


def _met(before, after):
    """None: too young to say, or gone."""
    if after is None:
        return before.busy if before else 0
    return max(before.busy if before else 0, after.placed - (before.placed if before else 0) + after.busy)


def _holds(fault):
    """Two faults that hold the same thing come one after the other."""
    if "broker" in fault.kind or fault.kind == "leader_kill":
        return "brokers"
    if fault.kind == "join":
        return f"join-{fault.target}"
    return fault.target
