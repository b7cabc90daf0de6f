"""Every fault of an upstream becomes what the catalogue says, and leaves nothing behind."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
from chat import PROVIDER_KEY, TYPES, ask, assert_error, local_provider, model, open_chat, text_of
from prompts import generate, publish
from quire_process import Up
from raw_http import Answer
from scripted_upstream import ScriptedUpstream
from upstream_presets import AFTER_CONTENT, FAULTS, HUGE_LINE, MIB, ODD, TEXT
from waiting import wait_until

RETRIES = 2
ATTEMPTS = RETRIES + 1

# What interfaces.md 4 makes of each: status, code, and how often the upstream is asked.
EXPECTED: dict[str, tuple[int, str, int]] = {
    **{name: (502, "upstream_error", ATTEMPTS) for name in (
        "fail-500", "fail-502", "fail-503", "fail-504", "drop", "reset-before", "reset-in-head",
        "cut-in-head", "cut-after-head", "cut-after-role", "garbage", "garbage-sse",
        "nonsense-sse", "json-array-sse", "empty-stream", "html", "not-json", "huge-headers",
        "endless-headers", "deep", "deep-json", "gzip")},
    **{name: (503, "overloaded", 1) for name in FAULTS if name.startswith("busy-429")},
    **{name: (502, "upstream_auth_failed", 1) for name in ("auth-401", "auth-403")},
    **{name: (504, "upstream_timeout", 1) for name in (
        "silent", "head-then-stall", "role-then-stall", "only-comments")},
}
REFUSED_BY_CLIENT_FIELDS = {"bad-400": 400, "bad-404": 404, "bad-413": 413, "bad-422": 422}
FREE = ("error-event", "redirect")  # their number of attempts is not fixed


@pytest.fixture(scope="module")
def strict(shared_upstream: ScriptedUpstream) -> Iterator[Up]:
    """A gateway with short limits; `offline` leads to a port that nobody listens on."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        config = {
            "providers": {
                "local": local_provider(shared_upstream),
                "nobody": {"kind": "openai", "api_key": "env:LOCAL_KEY",
                           "base_url": f"http://127.0.0.1:{unused.getsockname()[1]}/v1"},
            },
            "models": {"writer": model("tiny"), "offline": model("tiny", "nobody")},
            "limits": {"connect": "1s", "first_token": "1s", "between_tokens": "1s",
                       "retries": RETRIES},
        }
        with Up(config, env={"LOCAL_KEY": PROVIDER_KEY}) as up:
            yield up


@pytest.fixture(autouse=True)
def nothing_is_left(strict: Up, upstream: ScriptedUpstream) -> Iterator[None]:
    assert ask(strict).status == 200
    upstream.reset()
    before = strict.footprint_at_rest()
    yield
    strict.wait_until_back_to(before)
    upstream.reset()
    assert ask(strict).status == 200, "it does not answer any more"


def assert_nothing_told(answer: Answer, upstream: ScriptedUpstream) -> None:
    """Neither the provider's key nor its address is in what the client gets."""
    told = answer.body.decode("utf-8", "replace") + repr(answer.header_list)
    for secret in (PROVIDER_KEY, PROVIDER_KEY[-10:], f"127.0.0.1:{upstream.port}", "127.0.0.1"):
        assert secret not in told, secret


def assert_interrupted(answer: Answer, *codes: str) -> list[Any]:
    """A stream that ends with an error event and no [DONE]; gives the chunks before it."""
    assert answer.status == 200
    *chunks, last = answer.chunks()
    assert "[DONE]" not in answer.events()
    assert "error" in last, last
    assert {"message", "type", "param", "code"} <= set(last["error"]), last
    assert last["error"]["type"] == "server_error"
    assert last["error"]["code"] in codes, last
    assert all("error" not in chunk for chunk in chunks)
    assert not any(choice["finish_reason"] for chunk in chunks for choice in chunk["choices"])
    return chunks


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize("name", EXPECTED)
def test_a_fault_before_the_first_content_is_a_plain_error(
        strict: Up, upstream: ScriptedUpstream, name: str, stream: bool) -> None:
    status, code, attempts = EXPECTED[name]
    if name in ("drop", "reset-before"):
        # On a pooled connection an end at once looks like a stale one, which is no attempt.
        upstream.close_idle()
    upstream.play("tiny", then=FAULTS[name])
    answer = ask(strict, stream=stream)
    assert_error(answer, status, code)
    assert_nothing_told(answer, upstream)
    assert len(upstream.seen("tiny")) == attempts
    if code == "upstream_auth_failed":
        assert answer.headers["x-should-retry"] == "false"


