"""What tests/bench/scripts.py measures is what it says: it asks each script before, and ends where the answer is another."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "bench"))

import scripts  # noqa: E402


def test_the_bench_measures_calls_that_are_taken_and_no_refusals(tmp_path, capsys):
    scripts.table(tmp_path, calls=32, batches=(16,))
    assert len(capsys.readouterr().out.splitlines()) == 2
