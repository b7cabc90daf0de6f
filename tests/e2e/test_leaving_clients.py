"""A client that leaves stops the upstream within 100 ms, and leaves nothing behind."""

from __future__ import annotations

import random
import selectors
from collections.abc import Iterator
from pathlib import Path

import pytest
from chat import PROVIDER_KEY, ask, local_provider, model, open_chat
from quire_process import Up
from raw_http import Connection
from scripted_upstream import ScriptedUpstream, Seen, now_ms
from upstream_answers import Behaviour
from waiting import wait_until, wait_until_still

LIMIT_MS = 100.0
KIB = 1024
MIB = 1024 * KIB
TALKING: Behaviour = {"do": "text", "chunks": {"text": "word ", "times": 100_000}, "itl_ms": 5}
SILENT: Behaviour = {"do": "silent"}
STALLED: Behaviour = {"do": "text", "stop_after_events": 3, "ending": "stall"}
WAYS = pytest.mark.parametrize("reset", [False, True], ids=["FIN", "RST"])
FORMS = pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])


@pytest.fixture(scope="module")
def up(shared_upstream: ScriptedUpstream) -> Iterator[Up]:
    config = {
        "providers": {"local": local_provider(shared_upstream)},
        "models": {"writer": model("tiny"), "narrow": model("narrow-tiny", concurrency=1)},
    }
    with Up(config, env={"LOCAL_KEY": PROVIDER_KEY}) as started:
        yield started


@pytest.fixture(autouse=True)
def nothing_is_left(up: Up, upstream: ScriptedUpstream) -> Iterator[None]:
    for name in ("writer", "narrow"):
        assert ask(up, model=name).status == 200
        assert ask(up, model=name, stream=True).status == 200
    upstream.reset()
    before = up.footprint_at_rest()
    yield
    up.wait_until_back_to(before)
    upstream.reset()
    assert ask(up, model="narrow").status == 200


def unread(connection: Connection) -> int:
    """Bytes that arrived at the server's socket and that it has not read."""
    ends = (connection.sock.getpeername()[1], connection.sock.getsockname()[1])
    for row in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = row.split()
        if tuple(int(field.split(":")[1], 16) for field in fields[1:3]) == ends:
            return int(fields[4].split(":")[1], 16)
    raise AssertionError(f"no connection between the ports {ends}")


def leave(connection: Connection, reset: bool) -> float:
    left = now_ms()
    connection.leave(reset)
    return left


def assert_upstream_saw_it(seen: Seen, left: float) -> None:
    wait_until(lambda: seen.closed_ms, "the upstream to see its connection closed")
    assert seen.closed_ms is not None and seen.closed_early
    assert seen.closed_ms - left <= LIMIT_MS, f"{seen.closed_ms - left:.1f} ms"


def asked(upstream: ScriptedUpstream, model_name: str = "tiny", number: int = 1) -> Seen:
    """The newest request once the upstream has so many."""
    wait_until(lambda: len(upstream.seen(model_name)) == number, f"{number} requests upstream")
    return upstream.seen(model_name)[-1]


@FORMS
@WAYS
def test_leaving_before_the_first_byte_stops_the_upstream(
        up: Up, upstream: ScriptedUpstream, stream: bool, reset: bool) -> None:
    upstream.play("tiny", SILENT)
    connection = open_chat(up, stream=stream)
    seen = asked(upstream)
    assert_upstream_saw_it(seen, leave(connection, reset))


@FORMS
@WAYS
@pytest.mark.parametrize("behaviour", [TALKING, STALLED], ids=["talking", "stalled"])
def test_leaving_in_the_middle_stops_the_upstream(
        up: Up, upstream: ScriptedUpstream, behaviour: Behaviour, stream: bool,
        reset: bool) -> None:
    upstream.play("tiny", behaviour)
    connection = open_chat(up, stream=stream)
    seen = asked(upstream)
    wait_until(lambda: seen.bytes_sent > 800, "some text of the upstream")
    if stream:
        assert next(connection.events(connection.read_head()))
    assert_upstream_saw_it(seen, leave(connection, reset))


@WAYS
def test_leaving_with_unread_text_stops_the_upstream(up: Up, upstream: ScriptedUpstream,
                                                     reset: bool) -> None:
    upstream.play("tiny", TALKING | {"itl_ms": 0})
    connection = open_chat(up, stream=True, receive_bytes=4 * KIB)
    seen = asked(upstream)
    wait_until_still(lambda: seen.bytes_sent, "an upstream held back", still=0.3)
    assert_upstream_saw_it(seen, leave(connection, reset))


