"""Chat requests for tests, and what every answer to them has to look like."""

from __future__ import annotations

import re
from typing import Any

from api_keys import ULID
from quire_process import Up
from raw_http import Answer, Connection, connect
from scripted_upstream import ScriptedUpstream

PATH = "/v1/chat/completions"
PROVIDER_KEY = "sk-upstream-canary-5f1d2c"
PRICE = {"input": 150000, "output": 600000}
MESSAGES = [{"role": "user", "content": "Say hello."}]
TYPES = {400: "invalid_request_error", 401: "authentication_error", 402: "insufficient_quota",
         403: "permission_error", 404: "invalid_request_error", 405: "invalid_request_error",
         409: "conflict_error", 413: "invalid_request_error", 415: "invalid_request_error",
         422: "invalid_request_error", 429: "rate_limit_error"}


def local_provider(upstream: ScriptedUpstream) -> dict[str, str]:
    return {"kind": "openai", "base_url": f"{upstream.url}/v1", "api_key": "env:LOCAL_KEY"}


def model(upstream_model: str, provider: str = "local", **more: Any) -> dict[str, Any]:
    return {"provider": provider, "upstream_model": upstream_model, "price": PRICE, **more}


def body(model: str = "writer", **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": MESSAGES, **more}


def ask(up: Up, key: str | None = None, model: str = "writer", **more: Any) -> Answer:
    """A chat request on a connection of its own, by default with the first key."""
    return up.call("POST", PATH, key or up.api_key, body(model, **more))


def open_chat(up: Up, model: str = "writer", receive_bytes: int | None = None,
              **more: Any) -> Connection:
    """Sends a chat request and gives the connection before anything was read from it."""
    connection = connect(up.url, receive_bytes=receive_bytes)
    connection.request("POST", PATH, {"authorization": f"Bearer {up.api_key}"},
                       body(model, **more))
    return connection


def text_of(chunks: list[Any]) -> str:
    """The text of a stream's chunks."""
    return "".join(choice["delta"].get("content") or ""
                   for chunk in chunks for choice in chunk.get("choices", []))


def ulid_of(answer: Answer) -> str:
    """The ULID of the answer's request id, which every answer carries."""
    found = re.fullmatch(f"req_({ULID})", answer.headers["x-request-id"])
    assert found, answer.header_list
    return found.group(1)


def assert_error(answer: Answer, status: int, code: str,
                 param: str | None = None) -> dict[str, Any]:
    """The OpenAI dialect of the catalogue; gives the error object."""
    assert answer.status == status, (answer.status, answer.text[:500])
    assert answer.headers["content-type"].split(";")[0] == "application/json"
    error = answer.error()
    assert error["code"] == code, error
    assert error["type"] == TYPES.get(status, "server_error"), error
    assert error["message"], error
    if param is not None:
        assert error["param"] == param, error
    if status in (429, 503):
        assert int(answer.headers["retry-after"]) >= 1
    ulid_of(answer)
    return error


def assert_problem(answer: Answer, status: int, code: str) -> dict[str, Any]:
    """The RFC 9457 dialect of /api/v1; gives the problem."""
    assert answer.status == status, (answer.status, answer.text[:500])
    assert answer.headers["content-type"].split(";")[0] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert {"type", "title", "status", "detail", "code", "request_id"} <= set(problem), problem
    assert (problem["status"], problem["code"]) == (status, code), problem
    assert problem["title"] and problem["detail"] and problem["type"], problem
    assert problem["request_id"] == f"req_{ulid_of(answer)}"
    return problem
