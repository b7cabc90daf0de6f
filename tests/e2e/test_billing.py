"""What every ending of a request costs: the table of docs/guides/what-is-billed.md, cell by cell.

One input token costs 1 micro-credit, one output token 2. The provider's usage is 11 and 6; the
guess for MESSAGES is 7 input tokens, and 5 bytes a word of output.
"""

from __future__ import annotations

import fcntl
import json
import random
import re
import signal
import socket
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from chat import PATH, PROVIDER_KEY, assert_problem, body, local_provider, model
from quire_process import ROOT, Up, full_disk, run_quire
from raw_http import Answer, Connection, connect
from scripted_upstream import ScriptedUpstream
from statement import balance, by_request, entries, usage_total, verify
from upstream_answers import Behaviour
from waiting import wait_until, wait_until_still

PAGE = ROOT / "docs/guides/what-is-billed.md"
FORMS = pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
CREDITS = 1_000_000
WORDS: Behaviour = {"do": "text", "chunks": {"text": "word ", "times": 10}}
FIVE_WORDS = 6  # events: the role comes first
STALLED: Behaviour = WORDS | {"stop_after_events": FIVE_WORDS, "ending": "stall"}
KEY = {"idempotency-key": "once"}
Lines = list[tuple[str, int]]


@dataclass
class Case:
    """One quire on a folder of its own, and what is asked of it in one form."""

    upstream: ScriptedUpstream
    data: Path
    stream: bool
    more: dict[str, Any] = field(default_factory=dict)
    api_key: str | None = None

    def start(self, credits: int = CREDITS, **more: Any) -> Up:
        priced = model("tiny", context_tokens=100_000) | {
            "price": {"input": 1_000_000, "output": 2_000_000}}
        config = {"providers": {"local": local_provider(self.upstream)},
                  "models": {"writer": priced}, "first_run": {"credits": credits}}
        config["limits"] = {"retries": 0} | more.pop("limits", {})
        up = Up(config | more, data=self.data, env={"LOCAL_KEY": PROVIDER_KEY})
        self.api_key = up.api_key = up.api_key or self.api_key
        return up

    def ask(self, up: Up, headers: dict[str, str] | None = None, **more: Any) -> Answer:
        return up.call("POST", PATH, self.api_key, self.body(**more), headers=headers or {})

    def open(self, up: Up, headers: dict[str, str] | None = None, **more: Any) -> Connection:
        connection = connect(up.url)
        sent = {"authorization": f"Bearer {self.api_key}"} | (headers or {})
        connection.request("POST", PATH, sent, self.body(**more))
        return connection

    def body(self, **more: Any) -> dict[str, Any]:
        return body("writer", stream=self.stream, **more)

    def open_half(self, up: Up, text: Behaviour = STALLED, words: int = 5,
                  headers: dict[str, str] | None = None) -> Connection:
        """A request whose answer has come so far, and goes on no more."""
        self.upstream.play("tiny", text)
        connection = self.open(up, headers)
        if self.stream:
            events = connection.events(connection.read_head())
            for _ in range(1 + words):
                next(events)
            return connection
        wait_until(lambda: self.upstream.seen("tiny"), "the request upstream")
        seen = self.upstream.seen("tiny")[-1]
        wait_until_still(lambda: seen.bytes_sent, "everything sent", still=0.2)
        return connection


def told(answer: Answer) -> str:
    """How an answer ended, as the page writes it."""
    if answer.status != 200:
        return f"{answer.status} `{answer.error()['code']}`"
    if "text/event-stream" not in answer.headers["content-type"]:
        finish = answer.json()["choices"][0]["finish_reason"]
        return "200" if finish == "stop" else f"200 `{finish}`"
    chunks = answer.chunks()
    if "error" in chunks[-1]:
        assert not answer.done
        return f"200, then `{chunks[-1]['error']['code']}`"
    [finish] = [choice["finish_reason"] for chunk in chunks for choice in chunk["choices"]
                if choice["finish_reason"]]
    assert answer.done
    return "200 `[DONE]`" if finish == "stop" else f"200 `{finish}` `[DONE]`"


def asked_once(case: Case, behaviour: Behaviour, **more: Any) -> str:
    case.upstream.play("tiny", behaviour)
    with case.start(**more) as up:
        return checked(case, up, told(case.ask(up, **case.more)))


def checked(case: Case, up: Up, ending: str) -> str:
    """Once everything is over nothing is held, and the ledger agrees with itself."""
    wait_until(lambda: up.gauge("quire_inflight_requests", service="gateway") == 0, "the end")
    wait_until(lambda: balance(up)["held"] == 0, "nothing held", 1.0)
    assert verify(up)["ok"]
    return ending


