"""The C simulator (tests/simulator): a provider for volume. Its switches are in simulator.h and its --help."""

import requests

from . import twilio
from .paths import SIMULATOR
from .process import Process, wrapped


class Simulator(Process):
    def __init__(self, directory, *options):
        assert SIMULATOR.exists(), f"{SIMULATOR} is missing: run `make`"
        directory.mkdir(parents=True, exist_ok=True)
        argv = [SIMULATOR, "--listen", "127.0.0.1:0"]
        argv += ["--account-sid", twilio.ACCOUNT_SID, "--auth-token", twilio.AUTH_TOKEN, *options]
        super().__init__("ivr-simulator", wrapped(argv), directory)
        line = self.wait_log(lambda entry: "simulator_listen" in entry, "simulator_listen")
        self.base_url = f"http://127.0.0.1:{str(line['simulator_listen']).rsplit(':', 1)[-1]}"

    def switch(self, **switches):
        """PUT /_sim/faults; what is not named stays."""
        response = requests.put(self.base_url + "/_sim/faults", json=switches, timeout=10)
        assert response.status_code == 200, f"{switches}: {response.status_code} {response.text}"

    def stats(self):
        return requests.get(self.base_url + "/_sim/stats", timeout=10).json()

    def reset(self):
        requests.post(self.base_url + "/_sim/reset", timeout=10).raise_for_status()
