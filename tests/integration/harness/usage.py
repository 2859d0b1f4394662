"""What a process has used so far, from /proc."""

import os
import pathlib
import time

TICK = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def _status_kb(pid, field):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith(field):
            return int(line.split()[1])
    raise LookupError(f"no {field} of process {pid}")


def peak_mb(pid):
    return _status_kb(pid, "VmHWM") / 1024


def resident_kb(pid):
    return _status_kb(pid, "VmRSS")


def descriptors(pid):
    return len(list(pathlib.Path(f"/proc/{pid}/fd").iterdir()))


def _waited_for_cpu(pid):
    """Seconds that its main thread was ready to run and another one ran."""
    return int(pathlib.Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii").split()[1]) / 1e9


class Starved:
    """What the machine does not give, nobody can use: a lower bound of a rate is eased by the share of the time in which
    the process that was worst off had to wait for a CPU. On a machine with nothing else to do that is next to nothing."""

    def __init__(self, *pids):
        self._begun = time.monotonic()
        self._waited = {pid: _waited_for_cpu(pid) for pid in pids}

    def share(self):
        waited = max(_waited_for_cpu(pid) - before for pid, before in self._waited.items())
        return waited / (time.monotonic() - self._begun)