def blocked_input(case: Case) -> str:
    rules = [{"name": "greeting", "kind": "literal", "values": ["hello"], "action": "block"}]
    ending = asked_once(case, {"do": "text"}, review={"default": {"input": rules}})
    assert not case.upstream.seen("tiny"), "blocked, and sent all the same"
    return ending


def blocked_output(case: Case) -> str:
    rules = [{"name": "secret", "kind": "literal", "values": ["SECRET."], "action": "block"}]
    text = {"do": "text", "chunks": ["word ", "word ", "SECRET.", " that"],
            "stop_after_events": 5, "ending": "stall"}
    return asked_once(case, text, review={"default": {"output": rules}})


def left_before(case: Case) -> str:
    case.upstream.play("tiny", {"do": "silent"})
    with case.start() as up:
        with case.open(up):
            wait_until(lambda: case.upstream.seen("tiny"), "the request upstream")
        return checked(case, up, "-")


def left_in_the_middle(case: Case) -> str:
    with case.start() as up:
        case.open_half(up).leave()
        return checked(case, up, "-")


def stopped_in_the_middle(case: Case) -> str:
    with case.start(shutdown={"drain": "100ms"}) as up:
        case.upstream.play("tiny", STALLED)
        with ThreadPoolExecutor(1) as client:
            asked = client.submit(case.ask, up)
            wait_until(lambda: case.upstream.seen("tiny"), "the request upstream")
            seen = case.upstream.seen("tiny")[-1]
            wait_until_still(lambda: seen.bytes_sent, "everything sent", still=0.2)
            up.signal()
            ending = told(asked.result())
        assert up.wait(5) == 0
    return ending


def again_after_whole(case: Case) -> str:
    """Replayed in the form of the body: another form would be another body."""
    case.upstream.play("tiny", {"do": "text"})
    with case.start() as up:
        first = case.ask(up, KEY)
        again = case.ask(up, KEY)
        assert again.headers["idempotent-replayed"] == "true"
        assert again.headers["x-quire-cost"] == "0"
        assert again.headers["x-request-id"] != first.headers["x-request-id"]
        assert by_request(entries(up)).keys() == {first.headers["x-request-id"]}
        assert len(case.upstream.seen("tiny")) == 1
        return checked(case, up, told(again))


def again_while_running(case: Case) -> str:
    with case.start() as up:
        with case.open_half(up, headers=KEY):
            again = case.ask(up, KEY)
            assert int(again.headers["retry-after"]) >= 1
        return checked(case, up, told(again))


def again_with_another_body(case: Case) -> str:
    case.upstream.play("tiny", {"do": "text"})
    with case.start() as up:
        case.ask(up, KEY)
        return checked(case, up, told(case.ask(up, KEY, temperature=1)))


def again_after_a_break(case: Case) -> str:
    case.upstream.play("tiny", STALLED | {"ending": "close"})
    with case.start() as up:
        first = case.ask(up, KEY)
        again = case.ask(up, KEY)
        assert first.headers["x-request-id"] in again.error()["message"]
        return checked(case, up, told(again))


def poor(case: Case) -> str:
    with case.start(credits=61) as up:
        answer = case.ask(up)
        assert answer.error()["metadata"] == {"balance": 61, "required": 62} | {
            name: value for name, value in answer.error()["metadata"].items() if name == "trace_id"}
        return checked(case, up, told(answer))


def kill(up: Up) -> None:
    up.signal(signal.SIGKILL)
    up.wait()
    up.kill()


def died_early(case: Case) -> str:
    up = case.start()
    with case.open_half(up):
        kill(up)
    with case.start() as again:
        return checked(case, again, "-")


def has_checkpoint(data: Path) -> bool:
    with sqlite3.connect(f"file:{data / 'prompts.db'}?mode=ro", uri=True) as store:
        return bool(store.execute("SELECT COUNT(*) FROM journal").fetchone()[0])


def died_late(case: Case) -> str:
    """205 words are 257 tokens: that is noted, and what comes after is not charged."""
    up = case.start()
    text = {"do": "text", "chunks": {"text": "word ", "times": 300}, "stop_after_events": 301,
            "ending": "stall"}
    with case.open_half(up, text, 300):
        wait_until(lambda: has_checkpoint(case.data), "a checkpoint")
        kill(up)
    with case.start() as again:
        return checked(case, again, "-")


def died_after_the_end(case: Case) -> str:
    case.upstream.play("tiny", {"do": "text"})
    up = case.start()
    answer = case.ask(up)
    kill(up)
    with case.start() as again:
        return checked(case, again, told(answer))


