"""Mixed load on a quire that will be killed, and the log of what each client saw of it.

A client asks plain or streamed, for a short or a long answer, with or without an Idempotency-Key,
and leaves some answers on purpose. What is logged as answered is what it had whole: a 200 with its
body, or a stream up to [DONE].
"""

from __future__ import annotations

import contextlib
import random
import threading
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from chat import PATH, body, text_of
from quire_process import Up
from raw_http import Answer, Closed, connect
from statement import Usage

CLIENTS = 24
TOKENS = (1, 8, 40, 40, 700)  # the last passes a checkpoint of the journal


@dataclass
class Asked:
    """One request of a client, and what it saw."""

    body: dict[str, Any]
    key: str | None = None
    leaves_at: float | None = None  # seconds after which the client goes
    request_id: str | None = None
    status: int = 0
    is_whole: bool = False
    text: str = ""
    usage: Usage | None = None
    cost: int | None = None  # plain answers tell it
    is_replay: bool = False

    @property
    def is_answered(self) -> bool:
        return self.status == 200 and self.is_whole

    def keep(self, answer: Answer) -> None:
        """What came with the whole or the broken answer."""
        self.request_id = answer.headers.get("x-request-id")
        self.is_replay = answer.headers.get("idempotent-replayed") == "true"
        self.status = answer.status
        streamed = bool(self.body.get("stream"))
        self.is_whole = answer.complete and (answer.done if streamed else True)
        if not self.is_answered:
            return
        if streamed:
            chunks = answer.chunks()
            self.text = text_of(chunks)
            self.usage = next(one["usage"] for one in reversed(chunks) if one.get("usage"))
            return
        made = answer.json()
        self.text = made["choices"][0]["message"]["content"]
        self.usage = made["usage"]
        self.cost = int(answer.headers["x-quire-cost"])


def new_request(chance: random.Random) -> Asked:
    more: dict[str, Any] = {"max_tokens": chance.choice(TOKENS)}
    if chance.random() < 0.5:
        more |= {"stream": True, "stream_options": {"include_usage": True}}
    asked = Asked(body("writer", seed=chance.randrange(2**31), **more))
    if chance.random() < 0.5:
        asked.key = str(uuid.UUID(int=chance.getrandbits(128)))
    if chance.random() < 0.15:
        asked.leaves_at = chance.uniform(0.0, 0.2)
    return asked


def send(up_url: str, api_key: str, asked: Asked) -> bool:
    """Sends the request and logs what comes; false when nobody listens any more."""
    headers = {"authorization": f"Bearer {api_key}"}
    if asked.key is not None:
        headers["idempotency-key"] = asked.key
    try:
        connection = connect(up_url)
    except OSError:
        return False
    with connection, contextlib.suppress(OSError, Closed):
        connection.request("POST", PATH, headers, asked.body)
        if asked.leaves_at is not None:
            time.sleep(asked.leaves_at)  # a client that goes away without reading
        else:
            asked.keep(connection.read_answer())
    return True


@dataclass
class Load:
    """The clients: each asks one after the other until `stop`."""

    up: Up
    seed: int
    log: list[Asked] = field(default_factory=list)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        for number in range(CLIENTS):
            thread = threading.Thread(target=self._ask, args=(self.seed * CLIENTS + number,))
            self._threads.append(thread)
            thread.start()

    def stop(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, seed: int) -> None:
        chance = random.Random(seed)
        url, api_key = self.up.url, self.up.api_key
        assert api_key is not None
        while not self._stopping.is_set():
            asked = new_request(chance)
            if not send(url, api_key, asked):
                return
            self.log.append(asked)
