"""python -m checker [--save] DIR: was anything lost, or dialled twice? Exit 0 no, 1 yes, 2 the directory is no run.

--save keeps what was read from Redis in DIR/redis.ndjson, from which the run can be checked again without it.
"""

import argparse
import gc
import sys
import time

from .check import check


def main():
    parser = argparse.ArgumentParser(prog="checker", description=__doc__.split("\n\n")[0])
    parser.add_argument("directory", metavar="DIR")
    parser.add_argument("--save", action="store_true", help="keep what Redis held in DIR/redis.ndjson")
    options = parser.parse_args()
    gc.freeze()
    gc.disable()  # millions of small values that all stay: collecting would only walk them again and again
    started = time.monotonic()
    try:
        run, findings = check(options.directory, options.save)
    except FileNotFoundError as error:
        print(f"checker: {error.filename}: not there, so {options.directory} is no finished run", file=sys.stderr)
        return 2
    about = run.about
    print(f"{options.directory}: seed {about.get('seed')}, mode {about.get('mode')}, {len(run.faults)} faults")
    findings.report()
    print(f"checked in {time.monotonic() - started:.1f} s")
    return 1 if findings.failed else 0


if __name__ == "__main__":
    sys.exit(main())
