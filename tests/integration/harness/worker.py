"""One running program of bin/, its admin listener, its log."""

import itertools

import requests

from .metrics import Metrics
from .paths import BIN
from .process import Process, wrapped
from .wait import wait_until

_numbers = itertools.count(1)


class Worker(Process):
    """A worker on ports of its own choice, which it tells in its log."""

    def __init__(self, program, directory, env, folder=BIN):
        self.program, self.folder = program, folder
        path = folder / program
        assert path.exists(), f"{path} is missing: run `make`"
        super().__init__(f"{program}.{next(_numbers)}", wrapped([path]), directory, env)

    def listens(self, field):
        """The base URL of a listener, from the log line in which the worker tells its port."""
        line = self.wait_log(lambda entry: field in entry, field)
        return f"http://127.0.0.1:{str(line[field]).rsplit(':', 1)[-1]}"

    def listens_already(self):
        return any("admin_listen" in line for line in self.log())

    @property
    def admin(self):
        return self.listens("admin_listen")

    @property
    def gateway(self):
        return self.listens("gateway_listen")

    def get(self, path):
        return requests.get(self.admin + path, timeout=15)

    def ready(self):
        try:
            return self.get("/readyz").status_code == 200
        except requests.RequestException:
            return False

    def wait_ready(self, timeout=30.0):
        def check():
            assert self.alive(), f"{self.name} exited with {self.popen.returncode}\n{self.tail()}"
            return self.ready()

        def what():
            try:
                return f"/readyz of {self.name}, which says {self.get('/readyz').text!r}\n{self.tail()}"
            except requests.RequestException as problem:
                return f"/readyz of {self.name}: {problem}\n{self.tail()}"

        wait_until(check, what, timeout)

    def metrics(self):
        return Metrics(self.get("/metrics").text)
