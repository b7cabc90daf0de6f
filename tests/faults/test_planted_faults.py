"""The check after a kill sees what is wrong: each fault planted in a copy of a store is found."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from bookkeeper import Bookkeeper
from chat import PRICE, body
from kill_load import Asked, send
from quire_process import Up, run_quire
from statement import verify

LAST = "(SELECT reference FROM transfers WHERE kind = 'usage' ORDER BY seq DESC LIMIT 1)"
USAGE = f"reference = {LAST} AND kind = 'usage'"


@dataclass
class Lived:
    """A data folder in which some requests were answered, and what their clients saw."""

    data: Path
    api_key: str
    log: list[Asked]


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lived]:
    data = tmp_path_factory.mktemp("lived") / "data"
    with Up(data=data) as up:
        assert up.api_key is not None
        log = [Asked(body("sim", max_tokens=5 + number)) for number in range(4)]
        for asked in log:
            send(up.url, up.api_key, asked)
    assert all(asked.is_answered for asked in log)
    yield Lived(data, up.api_key, log)


@pytest.fixture
def copy(lived: Lived, tmp_path: Path) -> Lived:
    shutil.copytree(lived.data, tmp_path / "data", ignore=shutil.ignore_patterns("*.sock"))
    return replace(lived, data=tmp_path / "data")


def plant(lived: Lived, *statements: str) -> None:
    store = sqlite3.connect(lived.data / "credits.db")
    for statement in statements:
        assert store.execute(statement).rowcount > 0, statement
    store.commit()
    store.close()


def violations(lived: Lived) -> set[str]:
    """The invariants that `quire credits verify` finds broken."""
    ran = run_quire("credits", "verify", "--json", "--data", str(lived.data))
    report = json.loads(ran.stdout)
    assert ran.returncode == (0 if report["ok"] else 1), ran
    return {text.split(":")[0] for text in report.get("violations", [])}


def found_by_bookkeeper(lived: Lived) -> list[str]:
    books = Bookkeeper(PRICE)
    with Up(data=lived.data) as up:
        up.api_key = lived.api_key
        assert verify(up)["ok"]
        return books.read(up) + books.compare(lived.log)


def test_nothing_planted_nothing_found(copy: Lived) -> None:
    assert violations(copy) == set()
    assert found_by_bookkeeper(copy) == []


def test_a_lost_transfer_is_found(copy: Lived) -> None:
    plant(copy, f"DELETE FROM transfers WHERE {USAGE}")
    assert {"I3", "I9"} <= violations(copy)


def test_a_doubled_transfer_is_found(copy: Lived) -> None:
    columns = ("org_id, kind, debit_account, credit_account, posted, at, description, "
               "price_version, input_tokens, output_tokens")
    plant(copy, f"INSERT INTO transfers (seq, id, reference, slot, pending, {columns}) "
                f"SELECT seq + 1000, id, reference, 4, 0, {columns} FROM transfers WHERE {USAGE}")
    assert {"I3", "I8"} <= violations(copy)


@pytest.mark.parametrize(("change", "invariants"), [
    ("UPDATE accounts SET credits_posted = credits_posted + 1 WHERE name = 'prepaid'",
     {"I1", "I3"}),
    ("UPDATE accounts SET debits_pending = debits_pending + 1 WHERE name = 'prepaid'",
     {"I2", "I3", "I6"}),
    ("UPDATE accounts SET credits_posted = 0, debits_posted = 7 WHERE name = 'prepaid'",
     {"I1", "I3", "I4"}),
])
def test_a_changed_balance_is_found(copy: Lived, change: str, invariants: set[str]) -> None:
    plant(copy, change)
    assert invariants <= violations(copy)


def test_a_changed_balance_stops_the_start(copy: Lived) -> None:
    plant(copy, "UPDATE accounts SET credits_posted = credits_posted + 1 WHERE name = 'prepaid'")
    ran = run_quire("up", "--data", str(copy.data), "--listen", "127.0.0.1:0", "--admin",
                    "127.0.0.1:0", "--json")
    assert ran.returncode == 1 and "I1" in ran.stderr, ran


def test_a_lost_event_is_found(copy: Lived) -> None:
    plant(copy, f"DELETE FROM outbox WHERE subject = {LAST}")
    assert violations(copy) == {"I9"}


def test_an_answer_nobody_billed_is_found_though_the_ledger_agrees_with_itself(
        copy: Lived) -> None:
    posted = f"(SELECT posted FROM transfers WHERE {USAGE})"
    plant(copy,
          f"UPDATE accounts SET debits_posted = debits_posted - {posted} WHERE name = 'prepaid'",
          f"UPDATE accounts SET credits_posted = credits_posted - {posted} WHERE name = 'revenue'",
          f"DELETE FROM outbox WHERE subject = {LAST}",
          f"DELETE FROM transfers WHERE reference = {LAST}")
    assert violations(copy) == set()
    [found] = found_by_bookkeeper(copy)
    assert "is billed []" in found


def test_a_wrong_price_is_found_though_the_ledger_agrees_with_itself(copy: Lived) -> None:
    plant(copy, "UPDATE accounts SET debits_posted = debits_posted + 1 WHERE name = 'prepaid'",
          "UPDATE accounts SET credits_posted = credits_posted + 1 WHERE name = 'revenue'",
          f"UPDATE transfers SET posted = posted + 1 WHERE {USAGE}")
    assert found_by_bookkeeper(copy) != []
