"""What a running quire says of the money: balance, entries, invariants; and what usage costs."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from pathlib import Path
from typing import Any

from quire_process import Up

Usage = dict[str, int]
Entry = dict[str, Any]
PAGE = 1000


def cost_of(usage: Usage, price: Usage) -> int:
    """ceil(tokens x price / 1,000,000) in micro-credits, rounded once."""
    whole = (usage["prompt_tokens"] * price["input"]
             + usage["completion_tokens"] * price["output"])
    return -(-whole // 1_000_000)


def balance(up: Up) -> Entry:
    answer = up.call("GET", "/api/v1/credits/balance", up.api_key)
    assert answer.status == 200, answer.text
    found: Entry = answer.json()
    return found


def entries(up: Up, until: set[str] | None = None) -> list[Entry]:
    """Every entry, newest first, page by page; those before the first one in `until`."""
    found: list[Entry] = []
    while True:
        after = f"&after={found[-1]['id']}" if found else ""
        answer = up.call("GET", f"/api/v1/credits/entries?limit={PAGE}{after}", up.api_key)
        assert answer.status == 200, answer.text
        page = answer.json()
        for entry in page["data"]:
            if until and entry["id"] in until:
                return found
            found.append(entry)
        if not page["has_more"]:
            return found


def usage_total(data: Path) -> int:
    """What the usage by day, model and key adds up to."""
    with sqlite3.connect(f"file:{data / 'analytics.db'}?mode=ro", uri=True) as store:
        (total,) = store.execute("SELECT COALESCE(SUM(cost), 0) FROM usage_days").fetchone()
    return int(total)


def by_request(statement: list[Entry]) -> dict[str, list[tuple[str, int]]]:
    """(kind, amount) of the entries of each request, oldest first."""
    found: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for entry in reversed(statement):
        if entry["request_id"] is not None:
            found[entry["request_id"]].append((entry["kind"], entry["amount"]))
    return found


def verify(up: Up) -> dict[str, Any]:
    """What `quire credits verify` reports, with its exit status checked against it."""
    ran = up.cli("credits", "verify", "--json")
    report: dict[str, Any] = json.loads(ran.stdout)
    assert ran.returncode == (0 if report["ok"] else 1), ran
    return report
