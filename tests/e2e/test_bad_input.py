"""Bodies that are wrong: each gets the catalogue's error, and the upstream hears nothing of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from chat import MESSAGES, PATH, ask, assert_error, assert_problem, body, open_chat
from quire_process import Up
from raw_http import connect
from scripted_upstream import ScriptedUpstream

MIB = 1024 * 1024
BODY_LIMIT = 10 * MIB

NOT_JSON = {
    "empty": b"",
    "one brace": b"{",
    "text": b"hello",
    "two documents": b"{} {}",
    "a trailing comma": b'{"model": "writer",}',
    "a comment": b'{"model": "writer" /* mine */}',
    "single quotes": b"{'model': 'writer'}",
    "a bare word": b'{"model": writer}',
    "not a number": b'{"model": "writer", "temperature": NaN}',
    "a raw newline in a string": b'{"model": "wri\nter"}',
    "a bad escape": b'{"model": "\\x41"}',
    "invalid UTF-8": b'{"model": "writer", "messages": [{"role": "user", "content": "\xff\xfe"}]}',
    "overlong UTF-8": b'{"model": "\xc0\xaf"}',
    "beyond a double": b'{"model": "writer", "messages": [], "x": [{"y": -1e400}]}',
    "a UTF-8 surrogate": b'{"model": "\xed\xa0\x80"}',
    "cut UTF-8": b'{"model": "\xe2\x82',
    "UTF-16": '{"model": "writer"}'.encode("utf-16"),
}

MESSAGE = {"role": "user", "content": "x"}
WRONG_FIELDS: list[tuple[str, dict[str, Any], str]] = [
    ("temperature", {"temperature": -0.1}, "invalid_value"),
    ("temperature", {"temperature": 2.01}, "invalid_value"),
    ("temperature", {"temperature": "hot"}, "invalid_value"),
    ("temperature", {"temperature": True}, "invalid_value"),
    ("temperature", {"temperature": []}, "invalid_value"),
    ("top_p", {"top_p": -0.01}, "invalid_value"),
    ("top_p", {"top_p": 1.01}, "invalid_value"),
    ("top_p", {"top_p": "all"}, "invalid_value"),
    ("presence_penalty", {"presence_penalty": -2.1}, "invalid_value"),
    ("presence_penalty", {"presence_penalty": 2.1}, "invalid_value"),
    ("presence_penalty", {"presence_penalty": "1"}, "invalid_value"),
    ("frequency_penalty", {"frequency_penalty": -2.1}, "invalid_value"),
    ("frequency_penalty", {"frequency_penalty": 2.1}, "invalid_value"),
    ("frequency_penalty", {"frequency_penalty": {}}, "invalid_value"),
    ("max_tokens", {"max_tokens": 0}, "invalid_value"),
    ("max_tokens", {"max_tokens": -1}, "invalid_value"),
    ("max_tokens", {"max_tokens": 1.5}, "invalid_value"),
    ("max_tokens", {"max_tokens": "10"}, "invalid_value"),
    ("max_tokens", {"max_tokens": 1e300}, "invalid_value"),
    ("max_completion_tokens", {"max_completion_tokens": 0}, "invalid_value"),
    ("max_completion_tokens", {"max_completion_tokens": -5}, "invalid_value"),
    ("max_completion_tokens", {"max_completion_tokens": [1]}, "invalid_value"),
    ("stop", {"stop": ["a", "b", "c", "d", "e"]}, "invalid_value"),
    ("stop", {"stop": 5}, "invalid_value"),
    ("stop", {"stop": ["a", 5]}, "invalid_value"),
    ("stop", {"stop": {"a": "b"}}, "invalid_value"),
    ("n", {"n": 2}, "unsupported_value"),
    ("n", {"n": 128}, "unsupported_value"),
    ("n", {"n": 0}, "invalid_value"),
    ("n", {"n": -1}, "invalid_value"),
    ("n", {"n": "1"}, "invalid_value"),
    ("stream", {"stream": "yes"}, "invalid_value"),
    ("stream", {"stream": 1}, "invalid_value"),
    ("stream_options", {"stream": True, "stream_options": "all"}, "invalid_value"),
    ("stream_options.include_usage",
     {"stream": True, "stream_options": {"include_usage": "yes"}}, "invalid_value"),
    ("tools", {"tools": "all"}, "invalid_value"),
    ("tools", {"tools": {}}, "invalid_value"),
    ("model", {"model": 5}, "invalid_value"),
    ("model", {"model": ["writer"]}, "invalid_value"),
    ("messages", {"messages": []}, "invalid_value"),
    ("messages", {"messages": "Say hello."}, "invalid_value"),
    ("messages", {"messages": {"0": MESSAGE}}, "invalid_value"),
    ("messages[0]", {"messages": ["Say hello."]}, "invalid_value"),
    ("messages[1]", {"messages": [MESSAGE, None]}, "invalid_value"),
    ("messages[0].role", {"messages": [{"role": "wizard", "content": "x"}]}, "invalid_value"),
    ("messages[0].role", {"messages": [{"role": 5, "content": "x"}]}, "invalid_value"),
    ("messages[0].role", {"messages": [{"role": "User", "content": "x"}]}, "invalid_value"),
    ("messages[1].role", {"messages": [MESSAGE, {"role": "", "content": "x"}]}, "invalid_value"),
    ("messages[0].content", {"messages": [{"role": "user", "content": 5}]}, "invalid_value"),
    ("messages[0].content[0]", {"messages": [{"role": "user", "content": ["x"]}]},
     "invalid_value"),
]

RIGHT_FIELDS: list[dict[str, Any]] = [
    {"temperature": 0}, {"temperature": 2}, {"temperature": 0.7}, {"top_p": 0}, {"top_p": 1},
    {"presence_penalty": -2}, {"presence_penalty": 2.0}, {"frequency_penalty": -2},
    {"frequency_penalty": 2}, {"max_tokens": 1}, {"max_completion_tokens": 1}, {"n": 1},
    {"stop": "a"}, {"stop": ["a", "b", "c", "d"]}, {"stop": []}, {"tools": []},
    {"messages": [{"role": role, "content": "x"}
                  for role in ("developer", "system", "user", "assistant")]},
    {"messages": [{"role": "user", "content": [{"type": "text", "text": "x"}]}]},
    {"messages": [{"role": "user", "content": "a\u0000b \U0001f41d"}]},
    {"temperature": None, "top_p": None, "max_tokens": None, "max_completion_tokens": None,
     "stop": None, "presence_penalty": None, "frequency_penalty": None, "n": None,
     "stream": None, "stream_options": None, "response_format": None},
]


def post(up: Up, data: Any, headers: dict[str, str] | None = None) -> Any:
    return up.call("POST", PATH, up.api_key, data, headers=headers)


@pytest.mark.parametrize("name", NOT_JSON)
def test_what_is_not_json_is_invalid_json(gateway: Up, upstream: ScriptedUpstream,
                                          name: str) -> None:
    assert_error(post(gateway, NOT_JSON[name]), 400, "invalid_json")
    assert upstream.seen() == []


@pytest.mark.parametrize("data", [[], ["writer"], "writer", 5, None, True])
def test_json_that_is_no_object_is_refused(gateway: Up, data: Any) -> None:
    answer = post(gateway, json.dumps(data))
    assert answer.status == 400
    assert answer.error()["code"] in ("invalid_json", "invalid_value")


def test_lone_surrogates_are_not_text(gateway: Up) -> None:
    data = b'{"model":"writer","messages":[{"role":"user","content":"\\ud800"}]}'
    assert_error(post(gateway, data), 400, "invalid_json")


def nested(depth: int) -> bytes:
    """A right request whose deepest value lies that deep; the body itself is the first level."""
    extra = "[" * (depth - 1) + "]" * (depth - 1)
    return (json.dumps(body())[:-1] + f', "x_deep": {extra}}}').encode()


def test_depth_64_is_accepted(gateway: Up) -> None:
    assert post(gateway, nested(64)).status == 200


def test_depth_65_is_invalid_json(gateway: Up) -> None:
    assert_error(post(gateway, nested(65)), 400, "invalid_json")


def test_a_hundred_thousand_brackets_are_invalid_json(gateway: Up) -> None:
    assert_error(post(gateway, b"[" * 100_000), 400, "invalid_json")
    assert_error(post(gateway, b'{"a":' * 100_000), 400, "invalid_json")


@pytest.mark.parametrize(("param", "fields", "code"), WRONG_FIELDS,
                         ids=[f"{param} {json.dumps(fields)[:60]}"
                              for param, fields, _ in WRONG_FIELDS])
def test_a_wrong_field_is_named(gateway: Up, upstream: ScriptedUpstream, param: str,
                                fields: dict[str, Any], code: str) -> None:
    error = assert_error(post(gateway, body() | fields), 400, code)
    assert error["param"] == param or error["param"].startswith(f"{param}["), error
    assert upstream.seen() == []


@pytest.mark.parametrize("fields", RIGHT_FIELDS, ids=lambda fields: json.dumps(fields)[:60])
def test_values_at_the_bounds_are_accepted(gateway: Up, fields: dict[str, Any]) -> None:
    answer = post(gateway, body() | fields)
    assert answer.status == 200, answer.text


@pytest.mark.parametrize("missing", ["model", "messages"])
def test_a_missing_field_is_named(gateway: Up, missing: str) -> None:
    data = {name: value for name, value in body().items() if name != missing}
    assert_error(post(gateway, data), 400, "missing_required_parameter", missing)


def test_a_message_without_a_role_is_refused(gateway: Up) -> None:
    answer = ask(gateway, messages=[{"content": "x"}])
    assert answer.status == 400
    error = answer.error()
    assert error["code"] in ("missing_required_parameter", "invalid_value")
    assert error["param"] == "messages[0].role"


def test_an_unknown_model_is_model_not_found(gateway: Up) -> None:
    for name in ("nobody", "tiny", "sim", "", "writer ", "../writer", "x" * 5000):
        answer = ask(gateway, model=name)
        if name == "" and answer.status == 400:
            continue
        error = assert_error(answer, 404, "model_not_found", "model")
        assert len(error["message"]) < 2000


def test_a_number_too_large_for_any_type_is_refused(gateway: Up) -> None:
    answer = post(gateway, b'{"model":"writer","messages":[],"temperature":1e400}')
    assert answer.status == 400
    assert answer.error()["code"] in ("invalid_json", "invalid_value")


LARGE = "x" * (5 * MIB)
LARGE_FIELDS: dict[str, tuple[str, dict[str, Any], str]] = {
    "an unknown field": ("/api/v1/generate", {"prompt": "p", LARGE: 1}, "unsupported_parameter"),
    "a prompt": ("/api/v1/generate", {"prompt": LARGE}, "prompt_not_found"),
    "a label": ("/api/v1/generate", {"prompt": "p", "label": LARGE}, "prompt_not_found"),
    "a scope": ("/api/v1/keys", {"name": "n", "scopes": [LARGE]}, "invalid_value"),
    "a name": ("/api/v1/keys", {"name": LARGE}, "invalid_value"),
    "a field of a message": ("/api/v1/prompts/p/versions", {"messages": [{LARGE: "x"}]},
                             "invalid_value"),
    "a parameter": ("/api/v1/prompts/p/versions",
                    {"messages": [MESSAGE], "parameters": {LARGE: 1}}, "unsupported_parameter"),
    "a label to move": ("/api/v1/prompts/p/versions", {"messages": [MESSAGE], "labels": [LARGE]},
                        "invalid_value"),
    "a filter": ("/api/v1/prompts/p/versions",
                 {"messages": [{"role": "user", "content": "{{ x | " + "f" * 200_000 + " }}"}]},
                 "template_error"),
}


@pytest.mark.parametrize("name", LARGE_FIELDS)
def test_an_error_does_not_send_back_all_that_was_sent(gateway: Up, name: str) -> None:
    path, data, code = LARGE_FIELDS[name]
    answer = gateway.call("POST", path, gateway.api_key, data)
    assert_problem(answer, 404 if code == "prompt_not_found" else 400, code)
    assert len(answer.body) < 8192 and len(str(answer.header_list)) < 8192


def test_an_unknown_model_does_not_come_back_whole(gateway: Up) -> None:
    answer = ask(gateway, model=LARGE)
    assert_error(answer, 404, "model_not_found", "model")
    assert len(answer.body) < 8192


def test_a_long_path_does_not_come_back_whole(gateway: Up) -> None:
    for path in ("/v1/" + "x" * 5000, "/v1/models/" + "x" * 5000):
        answer = gateway.call("GET", path, gateway.api_key)
        assert answer.status == 404 and len(answer.body) < 1000


def test_answers_under_v1_say_which_version_of_openais_api_they_are(gateway: Up) -> None:
    assert ask(gateway).headers["openai-version"] == "2020-10-01"
    for answer in (gateway.call("GET", "/v1/models"), post(gateway, b"{"),
                   gateway.call("GET", "/v1/nothing", gateway.api_key)):
        assert answer.status in (400, 401, 404)
        assert answer.headers["openai-version"] == "2020-10-01"
    with open_chat(gateway, stream=True) as connection:
        answer = connection.read_answer()
    assert answer.status == 200 and answer.done
    assert answer.headers["openai-version"] == "2020-10-01"
    own = gateway.call("GET", "/api/v1/credits/balance", gateway.api_key)
    assert "openai-version" not in own.headers


def test_a_body_of_the_limit_is_accepted(gateway: Up) -> None:
    frame = len(json.dumps(body() | {"x_padding": ""}))
    data = json.dumps(body() | {"x_padding": "p" * (BODY_LIMIT - frame)})
    assert len(data) == BODY_LIMIT
    assert post(gateway, data).status == 200


def test_a_content_length_over_the_limit_is_refused_before_the_body(gateway: Up) -> None:
    with connect(gateway.url) as connection:
        connection.request("POST", PATH, {
            "authorization": f"Bearer {gateway.api_key}", "content-type": "application/json",
            "content-length": str(BODY_LIMIT + 1)})
        assert_error(connection.read_answer(), 413, "request_too_large")


def test_an_absurd_content_length_is_refused(gateway: Up) -> None:
    for length in ("18446744073709551616", "99999999999999999999999", "-1", "5x", "+5", "0x10"):
        with connect(gateway.url) as connection:
            connection.request("POST", PATH, {
                "authorization": f"Bearer {gateway.api_key}", "content-type": "application/json",
                "content-length": length})
            assert connection.read_answer().status in (400, 413), length


def test_a_chunked_body_over_the_limit_is_refused_while_it_is_sent(gateway: Up) -> None:
    chunk = b"100000\r\n" + b" " * MIB + b"\r\n"
    with connect(gateway.url) as connection:
        connection.request("POST", PATH, {
            "authorization": f"Bearer {gateway.api_key}", "content-type": "application/json",
            "transfer-encoding": "chunked"})
        was_cut_off = False
        for _ in range(64):
            try:
                connection.send(chunk)
            except ConnectionError:
                was_cut_off = True
                break
        # A client that is cut off in the middle of sending can lose the answer.
        try:
            assert_error(connection.read_answer(), 413, "request_too_large")
        except ConnectionError:
            assert was_cut_off


def test_a_chunked_body_within_the_limit_is_accepted(gateway: Up) -> None:
    data = json.dumps(body()).encode()
    chunked = b"".join(b"%x\r\n%s\r\n" % (len(data[at:at + 7]), data[at:at + 7])
                       for at in range(0, len(data), 7)) + b"0\r\n\r\n"
    with connect(gateway.url) as connection:
        connection.request("POST", PATH, {
            "authorization": f"Bearer {gateway.api_key}", "content-type": "application/json",
            "transfer-encoding": "chunked"})
        connection.send(chunked)
        assert connection.read_answer().status == 200


def test_very_many_keys_do_no_harm(gateway: Up) -> None:
    wide = json.dumps(body() | {f"x_{number}": number for number in range(200_000)})
    assert post(gateway, wide).status in (200, 400)
    repeated = b'{"model":"writer","messages":' + json.dumps(MESSAGES).encode()
    repeated += b',"a":1' * 100_000 + b"}"
    assert post(gateway, repeated).status in (200, 400)
    assert ask(gateway).status == 200