def test_the_matrix_is_complete() -> None:
    assert set(EXPECTED) | set(REFUSED_BY_CLIENT_FIELDS) | set(FREE) == set(FAULTS)


@pytest.mark.parametrize("name", [name for name, row in EXPECTED.items() if row[2] == ATTEMPTS])
def test_a_passing_fault_before_the_first_content_is_tried_again(
        strict: Up, upstream: ScriptedUpstream, name: str) -> None:
    upstream.play("tiny", FAULTS[name], FAULTS[name])
    answer = ask(strict, stream=True)
    assert answer.status == 200 and answer.done, answer.text
    assert text_of(answer.chunks()) == TEXT
    assert len(upstream.seen("tiny")) == ATTEMPTS


def test_retries_wait_a_little_longer_each_time(strict: Up, upstream: ScriptedUpstream) -> None:
    upstream.play("tiny", then=FAULTS["fail-503"])
    ask(strict)
    first, second, third = (seen.at_ms for seen in upstream.seen("tiny"))
    assert 20 <= second - first <= 500
    assert 40 <= third - second <= 1000


def test_a_refused_connection_is_an_upstream_error(strict: Up) -> None:
    began = time.monotonic()
    for stream in (False, True):
        assert_error(ask(strict, model="offline", stream=stream), 502, "upstream_error")
    assert time.monotonic() - began < 5.0


def test_connections_closed_at_accept_are_tried_again(strict: Up,
                                                      upstream: ScriptedUpstream) -> None:
    for refused in (RETRIES, ATTEMPTS):
        upstream.close_idle()
        before = upstream.accepted
        upstream.refuse(refused)
        answer = ask(strict, stream=True)
        if refused == RETRIES:
            assert text_of(answer.chunks()) == TEXT
        else:
            assert_error(answer, 502, "upstream_error")
        assert upstream.accepted - before == ATTEMPTS


@pytest.mark.parametrize(("name", "least", "most"), [
    ("busy-429", 1, 60), ("busy-429-seconds", 7, 7), ("busy-429-ms", 2, 2),
    ("busy-429-date", 1, 10**10), ("busy-429-nonsense", 1, 60)])
def test_a_busy_upstream_tells_when_to_come_back(strict: Up, upstream: ScriptedUpstream,
                                                 name: str, least: int, most: int) -> None:
    upstream.play("tiny", FAULTS[name])
    answer = ask(strict)
    assert_error(answer, 503, "overloaded")
    assert least <= int(answer.headers["retry-after"]) <= most


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize("name", REFUSED_BY_CLIENT_FIELDS)
def test_what_the_upstream_refuses_keeps_its_status_but_not_its_secrets(
        strict: Up, upstream: ScriptedUpstream, name: str, stream: bool) -> None:
    upstream.play("tiny", then=FAULTS[name])
    answer = ask(strict, stream=stream)
    assert answer.status == REFUSED_BY_CLIENT_FIELDS[name], answer.text
    error = answer.error()
    assert error["type"] == TYPES[answer.status] and isinstance(error["code"], str)
    assert "maximum context length" in error["message"]
    assert_nothing_told(answer, upstream)
    assert len(upstream.seen("tiny")) == 1


@pytest.mark.parametrize("name", FREE)
def test_redirects_and_error_events_are_upstream_errors(strict: Up, upstream: ScriptedUpstream,
                                                        name: str) -> None:
    upstream.play("tiny", then=FAULTS[name])
    answer = ask(strict, stream=True)
    assert_error(answer, 502, "upstream_error")
    assert_nothing_told(answer, upstream)
    assert 1 <= len(upstream.seen("tiny")) <= ATTEMPTS


