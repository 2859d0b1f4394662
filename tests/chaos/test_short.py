"""A minute of chaos. `make chaos` runs longer ones."""

from types import SimpleNamespace

from run import Run

SEED = 11


def test_a_minute_of_faults_loses_nothing_and_dials_nothing_twice(tmp_path):
    lines = []
    options = SimpleNamespace(seed=SEED, calls=600, minutes=0.75, gap=4, mode="plain", tell=10)
    problems = Run(tmp_path / "run", options, lines.append).execute()
    assert not problems, "\n".join(lines) + "\n" + said_by_the_checker(tmp_path / "run")


def said_by_the_checker(directory):
    """Which call, which counter: pytest removes the directory a few runs later."""
    path = directory / "checker.txt"
    return path.read_text(encoding="utf-8")[:8000] if path.exists() else "the checker has not run"
