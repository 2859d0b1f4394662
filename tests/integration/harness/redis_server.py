"""A private redis-server without persistence."""

import redis

from .ports import free_port
from .process import Process
from .wait import wait_until


class RedisServer:
    def __init__(self, directory, *options):
        directory.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        argv = ["redis-server", "--port", self.port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        argv += ["--dir", directory, "--maxmemory-policy", "noeviction", *options]
        self._argv, self._directory = argv, directory
        self.client = redis.Redis(port=self.port, decode_responses=False)
        self.start()

    def start(self):
        """Also again, after a kill: with what it had written to disk, if it was told to."""
        self.process = Process("redis", self._argv, self._directory)
        wait_until(self._answers, lambda: f"Redis to start:\n{self.process.output()}", timeout=20)

    def _answers(self):
        assert self.process.alive(), f"Redis did not start:\n{self.process.output()}"
        try:
            return self.client.ping()
        except redis.ConnectionError:
            return False

    def stop(self):
        self.client.close()
        self.process.kill9()
