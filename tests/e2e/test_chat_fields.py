"""What of a request reaches the upstream: every field of the client, nothing of its secrets."""

from __future__ import annotations

import json
from typing import Any

import pytest
from chat import PATH, PROVIDER_KEY, ask, body
from quire_process import Up
from raw_http import connect
from scripted_upstream import ScriptedUpstream, Seen

TOOL = {"type": "function", "function": {
    "name": "get_weather", "description": "The weather.", "strict": True,
    "parameters": {"type": "object", "properties": {"city": {"type": "string", "default": None}},
                   "required": ["city"], "additionalProperties": False}}}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "r", "strict": True, "schema": {
    "type": "object", "properties": {"x": {"$ref": "#/$defs/x"}}, "$defs": {"x": {"const": 1}}}}}

FIELDS: list[dict[str, Any]] = [
    {"tools": [TOOL]},
    {"tools": [TOOL, {"type": "custom", "custom": {"name": "free"}}]},
    {"tool_choice": "none", "tools": [TOOL]},
    {"tool_choice": {"type": "function", "function": {"name": "get_weather"}}, "tools": [TOOL]},
    {"parallel_tool_calls": False, "tools": [TOOL]},
    {"response_format": SCHEMA},
    {"response_format": {"type": "json_object"}},
    {"temperature": 0.25, "top_p": 0.9, "presence_penalty": -1.5, "frequency_penalty": 1},
    {"max_tokens": 17},
    {"max_completion_tokens": 18},
    {"stop": ["END", "\n\n"]},
    {"seed": 42},
    {"seed": -9007199254740993},
    {"logit_bias": {"50256": -100}},
    {"user": "user-1", "metadata": {"a": "b"}},
    {"reasoning_effort": "low", "verbosity": "high", "service_tier": "auto", "store": False},
    {"prediction": {"type": "content", "content": "x"}},
    {"x_unknown": {"deep": [1, 2.5, 1e-7, "\u00e4", None, True, {"": []}]}},
    {"guided_json": {"a": 9223372036854775807}, "min_p": 0.05, "top_k": 40},
]

CONVERSATION: list[dict[str, Any]] = [
    {"role": "developer", "content": "Be brief."},
    {"role": "system", "content": "Be kind.", "name": "rules"},
    {"role": "user", "content": [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "low"}},
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}]},
    {"role": "assistant", "content": "A bee.", "refusal": None},
    {"role": "assistant", "tool_calls": [
        {"id": "call_1", "type": "function",
         "function": {"name": "get_weather", "arguments": '{"city": "Bern"}'}}]},
    {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
    {"role": "function", "name": "old", "content": "result"},
    {"role": "user", "content": "\u00e4\U0001f41d", "x_cache": {"type": "ephemeral"}},
]


