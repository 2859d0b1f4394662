"""The schedule of faults: which, on what, when and for how long. A pure function of the seed."""

import random
from dataclasses import asdict, dataclass

WORKERS = {"dispatch": 3, "status": 2, "report": 2, "gateway": 2}
GROUPS = tuple(WORKERS)
LINKS = ("provider", *(f"{server}-{group}" for server in ("kafka", "redis") for group in GROUPS))

# How much of each kind. A deck is dealt before the next is shuffled, so that a run of an hour has them all.
DECK = {
    "kill": 12,  # kill -9 a worker, start it again
    "term": 6,  # SIGTERM, which must drain, then start it again
    "freeze": 6,  # SIGSTOP for longer than the session timeout: it wakes up as a zombie
    "join": 4,  # one more replica comes and goes: two rebalances
    "broker_stop": 2,
    "broker_kill": 2,
    "leader_kill": 2,  # the broker that leads the first partition of the requests
    "brokers_away": 1,  # two of three at once: Kafka takes nothing until one of them is back
    "redis_kill": 3,
    "redis_freeze": 3,
    "cut": 5,
    "latency": 4,
    "reset_peer": 4,
    "slow_close": 2,
    "bandwidth": 2,
}

# Redis as a Sentinel pair or a Cluster can do more than die and come back. The way to it is direct: it tells addresses
# of its own.
_REDIS_KINDS = {
    "plain": {},
    "sentinel": {"failover": 3, "primary_kill": 4, "primary_freeze": 3},
    "lossy": {"failover": 3, "primary_kill": 4, "primary_freeze": 3},
    "cluster": {"failover": 3, "primary_kill": 4, "primary_freeze": 3, "move_slots": 4},
}
MODES = tuple(_REDIS_KINDS)

# What a run of a minute deals: one of each that does not take most of it.
SHORT_DECK = {kind: 1 for kind in DECK if kind not in ("broker_stop", "brokers_away", "slow_close")} | {"kill": 3}

# Seconds that a fault lasts. Restarts take what they take on top.
_SECONDS = {
    "kill": (0.2, 3),
    "term": (0.2, 2),
    "freeze": (8, 15),
    "join": (2, 8),
    "broker_stop": (1, 6),
    "broker_kill": (1, 6),
    "leader_kill": (1, 6),
    "brokers_away": (4, 10),
    "redis_kill": (0.2, 3),
    "redis_freeze": (1, 6),
    "failover": (0, 2),
    "primary_kill": (0, 3),
    "primary_freeze": (1, 8),
    "move_slots": (0.3, 6),
    "cut": (1, 10),
    "latency": (3, 10),
    "reset_peer": (2, 6),
    "slow_close": (3, 8),
    "bandwidth": (3, 8),
}
_SHORT_SECONDS = {"freeze": (8, 9), "cut": (1, 5), "latency": (2, 5)}

# Dispatch is what could dial twice.
_WORKER_WEIGHTS = {"dispatch": 4, "status": 2, "report": 1, "gateway": 2}

GATEWAY_ALONE_S = 60


@dataclass(frozen=True)
class Fault:
    at: float  # seconds from the first request
    kind: str
    target: str  # a worker ("dispatch.2"), a group, a broker, a link
    seconds: float

    def as_dict(self):
        return asdict(self)


def deck_of(mode, short=False):
    """{kind: how many} of what is dealt again and again."""
    deck = SHORT_DECK if short else DECK
    if mode == "plain":
        return deck
    return {kind: n for kind, n in deck.items() if not kind.startswith("redis_")} | _REDIS_KINDS[mode]


def plan(seed, seconds, gap, mode="plain"):
    """Faults for a run of so many seconds, one about every `gap` seconds."""
    chance = random.Random(f"chaos-{seed}")
    short = seconds < 120
    kinds = _deal(chance, deck_of(mode, short))
    faults, at = [], 0.0
    while True:
        at += chance.uniform(0.4, 1.6) * gap
        if at >= seconds:
            break
        kind = next(kinds)
        low, high = (_SHORT_SECONDS if short else {}).get(kind, _SECONDS[kind])
        faults.append(Fault(round(at, 3), kind, _target(chance, kind, mode), round(chance.uniform(low, high), 3)))
    if seconds >= 4 * GATEWAY_ALONE_S:
        at = chance.uniform(0.2, 0.6) * seconds
        faults.append(Fault(round(at, 3), "cut", "kafka-gateway", GATEWAY_ALONE_S))
    return sorted(faults, key=lambda fault: fault.at)


def _deal(chance, deck):
    while True:
        cards = [kind for kind, count in deck.items() for _ in range(count)]
        chance.shuffle(cards)
        yield from cards


def _target(chance, kind, mode):
    if kind in ("kill", "term", "freeze"):
        group = chance.choices(list(_WORKER_WEIGHTS), list(_WORKER_WEIGHTS.values()))[0]
        return f"{group}.{chance.randint(1, WORKERS[group])}"
    if kind == "join":
        return chance.choice(("dispatch", "dispatch", "status", "report"))
    if kind.startswith("redis_") or kind in _REDIS_KINDS["cluster"]:
        return "redis"
    if kind == "leader_kill":
        return "leader"
    if kind.startswith("broker"):
        return str(chance.randint(1, 3))
    # The way to the provider is where a call could be dialled twice.
    links = (*LINKS, "provider", "provider", "redis-dispatch", "kafka-dispatch")
    return chance.choice([link for link in links if mode == "plain" or not link.startswith("redis-")])
