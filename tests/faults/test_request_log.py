"""kill -9 under mixed load: the request log has the ledger's money, to the micro-credit."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chat import model
from kill_load import Load
from quire_process import Sim, Up
from statement import balance, by_request, entries, usage_total
from waiting import wait_until

KILLS = 100 if os.environ.get("QUIRE_SOAK") == "1" else 10
KILL_AFTER = (0.05, 0.7)
CAUGHT_UP_SECONDS = 2.0
Costs = dict[str, int]


@pytest.fixture(scope="module")
def sim() -> Iterator[Sim]:
    with Sim("--tokens", "700", "--ttft-ms", "2", "--itl-ms", "1", "--cut-rate", "0.03",
             "--fail-rate", "0.03") as started:
        yield started


def config(sim: Sim) -> dict[str, Any]:
    return {"providers": {"local": {"kind": "openai", "base_url": f"{sim.url}/v1"}},
            "models": {"writer": model("sim")}, "limits": {"retries": 0}}


def booked(up: Up) -> Costs:
    """What the ledger says that each request cost."""
    lines = by_request(entries(up))
    return {request: -sum(amount for _, amount in booked) for request, booked in lines.items()}


def logged(up: Up) -> list[dict[str, Any]]:
    """Every request of the log, page by page."""
    found: list[dict[str, Any]] = []
    while True:
        after = f"&after={found[-1]['id']}" if found else ""
        answer = up.call("GET", f"/api/v1/requests?limit=1000{after}", up.api_key)
        assert answer.status == 200, answer.text
        page = answer.json()
        found += page["data"]
        if not page["has_more"]:
            return found


def costs(log: list[dict[str, Any]]) -> Costs:
    return {one["id"]: one["cost"]["amount"] for one in log if one["cost"]["amount"]}


def kill_under_load(up: Up, chance: random.Random) -> set[str]:
    """Kills it at a random moment; gives the requests that were answered before."""
    load = Load(up, chance.randrange(2**31))
    load.start()
    time.sleep(chance.uniform(*KILL_AFTER))  # the random moment
    up.signal(signal.SIGKILL)
    up.wait()
    load.stop()
    return {asked.request_id or "" for asked in load.log
            if asked.is_answered and not asked.is_replay}


def check_after_kill(up: Up, data: Path, answered: set[str]) -> int:
    wait_until(lambda: balance(up)["held"] == 0, "nothing held")
    ledger = booked(up)
    wait_until(lambda: costs(logged(up)) == ledger, "the ledger's costs in the log",
               CAUGHT_UP_SECONDS)
    log = {one["id"]: one for one in logged(up)}
    assert usage_total(data) == sum(ledger.values())
    assert answered <= set(log), answered - set(log)
    # What died with the process before it was told has what the ledger knows.
    untold = [one for one in log.values() if one["route"] is None]
    assert all(one["status"] and one["model"] == "writer" for one in untold)
    return len(untold)


def test_after_every_kill_the_log_has_the_ledgers_money(
        sim: Sim, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    data = tmp_path / "data"
    api_key: str | None = None
    answered: set[str] = set()
    untold = 0
    try:
        for _ in range(KILLS):
            up = Up(config(sim), data=data)
            api_key = up.api_key = up.api_key or api_key
            try:
                answered |= kill_under_load(up, chance)
            finally:
                up.kill()
            with Up(config(sim), data=data) as up:
                up.api_key = api_key
                untold = check_after_kill(up, data, answered)
    except BaseException:
        with capsys.disabled():
            print(f"\nseed {seed}")
        raise
    with capsys.disabled():
        print(f"\nseed {seed}: {KILLS} kills, {len(answered)} answered, {untold} of the log "
              "known by their settlement only")
    assert len(answered) > 5 * KILLS and untold > 0