@dataclass
class Cell:
    run: Callable[[Case], str]
    entries: Lines  # of the organization, without the first grant
    charged: str


def plays(behaviour: Behaviour, lines: Lines, charged: str, /, ask: dict[str, Any] | None = None,
          **more: Any) -> Cell:
    def run(case: Case) -> str:
        case.more = ask or {}
        return asked_once(case, behaviour, **more)
    return Cell(run, lines, charged)


COUNT, GUESS, NOTHING = "the provider's count", "a guess", "nothing"
SHORT = {"limits": {"request_deadline": "500ms"}}
CELLS: dict[str, Cell] = {
    "the answer is complete": plays({"do": "text"}, [("usage", -23)], COUNT),
    "complete, and the provider counts 0": plays({"do": "text", "usage": "zero"}, [("usage", 0)],
                                                 COUNT),
    "complete, and the provider sends no count": plays(
        WORDS | {"usage": False}, [("usage", -(7 + 2 * 13))], GUESS),
    "complete, and the provider counts more than was held": plays(
        {"do": "text", "usage": {"prompt_tokens": 1000, "completion_tokens": 50,
                                 "total_tokens": 1050}},
        [("usage", -62), ("overrun", -1038)], COUNT, ask={"max_tokens": 16}),
    "the input is blocked by a rule": Cell(blocked_input, [], NOTHING),
    "the output is blocked by a rule": Cell(blocked_output, [("usage", -(7 + 2 * 6))], GUESS),
    "the provider refuses the request": plays({"do": "status", "status": 400}, [], NOTHING),
    "the provider fails before the first content": plays({"do": "status", "status": 500}, [],
                                                         NOTHING),
    "the provider breaks off in the middle": plays(
        STALLED | {"ending": "close"}, [("usage", -(7 + 2 * 7))], GUESS),
    "it breaks off after its count, before `[DONE]`": plays(
        WORDS | {"stop_after_events": 13, "ending": "close"}, [("usage", -23)], COUNT),
    "the client leaves before the first content": Cell(left_before, [], NOTHING),
    "the client leaves in the middle": Cell(left_in_the_middle, [("usage", -(7 + 2 * 7))], GUESS),
    "the deadline comes before the first content": plays({"do": "silent"}, [], NOTHING, **SHORT),
    "the deadline comes in the middle": plays(STALLED, [("usage", -(7 + 2 * 7))], GUESS, **SHORT),
    "Quire is stopped in the middle, and its drain is over": Cell(
        stopped_in_the_middle, [("usage", -(7 + 2 * 7))], GUESS),
    "the same `Idempotency-Key` again, after a whole answer": Cell(
        again_after_whole, [("usage", -23)], NOTHING),
    "the same key while the first request runs": Cell(
        again_while_running, [("usage", -(7 + 2 * 7))], NOTHING),
    "the same key with another body": Cell(again_with_another_body, [("usage", -23)], NOTHING),
    "the same key after an answer that broke off": Cell(
        again_after_a_break, [("usage", -(7 + 2 * 7))], NOTHING),
    "the balance is too small": Cell(poor, [], NOTHING),
    "Quire dies after the first content, within 256 tokens and 2 s": Cell(died_early, [], NOTHING),
    "Quire dies later in the middle": Cell(died_late, [("usage", -(7 + 2 * 257))], GUESS),
    "Quire dies after the end was booked": Cell(died_after_the_end, [("usage", -23)], COUNT),
}


def rows() -> dict[str, list[str]]:
    """The page's table: what stands behind each ending."""
    table = re.findall(r"^\| (.+) \|$", PAGE.read_text("utf-8"), re.M)
    cells = [line.split(" | ") for line in table]
    return {name: rest for name, *rest in cells[1:]}


def test_the_page_and_the_cells_are_the_same() -> None:
    assert list(rows()) == list(CELLS)
    assert {name: row[2] for name, row in rows().items()} == {
        name: cell.charged for name, cell in CELLS.items()}


@pytest.fixture
def case(upstream: ScriptedUpstream, tmp_path: Path) -> Case:
    return Case(upstream, tmp_path / "data", stream=False)


@FORMS
@pytest.mark.parametrize("name", CELLS)
def test_an_ending_costs_what_the_page_says(case: Case, name: str, stream: bool) -> None:
    case.stream = stream
    cell = CELLS[name]
    ending = cell.run(case)
    with case.start() as up:  # another process of the same folder says the same
        statement = entries(up)
        lines = [(entry["kind"], entry["amount"]) for entry in reversed(statement)
                 if entry["kind"] != "grant"]
        assert lines == cell.entries
        [first] = [entry["amount"] for entry in statement if entry["kind"] == "grant"]
        assert balance(up)["available"] == first + sum(amount for _, amount in lines)
    assert ending == rows()[name][int(stream)]


