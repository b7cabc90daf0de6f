"""The list of models, and the model `sim` that is there without any configuration."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from chat import ask, assert_error, model, text_of
from quire_process import Up
from scripted_upstream import ScriptedUpstream
from waiting import wait_until


@pytest.fixture(scope="module")
def bare() -> Iterator[Up]:
    """A quire without any configuration."""
    with Up() as up:
        yield up


def get(up: Up, path: str) -> Any:
    return up.call("GET", path, up.api_key)


def test_models_are_listed_in_the_order_of_the_file(gateway: Up) -> None:
    made = get(gateway, "/v1/models").json()
    assert made["object"] == "list"
    assert [one["id"] for one in made["data"]] == ["writer", "acme/writer/v1", "priced"]
    for one in made["data"]:
        assert one["object"] == "model" and isinstance(one["owned_by"], str)
        assert isinstance(one["created"], int)


@pytest.mark.parametrize("path", ["writer", "acme/writer/v1", "acme%2Fwriter%2Fv1"])
def test_one_model_is_found_by_its_name(gateway: Up, path: str) -> None:
    answer = get(gateway, f"/v1/models/{path}")
    assert answer.status == 200, answer.text
    assert answer.json()["id"] == path.replace("%2F", "/")
    assert answer.json()["object"] == "model"


@pytest.mark.parametrize("path", ["nobody", "acme", "acme/writer", "writer/v1", "%00", "%zz"])
def test_an_unknown_model_is_not_found(gateway: Up, path: str) -> None:
    answer = get(gateway, f"/v1/models/{path}")
    if path.startswith("%") and answer.status == 400:
        return
    assert_error(answer, 404, "model_not_found")


def test_the_list_needs_a_key(gateway: Up) -> None:
    assert_error(gateway.call("GET", "/v1/models"), 401, "invalid_api_key")
    assert_error(gateway.call("GET", "/v1/models/nobody"), 401, "invalid_api_key")


def test_without_configuration_the_only_model_is_sim(bare: Up) -> None:
    assert [one["id"] for one in get(bare, "/v1/models").json()["data"]] == ["sim"]


def test_what_is_found_is_only_named_and_never_used() -> None:
    with Up(env={"OPENAI_API_KEY": "sk-found-canary"}) as up:
        wait_until(lambda: "--use openai" in up.stderr, "the hint")
        assert "OPENAI_API_KEY" in up.stderr and "sk-found-canary" not in up.stderr
        assert [one["id"] for one in get(up, "/v1/models").json()["data"]] == ["sim"]


@contextmanager
def upstream_at(port: int) -> Iterator[ScriptedUpstream]:
    """Waits while another run of the tests has the port."""
    def is_free() -> bool:
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return True
        return False

    try:
        wait_until(is_free, f"port {port}", 30, poll=0.2)
    except AssertionError:
        pytest.skip(f"something else has port {port}")
    with ScriptedUpstream(port=port) as upstream:
        yield upstream


def test_use_offers_what_the_server_lists_and_says_what_it_does_not() -> None:
    own = {"providers": {"local": {"kind": "openai", "base_url": "http://127.0.0.1:9/v1"}},
           "models": {"tiny": model("tiny"), "elsewhere": model("elsewhere")}}
    with upstream_at(11434) as upstream, Up(own, arguments=("--use", "ollama")) as up:
        offered = [one["id"] for one in get(up, "/v1/models").json()["data"]]
        assert offered[0] == "tiny" and "elsewhere" not in offered
        assert "configured model elsewhere" in up.stderr, up.stderr
        assert ask(up, model="tiny", max_completion_tokens=7).status == 200
        [seen] = upstream.seen("tiny")
        assert seen.body["max_tokens"] == 7 and "max_completion_tokens" not in seen.body


def test_sim_says_that_its_text_is_simulated(bare: Up) -> None:
    answer = ask(bare, model="sim")
    assert answer.status == 200, answer.text
    made = answer.json()
    assert "simulat" in made["choices"][0]["message"]["content"].lower()
    usage = made["usage"]
    assert usage["prompt_tokens"] > 0 and usage["completion_tokens"] > 0
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


def test_sim_is_deterministic_by_seed(bare: Up) -> None:
    def text(seed: int) -> str:
        return str(ask(bare, model="sim", seed=seed).json()["choices"][0]["message"]["content"])

    assert text(7) == text(7)
    assert len({text(seed) for seed in range(8)}) > 1


def test_sim_streams_what_it_answers(bare: Up) -> None:
    plain = ask(bare, model="sim", seed=3).json()
    answer = ask(bare, model="sim", seed=3, stream=True, stream_options={"include_usage": True})
    chunks = answer.chunks()
    assert answer.done and len(chunks) > 3
    assert text_of(chunks) == plain["choices"][0]["message"]["content"]
    assert chunks[-1]["usage"] == plain["usage"]


def test_sim_keeps_to_the_token_limit(bare: Up) -> None:
    limits: list[dict[str, Any]] = [{"max_tokens": 3}, {"max_completion_tokens": 3}]
    for limit in limits:
        made = ask(bare, model="sim", seed=1, **limit).json()
        assert made["usage"]["completion_tokens"] <= 3
        assert made["choices"][0]["finish_reason"] == "length"
