"""The C simulator (tests/simulator): a provider for volume. Its switches are in simulator.h and its --help."""

import contextlib
import json
import os

import requests

from . import twilio
from .paths import SIMULATOR
from .placements import Placed
from .process import Process, wrapped


class Simulator(Process):
    def __init__(self, directory, *options):
        assert SIMULATOR.exists(), f"{SIMULATOR} is missing: run `make`"
        directory.mkdir(parents=True, exist_ok=True)
        argv = [SIMULATOR, "--listen", "127.0.0.1:0"]
        argv += ["--account-sid", twilio.ACCOUNT_SID, "--auth-token", twilio.AUTH_TOKEN, *options]
        super().__init__("ivr-simulator", wrapped(argv), directory)
        # It is what rates are measured with: on a busy machine its clock is read first, where we may say so.
        with contextlib.suppress(PermissionError):
            os.setpriority(os.PRIO_PROCESS, self.pid, -10)
        line = self.wait_log(lambda entry: "simulator_listen" in entry, "simulator_listen")
        self.base_url = f"http://127.0.0.1:{str(line['simulator_listen']).rsplit(':', 1)[-1]}"

    def switch(self, **switches):
        """PUT /_sim/faults; what is not named stays."""
        response = requests.put(self.base_url + "/_sim/faults", json=switches, timeout=30)
        assert response.status_code == 200, f"{switches}: {response.status_code} {response.text}"

    def stats(self):
        return requests.get(self.base_url + "/_sim/stats", timeout=30).json()

    def placements(self, sender=None):
        """Of this caller id, in the order of arrival; of all without one."""
        response = requests.get(self.base_url + "/_sim/placements", timeout=30)
        placements = [Placed(json.loads(line)) for line in response.text.splitlines()]
        return [placed for placed in placements if sender in (None, placed.sender)]

    def count(self, sender=None):
        """How many there are."""
        stats = self.stats()
        return stats["channels"].get(f"twilio {sender}", {"placements": 0})["placements"] if sender else stats["placements"]

    def reset(self):
        requests.post(self.base_url + "/_sim/reset", timeout=30).raise_for_status()
