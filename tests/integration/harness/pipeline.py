"""Topics, a channels file, a fake provider and the programs of bin/ around them.

pipeline = Pipeline(services, directory, channels={"main": {}})
pipeline.start("dispatch", "status", "report", "gateway")
request = pipeline.request(to="+254722000111")
pipeline.wait_status(request, "Completed")
pipeline.close()           SIGTERM everything, exit codes, and what must hold of all that was ever published
"""

import itertools
import json
import os
import signal
import uuid

import requests
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, KafkaException, Producer, TopicPartition
from redis import RedisError

from . import invariants, schemas
from .paths import BIN
from .process import run
from .provider import LANGUAGES, Provider
from .tap import Tap
from .wait import wait_until
from .worker import Worker

PUBLIC_URL = "https://ivr.example.test"
API_TOKEN = "a-token-for-the-tests"
CALLER_ID = "+254711082000"
WORKERS = ("dispatch", "status", "report", "gateway")
TOPICS = ("CALL_REQUESTS", "CALLBACKS", "CALL_EVENTS", "CALL_RECORDS", "DELIVERY_SUMMARIES", "DEAD_LETTERS", "AUDIT")

_numbers = itertools.count(1)


class Services:
    """What pipelines share: one broker, one Redis."""

    def __init__(self, broker, redis):
        self.broker, self.redis = broker, redis


def channel_of(base_url, changes):
    """A channel as it stands in the channels file: of the provider that the changes name, else of Twilio's. What they
    set to None is left out."""
    channel = {"from": CALLER_ID, "base_url": base_url, "request_timeout": "10s"}
    described = LANGUAGES[changes.get("provider", "twilio")].channel() | channel | changes
    return {name: value for name, value in described.items() if value is not None}


