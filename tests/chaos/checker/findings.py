"""What was looked at, and what was wrong with it."""

from collections import Counter, defaultdict

SHOWN = 20

# What no loss in Redis excuses: Kafka's own promises, the arithmetic of one record, a reader's order.
HARD_IN_LOSSY = {"callback not on the topic", "summary does not add up", "committed past the end"}


class Findings:
    """In a lossy run (`lossy`) violations are what was lost: counted and shown, no failure, but for the hard ones."""

    def __init__(self, lossy=False):
        self.lossy = lossy
        self.rows = []
        self.notes = []
        self.violations = defaultdict(list)
        self.losses = defaultdict(list)
        self.counts = Counter()

    def checked(self, what, count, of=""):
        """A row of the table: so many were looked at."""
        self.rows.append((what, count, of))

    def note(self, text):
        self.notes.append(text)

    def wrong(self, kind, who, evidence, excused=None):
        """`who` is the call or key, `evidence` tells both sides; excused=False: wrong in a lossy run, too."""
        if excused is None:
            excused = kind not in HARD_IN_LOSSY
        found = self.losses if self.lossy and excused else self.violations
        self.counts[kind] += 1
        if len(found[kind]) < SHOWN:
            found[kind].append(f"{who}: {evidence}")
        else:
            found[kind].append(None)

    @property
    def failed(self):
        return bool(self.violations)

    def kinds(self):
        return set(self.violations)

    def report(self, write=print):
        width = max((len(row[0]) for row in self.rows), default=0)
        for what, count, of in self.rows:
            write(f"  {what:<{width}}  {count:>10,}  {of}".rstrip())
        for note in self.notes:
            write(f"  {note}")
        self._list("lost", self.losses, write)
        self._list("VIOLATION", self.violations, write)
        if self.failed:
            write(f"\n{sum(map(len, self.violations.values())):,} violations of {len(self.violations)} kinds")
        else:
            lost = sum(map(len, self.losses.values()))
            write("\nno violations" + (f"; {lost:,} losses that this mode allows" if self.lossy else ""))

    @staticmethod
    def _list(word, found, write):
        for kind, items in sorted(found.items()):
            write(f"\n{word}: {kind} ({len(items):,})")
            for item in items[:SHOWN]:
                write(f"  {item}")
            if len(items) > SHOWN:
                write(f"  ... and {len(items) - SHOWN:,} more")