def only(upstream: ScriptedUpstream) -> Seen:
    [seen] = upstream.seen("tiny")
    return seen


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_nulls(one) for name, one in value.items() if one is not None}
    return [without_nulls(one) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize("fields", FIELDS, ids=lambda fields: json.dumps(fields)[:60])
def test_fields_reach_the_upstream_unchanged(gateway: Up, upstream: ScriptedUpstream,
                                             fields: dict[str, Any]) -> None:
    answer = ask(gateway, **fields)
    assert answer.status == 200, answer.text
    seen = only(upstream).body
    assert {name: seen.get(name) for name in fields} == fields


@pytest.mark.parametrize("stop", ["END", ["END"]])
def test_stop_reaches_the_upstream_in_one_of_its_two_forms(
        gateway: Up, upstream: ScriptedUpstream, stop: Any) -> None:
    ask(gateway, stop=stop)
    assert only(upstream).body["stop"] in ("END", ["END"])


def test_messages_reach_the_upstream_unchanged(gateway: Up, upstream: ScriptedUpstream) -> None:
    assert ask(gateway, messages=CONVERSATION).status == 200
    assert without_nulls(only(upstream).body["messages"]) == without_nulls(CONVERSATION)


def test_the_upstream_is_asked_for_its_own_model_name(gateway: Up,
                                                      upstream: ScriptedUpstream) -> None:
    for name in ("writer", "acme/writer/v1"):
        for stream in (False, True):
            answer = ask(gateway, model=name, stream=stream)
            found = answer.chunks()[0] if stream else answer.json()
            assert found["model"] == name
    assert [seen.body["model"] for seen in upstream.seen()] == ["tiny"] * 4


def test_only_the_token_limit_of_the_client_is_sent(gateway: Up,
                                                    upstream: ScriptedUpstream) -> None:
    ask(gateway, max_completion_tokens=9)
    ask(gateway, max_tokens=9)
    first, second = (seen.body for seen in upstream.seen("tiny"))
    assert first["max_completion_tokens"] == 9 and "max_tokens" not in first
    assert second["max_tokens"] == 9 and "max_completion_tokens" not in second


def test_the_upstream_gets_the_provider_key_and_nothing_of_the_client(
        gateway: Up, upstream: ScriptedUpstream, key: str) -> None:
    headers = {"cookie": "a=b", "x-secret": "client-canary", "x-forwarded-for": "10.0.0.1",
               "openai-organization": "org-x", "proxy-authorization": "Basic eA=="}
    for way in ({"authorization": f"Bearer {key}"}, {"api-key": key}, {"x-api-key": key}):
        gateway.call("POST", PATH, None, body(), headers=headers | way)
    assert len(upstream.seen("tiny")) == 3
    for seen in upstream.seen("tiny"):
        assert seen.headers["authorization"] == f"Bearer {PROVIDER_KEY}"
        everything = "\n".join(seen.header_lines) + seen.text
        assert key not in everything and key[-12:] not in everything
        for name in ("cookie", "x-secret", "api-key", "x-api-key", "proxy-authorization",
                     "x-forwarded-for", "openai-organization"):
            assert name not in seen.headers
        assert "client-canary" not in everything


def test_the_request_upstream_is_well_formed(gateway: Up, upstream: ScriptedUpstream) -> None:
    ask(gateway)
    seen = only(upstream)
    assert (seen.method, seen.path) == ("POST", "/v1/chat/completions")
    assert seen.headers["host"] == f"127.0.0.1:{upstream.port}"
    assert seen.headers["content-type"].split(";")[0] == "application/json"
    assert seen.headers.get("accept-encoding", "identity") == "identity"
    names = [line.partition(":")[0].lower() for line in seen.header_lines]
    assert len(names) == len(set(names)), names
    assert "content-length" in names or seen.headers["transfer-encoding"] == "chunked"


def test_the_trace_goes_on_upstream(gateway: Up, upstream: ScriptedUpstream) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    gateway.call("POST", PATH, gateway.api_key, body(), headers={
        "traceparent": f"00-{trace}-00f067aa0ba902b7-01", "tracestate": "vendor=value"})
    version, found, span, flags = only(upstream).headers["traceparent"].split("-")
    assert (version, found) == ("00", trace)
    assert len(span) == 16 and span != "0" * 16 and flags in ("00", "01")
    assert only(upstream).headers["tracestate"] == "vendor=value"


@pytest.mark.parametrize("given", [
    None, "nonsense", "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
    "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
    "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "00-4BF92F3577B34DA6A3CE929D0E0E4736-00F067AA0BA902B7-01"])
def test_a_trace_begins_where_none_or_a_broken_one_came(
        gateway: Up, upstream: ScriptedUpstream, given: str | None) -> None:
    headers = {} if given is None else {"traceparent": given}
    gateway.call("POST", PATH, gateway.api_key, body(), headers=headers)
    version, trace, span, _ = only(upstream).headers["traceparent"].split("-")
    assert version == "00" and trace == trace.lower() and given != f"00-{trace}-{span}-01"
    assert len(trace) == 32 and trace != "0" * 32 and len(span) == 16 and span != "0" * 16
    if given is not None and not given.startswith("00-4bf9"):
        assert trace != "4bf92f3577b34da6a3ce929d0e0e4736"


def test_connections_to_the_upstream_are_used_again(gateway: Up,
                                                    upstream: ScriptedUpstream) -> None:
    with connect(gateway.url) as connection:
        for _ in range(20):
            connection.request("POST", PATH, {"authorization": f"Bearer {gateway.api_key}"}, body())
            assert connection.read_answer().status == 200
    assert len(upstream.seen("tiny")) == 20
    assert len({seen.connection for seen in upstream.seen("tiny")}) <= 4
