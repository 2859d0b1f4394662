"""The campaign: requests at a steady pace, some of them twice, and what has become of them so far."""

import collections
import heapq
import json
import random
import time

from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition

from channels import TENANTS, channel_of_call

_CAMPAIGNS = 4
# Of the calls, those to the number of another one of the same tenant and channel that came shortly before.
_SAME_NUMBER = 0.08
_LATELY = 3


def requests_of(seed, count, seconds):
    """Endless in variety, the same for the same seed: (request, how often it is sent, whether it is a good one)."""
    chance = random.Random(f"campaign-{seed}")
    numbers = _Numbers(chance)
    for number in range(count):
        request = _request(chance, number)
        channel = channel_of_call(chance.random(), number, count, seconds)
        if channel:
            request["channel"] = channel
        request["to"] = numbers.choose(number, request["tenant"], channel)
        dice = chance.random()
        if dice < 0.003:
            yield request | {"to": "0722000111"}, 1, False
        else:
            yield request, 1 + (dice < 0.06), True


def _request(chance, number):
    request = {
        "call_id": f"call-{number}",
        "tenant": chance.choices(list(TENANTS), list(TENANTS.values()))[0],
        "campaign": f"prices-{chance.randrange(_CAMPAIGNS)}",
        "message": {"say": "Maize is at 45 shillings.", "language": "en-GB"},
        "ring_timeout": 5,
        "time_limit": 5,
        "priority": chance.randrange(10),
    }
    dice = chance.random()
    if dice > 0.70:
        request["retry"] = {"max_attempts": 3, "on": ["No_answer", "User_busy"], "delays": [1, 2]}
    if dice > 0.98:
        request["retry"]["on"].append("Gateway_unavailable")
        request["redial_in_doubt"] = True
    return request


class _Numbers:
    """Who is called: mostly somebody new, now and then somebody whom another request may be calling right now."""

    def __init__(self, chance):
        self._chance = chance
        self._lately = {}  # by tenant and channel

    def choose(self, number, tenant, channel):
        lately = self._lately.setdefault((tenant, channel), collections.deque(maxlen=_LATELY))
        if lately and self._chance.random() < _SAME_NUMBER:
            return self._chance.choice(lately)
        lately.append(f"+2547{number:08d}")
        return lately[-1]


class Campaign:
    """Sends count requests within so many seconds, and follows their events."""

    def __init__(self, bootstrap, partitions, seed, count, seconds):
        self.count, self.seconds = count, seconds
        self.sent = self.acknowledged = self.failed = self.repeated = 0
        self.calls = set()  # (tenant, call_id) of good requests that are sent
        self.final = set()
        self.started = None
        self._requests = requests_of(seed, count, seconds)
        self._chance = random.Random(f"repeats-{seed}")
        self._later = []  # heap of (when, call_id, request): sent again after a while
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "acks": "all",
                "linger.ms": 5,
                "message.timeout.ms": 300000,
                "log_level": 0,
            }
        )
        self._watch = Consumer(
            {"bootstrap.servers": bootstrap, "group.id": "watch", "enable.auto.commit": False, "log_level": 0}
            | {"auto.offset.reset": "earliest"}
        )
        self._watch.assign([TopicPartition("ivr.call-events", n, OFFSET_BEGINNING) for n in range(partitions)])

    def begin(self):
        self.started = time.monotonic()

    def elapsed(self):
        return time.monotonic() - self.started

    def step(self, pause):
        """Sends what is due, then reads events for at most `pause` seconds."""
        due = min(self.count, int(self.count * self.elapsed() / self.seconds) + 1)
        for _ in range(min(due - self.sent, 500)):
            self._send_next()
        while self._later and self._later[0][0] <= time.monotonic():
            self._send(heapq.heappop(self._later)[2])
        self._producer.poll(0)
        self._read(pause)

    def _send_next(self):
        request, times, good = next(self._requests)
        self.sent += 1
        if good:
            self.calls.add((request["tenant"], request["call_id"]))
        self._send(request)
        if times > 1:
            self.repeated += 1
            after = self._chance.choice((0, 0, 0.2, 2, 10, 30))
            heapq.heappush(self._later, (time.monotonic() + after, request["call_id"], request))

    def _send(self, request):
        self._producer.produce(
            "ivr.call-requests",
            json.dumps(request).encode(),
            # The same key for both, mostly: a repetition from another producer may take another partition.
            key=self._chance.choice((request["call_id"], request["call_id"], request["call_id"][::-1])).encode(),
            on_delivery=self._delivered,
        )

    def _delivered(self, error, message):
        if error:
            self.failed += 1
        else:
            self.acknowledged += 1

    def _read(self, pause):
        for message in self._watch.consume(2000, timeout=pause):
            if message.error() is None and b'"final":true' in message.value():
                event = json.loads(message.value())
                self.final.add((event["tenant"], event["call_id"]))

    def everything_sent(self):
        return self.sent == self.count and not self._later

    def unsent(self):
        return len(self._producer)

    def missing(self):
        return self.calls - self.final

    def close(self):
        self._producer.flush(60)
        self._watch.close()