@FORMS
def test_an_error_of_the_provider_frees_the_key(case: Case, stream: bool) -> None:
    case.stream = stream
    case.upstream.play("tiny", {"do": "status", "status": 500}, {"do": "text"})
    with case.start() as up:
        assert case.ask(up, KEY).status == 502
        first, again = case.ask(up, KEY), case.ask(up, KEY)
        assert first.status == again.status == 200
        assert "idempotent-replayed" not in first.headers
        assert again.headers["idempotent-replayed"] == "true"
        assert by_request(entries(up)) == {first.headers["x-request-id"]: [("usage", -23)]}


def test_a_plain_answer_tells_its_price(case: Case) -> None:
    with case.start() as up:
        assert case.ask(up).headers["x-quire-cost"] == "23"


@FORMS
def test_the_provider_is_told_what_the_balance_affords(case: Case, stream: bool) -> None:
    case.stream = stream
    with case.start(credits=100) as up:
        assert case.ask(up).status == 200
        assert case.upstream.seen("tiny")[-1].body["max_tokens"] == (100 - 30) // 2
        assert case.ask(up, max_completion_tokens=400).status == 200
        seen = case.upstream.seen("tiny")[-1].body
        assert seen["max_completion_tokens"] == (100 - 23 - 30) // 2 and "max_tokens" not in seen


def test_what_the_balance_cannot_cover_is_the_operators_loss(case: Case) -> None:
    usage = {"prompt_tokens": 1000, "completion_tokens": 50, "total_tokens": 1050}
    case.upstream.play("tiny", {"do": "text", "usage": usage})
    with case.start(credits=100) as up:
        answer = case.ask(up, max_tokens=16)
        assert answer.headers["x-quire-cost"] == "1100"
        assert by_request(entries(up)) == {
            answer.headers["x-request-id"]: [("usage", -62), ("overrun", -38)]}
        assert balance(up)["available"] == 0 and verify(up)["ok"]
        assert told(case.ask(up)) == "402 `insufficient_quota`"
        wait_until(lambda: usage_total(case.data) == 100, "what was charged in the usage by day")


@pytest.mark.parametrize("credits", [0, 123])
def test_a_new_folder_starts_with_what_is_configured_once(case: Case, credits: int) -> None:
    for _ in range(2):
        with case.start(credits=credits) as up:
            assert balance(up) == {"available": credits, "held": 0, "unit": "micro_credits"}
            assert [entry["amount"] for entry in entries(up)] == ([credits] if credits else [])


def test_a_grant_ends_a_402(case: Case) -> None:
    with case.start(credits=0) as up:
        assert told(case.ask(up)) == "402 `insufficient_quota`"
        granted = up.cli("credits", "grant", "500", "--reason", "paid", "--json")
        assert granted.returncode == 0, granted
        entry = json.loads(granted.stdout)
        assert (entry["kind"], entry["amount"], entry["request_id"]) == ("grant", 500, None)
        assert entries(up) == [entry]
        assert case.ask(up).status == 200
        told_by_cli = json.loads(up.cli("credits", "balance", "--json").stdout)
        assert told_by_cli == balance(up) and told_by_cli["available"] == 477
        listed = json.loads(up.cli("credits", "entries", "--json").stdout)
        assert listed == {"data": entries(up), "has_more": False}


@pytest.mark.parametrize("amount", [
    "0", "-5", str(2**53), str(2**63 - 1), str(2**63), "ten", "1.5", ""])
def test_an_amount_that_makes_no_sense_is_refused(gateway: Up, amount: str) -> None:
    before = json.loads(gateway.cli("credits", "entries", "--json").stdout)
    ran = run_quire("credits", "grant", "--data", str(gateway.data), "--reason", "r", "--", amount)
    assert (ran.returncode, ran.stdout) == (2, "") and "amount" in ran.stderr.lower(), ran
    assert json.loads(gateway.cli("credits", "entries", "--json").stdout) == before


