"""An older version of our programs, built from the repository's history, for what two versions do beside each other.

COMMIT is the oldest version that ours must get along with in a rolling update: the one that users have. A release moves it to the
release before it; between releases it stays, so that every change until the next one is tried against what is out there.
"""

import os
import shutil
import subprocess

from .paths import BUILD, ROOT

COMMIT = "3fb0ff23a7f704a80d8e2a1f25dddc88f5173eda"  # scripts by EVALSHA, before there were functions
PROGRAMS = [f"bin/ivr-{kind}" for kind in ("dispatch", "status", "report", "gateway")]


def _git(*args, **options):
    return subprocess.run(["git", "-C", ROOT, *args], check=True, capture_output=True, timeout=60, **options).stdout


def _unpack(source):
    try:
        _git("cat-file", "-e", COMMIT + "^{commit}")
    except (OSError, subprocess.CalledProcessError) as problem:
        raise AssertionError(
            f"commit {COMMIT[:12]} is not here: this test builds that version from the repository's history. In a shallow clone, "
            "`git fetch --unshallow` brings it; without git there is no such test"
        ) from problem
    shutil.rmtree(source, ignore_errors=True)
    source.mkdir(parents=True)
    subprocess.run(["tar", "-x", "-C", source], input=_git("archive", COMMIT), check=True, timeout=60)


def older_programs():
    """The folder of the programs; built once a checkout, in seconds (-O0)."""
    source = BUILD / "older" / COMMIT
    if not (source / "built").exists():
        _unpack(source)
        # Neither the flags nor the job server of the make that runs us.
        env = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
        done = subprocess.run(["make", "-j2", "CFLAGS=-O0", *PROGRAMS], cwd=source, env=env, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, f"commit {COMMIT[:12]} does not build:\n{done.stdout[-2000:]}{done.stderr[-4000:]}"
        (source / "built").touch()
    return source / "bin"
