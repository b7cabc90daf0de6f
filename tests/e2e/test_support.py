"""The test kit itself: the scripted upstream does what it was told and remembers what it saw."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from api_keys import base62, is_well_formed, unknown_key, with_wrong_checksum
from chat import MESSAGES, PATH, body, text_of
from quire_process import parse_metrics
from raw_http import Answer, Closed, call, connect
from scripted_upstream import ScriptedUpstream, now_ms
from upstream_presets import AFTER_CONTENT, FAULTS, TEXT, WRITTEN
from waiting import wait_until


@pytest.fixture(scope="module")
def alone() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream() as upstream:
        yield upstream


def ask(upstream: ScriptedUpstream, model: str, limit: float = 3.0) -> Answer:
    return call(upstream.url, "POST", PATH, "key", body(model, stream=True), limit=limit)


@pytest.mark.parametrize("name", [name for name in WRITTEN if "cr" not in name
                                  and "bom" not in name and "line" not in name])
def test_written_presets_hold_the_whole_text(alone: ScriptedUpstream, name: str) -> None:
    answer = ask(alone, name)
    assert answer.status == 200 and answer.complete
    if answer.headers["content-type"] == "application/json":
        assert answer.json()["choices"][0]["message"]["content"] == TEXT
    else:
        assert TEXT in text_of(answer.chunks())


@pytest.mark.parametrize("name", sorted((FAULTS | AFTER_CONTENT).keys() - {"only-comments"}))
def test_no_fault_preset_is_a_good_answer(alone: ScriptedUpstream, name: str) -> None:
    try:
        answer = ask(alone, name, limit=0.3)
        good = (answer.status == 200 and answer.complete and answer.done
                and text_of(answer.chunks()) == TEXT and "x-padding" not in answer.headers
                and not any("error" in chunk for chunk in answer.chunks()))
    except (Closed, ConnectionError, TimeoutError, ValueError, RecursionError):
        good = False
    assert not good


def test_behaviours_are_played_in_order_then_the_default(alone: ScriptedUpstream) -> None:
    alone.reset()
    fault = {"do": "status", "status": 503}
    alone.play("any", fault, fault, then={"do": "status", "status": 418})
    assert [ask(alone, "any").status for _ in range(3)] == [503, 503, 418]
    assert ask(alone, "another").status == 200
    alone.reset()
    assert ask(alone, "any").status == 200
    assert [seen.model for seen in alone.seen()] == ["any"]


def test_it_is_scripted_over_http_too(alone: ScriptedUpstream) -> None:
    call(alone.url, "POST", "/_reset", body={})
    call(alone.url, "POST", "/_script", body={"model": "far", "queue": [{"do": "json"}]})
    assert ask(alone, "far").json()["object"] == "chat.completion"
    [seen] = call(alone.url, "GET", "/_seen?model=far").json()
    assert seen["headers"]["authorization"] == "Bearer key"
    assert seen["body"]["messages"] == MESSAGES and seen["at_ms"] <= seen["first_byte_ms"]


@pytest.mark.parametrize("reset", [False, True])
def test_it_knows_when_its_peer_left(alone: ScriptedUpstream, reset: bool) -> None:
    alone.reset()
    connection = connect(alone.url)
    connection.request("POST", PATH, body=body("silent"))
    [seen] = wait_until(alone.seen, "the request")
    left = now_ms()
    connection.leave(reset)
    wait_until(lambda: seen.closed_ms, "the end")
    assert seen.closed_ms is not None and seen.closed_ms - left < 250
    assert seen.closed_early and seen.reset == reset


def test_it_refuses_connections_and_makes_them_stale(alone: ScriptedUpstream) -> None:
    alone.reset()
    alone.refuse(1)
    with pytest.raises((Closed, ConnectionError)):
        ask(alone, "x")
    alone.play("x", {"do": "text", "after": "close_on_next"})
    with connect(alone.url) as connection:
        connection.request("POST", PATH, body=body("x"))
        assert connection.read_answer().status == 200
        connection.request("POST", PATH, body=body("x"))
        with pytest.raises((Closed, ConnectionError)):
            connection.read_head()
    assert alone.stale == 1 and len(alone.seen("x")) == 1


def test_keys_are_made_as_published() -> None:
    assert base62(0, 3) == "000" and base62(61, 1) == "z" and base62(62, 2) == "10"
    key = unknown_key()
    assert is_well_formed(key) and not is_well_formed(with_wrong_checksum(key))


def test_metrics_are_read_strictly() -> None:
    text = '# HELP a x\n# TYPE a gauge\na{side="server",x="a\\"b"} 2\nb 1e3\n'
    text += 'c_bucket{le="+Inf"} 1\n'
    metrics = parse_metrics(text)
    assert metrics[("a", frozenset({("side", "server"), ("x", 'a\\"b')}))] == 2
    assert metrics[("b", frozenset())] == 1000
    with pytest.raises(AssertionError):
        parse_metrics("not a metric line at all")
    assert json.dumps(sorted(name for name, _ in metrics)) == '["a", "b", "c_bucket"]'
