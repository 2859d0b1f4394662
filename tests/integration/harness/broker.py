"""A private Apache Kafka: one process, KRaft, loopback, its data in a temporary directory."""

import base64
import subprocess
import uuid

from confluent_kafka.admin import AdminClient, NewTopic

from .paths import KAFKA_LIBS
from .ports import free_port
from .process import Process
from .wait import wait_until

_CONFIG = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
listeners={listeners},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners={listeners}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL,SSL:SSL
inter.broker.listener.name=PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
num.partitions=4
offsets.topic.num.partitions=2
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
# A group must not wait for members that never come, and a killed worker must not keep its partitions for 45 s.
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
num.network.threads=2
num.io.threads=2
log.segment.bytes=67108864
# Records with a timestamp of last week are part of the tests.
log.retention.hours=-1
log.cleaner.dedupe.buffer.size=2097152
"""

# Start-up time matters more here than peak speed, hence the small compiler and collector.
_JAVA = ["java", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", f"{KAFKA_LIBS}/*"]


class Broker:
    def __init__(self, directory, listeners=None, more=""):
        """listeners: {protocol: port} beside the plain one, which is the tests' own; more: further settings."""
        assert KAFKA_LIBS.is_dir(), f"{KAFKA_LIBS} is missing: run `make deps-test`"
        self.directory = directory
        self.port = free_port()
        self.bootstrap = f"127.0.0.1:{self.port}"
        directory.mkdir(parents=True, exist_ok=True)
        config = directory / "server.properties"
        named = ({"PLAINTEXT": self.port} | (listeners or {})).items()
        text = _CONFIG.format(
            listeners=",".join(f"{protocol}://127.0.0.1:{port}" for protocol, port in named),
            controller_port=free_port(),
            data=directory / "data",
        )
        config.write_text(text + more, encoding="utf-8")
        self._format(config)
        self._argv = _JAVA + ["kafka.Kafka", config]
        self.admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0, "socket.timeout.ms": 5000})
        self.start()

    def start(self):
        """Also again, after a stop: its data is still there."""
        self.process = Process("kafka", self._argv, self.directory, cwd=self.directory)
        wait_until(self._answers, lambda: f"Kafka to start:\n{self.log_tail()}", timeout=60, interval=0.1)

    def _format(self, config):
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        done = subprocess.run(
            _JAVA + ["kafka.tools.StorageTool", "format", f"--cluster-id={cluster}", "-c", str(config)],
            cwd=self.directory,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"formatting Kafka's storage failed: {done.stdout}{done.stderr}"

    def _answers(self):
        assert self.process.alive(), f"Kafka did not start:\n{self.log_tail()}"
        try:
            return bool(self.admin.list_topics(timeout=1).brokers)
        except Exception:  # whatever the client calls "not there yet"
            return False

    def log_tail(self):
        return "\n".join(self.process.output().splitlines()[-30:]) + "\n" + self.process.tail()

    def create_topics(self, partitions):
        """Creates every topic of {name: partitions} and waits until the broker can tell of them."""
        topics = [NewTopic(name, count, 1) for name, count in partitions.items()]
        for future in self.admin.create_topics(topics, operation_timeout=20).values():
            future.result(30)
        wait_until(lambda: set(partitions) <= set(self.admin.list_topics(timeout=5).topics), "new topics to show")

    def topics(self):
        return self.admin.list_topics(timeout=5).topics

    def stop(self):
        self.process.thaw()
        self.process.kill9()
