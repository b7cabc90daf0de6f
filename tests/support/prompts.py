"""Publishing prompts and generating with them, for tests."""

from __future__ import annotations

from typing import Any

from quire_process import Up
from raw_http import Answer, Connection, connect

PATH = "/api/v1/generate"


def publish(up: Up, name: str, content: str = "Write about {{ topic }}.", key: str | None = None,
            headers: dict[str, str] | None = None, **more: Any) -> Answer:
    """A version with one user message, by default with the first key."""
    body = {"messages": [{"role": "user", "content": content}], **more}
    return up.call("POST", f"/api/v1/prompts/{name}/versions", key or up.api_key, body,
                   headers=headers)


def get(up: Up, name: str, query: str = "", key: str | None = None) -> Answer:
    return up.call("GET", f"/api/v1/prompts/{name}{query}", key or up.api_key)


def label(up: Up, name: str, label: str, version: int, key: str | None = None) -> Answer:
    return up.call("PUT", f"/api/v1/prompts/{name}/labels/{label}", key or up.api_key,
                   {"version": version})


def generate(up: Up, prompt: str, headers: dict[str, str] | None = None, key: str | None = None,
             **more: Any) -> Answer:
    return up.call("POST", PATH, key or up.api_key, {"prompt": prompt, **more}, headers=headers)


def open_generate(up: Up, prompt: str, **more: Any) -> Connection:
    """Sends a request and gives the connection before anything was read from it."""
    connection = connect(up.url)
    connection.request("POST", PATH, {"authorization": f"Bearer {up.api_key}"},
                       {"prompt": prompt, **more})
    return connection
