"""Time zones made for a test, so that a window opens or closes in a few seconds and not at the next minute: at a chosen
instant the clocks there are put forward or back. The programs read them where TZDIR points to, like tzdata's."""

import itertools
import struct
from datetime import datetime, timedelta, timezone

HOUR = 3600
DAYTIME = {"from": "08:00", "to": "20:00"}
_numbers = itertools.count(1)


def tzif(before, changes):
    """A zone file (RFC 8536, version 2): UTC offsets in seconds, [(instant, offset from then on)]."""
    offsets = [before, *(offset for _, offset in changes)]

    def block(size):
        head = struct.pack(">4sc15x6l", b"TZif", b"2", 0, 0, 0, len(changes), len(offsets), 4)
        times = b"".join(struct.pack(f">{size}", at) for at, _ in changes)
        kinds = bytes(range(1, len(offsets)))
        return head + times + kinds + b"".join(struct.pack(">lBB", offset, 0, 0) for offset in offsets) + b"TST\0"

    return block("l") + block("q") + b"\n\n"


class Zones:
    """A directory for TZDIR."""

    def __init__(self, directory):
        self.path = directory
        self.write("UTC", 0)

    def write(self, name, before, changes=()):
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(tzif(before, changes))
        return name

    def put_at(self, seconds, before, after):
        """(zone, instant): in so many seconds its clocks are put from the hour `before` to the hour `after`."""
        change = datetime.now(timezone.utc).replace(microsecond=0) + timedelta(seconds=seconds + 1)
        midnight = -(int(change.timestamp()) % (24 * HOUR))  # the offset with which it is midnight at the change
        offsets = midnight + before * HOUR, midnight + after * HOUR
        zone = self.write(f"Test/Number{next(_numbers)}", offsets[0], [(int(change.timestamp()), offsets[1])])
        return zone, change

    def opening_in(self, seconds):
        """(calling_hours, the instant at which they open)."""
        zone, change = self.put_at(seconds, 4, 12)
        return DAYTIME | {"timezone": zone}, change

    def closing_in(self, seconds):
        """(calling_hours, the instant at which they close, the one at which they open again)."""
        zone, change = self.put_at(seconds, 12, 1)
        return DAYTIME | {"timezone": zone}, change, change + timedelta(hours=7)

    def closed(self):
        zone, change = self.put_at(0, 2, 2)
        return DAYTIME | {"timezone": zone}, change + timedelta(hours=6)
