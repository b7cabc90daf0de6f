"""A small HTTP/1.1 client on plain sockets: nothing is hidden, corrected, retried or pooled."""

from __future__ import annotations

import json
import socket
import struct
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

LIMIT = 20.0


class Closed(Exception):
    """The peer closed (or reset) the connection where more was expected."""


@dataclass
class Answer:
    status: int
    version: str
    header_list: list[tuple[str, str]]
    body: bytes = b""
    complete: bool = False
    trailing_bytes: bytes = b""

    @property
    def headers(self) -> dict[str, str]:
        return {name.lower(): value for name, value in self.header_list}

    @property
    def text(self) -> str:
        return self.body.decode("utf-8")

    def json(self) -> Any:
        return json.loads(self.text)

    def error(self) -> dict[str, Any]:
        """The OpenAI error object, with the shape that every error has."""
        made: dict[str, Any] = self.json()["error"]
        assert {"message", "type", "param", "code"} <= set(made), made
        assert isinstance(made["message"], str) and isinstance(made["type"], str), made
        return made

    def events(self) -> list[str]:
        return [event for event in _split_events(self.text) if event]

    def chunks(self) -> list[Any]:
        """The data of all events but [DONE], decoded."""
        return [json.loads(data) for data in self.events() if data != "[DONE]"]

    @property
    def done(self) -> bool:
        return self.events()[-1:] == ["[DONE]"]


@dataclass
class Connection:
    """One TCP connection. Reading methods raise Closed when the peer ends it too early."""

    sock: socket.socket
    buffer: bytearray = field(default_factory=bytearray)

    def send(self, data: bytes | str) -> None:
        self.sock.sendall(data.encode("latin-1") if isinstance(data, str) else data)

    def request(self, method: str, path: str, headers: dict[str, str] | None = None,
                body: Any = None) -> None:
        self.send(wire(method, path, headers, body))

    def read_head(self) -> Answer:
        while b"\r\n\r\n" not in self.buffer:
            self._more()
        head, _, rest = bytes(self.buffer).partition(b"\r\n\r\n")
        self.buffer = bytearray(rest)
        start, *lines = head.decode("latin-1").split("\r\n")
        version, status, *_ = start.split(" ")
        pairs = [(name, value.strip()) for name, _, value in
                 (line.partition(":") for line in lines)]
        return Answer(int(status), version, pairs)

    def read_answer(self) -> Answer:
        """The next answer with its whole body; `complete` is false when it was cut short."""
        answer = self.read_head()
        try:
            for part in self.body_parts(answer):
                answer.body += part
            answer.complete = True
        except (Closed, ConnectionError):
            pass
        answer.trailing_bytes = bytes(self.buffer)
        return answer

    def body_parts(self, answer: Answer) -> Iterator[bytes]:
        """The body as it comes, without its framing."""
        headers = answer.headers
        if answer.status in (204, 304) or answer.status < 200:
            return
        if headers.get("transfer-encoding", "").lower() == "chunked":
            yield from self._chunked_parts()
        elif "content-length" in headers:
            left = int(headers["content-length"])
            while left > 0:
                part = self._take(left)
                left -= len(part)
                yield part
        else:
            while (part := self._take(1 << 20, or_end=True)):
                yield part

    def events(self, answer: Answer) -> Iterator[str]:
        """The data of each SSE event as soon as it is there, [DONE] included."""
        text = b""
        for part in self.body_parts(answer):
            text += part
            *whole, text = text.split(b"\n\n")
            for block in whole:
                yield from (data for data in _split_events(block.decode() + "\n\n") if data)

    def is_closed(self, limit: float = LIMIT) -> bool:
        """Whether the peer ends the connection (within the limit) without sending more."""
        self.sock.settimeout(limit)
        try:
            return not self.buffer and self.sock.recv(1) == b""
        except ConnectionError:
            return True
        except TimeoutError:
            return False

    def leave(self, reset: bool = False) -> None:
        """Goes away as a client does: with FIN, or with RST."""
        if reset:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def _chunked_parts(self) -> Iterator[bytes]:
        while True:
            while b"\r\n" not in self.buffer:
                self._more()
            line, _, rest = bytes(self.buffer).partition(b"\r\n")
            left = int(line.split(b";")[0], 16)
            self.buffer = bytearray(rest)
            last = left == 0
            while left > 0:
                part = self._take(left)
                left -= len(part)
                yield part
            end = b""
            while len(end) < 2:
                end += self._take(2 - len(end))
            assert end == b"\r\n", end
            if last:
                return

    def _take(self, most: int, or_end: bool = False) -> bytes:
        if not self.buffer:
            try:
                self._more()
            except Closed:
                if or_end:
                    return b""
                raise
        part = bytes(self.buffer[:most])
        del self.buffer[:most]
        return part

    def _more(self) -> None:
        data = self.sock.recv(65536)
        if not data:
            raise Closed(bytes(self.buffer[:200]))
        self.buffer += data


def connect(url: str, limit: float = LIMIT, receive_bytes: int | None = None) -> Connection:
    parts = urllib.parse.urlsplit(url)
    sock = socket.socket()
    if receive_bytes is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    sock.settimeout(limit)
    sock.connect((parts.hostname, parts.port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return Connection(sock)


def wire(method: str, path: str, headers: dict[str, str] | None = None, body: Any = None) -> bytes:
    """A request as bytes. A body that is not bytes or text is sent as JSON."""
    made = {"host": "quire.test"}
    data = b""
    if body is not None:
        is_text = isinstance(body, (bytes, str))
        data = body if isinstance(body, bytes) else (body if is_text else json.dumps(body)).encode()
        made |= {"content-type": "application/json", "content-length": str(len(data))}
    made |= headers or {}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in made.items())]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + data


def call(url: str, method: str, path: str, key: str | None = None, body: Any = None,
         headers: dict[str, str] | None = None, limit: float = LIMIT) -> Answer:
    """One request on a connection of its own."""
    made = {"connection": "close"}
    if key is not None:
        made["authorization"] = f"Bearer {key}"
    with connect(url, limit) as connection:
        connection.request(method, path, made | (headers or {}), body)
        return connection.read_answer()


def _split_events(text: str) -> list[str]:
    """The data of each event (Quire itself ends lines with LF only); comments give nothing."""
    events = []
    for block in text.split("\n\n"):
        lines = [line[5:].removeprefix(" ") for line in block.split("\n")
                 if line.startswith("data:")]
        events.append("\n".join(lines))
    return events


def dechunked(data: bytes) -> tuple[bytes | None, int]:
    """The decoded body and the bytes it took, or (None, 0) while it is incomplete."""
    body, at = bytearray(), 0
    while True:
        line, found, _ = data[at:].partition(b"\r\n")
        if not found:
            return None, 0
        size = int(line.split(b";")[0], 16)
        at += len(line) + 2
        if len(data) < at + size + 2:
            return None, 0
        body += data[at:at + size]
        at += size + 2
        if size == 0:
            return bytes(body), at