@WAYS
def test_leaving_is_seen_behind_pipelined_requests_that_nobody_reads(
        up: Up, upstream: ScriptedUpstream, reset: bool) -> None:
    upstream.play("tiny", SILENT)
    connection = open_chat(up)
    seen = asked(upstream)
    connection.send(b"GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n" * (100 * KIB // 37))
    wait_until(lambda: unread(connection) > 0, "the server to have taken what it takes")
    wait_until_still(lambda: unread(connection), "the server to take no more", still=0.2)
    assert_upstream_saw_it(seen, leave(connection, reset))


@FORMS
@WAYS
def test_leaving_while_queued_leaves_the_queue(up: Up, upstream: ScriptedUpstream,
                                               stream: bool, reset: bool) -> None:
    upstream.play("narrow-tiny", STALLED)
    with open_chat(up, model="narrow", stream=True) as running:
        asked(upstream, "narrow-tiny")
        connection = open_chat(up, model="narrow", stream=stream)
        wait_until(lambda: up.gauge("quire_queue_depth", model="narrow") == 1, "one in the queue")
        left = leave(connection, reset)
        wait_until(lambda: up.gauge("quire_queue_depth", model="narrow") == 0, "an empty queue")
        assert now_ms() - left <= 2 * LIMIT_MS
        seen = upstream.seen("narrow-tiny")[-1]
        assert_upstream_saw_it(seen, leave(running, reset))
    wait_until(lambda: up.gauge("quire_inflight_requests", service="gateway") == 0, "no request")
    assert len(upstream.seen("narrow-tiny")) == 1, "the client that left was still served"


def test_one_that_waits_is_served_when_the_running_one_leaves(up: Up,
                                                              upstream: ScriptedUpstream) -> None:
    upstream.play("narrow-tiny", STALLED)
    running = open_chat(up, model="narrow", stream=True)
    asked(upstream, "narrow-tiny")
    with open_chat(up, model="narrow") as waiting:
        wait_until(lambda: up.gauge("quire_queue_depth", model="narrow") == 1, "one in the queue")
        leave(running, reset=False)
        assert waiting.read_answer().status == 200


def test_leaving_in_the_middle_of_the_request_is_harmless(up: Up,
                                                          upstream: ScriptedUpstream) -> None:
    for reset in (False, True):
        for sent in (b"POST /v1/ch", b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n"):
            with open_chat(up) as connection:
                connection.read_answer()
                connection.send(sent)
                connection.leave(reset)


def leave_at_random(up: Up, upstream: ScriptedUpstream, chance: random.Random,
                    number: int) -> float | None:
    """One request that is left at a random moment; gives the milliseconds it took upstream."""
    stream, reset = chance.random() < 0.5, chance.random() < 0.5
    upstream.play("tiny", then=chance.choice([SILENT, TALKING, TALKING, STALLED]))
    connection = open_chat(up, stream=stream, x_number=number)
    moment = now_ms() + chance.choice([0.0, chance.uniform(0, 5), chance.uniform(0, 60)])
    wait_until(lambda: now_ms() >= moment, "the moment to leave", poll=0.0005)
    left = leave(connection, reset)
    wait_until(lambda: up.gauge("quire_inflight_requests", service="gateway") == 0, "its end",
               poll=0.001)
    mine = [seen for seen in upstream.seen("tiny") if seen.body["x_number"] == number]
    if not mine:
        return None
    [seen] = mine
    wait_until(lambda: seen.closed_ms, "the upstream to see its connection closed")
    assert seen.closed_ms is not None
    return seen.closed_ms - left


@pytest.mark.slow
def test_a_thousand_clients_leave_at_random_moments(up: Up, upstream: ScriptedUpstream,
                                                    capsys: pytest.CaptureFixture[str]) -> None:
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    all_delays = [leave_at_random(up, upstream, chance, number) for number in range(1000)]
    delays = sorted(delay for delay in all_delays if delay is not None)
    with capsys.disabled():
        print(f"\nseed {seed}: {len(delays)} of 1000 had reached the upstream, which saw the end "
              f"after {delays[len(delays) // 2]:.1f} ms (median), {delays[-1]:.1f} ms (most)")
    assert len(delays) > 300, f"seed {seed}"
    assert delays[-1] <= LIMIT_MS, f"seed {seed}: {delays[-10:]}"


def test_a_body_is_not_held_as_a_tree_while_its_answer_runs(up: Up,
                                                            upstream: ScriptedUpstream) -> None:
    upstream.play("tiny", then={"do": "silent"})
    before = up.resident_bytes()
    streams = 4
    unknown = [0] * (2 * MIB)
    connections = [open_chat(up, stream=True, top=unknown) for _ in range(streams)]
    try:
        wait_until(lambda: len(upstream.seen("tiny")) == streams, "all of them upstream", 20.0)
        grown = up.resident_bytes() - before
        # 6 MiB of text each, in a few copies. With their trees it was 77 MiB each.
        assert up.is_sanitized() or grown <= streams * 48 * MIB, f"{grown / MIB:.1f} MiB"
    finally:
        for connection in connections:
            connection.leave()


def assert_slow_readers_are_bounded(up: Up, upstream: ScriptedUpstream, readers: int) -> None:
    """Readers that take next to nothing: the upstream is held back, the memory stays bounded."""
    upstream.play("tiny", then={"do": "text", "chunks": {"text": "x" * 16 * KIB, "times": 8192}})
    before = up.resident_bytes()
    connections = [open_chat(up, stream=True, receive_bytes=4 * KIB) for _ in range(readers)]
    try:
        wait_until(lambda: len(upstream.seen("tiny")) == readers, "all of them upstream", 20.0)

        def read_a_little() -> int:
            with selectors.DefaultSelector() as ready:
                for connection in connections:
                    ready.register(connection.sock, selectors.EVENT_READ)
                for found, _ in ready.select(timeout=0.01):
                    found.fileobj.recv(1)  # type: ignore[union-attr]
            return sum(seen.bytes_sent for seen in upstream.seen("tiny"))

        sent = wait_until_still(read_a_little, "the upstream held back", still=1.0)
        assert all(seen.answered_ms is None for seen in upstream.seen("tiny"))
        grown = up.resident_bytes() - before
        # AddressSanitizer keeps what was freed, so only a plain build's memory says anything.
        bound = readers * 256 * KIB + 8 * MIB
        assert up.is_sanitized() or grown <= bound, f"{grown / MIB:.1f} MiB for {sent} bytes"
    finally:
        for connection in connections:
            connection.leave()
    wait_until(lambda: all(seen.closed_ms for seen in upstream.seen("tiny")),
               "the upstream to be left", 10.0)


def test_slow_readers_hold_the_upstream_back(up: Up, upstream: ScriptedUpstream) -> None:
    assert_slow_readers_are_bounded(up, upstream, 10)


@pytest.mark.slow
def test_many_slow_readers_hold_the_upstream_back(up: Up, upstream: ScriptedUpstream) -> None:
    assert_slow_readers_are_bounded(up, upstream, 60)


def test_a_reader_that_stops_is_given_up_in_the_end(upstream: ScriptedUpstream) -> None:
    config = {"providers": {"local": local_provider(upstream)},
              "models": {"writer": model("tiny")}, "limits": {"write_stall": "1s"}}
    with Up(config, env={"LOCAL_KEY": PROVIDER_KEY}) as patient:
        assert ask(patient).status == 200
        before = patient.footprint_at_rest()
        upstream.play("tiny", {"do": "text", "chunks": {"text": "x" * 16 * KIB, "times": 8192}})
        with open_chat(patient, stream=True, receive_bytes=4 * KIB):
            seen = asked(upstream, number=2)
            wait_until(lambda: seen.closed_ms, "the upstream to be left", 10.0)
            assert seen.closed_early
            patient.wait_until_back_to(before)


def test_a_slow_reader_does_not_hold_up_the_others(up: Up, upstream: ScriptedUpstream) -> None:
    upstream.play("tiny", {"do": "text", "chunks": {"text": "x" * 16 * KIB, "times": 8192}})
    with open_chat(up, stream=True, receive_bytes=4 * KIB):
        seen = asked(upstream)
        wait_until_still(lambda: seen.bytes_sent, "the upstream held back", still=0.3)
        for _ in range(20):
            began = now_ms()
            assert ask(up).status == 200
            assert now_ms() - began < 1000
