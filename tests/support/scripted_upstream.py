#!/usr/bin/env python3
"""An OpenAI-compatible upstream for tests: it answers as scripted, faults included, and remembers.

On raw sockets, so that every fault can be made. As a program it prints a ready line and serves
until SIGTERM or SIGINT; as a module:

    with ScriptedUpstream() as upstream:
        upstream.play("tiny", {"do": "status", "status": 500}, then={"do": "text"})
        ...
        assert len(upstream.seen("tiny")) == 2

What a request gets: the next behaviour queued for its model, else the queued one for any model
(None), else what `then` says for either, else the preset of that name, else plain text.

Over HTTP: POST /_script {"model", "queue": [...], "then"?, "refuse"?}, GET /_seen?model=M,
POST /_reset. Times are of time.monotonic() in milliseconds, which is the same clock in every
process of the machine.

Besides the keys of upstream_answers.py a behaviour may say how the answer ends early:
  stop_after_bytes    bytes of the whole answer, head included
  stop_after_events   events of the body
  ending              what happens there: close (FIN), reset (RST) or stall
and what happens to the connection after a whole answer:
  after               keep (default), close, close_idle (without having said so), close_on_next
                      (as soon as the next request's first byte arrives: a stale pooled connection)
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import contextlib
import json
import signal
import socket
import struct
import threading
import time
import urllib.parse
from dataclasses import asdict, dataclass, field
from typing import Any

from raw_http import dechunked
from upstream_answers import Behaviour, answer
from upstream_presets import DEFAULT, PRESETS

WRITE_BYTES = 16 * 1024
READ_BYTES = 64 * 1024
STALL = 3600.0


def now_ms() -> float:
    return time.monotonic() * 1000.0


@dataclass
class Seen:
    """One request, and what became of its connection."""

    connection: int
    method: str
    path: str
    headers: dict[str, str]
    header_lines: list[str]
    text: str
    at_ms: float
    body: Any = None
    model: str | None = None
    first_byte_ms: float | None = None
    answered_ms: float | None = None
    closed_ms: float | None = None
    reset: bool = False
    bytes_sent: int = 0

    @property
    def closed_early(self) -> bool:
        """The peer left before the answer was complete."""
        return self.closed_ms is not None and self.answered_ms is None


@dataclass
class Script:
    queues: dict[str | None, collections.deque[Behaviour]] = field(default_factory=dict)
    then: dict[str | None, Behaviour] = field(default_factory=dict)
    refuse: int = 0
    seen: list[Seen] = field(default_factory=list)
    stale: int = 0

    def next_for(self, model: str | None) -> Behaviour:
        for name in (model, None):
            if self.queues.get(name):
                return self.queues[name].popleft()
            if name in self.then:
                return self.then[name]
        return PRESETS.get(model or "", DEFAULT)


class ScriptedUpstream:
    """The upstream in a thread of its own; start and stop, or a `with` block."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self._address = (host, port)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._script = Script()
        self._listener = socket.socket()
        self._accepting: Any = None
        self._connections: dict[asyncio.Task[None], Connection] = {}
        self.accepted = 0
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://{self._address[0]}:{self.port}"

    def start(self) -> ScriptedUpstream:
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(self._address)
        self._listener.listen(1024)
        self._listener.setblocking(False)
        self.port = self._listener.getsockname()[1]
        self._thread.start()
        self._accepting = asyncio.run_coroutine_threadsafe(self._accept(), self._loop)
        return self

    def stop(self) -> None:
        self._accepting.cancel()
        asyncio.run_coroutine_threadsafe(self._cancel_all(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._listener.close()
        self._loop.close()

    def __enter__(self) -> ScriptedUpstream:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def play(self, model: str | None, *queue: Behaviour, then: Behaviour | None = None) -> None:
        """Sets what the next requests for the model get (None: for any model)."""
        self._script.queues[model] = collections.deque(queue)
        self._script.then.pop(model, None)
        if then is not None:
            self._script.then[model] = then

    def refuse(self, connections: int) -> None:
        """The next connections are closed as soon as they are accepted."""
        self._script.refuse = connections

    def close_idle(self) -> None:
        """Closes every connection, once it waits for its next request: pools turn stale."""
        async def close() -> None:
            while not all(one.is_idle for one in self._connections.values()):
                await asyncio.sleep(0.001)
            idle = [task for task, one in self._connections.items() if one.is_idle]
            for task in idle:
                task.cancel()
            await asyncio.gather(*idle, return_exceptions=True)
        asyncio.run_coroutine_threadsafe(close(), self._loop).result(10)

    def seen(self, model: str | None = None) -> list[Seen]:
        return [one for one in list(self._script.seen) if model is None or one.model == model]

    @property
    def stale(self) -> int:
        """How many requests met a connection that close_on_next had given up."""
        return self._script.stale

    def reset(self) -> None:
        self._script.queues.clear()
        self._script.then.clear()
        self._script.seen.clear()
        self._script.refuse = 0
        self._script.stale = 0

    async def _accept(self) -> None:
        while True:
            sock, _ = await self._loop.sock_accept(self._listener)
            self.accepted += 1
            if self._script.refuse > 0:
                self._script.refuse -= 1
                sock.close()
                continue
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 64 * 1024)
            connection = Connection(self.accepted, sock, self)
            task = self._loop.create_task(connection.run())
            self._connections[task] = connection
            task.add_done_callback(self._connections.pop)

    async def _cancel_all(self) -> None:
        tasks = list(self._connections)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def control(self, request: Seen) -> str:
        """The control endpoints: what /_script, /_seen and /_reset answer."""
        path, _, query = request.path.partition("?")
        if path == "/_reset":
            self.reset()
        elif path == "/_script":
            order = request.body
            self.play(order.get("model"), *order.get("queue", []), then=order.get("then"))
            self.refuse(int(order.get("refuse", 0)))
        elif path == "/_seen":
            model = urllib.parse.parse_qs(query).get("model", [None])[0]
            return json.dumps([asdict(one) for one in self.seen(model)])
        return "{}"

    @property
    def script(self) -> Script:
        return self._script


class Connection:
    """One accepted connection: its requests one after the other, and when the peer left."""

    def __init__(self, number: int, sock: socket.socket, upstream: ScriptedUpstream) -> None:
        self._number = number
        self._sock = sock
        self._upstream = upstream
        self._buffer = bytearray()
        self._arrived = asyncio.Event()
        self._last: Seen | None = None
        self._loop = asyncio.get_running_loop()
        self._closed_ms: float | None = None
        self._was_reset = False
        self.is_idle = True

    async def run(self) -> None:
        reader = self._loop.create_task(self._read())
        work: asyncio.Task[bool] | None = None
        try:
            while (request := await self._next_request(reader)) is not None:
                work = self._loop.create_task(self._serve(request))
                await asyncio.wait({work, reader}, return_when=asyncio.FIRST_COMPLETED)
                if not work.done():
                    work.cancel()
                outcome = (await asyncio.gather(work, return_exceptions=True))[0]
                if isinstance(outcome, ConnectionError):
                    await asyncio.wait({reader}, timeout=1.0)
                    request.reset = True
                if outcome is not True:
                    break
        finally:
            tasks = [task for task in (reader, work) if task is not None]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._sock.close()

    async def _read(self) -> None:
        """Reads all the time, so that the moment the peer leaves is known."""
        was_reset = False
        try:
            while data := await self._loop.sock_recv(self._sock, READ_BYTES):
                self._buffer += data
                self._arrived.set()
        except ConnectionError:
            was_reset = True
        self._closed_ms, self._was_reset = now_ms(), was_reset
        self._note_the_end()
        self._arrived.set()

    def _note_the_end(self) -> None:
        if self._last is not None and self._closed_ms is not None:
            self._last.closed_ms = self._closed_ms
            self._last.reset = self._last.reset or self._was_reset

    async def _next_request(self, reader: asyncio.Task[None]) -> Seen | None:
        while True:
            request = self._parse()
            self.is_idle = request is None and not self._buffer
            if request is not None or reader.done():
                return request
            self._arrived.clear()
            await self._arrived.wait()

    def _parse(self) -> Seen | None:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return None
        head = bytes(self._buffer[:end])
        start, *lines = head.decode("latin-1").split("\r\n")
        method, path, _ = (start.split(" ") + ["", ""])[:3]
        headers = {name.strip().lower(): value.strip()
                   for name, _, value in (line.partition(":") for line in lines)}
        if headers.get("transfer-encoding", "").lower() == "chunked":
            body, used = dechunked(bytes(self._buffer[end + 4:]))
        else:
            used = int(headers.get("content-length", 0))
            whole = len(self._buffer) >= end + 4 + used
            body = bytes(self._buffer[end + 4:end + 4 + used]) if whole else None
        if body is None:
            return None
        del self._buffer[:end + 4 + used]
        request = Seen(self._number, method, path, headers, lines,
                       body.decode("utf-8", "backslashreplace"), now_ms())
        with contextlib.suppress(ValueError):
            request.body = json.loads(request.text) if request.text else None
        if isinstance(request.body, dict):
            request.model = request.body.get("model")
        return request

    async def _serve(self, request: Seen) -> bool:
        """Answers; true when the connection is to be used again."""
        if request.path.startswith("/_"):
            return await self._reply(request, 200, self._upstream.control(request))
        self._last = request
        self._note_the_end()
        self._upstream.script.seen.append(request)
        if request.path.endswith("/models") and request.method == "GET":
            names = ["tiny", *PRESETS]
            data = [{"id": name, "object": "model", "created": 0, "owned_by": "tests"}
                    for name in names]
            return await self._reply(request, 200, json.dumps({"object": "list", "data": data}))
        if not request.path.endswith("/chat/completions") or not isinstance(request.body, dict):
            return await self._reply(request, 404, '{"error":{"message":"scripted: no such path"}}')
        return await self._play(request, self._upstream.script.next_for(request.model))

    async def _reply(self, request: Seen, status: int, text: str) -> bool:
        behaviour = {"do": "status", "status": status, "body": text}
        return await self._play(request, behaviour)

    async def _play(self, request: Seen, behaviour: Behaviour) -> bool:
        kind = behaviour.get("do", "text")
        if kind == "drop":
            return False
        if kind == "silent":
            await asyncio.sleep(STALL)
        if not await self._write(request, behaviour):
            return await self._end_early(behaviour.get("ending", "close"))
        request.answered_ms = now_ms()
        after = behaviour.get("after", "keep")
        if after == "close_on_next":
            await self._wait_for_more()
            self._upstream.script.stale += 1
            return False
        closes = after != "keep" or behaviour.get("framing") == "close" or kind == "raw"
        return not closes

    async def _write(self, request: Seen, behaviour: Behaviour) -> bool:
        """Sends the pieces; false when the behaviour stops the answer before its end."""
        bytes_left = behaviour.get("stop_after_bytes")
        events_left = behaviour.get("stop_after_events")
        size = int(behaviour.get("split", WRITE_BYTES))
        for number, (delay, data) in enumerate(answer(behaviour, request)):
            if events_left is not None and number > events_left:
                return False
            if delay:
                await asyncio.sleep(delay / 1000.0)
            if bytes_left is not None:
                data = data[:bytes_left]
            for at in range(0, len(data), size):
                part = data[at:at + size]
                await self._loop.sock_sendall(self._sock, part)
                if "split_ms" in behaviour:
                    await asyncio.sleep(behaviour["split_ms"] / 1000.0)
                request.first_byte_ms = request.first_byte_ms or now_ms()
                request.bytes_sent += len(part)
            if bytes_left is not None:
                bytes_left -= len(data)
                if bytes_left <= 0:
                    return False
        return True

    async def _end_early(self, ending: str) -> bool:
        if ending == "stall":
            await asyncio.sleep(STALL)
        elif ending == "reset":
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False

    async def _wait_for_more(self) -> None:
        while not self._buffer:
            self._arrived.clear()
            await self._arrived.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description="An OpenAI-compatible upstream for tests.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    signals = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    with ScriptedUpstream(options.host, options.port) as upstream:
        print(json.dumps({"event": "ready", "url": upstream.url, "port": upstream.port}),
              flush=True)
        signal.sigwait(signals)


if __name__ == "__main__":
    main()