class Pipeline:
    def __init__(self, services, directory, channels=None, env=None, public_url=PUBLIC_URL, partitions=4):
        """channels: {name: what differs from channel_of()}; the first one is the default channel."""
        self.services = services
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self.name = "t" + uuid.uuid4().hex[:8]
        self.public_url = public_url
        self.provider = Provider()
        self.topics = {kind: f"{self.name}.{kind.lower().replace('_', '-')}" for kind in TOPICS}
        self.partitions = partitions
        self.workers = []
        self.bin = BIN  # whose programs start_worker() starts
        self.closed = False
        self.several_reporters = False
        self.spoiled = False  # a test changed calls or indexes in Redis by hand
        self.has_older_workers = False  # of a version that knows no records
        self._handmade = set()  # values of callbacks that a test produced by itself
        self._producer = Producer({"bootstrap.servers": services.broker.bootstrap, "linger.ms": 1, "log_level": 0})
        counts = {name: partitions for name in self.topics.values()}
        services.broker.create_topics(counts)
        self.tap = Tap(services.broker.bootstrap, counts, self.check_alive)
        self.channels_path = directory / "channels.json"
        self.write_channels(channels or {"main": {}})
        self.env = self._environment() | (env or {})

    def _environment(self):
        env = {
            "PATH": os.environ["PATH"],
            "IVR_KAFKA_BOOTSTRAP_SERVERS": self.services.broker.bootstrap,
            # A killed worker's partitions are free again after 6 s, not 45.
            "IVR_KAFKA_SESSION_TIMEOUT_MS": "6000",
            "IVR_KAFKA_HEARTBEAT_INTERVAL_MS": "1000",
            "IVR_REDIS_URL": self.services.redis.url,
            "IVR_REDIS_PREFIX": self.name,
            "IVR_CHANNELS": str(self.channels_path),
            "IVR_ADMIN_LISTEN": "127.0.0.1:0",
            "IVR_GATEWAY_LISTEN": "127.0.0.1:0",
            "IVR_PUBLIC_URL": self.public_url,
            "IVR_API_TOKEN": API_TOKEN,
            "IVR_REPORT_INTERVAL": "300ms",
            "IVR_DRAIN_TIMEOUT": "10s",
            "IVR_LOG_FORMAT": "json",
            "IVR_LOG_LEVEL": os.environ.get("TEST_LOG_LEVEL", "info"),
        }
        env |= {f"IVR_TOPIC_{kind}": name for kind, name in self.topics.items()}
        if os.geteuid() != 0:
            env["IVR_CORE_DUMPS"] = "yes"  # else /proc would show what a worker uses to root only
        # Sanitizers and friends are steered from outside; nothing else of our own environment reaches the programs.
        return env | {name: value for name, value in os.environ.items() if name.endswith("SAN_OPTIONS")}

    # --- programs ------------------------------------------------------------------------------------------------

    def write_channels(self, channels, **beside):
        """A channel's number has the channel's URL registered, as Africa's Talking wants it. `beside`: what else the file
        says, such as tenants."""
        described = {name: channel_of(self.provider.base_url, changes) for name, changes in channels.items()}
        self.channels = described
        for name, channel in described.items():
            if channel["provider"] == "africastalking":
                self.provider.register(channel["from"], self.short_url(name))
        document = {"channels": described, "default_channel": next(iter(channels))} | beside
        self.channels_path.write_text(json.dumps(document, indent=2), encoding="utf-8")

    def worker_env(self, program, changes=None):
        group = {"IVR_GROUP_ID": f"{self.name}.{program}"}
        merged = self.env | group | (changes or {})
        return {name: value for name, value in merged.items() if value is not None}

    def start_worker(self, kind, **env):
        """One more replica; not waited for."""
        worker = Worker(f"ivr-{kind}", self.directory, self.worker_env(f"ivr-{kind}", env), self.bin)
        self.workers.append(worker)
        if kind == "report":
            living = [other for other in self.workers if other.program == "ivr-report" and other.alive()]
            self.several_reporters = self.several_reporters or len(living) > 1
        return worker

    def start(self, *kinds, **env):
        """Starts these workers (all four when none is named) and waits until each is ready."""
        started = [self.start_worker(kind, **env) for kind in kinds or WORKERS]
        for worker in started:
            worker.wait_ready()
        for worker in started:
            if worker.program == "ivr-gateway":
                self.provider.behind(self.public_url, worker.gateway)
        return started

    def reload(self):
        """SIGHUP to every worker that reads the channels file."""
        for worker in self.workers:
            if worker.alive() and worker.program != "ivr-report":
                worker.send(signal.SIGHUP)

    def worker(self, kind):
        """The newest living worker of this kind."""
        return next(w for w in reversed(self.workers) if w.program == f"ivr-{kind}" and w.alive())

    def check_alive(self):
        """A worker that ended by itself is the news, not what a test was waiting for meanwhile."""
        for worker in self.workers:
            if not worker.ended_by_us and not worker.alive():
                raise AssertionError(f"{worker.name} exited with {worker.popen.returncode}\n{worker.tail()}")

    def restart(self, kind, **env):
        self.worker(kind).term()
        return self.start(kind, **env)[0]

    def cli(self, *args, stdin=None, env=None, timeout=60.0):
        """bin/ivrctl with the pipeline's environment."""
        return run([BIN / "ivrctl", *args], self.worker_env("ivrctl", env), stdin, timeout)

    # --- requests ------------------------------------------------------------------------------------------------

    @staticmethod
    def new_number():
        return f"+2547{next(_numbers):08d}"

    def new_request(self, **fields):
        """A request that fits, with a call_id, campaign and number of its own. A field set to None is left out."""
        number = next(_numbers)
        request = {
            "call_id": f"call-{number}",
            "tenant": "acme",
            "campaign": f"campaign-{number}",
            "to": self.new_number(),
            "message": {"say": "Maize is at 45 shillings.", "language": "en-GB"},
        }
        return {name: value for name, value in (request | fields).items() if value is not None}

    def produce(self, kind, value, key=None, headers=None, partition=None, timestamp=None):
        """One record, acknowledged by the broker."""
        failures = []
        options = {} if partition is None else {"partition": partition}
        if timestamp is not None:
            options["timestamp"] = timestamp
        value = value if isinstance(value, bytes) or value is None else json.dumps(value).encode()
        if kind == "CALLBACKS":
            self._handmade.add(value)
        self._producer.produce(
            self.topics[kind],
            value,
            key=key,
            headers=headers,
            on_delivery=lambda error, message: failures.append(error) if error else None,
            **options,
        )
        assert self._producer.flush(15) == 0 and not failures, f"could not produce: {failures}"

    def send(self, request, **options):
        """The request onto the topic, keyed by its call_id."""
        self.produce("CALL_REQUESTS", request, key=str(request.get("call_id", "none")), **options)
        return request

    def request(self, **fields):
        return self.send(self.new_request(**fields))

    def send_all(self, requests_):
        for request in requests_:
            self._producer.produce(
                self.topics["CALL_REQUESTS"], json.dumps(request).encode(), key=request["call_id"].encode()
            )
            self._producer.poll(0)
        assert self._producer.flush(60) == 0

    def produce_all(self, kind, values, key, headers):
        """Many records at once, with one key."""
        for value in values:
            if kind == "CALLBACKS":
                self._handmade.add(value)
            self._producer.produce(self.topics[kind], value, key=key, headers=headers)
            self._producer.poll(0)
        assert self._producer.flush(60) == 0

    def placed(self, request, count=1, timeout=15.0):
        """The count-th placement of this request, as the provider saw it."""
        return self.provider.wait_placement(request["to"], count, timeout, self.check_alive)

    def provider_of(self, channel):
        """Its provider's name; a channel that nobody has counts as one of Twilio's."""
        return self.channels.get(channel, {}).get("provider", "twilio")

    def attempt_url(self, request, attempt=1, channel="main", what="callbacks"):
        """The long form of a callback (or answer) URL, as dispatch hands it out."""
        tail = f"{request['tenant']}/{request['call_id']}/{attempt}"
        return f"{self.public_url}/{what}/{self.provider_of(channel)}/{channel}/{tail}"

    def short_url(self, channel="main"):
        """The fixed URL that names the channel only."""
        return f"{self.public_url}/callbacks/{self.provider_of(channel)}/{channel}"

    def report(self, request, *statuses, **fields):
        """Callbacks for the request's newest placement, one after the other; `fields` go with the last one."""
        self.placed(request)
        placement = self.provider.placements(request["to"])[-1]
        for number, status in enumerate(statuses):
            last = number == len(statuses) - 1
            self.provider.report(placement, status, number, **(fields if last else {}))
        return placement

    # --- what came of them ---------------------------------------------------------------------------------------

    def api(self, path, method="GET", token=API_TOKEN, **options):
        headers = options.pop("headers", {})
        if token:
            headers = headers | {"Authorization": f"Bearer {token}"}
        url = self.worker("gateway").gateway + path
        response = requests.request(method, url, headers=headers, timeout=30, **options)
        schemas.check_answer(method, path, response)
        return response

    def call(self, request):
        """The call as GET /v1 shows it, or None while it is unknown."""
        response = self.api(f"/v1/calls/{request['tenant']}/{request['call_id']}")
        if response.status_code == 404:
            return None
        assert response.status_code == 200, f"{response.status_code} {response.text}"
        return response.json()

    def wait_call(self, request, matches, what, timeout=15.0):
        seen = {}

        def check():
            self.check_alive()
            seen["call"] = self.call(request)
            return seen["call"] is not None and matches(seen["call"]) and seen["call"]

        return wait_until(check, lambda: f"{what}; the call is {seen.get('call')}", timeout)

    def wait_status(self, request, status, timeout=15.0):
        return self.wait_call(request, lambda call: call["status"] == status, f"status {status}", timeout)

    def wait_final(self, request, status, timeout=15.0):
        return self.wait_call(
            request, lambda call: call["final"] and call["status"] == status, f"final status {status}", timeout
        )

    def events(self, request):
        """Those that have left so far, by seq, each once; what is known in Redis may follow (all_events)."""
        records = self.tap.records(self.topics["CALL_EVENTS"], _is_about(request))
        return invariants.check_events(records).get((request["tenant"], request["call_id"]), [])

    def wait_event(self, request, matches, what, timeout=15.0):
        """The first event of the call that matches; ones before it may still stand in a dead worker's outbox."""
        found = self.tap.wait(
            self.topics["CALL_EVENTS"], lambda r: _is_about(request)(r) and matches(r.json), what, timeout=timeout
        )
        return min((record.json for record in found), key=lambda event: event["seq"])

    def wait_events(self, request, count, timeout=15.0):
        """The call's events, once the first `count` of them are there: several workers produce them, in any order."""

        def seen():
            records = self.tap.records(self.topics["CALL_EVENTS"], _is_about(request))
            return {record.json["seq"] for record in records}

        wait_until(
            lambda: len(seen()) >= count and max(seen()) == len(seen()),
            lambda: f"{count} events of {request['call_id']}; there are {sorted(seen())}",
            timeout,
        )
        return self.events(request)

    def all_events(self, request, timeout=15.0):
        """Once all are there that Redis has counted: an event follows its change, a status is read before it leaves."""
        return self.wait_events(request, self.call(request)["seq"], timeout)

    def dead_letters(self, matches=lambda record: True):
        return self.tap.records(self.topics["DEAD_LETTERS"], matches)

    def wait_dead_letter(self, matches, what="a dead letter", timeout=15.0):
        return self.tap.wait(self.topics["DEAD_LETTERS"], matches, what, timeout=timeout)[0]

    def summaries(self, tenant, campaign):
        """The campaign's published summaries, by revision."""
        key = f"campaign:{tenant}/{campaign}".encode()
        records = self.tap.records(self.topics["DELIVERY_SUMMARIES"], lambda record: record.key == key)
        return sorted((record.json for record in records), key=lambda summary: summary["revision"])

    def wait_summary(self, request, matches, what, timeout=15.0):
        """The newest summary of the request's campaign, once matches(summary) holds for it."""

        def check():
            self.check_alive()
            found = self.summaries(request["tenant"], request["campaign"])
            return found and matches(found[-1]) and found[-1]

        return wait_until(
            check,
            lambda: f"{what}; summaries: {self.summaries(request['tenant'], request['campaign'])[-3:]}",
            timeout,
        )

    def windows(self, tenant, campaign):
        prefix = f"window:{tenant}/{campaign}/".encode()
        return self.tap.records(
            self.topics["DELIVERY_SUMMARIES"], lambda record: record.key and record.key.startswith(prefix)
        )

    def callback_records(self, matches=lambda record: True):
        return self.tap.records(self.topics["CALLBACKS"], matches)

    # --- offsets -------------------------------------------------------------------------------------------------

    def committed(self, program, kind):
        """{partition: committed offset} of a program's group; a partition without a commit is left out."""
        wanted = [TopicPartition(self.topics[kind], number) for number in range(self.partitions)]
        group = ConsumerGroupTopicPartitions(f"{self.name}.{program}", wanted)
        future = next(iter(self.services.broker.admin.list_consumer_group_offsets([group]).values()))
        return {tp.partition: tp.offset for tp in future.result(15).topic_partitions if tp.offset >= 0}

    def ends(self, kind):
        """{partition: end offset} of the partitions that hold anything."""
        consumer = Consumer({"bootstrap.servers": self.services.broker.bootstrap, "group.id": "ends", "log_level": 0})
        try:
            marks = {number: _end_of(consumer, self.topics[kind], number) for number in range(self.partitions)}
        finally:
            consumer.close()
        return {number: end for number, end in marks.items() if end > 0}

    def wait_committed(self, program, kind, timeout=20.0):
        """Until the program's group has committed the end of every partition of the topic."""
        ends = self.ends(kind)
        wait_until(
            lambda: self.committed(program, kind) == ends,
            lambda: f"{program} to commit {ends} of {kind}; committed {self.committed(program, kind)}",
            timeout,
            0.2,
        )

    # --- the end -------------------------------------------------------------------------------------------------

    def logs(self, lines=40):
        return {worker.name: worker.tail(lines) for worker in self.workers}

    def close(self):
        """SIGTERM to every worker; each must drain and exit 0. Then everything published is looked through."""
        if self.closed:
            return
        self.closed = True
        try:
            self._wait_for_the_outbox()
            self._check_indexes()
            self._wait_for_records()
            self._end_workers()
            self._check_logs()
            self._read_to_the_end()
            self._check_schemas()
            invariants.check_events(self.tap.records(self.topics["CALL_EVENTS"]))
            summaries = self.tap.records(self.topics["DELIVERY_SUMMARIES"])
            invariants.check_summaries(summaries, self.several_reporters)
            if self.records_fit:
                invariants.check_records_fit_summaries(self.tap.records(self.topics["CALL_RECORDS"]), summaries)
        finally:
            self.tap.close()
            self.provider.close()

    def _redis_that_answers(self):
        """None: the test has stopped it, or it is a cluster."""
        try:
            client = getattr(self.services.redis, "client", None)
            return client if client is not None and client.ping() else None
        except (RedisError, StopIteration):
            return None

    def _check_indexes(self):
        """Nothing stands in Redis where nobody would look at it; a test that spoils something says so."""
        client = self._redis_that_answers()
        if self.spoiled or client is None:
            return
        for worker in self.workers:
            if worker.program == "ivr-dispatch" and worker.alive() and worker.ready():
                invariants.check_mended(worker.name, worker.metrics())
        invariants.check_indexes(client, self.name)

    def _wait_for_the_outbox(self):
        """Events of a killed worker, or of a script whose reply was lost, are produced by any worker after 10 s."""

        def gaps():
            calls = {}
            for record in self.tap.records(self.topics["CALL_EVENTS"]):
                event = record.json
                calls.setdefault((event["tenant"], event["call_id"]), set()).add(event["seq"])
            return [call for call, seen in calls.items() if max(seen) != len(seen)]

        self._read_to_the_end()
        wait_until(lambda: not gaps(), lambda: f"the missing events of {gaps()[:5]}", timeout=25, interval=0.5)

    def _wait_for_records(self):
        """Rows of final calls leave within seconds; those that a killed worker had in hand after half a minute."""
        client = self._redis_that_answers()
        senders = [w for w in self.workers if w.program in ("ivr-dispatch", "ivr-status") and w.alive() and w.ready()]
        self.records_fit = client is not None and bool(senders) and not self.spoiled and not self.has_older_workers
        if not self.records_fit:
            return

        def lag():
            return invariants.records_that_lag(client, self.name, self.tap.records(self.topics["CALL_RECORDS"]))

        wait_until(lambda: not lag(), lambda: f"the records of {lag()[:5]}", timeout=50, interval=0.5)

    def _end_workers(self):
        living = [worker for worker in self.workers if worker.alive()]
        for worker in living:
            worker.send(signal.SIGCONT)
            worker.send(signal.SIGTERM)
        codes = {worker.name: worker.wait(30) for worker in living}
        self.check_alive()
        bad = [worker for worker in living if codes[worker.name] != 0]
        assert not bad, "\n".join(f"{w.name} exited with {codes[w.name]} on SIGTERM:\n{w.tail()}" for w in bad)

    def _read_to_the_end(self):
        """What workers published while they drained counts too."""
        for kind, topic in self.topics.items():
            ends = self.ends(kind)
            wait_until(
                lambda topic=topic, ends=ends: self.tap.has_read(topic, ends), f"the tap to read all of {topic}"
            )

    def _check_schemas(self):
        """Every record that was ever published fits the schema that describes it."""
        published = {kind: self.tap.records(topic) for kind, topic in self.topics.items()}
        schemas.check_call_requests(published["CALL_REQUESTS"])
        schemas.check_callbacks(published["CALLBACKS"], self._handmade)
        schemas.check_call_events(published["CALL_EVENTS"])
        schemas.check_call_records(published["CALL_RECORDS"])
        schemas.check_audit(published["AUDIT"])
        schemas.check_delivery_summaries(published["DELIVERY_SUMMARIES"])
        schemas.check_dead_letters(published["DEAD_LETTERS"])

    def _check_logs(self):
        """Workers write JSON lines and nothing else; a sanitizer's or an assertion's words are neither."""
        for worker in self.workers:
            raw = [line["raw"] for line in worker.log() if "raw" in line]
            assert not raw, f"{worker.name} wrote lines that are no JSON:\n" + "\n".join(raw[:20])


def _end_of(consumer, topic, partition):
    def ask():
        try:
            return consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=10)
        except KafkaException:  # a leader is still being chosen
            return None

    return wait_until(ask, f"the end of {topic}/{partition}")[1]


def _is_about(request):
    tenant, call_id = request["tenant"], request["call_id"]

    def matches(record):
        event = record.json
        return event["call_id"] == call_id and event["tenant"] == tenant

    return matches
