"""The names of the keys that are read, and of what type each is: the one place to change when a script renames one.

A shard's keys begin with {PREFIX:NN}, those of a channel with {PREFIX:ch:NAME}; workers/calls/lib/layout.lua, admit.lua
and contact.lua describe them. Lines, locks and tickets are named by claims: one that is given back leaves the attempt's
number to the next, and its own to nobody.
"""

# What follows the slot, up to a name of its own: the type of the value.
SHARD = {
    ":call:": "hash",
    ":n:": "hash",
    ":park:": "hash",
    ":due": "zset",
    ":open": "zset",
    ":out": "stream",
    ":lined": "zset",  # "CHANNEL|tenant/call_id/claim" by deadline: what the channel's own list is rebuilt from
    ":lock:": "string",  # of TENANT|CHANNEL|NUMBER: "tenant/call_id/claim"
}
WAITERS = ":w"  # behind a lock's key: the calls that wait for it
CHANNEL = {
    ":lines": "zset",  # claims by deadline; of one tenant behind another colon
    ":q:": "zset",  # a tenant's tickets
    ":taken": "zset",  # tickets that were handed out
    ":tickets": "hash",
}
TYPES = {part: kind for parts in (SHARD, CHANNEL) for part, kind in parts.items()} | {WAITERS: "zset"}


def kind_of(key, prefix):
    """One of the parts above, or None: a key that tells nothing here."""
    slot, _, rest = key.partition("}")
    parts = CHANNEL if slot.startswith(f"{{{prefix}:ch:") else SHARD
    kind = next((part for part in parts if rest.startswith(part)), None)
    return WAITERS if kind == ":lock:" and rest.endswith(WAITERS) else kind


def channel_of(key):
    return key.partition("}")[0].partition(":ch:")[2]


def line_of(key):
    """TENANT|CHANNEL|NUMBER, of a lock or of those who wait for it."""
    return key.partition(":lock:")[2].removesuffix(WAITERS)
