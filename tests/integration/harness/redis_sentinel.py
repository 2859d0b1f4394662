"""A primary, its replicas and the Sentinels that watch them: real processes, free ports, no persistence."""

import contextlib

import redis

from .ports import free_port
from .process import Process
from .wait import wait_until

MASTER = "calls"
# Silent for so long is dead. On a busy machine the living are silent for seconds: a test says when it wants a quick verdict.
DOWN_AFTER_MS = 15000
QUICK_DOWN_AFTER_MS = 500


class RedisNode:
    """One redis-server that a test may kill, freeze, and start again on the same port."""

    def __init__(self, directory, name, *options, password=None):
        directory.mkdir(parents=True, exist_ok=True)
        self.directory, self.name = directory, name
        self.port = free_port()
        self.options = (*options,) + (("--requirepass", password, "--masterauth", password) if password else ())
        self.starts = 0
        self.client = redis.Redis(port=self.port, password=password, socket_timeout=5)
        self.start()

    def start(self, *more):
        """Starts (again, empty) and waits until it answers."""
        self.starts += 1
        argv = ["redis-server", "--port", self.port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        argv += ["--dir", self.directory, "--maxmemory-policy", "noeviction", "--repl-diskless-sync-delay", "0"]
        # A replica keeps the copy it is sent. Nobody may start on that, nor on another node's.
        argv += ["--dbfilename", f"{self.name}-{self.starts}.rdb"]
        self.process = Process(f"{self.name}-{self.starts}", [*argv, *self.options, *more], self.directory)
        self.wait_up()

    def wait_up(self):
        wait_until(self._answers, lambda: f"{self.name} to start:\n{self.process.output()}", timeout=20)

    def _answers(self):
        assert self.process.alive(), f"{self.name} did not start:\n{self.process.output()}{self.process.stderr()}"
        try:
            return self.client.ping()
        except (redis.ConnectionError, redis.TimeoutError):
            return False

    def role(self):
        return self.client.role()[0].decode()

    def kill(self):
        self.process.kill9()

    def stop(self):
        self.client.close()
        self.process.kill9()


class Sentinel(RedisNode):
    def start(self):
        """A Sentinel keeps what it learns in its file; it is started again with it."""
        self.starts += 1
        path = self.directory / f"{self.name}.conf"
        if not path.exists():
            path.write_text(f"port {self.port}\nbind 127.0.0.1\ndir {self.directory}\n" + "\n".join(self.options) + "\n")
        self.process = Process(f"{self.name}-{self.starts}", ["redis-server", path, "--sentinel"], self.directory)
        self.wait_up()


class RedisSentinel:
    """sentinel.url is what IVR_REDIS_URL wants; sentinel.client follows the primary, as RedisServer's does its server."""

    def __init__(self, directory, replicas=1, sentinels=3, password=None, down_after_ms=DOWN_AFTER_MS):
        self.password, self.down_after_ms = password, down_after_ms
        self.nodes = [RedisNode(directory, "redis-0", password=password)]
        for i in range(1, replicas + 1):
            self.nodes.append(RedisNode(directory, f"redis-{i}", password=password))
            self.nodes[i].client.replicaof("127.0.0.1", self.nodes[0].port)
        self.sentinels = [Sentinel(directory, f"sentinel-{i}", *self._watch()) for i in range(sentinels)]
        hosts = ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in self.sentinels)
        self.url = f"redis+sentinel://{hosts}/{MASTER}/0"
        wait_until(self._agreed, "the Sentinels to know each other and the replicas", timeout=60)

    def _watch(self):
        lines = [
            f"sentinel monitor {MASTER} 127.0.0.1 {self.nodes[0].port} 2",
            f"sentinel down-after-milliseconds {MASTER} {self.down_after_ms}",
            f"sentinel failover-timeout {MASTER} 1000",
            f"sentinel parallel-syncs {MASTER} 1",
        ]
        return lines + ([f"sentinel auth-pass {MASTER} {self.password}"] if self.password else [])

    def _agreed(self):
        for sentinel in self.sentinels:
            state = sentinel.client.sentinel_master(MASTER)
            if state["num-slaves"] < len(self.nodes) - 1 or state["num-other-sentinels"] < len(self.sentinels) - 1:
                return False
        replicas = self.primary().client.info("replication")
        return all(replicas.get(f"slave{i}", {}).get("state") == "online" for i in range(len(self.nodes) - 1))

    def primary(self):
        """The node that the Sentinels name now."""
        living = next(sentinel for sentinel in self.sentinels if sentinel.process.alive())
        port = living.client.sentinel_get_master_addr_by_name(MASTER)[1]
        return next(node for node in self.nodes if node.port == int(port))

    @property
    def client(self):
        return self.primary().client

    @property
    def port(self):
        return self.primary().port

    def failover(self):
        """An orderly one, as an operator asks for: the primary is demoted, none is killed. Returns the new primary.

        Sentinel demotes the old one 10 s after the promotion; here it is told so at once.
        """
        old = self.primary()
        self.sentinels[0].client.execute_command("SENTINEL", "FAILOVER", MASTER)
        new = self.wait_failover(old)
        old.client.replicaof("127.0.0.1", new.port)
        return new

    @contextlib.contextmanager
    def quick_verdicts(self):
        """While it lasts, a silent node is soon taken for dead."""
        self._set_down_after(QUICK_DOWN_AFTER_MS)
        yield
        self._set_down_after(self.down_after_ms)

    def _set_down_after(self, ms):
        for sentinel in self.sentinels:
            sentinel.client.execute_command("SENTINEL", "SET", MASTER, "down-after-milliseconds", ms)

    def kill_primary(self):
        """Kills it; the Sentinels find out. Returns the dead node; wait_failover(dead) waits for the next primary."""
        old = self.primary()
        old.kill()
        return old

    def wait_failover(self, old, timeout=60.0):
        def promoted():
            primary = self.primary()
            return primary if primary is not old and primary.role() == "master" else None

        return wait_until(promoted, "the Sentinels to promote a replica", timeout)

    def wait_replicas(self, n, timeout=60.0):
        """Until the primary has n replicas that follow."""
        def online():
            info = self.primary().client.info("replication")
            return sum(info.get(f"slave{i}", {}).get("state") == "online" for i in range(8)) >= n

        wait_until(online, f"{n} replicas to follow the primary", timeout)

    def restart(self, dead):
        """The dead node comes back as a replica of whoever is the primary now."""
        dead.start("--replicaof", f"127.0.0.1 {self.primary().port}")

    def mend(self):
        """Starts again what is dead, and waits until everybody is in place."""
        for sentinel in self.sentinels:
            if not sentinel.process.alive():
                sentinel.start()
        for node in self.nodes:
            if not node.process.alive():
                self.restart(node)
        wait_until(self._agreed, "the replicas to follow the primary", timeout=60)

    def stop(self):
        for process in self.sentinels + self.nodes:
            process.stop()
