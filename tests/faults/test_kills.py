"""kill -9 under mixed load: after every restart the money is right, to the micro-credit."""

from __future__ import annotations

import json
import os
import random
import signal
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from bookkeeper import Bookkeeper, request_of_key
from chat import PRICE, model
from kill_load import Asked, Load, send
from quire_process import Sim, Up
from statement import balance, by_request, verify
from waiting import wait_until

KILLS = 500 if os.environ.get("QUIRE_SOAK") == "1" else 50
KILL_AFTER = (0.05, 0.7)
READY_MS = 2000.0
RELEASED_SECONDS = 1.0
REPEATS = 6  # answered requests with a key that are asked again after each kill


@dataclass
class Figures:
    """What the run is quoted with."""

    kills: int = 0
    asked: int = 0
    answered: int = 0
    replayed: int = 0
    told_over: int = 0
    run_anew: int = 0
    recovered: int = 0
    settled_unanswered: int = 0
    worst_ready_ms: float = 0.0

    def __str__(self) -> str:
        return (f"{self.kills} kills, {self.asked} requests, {self.answered} answered, "
                f"{self.recovered} holds recovered, {self.settled_unanswered} billed without a "
                f"whole answer (left, or recovered by checkpoint); asked again: {self.replayed} "
                f"replayed, {self.told_over} already_completed, {self.run_anew} run anew; "
                f"recovery at most {self.worst_ready_ms:.0f} ms")


@pytest.fixture(scope="module")
def sim() -> Iterator[Sim]:
    with Sim("--tokens", "700", "--ttft-ms", "2", "--itl-ms", "1", "--cut-rate", "0.03",
             "--fail-rate", "0.03") as started:
        yield started


def config(sim: Sim) -> dict[str, Any]:
    return {"providers": {"local": {"kind": "openai", "base_url": f"{sim.url}/v1"}},
            "models": {"writer": model("sim")}, "limits": {"retries": 0},
            "log": {"format": "json"}}


@pytest.fixture
def data() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="quire-kills-") as folder:
        yield Path(folder) / "data"


def recovered_in(log: str) -> int:
    """How many holds the process says to have resolved at its start."""
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    return sum(int(line.get("count", 0)) for line in lines if "holds recovered" in str(line))


class Run:
    """One data folder through its kills."""

    def __init__(self, sim: Sim, data: Path) -> None:
        self.config = config(sim)
        self.data = data
        self.api_key = ""
        self.books = Bookkeeper(PRICE)
        self.log: list[Asked] = []
        self.figures = Figures()

    def start(self) -> Up:
        up = Up(self.config, data=self.data)
        self.api_key = up.api_key or self.api_key
        up.api_key = self.api_key
        return up

    def kill_under_load(self, chance: random.Random) -> None:
        up = self.start()
        try:
            load = Load(up, chance.randrange(2**31))
            load.start()
            time.sleep(chance.uniform(*KILL_AFTER))  # the random moment
            up.signal(signal.SIGKILL)
            up.wait()
            load.stop()
        finally:
            up.kill()
        self.log += load.log
        self.figures.kills += 1
        self.check_after_kill(load.log, chance)

    def check_after_kill(self, log: list[Asked], chance: random.Random) -> None:
        with self.start() as up:
            assert up.ready_ms < READY_MS, f"ready after {up.ready_ms:.0f} ms"
            wait_until(lambda: balance(up)["held"] == 0, "nothing held", RELEASED_SECONDS)
            self.figures.worst_ready_ms = max(self.figures.worst_ready_ms, up.ready_ms)
            self.figures.recovered += recovered_in(up.stderr)
            assert verify(up)["ok"], verify(up)
            assert self.books.read(up) == []
            assert self.books.compare(log) == []
            self.ask_again(up, log, chance)
            assert balance(up)["held"] == 0
            assert self.books.read(up) == []

    def ask_again(self, up: Up, log: list[Asked], chance: random.Random) -> None:
        """What has a key is asked again: free when it was answered, else billed at most once."""
        keyed = [asked for asked in log if asked.key is not None]
        answered = [asked for asked in keyed if asked.is_answered]
        again = chance.sample(answered, min(REPEATS, len(answered)))
        again += [asked for asked in keyed if not asked.is_answered]
        owners = [request_of_key(self.data, asked.key or "") for asked in again]
        repeats = [Asked(asked.body, asked.key) for asked in again]
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda repeat: send(up.url, self.api_key, repeat), repeats))
        assert self.books.read(up) == []
        assert self.books.compare(repeats) == []
        self.log += repeats
        booked = by_request(self.books.statement)
        for first, owner, repeat in zip(again, owners, repeats, strict=True):
            self.check_repeat(first, owner, repeat, booked)

    def check_repeat(self, first: Asked, owner: str | None, repeat: Asked,
                     booked: dict[str, list[tuple[str, int]]]) -> None:
        if first.is_answered:
            assert repeat.is_answered and repeat.is_replay, (first, repeat)
            assert repeat.text == first.text and owner == first.request_id
        if repeat.is_replay:
            self.figures.replayed += 1
            assert repeat.cost in (None, 0), repeat
        elif repeat.status == 422:
            self.figures.told_over += 1
        else:
            self.figures.run_anew += 1
            assert owner is None, f"{repeat.request_id} ran though {owner} had its key"
            return
        assert owner is not None
        # A guess of what a cut answer took may be above its hold: then an overrun is beside it.
        kinds = [kind for kind, _ in booked[owner]]
        assert kinds in (["usage"], ["usage", "overrun"]), (owner, booked[owner])

    def finish(self) -> None:
        """Everything once more, over the whole life of the folder."""
        with self.start() as up:
            assert self.books.compare_whole(up) == []
            assert self.books.compare(self.log) == []
            assert verify(up)["ok"]
        answered = {asked.request_id for asked in self.log if asked.is_answered}
        self.figures.asked = len(self.log)
        self.figures.answered = len(answered)
        self.figures.settled_unanswered = len(by_request(self.books.statement).keys() - answered)


def test_every_kill_leaves_the_money_right(sim: Sim, data: Path,
                                           capsys: pytest.CaptureFixture[str]) -> None:
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    run = Run(sim, data)
    try:
        for _ in range(KILLS):
            run.kill_under_load(chance)
        run.finish()
    except BaseException:
        with capsys.disabled():
            print(f"\nseed {seed}, after {run.figures.kills} kills")
        raise
    with capsys.disabled():
        print(f"\nseed {seed}: {run.figures}")
    assert run.figures.answered > 5 * KILLS and run.figures.recovered > KILLS
