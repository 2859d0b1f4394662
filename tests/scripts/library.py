"""Our functions as the build makes them (build/gen/library.lua), for whoever talks to Redis without C."""

import pathlib
import re

import redis as redis_py

ROOT = pathlib.Path(__file__).resolve().parents[2]
PATH = ROOT / "build" / "gen" / "library.lua"


def layout():
    """{table: {name: number}} as workers/calls/lib/layout.lua declares them; positions count from 1 there."""
    tables = {}
    for line in (ROOT / "workers/calls/lib/layout.lua").read_text().splitlines():
        if begun := re.match(r"layout\.(\w+) = \{", line):
            rows = tables.setdefault(begun[1], {})
        elif row := re.match(r"  (\w+) = (\d+),", line):
            rows[row[1]] = int(row[2])
    return tables


class Library:
    """Loaded where it is missing; library["claim"](keys=[...], args=[...]) calls one of its functions."""

    def __init__(self, client, text=None):
        self.redis, self.text = client, text or PATH.read_text()
        self.name = re.match(r"#!lua name=(\w+)\n", self.text)[1]
        self.verbs = re.findall(rf"function_name = '{self.name}_(\w+)'", self.text)
        self.load()

    def load(self):
        try:
            self.redis.function_load(self.text)
        except redis_py.ResponseError as error:
            if "already exists" not in str(error):
                raise

    def function(self, verb):
        """Its name in Redis."""
        assert verb in self.verbs, f"there is no {verb}.lua"
        return f"{self.name}_{verb}"

    def __getitem__(self, verb):
        function = self.function(verb)
        return lambda keys, args=(): self.redis.fcall(function, len(keys), *keys, *args)
