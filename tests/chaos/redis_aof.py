"""A Redis whose append-only file is synced before anything is answered, so that a kill forgets nothing it promised."""

import redis

from harness.ports import free_port
from harness.process import Process
from harness.wait import wait_until


class DurableRedis:
    def __init__(self, directory):
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.client = redis.Redis(port=self.port, decode_responses=False, socket_timeout=5)
        self._starts = 0
        self.start()
        wait_until(self.answers, lambda: f"Redis to start:\n{self.process.output()}", timeout=20)

    def start(self):
        """On what it left on disk; not waited for."""
        self._starts += 1
        argv = ["redis-server", "--port", self.port, "--bind", "127.0.0.1", "--save", "", "--dir", self.directory]
        argv += ["--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction"]
        self.process = Process(f"redis.{self._starts}", argv, self.directory)

    def answers(self):
        try:
            return self.client.ping()
        except (redis.ConnectionError, redis.TimeoutError):
            return False

    def heal(self):
        self.process.thaw()
        if not self.process.alive():
            self.start()
        wait_until(self.answers, "Redis to answer again", timeout=60)

    def stop(self):
        self.client.close()
        self.process.thaw()
        self.process.kill9()
