"""Everything that a run consists of: three brokers, Redis, a provider, proxies between them, and the workers.

Nothing here may start a process from another thread than the first: children die with the thread that started them.
"""

import itertools
import json
import os
import time
from typing import NamedTuple

import requests

from channels import BACKUP, DEFAULT, limits
from harness.pipeline import API_TOKEN, PUBLIC_URL, channel_of
from harness.ports import free_port
from harness.simulator import Simulator
from harness.wait import wait_until
from harness.worker import Worker
from kafka_cluster import KafkaCluster
from plan import GROUPS, WORKERS
from proxies import Proxies
from redis_aof import DurableRedis
from redis_groups import ClusterGroup, SentinelGroup

PARTITIONS = {
    "ivr.call-requests": 12,
    "ivr.callbacks": 12,
    "ivr.call-events": 12,
    "ivr.call-records": 12,
    "ivr.delivery-summaries": 12,
    "ivr.dead-letters": 3,
    "ivr.audit": 3,
}
# What each group consumes: the rest is only written.
CONSUMES = {"dispatch": "ivr.call-requests", "status": "ivr.callbacks", "report": "ivr.call-events"}

# Each limit is short, so that what a fault leaves behind is settled within the run and not a day after it.
SETTINGS = {
    "IVR_KAFKA_SESSION_TIMEOUT_MS": "6000",
    "IVR_KAFKA_HEARTBEAT_INTERVAL_MS": "1000",
    "IVR_KAFKA_RECONNECT_BACKOFF_MAX_MS": "2000",
    # A zombie's last records are on their way no longer than a run waits for them.
    "IVR_KAFKA_MESSAGE_TIMEOUT_MS": "20000",
    "IVR_REPORT_INTERVAL": "1s",
    # What comes back at once after an outage must not take this machine longer than claims last.
    "IVR_MAX_IN_FLIGHT": "200",
    "IVR_DRAIN_TIMEOUT": "10s",
    "IVR_PENDING_CHECK": "8s",
    "IVR_PENDING_LIMIT": "45s",
    "IVR_GIVE_UP": "90s",
    # Longer than anything is away: a link that cannot be written must not cost the callbacks that wait for it.
    "IVR_UNKNOWN_CALLBACK_KEEP": "90s",
    "IVR_API_TOKEN": API_TOKEN,
    "IVR_PUBLIC_URL": PUBLIC_URL,
    "IVR_LOG_FORMAT": "json",
    "IVR_LOG_LEVEL": "info",
}
REQUEST_TIMEOUT = "3s"

# A provider on a bad day: each of them is one call in so many.
PROVIDER_FAULTS = {
    "early": 0.05,
    "duplicate": 0.05,
    "reorder": 0.05,
    "late": 0.03,
    "short_url": 0.05,
    "429": 0.02,
    "503": 0.01,
    "limit": 0.005,
    "refused": 0.01,
    "never": 0.005,
    "no_final": 0.005,
    "unknown": 0.003,
    "timeout": 0.002,
    "reset": 0.003,
    "close": 0.003,
    "garbage": 0.003,
    "500": 0.003,
}


_REDIS = {"plain": DurableRedis, "sentinel": SentinelGroup, "lossy": SentinelGroup, "cluster": ClusterGroup}


def now_ms():
    return int(time.time() * 1000)


class Load(NamedTuple):
    busy: int  # what it is working on
    placed: int  # how many placements it has concluded


def _load_of(worker):
    try:
        metrics = worker.metrics()
    except (requests.RequestException, AssertionError):
        return None
    return Load(int(metrics.value("ivr_in_flight")), int(metrics.value("ivr_placements_total")))


class Slot:
    """The place of one worker: whoever runs in it keeps its settings, its port too."""

    def __init__(self, world, group, number):
        self.world, self.group, self.name = world, group, f"{group}.{number}"
        self.env = world.worker_env(group)
        if group == "gateway":
            self.port = free_port()
            self.env["IVR_GATEWAY_LISTEN"] = f"127.0.0.1:{self.port}"
        self.worker = self._told_by = self._load = None
        self.wanted = self.frozen = False

    def start(self):
        self.worker = Worker(f"ivr-{self.group}", self.world.directory / "workers", self.env)
        self.wanted = True
        self.world.note_worker("start", self)

    def load(self):
        """By its own account; of one that cannot answer now the last that it said. None: it is too young to say."""
        if self.worker is not self._told_by:
            self._load, self._told_by = None, self.worker
        if not self.frozen and self.worker.listens_already():
            self._load = _load_of(self.worker) or self._load
        return self._load

    def kill(self):
        self.wanted = False
        self.world.note_worker("kill", self)
        self.worker.kill9()

    def freeze(self):
        self.world.note_worker("freeze", self)
        self.frozen = True
        self.worker.freeze()

    def thaw(self):
        self.worker.thaw()
        self.frozen = False
        self.world.note_worker("thaw", self)

    def ask_to_leave(self):
        self.wanted = False
        self.worker.ended_by_us = True
        self.worker.send(15)
        self.world.note_worker("term", self)

    def left(self):
        if self.worker.alive():
            return False
        self.world.note_worker("left", self, code=self.worker.popen.returncode)
        return True


