"""Compares what clients saw with what the statement says; finds, rather than asserts."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from kill_load import Asked
from quire_process import Up
from statement import Entry, Usage, balance, by_request, cost_of, entries


@dataclass
class Bookkeeper:
    """Knows every entry seen so far: what is booked once may never change or go."""

    price: Usage
    statement: list[Entry] = field(default_factory=list)  # newest first

    def read(self, up: Up) -> list[str]:
        """Takes up the new entries; says whether they and the balance agree."""
        known = {entry["id"] for entry in self.statement}
        self.statement = entries(up, known) + self.statement
        return self.compare_sum(up)

    def compare_whole(self, up: Up) -> list[str]:
        """The whole statement once more, against what was read of it over time."""
        return [] if entries(up) == self.statement else ["entries have changed or gone"]

    def compare_sum(self, up: Up) -> list[str]:
        told = balance(up)
        booked = sum(entry["amount"] for entry in self.statement)
        if booked == told["available"] + told["held"]:
            return []
        return [f"the entries add up to {booked}, the balance is {told}"]

    def compare(self, log: Iterable[Asked]) -> list[str]:
        """Every answered request is billed once, exactly; no request twice."""
        booked = by_request(self.statement)
        found = [f"{request} is billed twice: {lines}" for request, lines in booked.items()
                 if [kind for kind, _ in lines].count("usage") > 1]
        for asked in log:
            if asked.is_answered:
                found += self._compare_one(asked, booked.get(asked.request_id or "", []))
        return found

    def _compare_one(self, asked: Asked, lines: list[tuple[str, int]]) -> list[str]:
        if asked.is_replay:
            return [f"the replay {asked.request_id} is billed: {lines}"] if lines else []
        assert asked.usage is not None
        due = cost_of(asked.usage, self.price)
        if lines != [("usage", -due)]:
            return [f"{asked.request_id} was answered for {due} and is billed {lines}"]
        if asked.cost not in (None, due):
            return [f"{asked.request_id} was told {asked.cost} instead of {due}"]
        return []


def request_of_key(data: Path, key: str) -> str | None:
    """The request that an idempotency key belongs to; None when the key is free."""
    with sqlite3.connect(f"file:{data / 'credits.db'}?mode=ro", uri=True) as store:
        row = store.execute("SELECT request_id FROM idempotency_keys WHERE key = ?",
                            (key,)).fetchone()
    return None if row is None else str(row[0])