def test_credits_need_their_scope(gateway: Up) -> None:
    def key_with(scopes: str) -> str:
        made = gateway.cli("keys", "create", "--name", "n", "--scopes", scopes, "--json")
        return str(json.loads(made.stdout)["key"])

    readers, others = key_with("credits:read"), key_with("inference,credits:write")
    for path in ("balance", "entries"):
        assert gateway.call("GET", f"/api/v1/credits/{path}", readers).status == 200
        assert_problem(gateway.call("GET", f"/api/v1/credits/{path}", others), 403,
                       "permission_denied")
        assert_problem(gateway.call("GET", f"/api/v1/credits/{path}"), 401, "invalid_api_key")
    for limit in ("0", "1001", "-1", "x"):
        refused = gateway.call("GET", f"/api/v1/credits/entries?limit={limit}", readers)
        assert_problem(refused, 400, "invalid_value")


def test_verify_works_without_a_process(case: Case) -> None:
    with case.start() as up:
        case.ask(up)
    ran = run_quire("credits", "verify", "--data", str(case.data), "--json")
    assert ran.returncode == 0 and json.loads(ran.stdout)["ok"], ran
    nowhere = run_quire("credits", "verify", "--data", str(case.data / "no"), "--json")
    assert nowhere.returncode == 1 and "no data folder" in nowhere.stderr
    with (case.data / "quire.lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with socket.socket(socket.AF_UNIX) as dead:  # as a kill leaves it
            dead.bind(str(case.data / "quire.sock"))
        for _ in range(2):
            held = run_quire("credits", "verify", "--data", str(case.data), "--json")
            assert held.returncode == 1 and "in use by process" in held.stderr, held
            (case.data / "quire.sock").unlink(missing_ok=True)
    (case.data / "quire.lock").unlink()
    (case.data / "quire.lock").mkdir()
    locked = run_quire("credits", "verify", "--data", str(case.data), "--json")
    assert locked.returncode == 1 and "cannot write to the data folder" in locked.stderr, locked


@FORMS
def test_a_full_disk_refuses_and_forgets_nothing(case: Case, stream: bool) -> None:
    case.stream = stream
    slow = WORDS | {"chunks": {"text": "word ", "times": 100}, "itl_ms": 10}
    with case.start() as up:
        case.upstream.play("tiny", slow, then={"do": "text"})
        running = case.open(up, headers=KEY)
        wait_until(lambda: case.upstream.seen("tiny"), "the request upstream")
        wait_until(lambda: case.upstream.seen("tiny")[0].bytes_sent > 1000, "some text")
        with full_disk(up):
            assert told(case.ask(up)) == "503 `storage_unavailable`"
            broken = running.read_answer()
            assert told(broken) == ("200, then `settle_failed`" if stream
                                    else "503 `storage_unavailable`")
            if not stream:
                assert broken.headers["x-should-retry"] == "false"  # it is paid for
            assert told(case.ask(up)) == "503 `storage_unavailable`"
            assert up.admin("/healthz").status == 200
        wait_until(lambda: balance(up)["held"] == 0, "the late settlement", 10.0)
        assert case.ask(up).status == 200
        request = broken.headers["x-request-id"]
        assert by_request(entries(up))[request] == [("usage", -23)]
        again = case.ask(up, KEY)  # paid for, so it can still be had
        assert again.status == 200 and again.headers["idempotent-replayed"] == "true"
        assert "word word" in again.text
        assert balance(up)["available"] == CREDITS - 2 * 23 and verify(up)["ok"]


def leave_somewhere(case: Case, up: Up, words: int, number: int) -> tuple[str, int]:
    """A client that leaves once `words` have come: its request, and the price of exactly those."""
    case.upstream.play("tiny", STALLED | {"stop_after_events": 1 + words})
    with case.open(up, x_number=number) as connection:
        answer = connection.read_head()
        events = connection.events(answer)
        for _ in range(1 + words):
            next(events)
        connection.leave(reset=number % 2 == 0)
    return answer.headers["x-request-id"], 7 + 2 * -(-5 * words // 4)


def assert_leavers_pay_what_came(case: Case, clients: int) -> None:
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    case.stream = True
    with case.start(credits=10**9) as up:
        case.ask(up)
        before = up.footprint_at_rest()
        due = [leave_somewhere(case, up, chance.randint(1, 10), number)
               for number in range(clients)]
        up.wait_until_back_to(before)
        wait_until(lambda: balance(up)["held"] == 0, "nothing held")
        booked = by_request(entries(up))
        wrong = {request: (price, booked.get(request)) for request, price in due
                 if booked.get(request) != [("usage", -price)]}
        assert not wrong, f"seed {seed}: {wrong}"
        assert verify(up)["ok"]


def test_clients_that_leave_at_random_words_pay_for_those(case: Case) -> None:
    assert_leavers_pay_what_came(case, 150)


@pytest.mark.slow
def test_a_thousand_clients_that_leave_at_random_words_pay_for_those(case: Case) -> None:
    assert_leavers_pay_what_came(case, 1000)