def test_redirects_are_never_followed(strict: Up, upstream: ScriptedUpstream) -> None:
    with ScriptedUpstream() as other:
        for status in (301, 302, 303, 307, 308):
            upstream.play("tiny", then={"do": "status", "status": status, "headers": {
                "location": f"{other.url}/v1/chat/completions"}})
            assert_error(ask(strict), 502, "upstream_error")
        assert other.seen() == [] and other.accepted == 0


@pytest.mark.parametrize("name", AFTER_CONTENT)
def test_a_fault_after_the_first_content_is_an_error_event(
        strict: Up, upstream: ScriptedUpstream, name: str) -> None:
    upstream.play("tiny", then=AFTER_CONTENT[name])
    answer = ask(strict, stream=True)
    codes = ("stream_interrupted", "upstream_timeout") if name == "stall" else (
        "stream_interrupted",)
    chunks = assert_interrupted(answer, *codes)
    assert TEXT.startswith(text_of(chunks)) and text_of(chunks).startswith("Hello")
    assert_nothing_told(answer, upstream)
    assert len(upstream.seen("tiny")) == 1, "tried again after the first content"


@pytest.mark.parametrize("name", AFTER_CONTENT)
def test_a_plain_request_is_not_tried_again_after_the_first_content_either(
        strict: Up, upstream: ScriptedUpstream, name: str) -> None:
    upstream.play("tiny", then=AFTER_CONTENT[name])
    answer = ask(strict)
    assert answer.status in (502, 504), answer.text
    assert answer.error()["code"] in ("upstream_error", "upstream_timeout", "stream_interrupted")
    assert_nothing_told(answer, upstream)
    assert len(upstream.seen("tiny")) == 1


@pytest.mark.parametrize("name", ODD)
def test_what_is_odd_is_understood_or_refused_but_always_utf_8(
        strict: Up, upstream: ScriptedUpstream, name: str) -> None:
    upstream.play("tiny", then=ODD[name])
    plain = ask(strict)
    assert plain.status in (200, 502), plain.text
    if plain.status == 200:
        usage = plain.json().get("usage", {})
        assert all(0 <= count < 2**53 for count in usage.values() if isinstance(count, int))
    streamed = ask(strict, stream=True, stream_options={"include_usage": True})
    assert streamed.status in (200, 502), streamed.text
    if streamed.status == 200:
        assert streamed.done or "error" in streamed.chunks()[-1]
        assert "\ufffe" not in streamed.text


def test_a_line_without_end_is_given_up_without_being_kept(strict: Up,
                                                           upstream: ScriptedUpstream) -> None:
    upstream.play("tiny", then=HUGE_LINE)
    before = strict.resident_bytes()
    assert_error(ask(strict, stream=True), 502, "upstream_error")
    assert strict.is_sanitized() or strict.resident_bytes() - before < 48 * MIB
    assert all(seen.bytes_sent < 64 * MIB for seen in upstream.seen("tiny"))


def test_a_stale_pooled_connection_is_no_retry(upstream: ScriptedUpstream) -> None:
    config = {"providers": {"local": local_provider(upstream)}, "models": {"writer": model("tiny")},
              "limits": {"retries": 0},
              "runtime": {"loops": 1}}  # each loop has connections of its own
    with Up(config, env={"LOCAL_KEY": PROVIDER_KEY}) as up:
        for after in ("close_on_next", "close_idle"):
            upstream.play("tiny", {"do": "text", "after": after})
            assert ask(up).status == 200
            assert ask(up).status == 200
        assert upstream.stale == 1
        upstream.play("tiny", FAULTS["fail-500"])
        assert_error(ask(up), 502, "upstream_error")


