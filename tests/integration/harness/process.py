"""A child process with its output kept in files."""

import json
import os
import pathlib
import shlex
import shutil
import signal
import subprocess
import time

from .wait import wait_until

# If pytest itself is killed, nothing that it started may stay behind.
_DIE_WITH_US = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []


# With these a run's clock is elsewhere (clock.c); whoever is given an environment of its own lives in the same time.
_CLOCK = {name: os.environ[name] for name in ("LD_PRELOAD", "CLOCK_OFFSET_S") if name in os.environ}


def in_our_time(env):
    """The environment for a child; None is our own."""
    return None if env is None else _CLOCK | env


def _state_of(task):
    """A thread's state as proc(5) has it; Z where it is gone."""
    try:
        return (task / "stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


class Process:
    """Started by its constructor. stdout and stderr go to files in `directory`, named after `name`."""

    def __init__(self, name, argv, directory, env=None, cwd=None):
        self.name = name
        self.argv = [str(part) for part in argv]
        self.directory = directory
        self.out_path = directory / f"{name}.out"
        self.err_path = directory / f"{name}.log"
        self.ended_by_us = False
        self._log = []
        self._log_offset = 0
        with open(self.out_path, "wb") as out, open(self.err_path, "wb") as err:
            self.popen = subprocess.Popen(
                _DIE_WITH_US + self.argv,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env=in_our_time(env),
                cwd=cwd,
                start_new_session=True,
            )

    @property
    def pid(self):
        return self.popen.pid

    def alive(self):
        return self.popen.poll() is None

    def send(self, signum):
        self.popen.send_signal(signum)

    def term(self, timeout=30.0):
        """SIGTERM, then the exit code. A process that does not leave in time is a failure, and is killed."""
        if self.alive():
            self.send(signal.SIGTERM)
        return self.wait(timeout)

    def kill9(self):
        self.ended_by_us = True
        if self.alive():
            self.popen.kill()
        self.popen.wait(10)

    def freeze(self):
        """Returns once every thread stands still, which takes a moment on a busy machine."""
        self.send(signal.SIGSTOP)
        tasks = pathlib.Path(f"/proc/{self.popen.pid}/task")
        wait_until(lambda: all(_state_of(task) in "TtZ" for task in tasks.iterdir()), f"{self.name} to stand still")

    def thaw(self):
        self.send(signal.SIGCONT)

    def wait(self, timeout=30.0):
        """The exit code, as subprocess gives it: negative for a signal."""
        self.ended_by_us = True
        try:
            return self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait(10)
            raise AssertionError(f"{self.name} was still running after {timeout:g} s\n{self.tail()}") from None

    def output(self):
        return self.out_path.read_text(errors="replace")

    def stderr(self):
        return self.err_path.read_text(errors="replace")

    def tail(self, lines=40):
        return "\n".join(self.stderr().splitlines()[-lines:])

    def log(self):
        """Every complete stderr line so far, as a dict; a line that is no JSON object stands under "raw"."""
        with open(self.err_path, "rb") as file:
            file.seek(self._log_offset)
            fresh = file.read()
        complete = fresh.rfind(b"\n") + 1
        self._log_offset += complete
        self._log.extend(_parse_line(line) for line in fresh[:complete].decode(errors="replace").splitlines())
        return self._log

    def wait_log(self, matches, what, timeout=15.0):
        """The first log line for which matches(dict) holds."""

        def find():
            found = next((line for line in self.log() if matches(line)), None)
            if found is None and not self.alive():
                raise AssertionError(f"{self.name} exited with {self.popen.returncode} before {what}\n{self.tail()}")
            return found

        return wait_until(find, lambda: f"{what} in the log of {self.name}:\n{self.tail()}", timeout)


def _parse_line(line):
    try:
        parsed = json.loads(line)
    except ValueError:
        return {"raw": line}
    return parsed if isinstance(parsed, dict) else {"raw": line}


def wrapped(argv):
    """The program under TEST_WRAPPER, for example "valgrind -q --error-exitcode=99"."""
    return shlex.split(os.environ.get("TEST_WRAPPER", "")) + [str(part) for part in argv]


def run(argv, env=None, stdin=None, timeout=60.0):
    """A short-lived program: (exit code, stdout, stderr), never waiting on our terminal."""
    started = time.monotonic()
    done = subprocess.run(
        wrapped(argv),
        input=stdin,
        capture_output=True,
        text=True,
        env=in_our_time(env),
        timeout=timeout,
        errors="replace",
    )
    return Finished(done.returncode, done.stdout, done.stderr, time.monotonic() - started)


class Finished:
    def __init__(self, code, out, err, seconds):
        self.code, self.out, self.err, self.seconds = code, out, err, seconds

    def __repr__(self):
        return f"exit {self.code} after {self.seconds:.2f} s\nstdout: {self.out}\nstderr: {self.err}"

    def json(self):
        return json.loads(self.out)