class World:
    def __init__(self, directory, options, say):
        """`options`: seed, mode, calls and minutes of the run."""
        seed, mode = options.seed, options.mode
        self.directory = directory
        (directory / "workers").mkdir(parents=True)
        self._extras = itertools.count(1)
        self.history = []  # what happened to workers
        self.seed = seed
        say("starting three brokers, Redis and the provider")
        self.proxies = Proxies(directory / "toxiproxy")
        self.kafka = KafkaCluster(directory / "kafka", self.proxies, GROUPS)
        self.kafka.create_topics(PARTITIONS)
        self.redis = _REDIS[mode](directory / "redis")
        self._redis_urls = dict.fromkeys(GROUPS, self.redis.url)
        if mode == "plain":
            self._redis_urls = {group: self._proxied_redis(group) for group in GROUPS}
        self.settings = SETTINGS | {"IVR_REDIS_REPLICAS": "1" if mode in ("sentinel", "cluster") else "0"}
        self.slots = {}
        self._provider_port = free_port()
        self.channels_path = directory / "channels.json"
        for group, count in WORKERS.items():
            for number in range(1, count + 1):
                self.add_slot(group, number)
        self.simulator = self._start_simulator()
        provider_port = int(self.simulator.base_url.rsplit(":", 1)[1])
        self.proxies.add("provider", provider_port, self._provider_port)
        # Nothing happens to this one: whoever may use another way finds it open while the provider's is broken.
        self._backup_port = self.proxies.add(BACKUP, provider_port)
        self._write_channels(*limits(options.calls, options.minutes * 60))

    def _proxied_redis(self, group):
        return f"redis://127.0.0.1:{self.proxies.add(f'redis-{group}', self.redis.port)}/0"

    def _start_simulator(self):
        gateways = ",".join(f"http://127.0.0.1:{slot.port}" for slot in self.of("gateway"))
        faults = [word for name, share in PROVIDER_FAULTS.items() for word in ("--fault", f"{name}={share}")]
        return Simulator(
            self.directory / "provider",
            *("--seed", self.seed, "--speed", 30, "--latency-ms", "5-40", "--late-ms", 4000, "--hang-ms", 20000),
            # A frozen gateway keeps each of its callbacks for 15 s; the others must not wait behind them.
            *("--callback-transfers", 2000, "--keep", 1000000, "--via", f"{PUBLIC_URL}={gateways}"),
            *("--log", self.directory / "placements.ndjson", "--callback-log", self.directory / "gateway.ndjson"),
            *faults,
        )

    def _write_channels(self, channels, tenants):
        described = {name: self._channel(name, changes) for name, changes in channels.items()}
        document = {"channels": described, "default_channel": DEFAULT, "tenants": tenants}
        self.channels_path.write_text(json.dumps(document, indent=2), encoding="utf-8")

    def _channel(self, name, changes):
        port = self._backup_port if name == BACKUP else self._provider_port
        return channel_of(f"http://127.0.0.1:{port}", {"request_timeout": REQUEST_TIMEOUT} | changes)

    def worker_env(self, group):
        return self.settings | {
            "PATH": os.environ["PATH"],
            "IVR_KAFKA_BOOTSTRAP_SERVERS": self.kafka.group_bootstrap(group),
            "IVR_REDIS_URL": self._redis_urls[group],
            "IVR_CHANNELS": str(self.channels_path),
            "IVR_ADMIN_LISTEN": "127.0.0.1:0",
        }

    # --- workers -------------------------------------------------------------------------------------------------

    def add_slot(self, group, number=None):
        slot = Slot(self, group, number or f"extra{next(self._extras)}")
        self.slots[slot.name] = slot
        return slot

    def of(self, group):
        return [slot for slot in self.slots.values() if slot.group == group]

    def start_workers(self):
        for slot in self.slots.values():
            slot.start()
        for slot in self.slots.values():
            slot.worker.wait_ready(60)

    def note_worker(self, what, slot, **more):
        worker = slot.worker
        self.history.append({"at_ms": now_ms(), "what": what, "slot": slot.name, "worker": worker.name, **more})

    def tend(self):
        """A worker that ended by itself is noted and started again, as its supervisor would."""
        for slot in self.slots.values():
            if slot.wanted and not slot.worker.alive():
                self.note_worker("ended", slot, code=slot.worker.popen.returncode, tail=slot.worker.tail(15))
                slot.start()

    def wait_ready(self, timeout):
        for slot in self.slots.values():
            if slot.wanted:
                slot.worker.wait_ready(timeout)

    def stop_workers(self):
        """SIGTERM to all; each must drain and end."""
        living = [slot for slot in self.slots.values() if slot.wanted]
        for slot in living:
            slot.ask_to_leave()
        wait_until(lambda: not any(slot.worker.alive() for slot in living), "the workers to drain", timeout=40)
        for slot in living:
            slot.left()

    # --- the end -------------------------------------------------------------------------------------------------

    def heal(self):
        """Whatever is still broken is whole again."""
        self.proxies.heal()
        self.redis.heal()
        for broker, process in self.kafka.processes.items():
            if not process.alive():
                self.kafka.start_broker(broker)
        wait_until(self.kafka.all_up, "the brokers to be back", timeout=120, interval=0.5)

    def close(self):
        for slot in self.slots.values():
            if slot.worker and slot.worker.alive():
                slot.worker.kill9()
        for part in (self.redis, self.kafka, self.proxies):
            part.stop()
        self.simulator.kill9()