def test_a_pooled_connection_that_ends_late_was_not_stale(upstream: ScriptedUpstream) -> None:
    config = {"providers": {"local": local_provider(upstream)}, "models": {"writer": model("tiny")},
              "limits": {"retries": 0}, "runtime": {"loops": 1}}
    with Up(config, env={"LOCAL_KEY": PROVIDER_KEY}) as up:
        for ending in ("close", "reset"):
            assert ask(up).status == 200
            upstream.play("tiny", {"do": "text", "ttft_ms": 1500, "stop_after_bytes": 0,
                                   "ending": ending})
            assert_error(ask(up), 502, "upstream_error")
            kept, cut = upstream.seen("tiny")[-2:]
            assert kept.connection == cut.connection, "sent again"


def test_the_log_does_not_hold_the_key_either(strict: Up, upstream: ScriptedUpstream) -> None:
    for name in ("bad-400", "auth-401", "fail-500", "fail-502", "error-event"):
        upstream.play("tiny", then=FAULTS[name])
        ask(strict)
    log = strict.stderr + "\n".join(strict.lines[1:])
    assert PROVIDER_KEY not in log
    assert strict.api_key is not None and strict.api_key not in log


def test_the_log_does_not_hold_what_a_refusal_quotes(upstream: ScriptedUpstream) -> None:
    secret = "canary-of-the-text"
    upstream.play("tiny", then={"do": "status", "status": 400, "body": {"error": {
        "message": f"cannot read: {secret}", "type": "invalid_request_error"}}})
    config = {"providers": {"local": local_provider(upstream)}, "models": {"writer": model("tiny")}}
    with Up(config, env={"LOCAL_KEY": PROVIDER_KEY}) as up:
        assert publish(up, "careless", "{{ card | int }} {{ rows[name] }}").status == 201
        answers = [
            ask(up),
            generate(up, secret),
            generate(up, "careless", version=1,
                     variables={"card": "4" * 30, "rows": {}, "name": "x"}),
            generate(up, "careless", version=1,
                     variables={"card": "4", "rows": {}, "name": secret}),
            publish(up, "broken", f"{{{{ a '{secret}' }}}}"),
            up.call("GET", f"/v1/models/{secret}", up.api_key),
            up.call("GET", f"/v1/{secret}", up.api_key),
            up.call("DELETE", f"/api/v1/keys/{up.api_key}", up.api_key),
        ]
        for answer in answers:
            assert 400 <= answer.status < 500, answer
            assert up.logged(answer.headers["x-request-id"])
        assert sum(secret in answer.text for answer in answers) >= 5, "nothing would be quoted"
        for text in (secret, "4" * 10, up.api_key):
            assert text not in up.stderr


def test_the_deadline_of_a_request_ends_it(upstream: ScriptedUpstream) -> None:
    config = {"providers": {"local": local_provider(upstream)}, "models": {"writer": model("tiny")},
              "limits": {"request_deadline": "1s", "retries": 0}}
    with Up(config, env={"LOCAL_KEY": PROVIDER_KEY}) as up:
        upstream.play("tiny", {"do": "silent"})
        answer = ask(up)
        assert answer.status == 504
        assert answer.error()["code"] in ("deadline_exceeded", "upstream_timeout")
        upstream.play("tiny", {"do": "text", "chunks": {"text": "a ", "times": 1000}, "itl_ms": 20})
        assert_interrupted(ask(up, stream=True), "stream_interrupted", "deadline_exceeded")


def test_a_full_queue_and_a_long_wait_have_their_own_errors(upstream: ScriptedUpstream) -> None:
    narrow = model("tiny", concurrency=1, queue=1)
    config = {"providers": {"local": local_provider(upstream)}, "models": {"writer": narrow},
              "limits": {"queue_wait": "1s", "retries": 0}}
    with Up(config, env={"LOCAL_KEY": PROVIDER_KEY}) as up:
        upstream.play("tiny", then={"do": "silent"})
        with open_chat(up):
            wait_until(lambda: upstream.seen("tiny"), "one at the upstream")
            with open_chat(up) as waiting:
                wait_until(lambda: up.gauge("quire_queue_depth", model="writer") == 1, "one queued")
                full, late = ask(up), waiting.read_answer()
        assert_error(full, 429, "queue_full")
        assert_error(late, 504, "queue_timeout")
        assert int(late.headers["retry-after"]) >= 1
        assert len(upstream.seen("tiny")) == 1
