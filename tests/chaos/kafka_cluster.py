"""Three brokers in KRaft mode, replication 3, min.insync.replicas 2, each a process that can be stopped and killed.

Every group of clients has a listener of its own on each broker, advertised on a proxy's port: what a broker tells a
client about the cluster leads through that client's proxies, and they can be cut without hurting anybody else.
"""

import base64
import socket
import subprocess
import uuid

from confluent_kafka import Consumer
from confluent_kafka.admin import AdminClient, NewTopic

from harness.paths import KAFKA_LIBS
from harness.ports import free_port
from harness.process import Process
from harness.wait import wait_until

BROKERS = (1, 2, 3)
OFFSETS_PARTITIONS = 3

_CONFIG = """\
process.roles=broker,controller
node.id={id}
controller.quorum.voters={voters}
controller.listener.names=CONTROLLER
inter.broker.listener.name=INTERNAL
listeners={listeners}
advertised.listeners={advertised}
listener.security.protocol.map={protocols}
log.dirs={data}
auto.create.topics.enable=false
default.replication.factor=3
min.insync.replicas=2
unclean.leader.election.enable=false
offsets.topic.num.partitions={offsets_partitions}
offsets.topic.replication.factor=3
transaction.state.log.replication.factor=3
transaction.state.log.min.isr=2
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
# A dead broker is noticed in seconds: a run has hundreds of them to go through.
broker.session.timeout.ms=5000
# A broker on a busy machine that is not let in within a minute would end by itself, and be waited for for ever.
initial.broker.registration.timeout.ms=600000
broker.heartbeat.interval.ms=500
replica.lag.time.max.ms=5000
# One of each for each of the listeners is enough, and there are six of them.
num.network.threads=1
num.io.threads=3
num.replica.fetchers=1
log.segment.bytes=67108864
log.retention.hours=-1
# What was published is read back in full at the end.
log.cleaner.enable=false
"""

_JAVA = ["java", "-Xms64m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData"]
_JAVA += ["-cp", f"{KAFKA_LIBS}/*"]


class KafkaCluster:
    def __init__(self, directory, proxies, groups):
        """groups: names of client groups; bootstrap(group) leads through the proxies of the link "kafka-GROUP"."""
        assert KAFKA_LIBS.is_dir(), f"{KAFKA_LIBS} is missing: run `make deps-test`"
        self.directory = directory
        self._groups = groups
        self._starts = dict.fromkeys(BROKERS, 0)
        self._ports = {(broker, name): free_port() for broker in BROKERS for name in self._listeners()}
        self._proxied = {
            (broker, group): proxies.add(f"kafka-{group}", self._ports[broker, group.upper()])
            for group in groups
            for broker in BROKERS
        }
        self.bootstrap = ",".join(f"127.0.0.1:{self._ports[broker, 'INTERNAL']}" for broker in BROKERS)
        self._cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        self.processes = {}
        for formatting in [self._format(broker) for broker in BROKERS]:
            assert formatting.wait(60) == 0, "formatting Kafka's storage failed"
        for broker in BROKERS:
            self.start_broker(broker)
        self.admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0, "socket.timeout.ms": 5000})
        self.renew_asker()
        wait_until(self.all_up, lambda: f"three brokers to start:\n{self.log_tails()}", timeout=120, interval=0.3)

    def renew_asker(self):
        """Who asks for the ends of topics, every two seconds after the faults. A consumer made and closed for each question
        crashed this process in the end (librdkafka 2.16, when a metadata reply meets a consumer on its way out)."""
        self.asker = Consumer({"bootstrap.servers": self.bootstrap, "group.id": "asker", "log_level": 0})

    def _listeners(self):
        return ["INTERNAL", "CONTROLLER", *(group.upper() for group in self._groups)]

    def group_bootstrap(self, group):
        return ",".join(f"127.0.0.1:{self._proxied[broker, group]}" for broker in BROKERS)

    def _config(self, broker):
        at = {name: f"{name}://127.0.0.1:{self._ports[broker, name]}" for name in self._listeners()}
        told = {name: address for name, address in at.items() if name != "CONTROLLER"}
        told |= {group.upper(): f"{group.upper()}://127.0.0.1:{self._proxied[broker, group]}" for group in self._groups}
        return _CONFIG.format(
            id=broker,
            voters=",".join(f"{other}@127.0.0.1:{self._ports[other, 'CONTROLLER']}" for other in BROKERS),
            listeners=",".join(at.values()),
            advertised=",".join(told.values()),
            protocols=",".join(f"{name}:PLAINTEXT" for name in at),
            offsets_partitions=OFFSETS_PARTITIONS,
            data=self._home(broker) / "data",
        )

    def _home(self, broker):
        return self.directory / f"broker-{broker}"

    def _format(self, broker):
        home = self._home(broker)
        home.mkdir(parents=True)
        (home / "server.properties").write_text(self._config(broker), encoding="utf-8")
        argv = [*_JAVA, "kafka.tools.StorageTool", "format"]
        argv += [f"--cluster-id={self._cluster_id}", "-c", "server.properties"]  # it may begin with a dash
        return subprocess.Popen(argv, cwd=home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    # --- brokers -------------------------------------------------------------------------------------------------

    def start_broker(self, broker):
        """Started, not waited for."""
        self._starts[broker] += 1
        home = self._home(broker)
        name = f"kafka-{broker}.{self._starts[broker]}"
        self.processes[broker] = Process(name, [*_JAVA, "kafka.Kafka", "server.properties"], home, cwd=home)

    def all_up(self):
        for broker, process in self.processes.items():
            assert process.alive(), f"broker {broker} ended:\n{self.log_tails()}"
        return self._registered() == set(BROKERS)

    def listening(self):
        """Whether every broker takes connections again."""
        return all(_connects(self._ports[broker, "INTERNAL"]) for broker in BROKERS)

    def _registered(self):
        try:
            return set(self.admin.list_topics(timeout=2).brokers)
        except Exception:  # whatever the client calls "nobody answers"
            return set()

    def in_sync(self):
        """Whether every partition of every topic has all its replicas in sync."""
        try:
            topics = self.admin.list_topics(timeout=2).topics.values()
        except Exception:  # whatever the client calls "nobody answers"
            return False
        partitions = [partition for topic in topics for partition in topic.partitions.values()]
        return all(set(partition.isrs) == set(partition.replicas) for partition in partitions)

    def leader(self, topic, partition=0):
        """The broker that leads it, or 0 while nobody can tell."""
        try:
            return max(0, self.admin.list_topics(topic, timeout=2).topics[topic].partitions[partition].leader)
        except Exception:  # whatever the client calls "nobody answers"
            return 0

    def log_tails(self):
        return "\n".join("\n".join(process.output().splitlines()[-10:]) for process in self.processes.values())

    # --- topics --------------------------------------------------------------------------------------------------

    def create_topics(self, partitions):
        topics = [NewTopic(name, count, 3) for name, count in partitions.items()]
        for future in self.admin.create_topics(topics, operation_timeout=30).values():
            future.result(40)
        wait_until(lambda: set(partitions) <= set(self.admin.list_topics(timeout=5).topics), "new topics to show")

    def stop(self):
        for process in self.processes.values():
            process.thaw()
            process.kill9()


def _connects(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
