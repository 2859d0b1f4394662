"""The rows of final calls: the last one of each is the newest, and what Redis holds."""

import orjson

from .words import STATUS_RANK, micros, status_name, time_ms


class Records:
    """`last` and `highest`: {call: row}, by where it stands and by its seq."""

    def __init__(self, run, findings):
        self.last, self.highest, count = {}, {}, 0
        for record in run.records("call-records"):
            row, count = orjson.loads(record.value), count + 1
            call = f"{row['tenant']}/{row['call_id']}"
            if record.key != call.encode():
                findings.wrong("record under another call's key", call, f"its key is {record.key!r}")
            self.last[call] = row
            if row["seq"] >= self.highest.get(call, row)["seq"]:
                self.highest[call] = row
        findings.checked("rows of final calls", count, f"of {len(self.last):,} calls")


def check_records(records, store, findings):
    for call, row in records.last.items():
        if row["seq"] != records.highest[call]["seq"]:
            findings.wrong("an older record came last", call, f"seq {row['seq']} behind {records.highest[call]['seq']}")
        if call not in store.calls:
            findings.wrong("record of a call that Redis does not know", call, f"seq {row['seq']}, {row['status']}")
    for call in store.calls.values():
        if not call.final:
            continue
        row = records.last.get(call.id)
        if row is None:
            findings.wrong("final call without a record", call.id, f"seq {call.seq}, {status_name(call.status)}")
        elif _told(row) != _held(call):
            findings.wrong("last record is not what Redis holds", call.id, f"{_told(row)}; Redis: {_held(call)}")


def _told(row):
    return {
        "seq": row["seq"],
        "status": STATUS_RANK[row["status"]],
        "drop": row["drop_reason"] or "",
        "campaign": f"{row['tenant']}/{row['campaign']}",
        "attempts": row["attempts"],
        "created": time_ms(row["created_at"]),
        "cost": micros(row["cost_amount"]) if row["cost_amount"] else 0,
    }


def _held(call):
    """Costs of attempts that Redis does not keep (they reached nobody) are none."""
    costs = [attempt.cost for attempt in call.attempts.values() if attempt.cost > 0]
    currencies = {attempt.currency for attempt in call.attempts.values() if attempt.cost >= 0}
    return {
        "seq": call.seq,
        "status": call.status,
        "drop": call.drop,
        "campaign": call.campaign,
        "attempts": call.attempt,
        "created": call.created_ms,
        "cost": sum(costs) if len(currencies) < 2 else 0,
    }
