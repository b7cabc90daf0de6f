"""Paths, methods, media types, the order of checks, and HTTP that is meant to harm."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from api_keys import unknown_key
from chat import PATH, assert_error, assert_problem, body, open_chat
from quire_process import Up
from raw_http import Answer, Closed, connect, wire
from scripted_upstream import ScriptedUpstream

OVER_LIMIT = str(10 * 1024 * 1024 + 1)


def auth(up: Up) -> dict[str, str]:
    return {"authorization": f"Bearer {up.api_key}"}


def send(up: Up, data: bytes | str) -> Answer:
    """Sends bytes as they are and reads one answer."""
    with connect(up.url) as connection:
        connection.send(data)
        return connection.read_answer()


def head(up: Up, *lines: str, start: str = f"POST {PATH} HTTP/1.1") -> str:
    return "\r\n".join([start, "Host: quire.test", f"Authorization: Bearer {up.api_key}",
                        "Content-Type: application/json", *lines]) + "\r\n\r\n"


def assert_refused_and_closed(up: Up, data: bytes | str, *also: int) -> None:
    """400 (or one of `also`), then the end of the connection: what follows is never read."""
    with connect(up.url) as connection:
        connection.send(data)
        answer = connection.read_answer()
        assert answer.status in (400, *also), answer
        assert answer.headers.get("connection", "").lower() == "close"
        assert connection.is_closed(), "the connection stayed open"


def test_what_is_refused_is_counted_and_in_the_log() -> None:
    twice = "POST /api/v1/keys HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n"
    with Up() as up:
        for data, status, code in ((head(up, start="GET /v1/nothing HTTP/1.1"), 404, "not_found"),
                                   (twice, 400, "invalid_value")):
            answer = send(up, data)
            assert answer.status == status
            [line] = up.logged(answer.headers["x-request-id"])
            assert "request refused" in line and code in line, line
            assert up.gauge("quire_http_requests_total", route="unknown", code=str(status)) == 1
        assert_problem(answer, 400, "invalid_value")


@pytest.mark.parametrize("path", ["/v1/chat/completion", "/v1", "/v1/", "/v2/chat/completions",
                                  "/v1/chat/completions/x", "/v1//chat/completions",
                                  "/v1/chat/../models", "/V1/models", "/v1/models%00"])
def test_an_unknown_path_is_not_found_with_or_without_a_key(gateway: Up, path: str) -> None:
    for key in (gateway.api_key, None):
        answer = gateway.call("GET", path, key)
        assert answer.status == 404, answer.text
        assert "x-request-id" in answer.headers
        if path.startswith("/v1/"):
            assert_error(answer, 404, "not_found")


def test_an_unknown_management_path_is_a_problem(gateway: Up) -> None:
    for path in ("/api/v1/nothing", "/api/v1/keys/key_1/more", "/api/v1/"):
        assert_problem(gateway.call("GET", path, gateway.api_key), 404, "not_found")


@pytest.mark.parametrize(("method", "path", "allowed"), [
    ("GET", PATH, "POST"), ("PUT", PATH, "POST"), ("DELETE", PATH, "POST"),
    ("PATCH", PATH, "POST"), ("POST", "/v1/models", "GET"), ("DELETE", "/v1/models/writer", "GET"),
    ("BREW", PATH, "POST"),
])
def test_a_wrong_method_is_refused_and_the_right_one_named(gateway: Up, method: str, path: str,
                                                           allowed: str) -> None:
    for key in (gateway.api_key, None):
        answer = gateway.call(method, path, key)
        assert_error(answer, 405, "method_not_allowed")
        assert allowed in [one.strip() for one in answer.headers["allow"].split(",")]


def test_a_wrong_method_on_the_management_api_is_a_problem(gateway: Up) -> None:
    answer = gateway.call("PUT", "/api/v1/keys", gateway.api_key, {})
    assert_problem(answer, 405, "method_not_allowed")
    assert {"GET", "POST"} <= {one.strip() for one in answer.headers["allow"].split(",")}
    answer = gateway.call("PATCH", "/api/v1/keys/key_01ARZ3NDEKTSV4RRFFQ69G5FAV",
                          gateway.api_key, {})
    assert_problem(answer, 405, "method_not_allowed")
    assert "DELETE" in answer.headers["allow"]


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded",
                                        "multipart/form-data; boundary=x", "text/json",
                                        "application/jsonp", "nonsense"])
def test_another_media_type_is_refused(gateway: Up, media_type: str) -> None:
    answer = gateway.call("POST", PATH, gateway.api_key, body(),
                          headers={"content-type": media_type})
    assert_error(answer, 415, "unsupported_media_type")


@pytest.mark.parametrize("media_type", ["application/json", "application/json; charset=utf-8",
                                        "Application/JSON", "application/json;charset=UTF-8"])
def test_json_is_accepted_however_it_is_written(gateway: Up, media_type: str) -> None:
    answer = gateway.call("POST", PATH, gateway.api_key, body(),
                          headers={"content-type": media_type})
    assert answer.status == 200, answer.text


@pytest.mark.parametrize("coding", ["gzip", "br", "deflate", "zstd", "gzip, identity"])
def test_a_content_encoding_is_refused(gateway: Up, coding: str) -> None:
    data = gzip.compress(json.dumps(body()).encode())
    answer = gateway.call("POST", PATH, gateway.api_key, data,
                          headers={"content-encoding": coding})
    assert_error(answer, 415, "unsupported_media_type")


ORDER: list[tuple[str, dict[str, Any], int, str]] = [
    ("the path comes before the key", {"path": "/v1/nothing", "key": None}, 404, "not_found"),
    ("the method comes before the key", {"method": "PUT", "key": None}, 405,
     "method_not_allowed"),
    ("the key comes before the media type", {"key": None, "type": "text/plain"}, 401,
     "invalid_api_key"),
    ("the key comes before the size", {"key": None, "length": OVER_LIMIT}, 401,
     "invalid_api_key"),
    ("the key comes before the JSON", {"key": None, "data": b"{"}, 401, "invalid_api_key"),
    ("the media type comes before the size", {"type": "text/plain", "length": OVER_LIMIT}, 415,
     "unsupported_media_type"),
    ("the media type comes before the JSON", {"type": "text/plain", "data": b"{"}, 415,
     "unsupported_media_type"),
    ("the size comes before the JSON", {"data": b"{", "length": OVER_LIMIT}, 413,
     "request_too_large"),
    ("the JSON comes before the fields", {"data": b'{"temperature": 9'}, 400, "invalid_json"),
    ("the fields come before the model", {"data": json.dumps(body("nobody", temperature=9))}, 400,
     "invalid_value"),
]


@pytest.mark.parametrize(("case", "status", "code"), [row[1:] for row in ORDER],
                         ids=[row[0] for row in ORDER])
def test_checks_are_made_in_their_order(gateway: Up, case: dict[str, Any], status: int,
                                        code: str) -> None:
    headers = {"content-type": case.get("type", "application/json")}
    if case.get("key", "own") == "own":
        headers |= auth(gateway)
    if "length" in case:
        headers["content-length"] = case["length"]
    with connect(gateway.url) as connection:
        connection.request(case.get("method", "POST"), case.get("path", PATH), headers,
                           case.get("data", b"" if "length" in case else b"{}"))
        assert_error(connection.read_answer(), status, code)


def test_a_refused_body_is_not_waited_for(gateway: Up) -> None:
    with connect(gateway.url) as connection:
        connection.request("POST", PATH, {"content-type": "application/json",
                                          "content-length": "1000000"})
        began = time.monotonic()
        assert_error(connection.read_answer(), 401, "invalid_api_key")
        assert time.monotonic() - began < 1.0


@pytest.mark.parametrize("lines", [
    ["X-Long: " + "x" * 70_000],
    [f"X-Number-{number}: {'y' * 700}" for number in range(100)],
    [f"X-Number-{number}: y" for number in range(5000)],
], ids=["one long header", "64 KiB in a hundred headers", "five thousand headers"])
def test_headers_over_the_limit_are_refused(gateway: Up, lines: list[str]) -> None:
    answer = send(gateway, head(gateway, *lines, start="GET /v1/models HTTP/1.1"))
    assert answer.status in (400, 413, 431)
    assert answer.headers.get("connection", "").lower() == "close" or answer.body


def test_a_request_line_over_the_limit_is_refused(gateway: Up) -> None:
    answer = send(gateway, head(gateway, start=f"GET /v1/models?{'x' * 70_000} HTTP/1.1"))
    assert answer.status in (400, 404, 413, 414, 431)


HIDDEN = "GET /v1/models HTTP/1.1\r\nHost: hidden.test\r\n\r\n"


@pytest.mark.parametrize("lines", [
    ["Content-Length: 5", "Transfer-Encoding: chunked"],
    ["Transfer-Encoding: chunked", "Content-Length: 5"],
    ["Content-Length: 5", "Content-Length: 6"],
    ["Content-Length: 5, 6"],
    ["Transfer-Encoding: xchunked"],
    ["Transfer-Encoding: chunked", "Transfer-Encoding: identity"],
    ["Transfer-Encoding : chunked"],
    ["Content-Length: 4", " folded: yes"],
    ["X-Folded: one", "\ttwo"],
    ["X-Bare: one\rX-Two: two"],
    ["X-Bare: one\nTransfer-Encoding: chunked"],
    ["X-Null: a\x00b"],
    ["Bad Name: x"],
    [": no name"],
    ["no colon"],
], ids=lambda lines: repr(lines)[:60])
def test_smuggling_is_refused_and_the_connection_closed(gateway: Up, lines: list[str]) -> None:
    assert_refused_and_closed(gateway, head(gateway, *lines) + "0\r\n\r\n" + HIDDEN, 501)


@pytest.mark.parametrize("chunk", ["zz\r\nhello\r\n", "-1\r\n", "5\r\nhelloXX5\r\n",
                                   "ffffffffffffffff1\r\n", "5;" + "e" * 70_000 + "\r\n",
                                   "5;" + "e" * 100_000, "1;a=\"\nb\"\r\nx\r\n0\r\n\r\n"],
                         ids=lambda chunk: repr(chunk)[:30])
def test_a_broken_chunk_is_refused_and_the_connection_closed(gateway: Up, chunk: str) -> None:
    data = head(gateway, "Transfer-Encoding: chunked") + chunk + HIDDEN
    assert_refused_and_closed(gateway, data, 413)


@pytest.mark.parametrize("chunks", [
    "0\r\n\r\n", "00\r\n\r\n", "0;a=b\r\n\r\n", "0\r\na: b\r\n\r\n", "1\r\n{\r\n0\r\n\r\n",
], ids=repr)
def test_chunks_may_come_byte_by_byte(gateway: Up, chunks: str) -> None:
    with connect(gateway.url) as connection:
        connection.send(head(gateway, "Transfer-Encoding: chunked"))
        for byte in chunks:
            time.sleep(0.01)
            connection.send(byte)
        answer = connection.read_answer()
    assert answer.status == 400 and "invalid_json" in answer.text, answer


def test_an_upstreams_chunks_may_come_byte_by_byte(gateway: Up,
                                                   upstream: ScriptedUpstream) -> None:
    upstream.play("tiny", {"do": "sse", "text": "", "split": 1, "split_ms": 2})
    assert gateway.call("POST", PATH, gateway.api_key, body(stream=True)).status in (200, 502)
    assert gateway.admin("/healthz").status == 200


@pytest.mark.parametrize("data", ["hello\r\n\r\n", "GET\r\n\r\n", "GET /v1/models\r\n\r\n",
                                  "GET /v1/models HTTP/9.9\r\n\r\n",
                                  "\x16\x03\x01\x02\x00\x01\r\n\r\n",
                                  "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\x00" * 100 + "\r\n\r\n"],
                         ids=lambda data: repr(data)[:30])
def test_what_is_not_http_is_refused_and_the_connection_closed(gateway: Up, data: str) -> None:
    with connect(gateway.url) as connection:
        connection.send(data)
        try:
            answer = connection.read_answer()
            assert answer.status in (400, 405, 505), answer
        except (Closed, ConnectionError):
            return
        assert connection.is_closed()


def test_expect_100_continue_is_honoured(gateway: Up) -> None:
    data = json.dumps(body()).encode()
    with connect(gateway.url) as connection:
        connection.send(head(gateway, "Expect: 100-continue", f"Content-Length: {len(data)}"))
        assert connection.read_head().status == 100
        connection.send(data)
        assert connection.read_answer().status == 200


def test_expect_100_continue_is_answered_with_the_error_when_there_is_one(gateway: Up) -> None:
    with connect(gateway.url) as connection:
        connection.request("POST", PATH, {
            "authorization": f"Bearer {unknown_key()}", "content-type": "application/json",
            "expect": "100-continue", "content-length": "100"})
        assert_error(connection.read_answer(), 401, "invalid_api_key")


def test_http_1_0_is_answered_without_chunks_and_closed(gateway: Up) -> None:
    for stream in (False, True):
        data = json.dumps(body(stream=stream)).encode()
        with connect(gateway.url) as connection:
            connection.send(wire("POST", PATH, auth(gateway), data)
                            .replace(b" HTTP/1.1", b" HTTP/1.0", 1))
            answer = connection.read_answer()
            assert answer.status == 200 and answer.complete
            assert "transfer-encoding" not in answer.headers
            if stream:
                assert answer.done
            else:
                assert answer.json()["choices"]
            assert connection.is_closed()


def test_pipelined_requests_are_answered_in_their_order(gateway: Up) -> None:
    first = wire("GET", "/v1/models/writer", auth(gateway))
    second = wire("POST", PATH, auth(gateway), body())
    third = wire("GET", "/v1/nothing")
    with connect(gateway.url) as connection:
        connection.send(first + second + third + first)
        answers = [connection.read_answer() for _ in range(4)]
    assert [answer.status for answer in answers] == [200, 200, 404, 200]
    assert answers[0].json()["id"] == "writer"
    assert answers[1].json()["object"] == "chat.completion"
    assert len({answer.headers["x-request-id"] for answer in answers}) == 4


def test_a_connection_is_used_again_after_an_error(gateway: Up) -> None:
    with connect(gateway.url) as connection:
        for data in (b"{", json.dumps(body("nobody")).encode(), json.dumps(body()).encode()):
            connection.request("POST", PATH, auth(gateway), data)
            last = connection.read_answer()
        assert last.status == 200


def test_a_connection_is_used_again_after_a_stream(gateway: Up) -> None:
    with open_chat(gateway, stream=True) as connection:
        assert connection.read_answer().done
        connection.request("GET", "/v1/models", auth(gateway))
        assert connection.read_answer().status == 200


def test_requests_leave_no_connection_behind(gateway: Up, upstream: ScriptedUpstream) -> None:
    gateway.call("POST", PATH, gateway.api_key, body())
    before = gateway.footprint_at_rest()
    for _ in range(20):
        send(gateway, "hello\r\n\r\n")
        send(gateway, head(gateway, "Content-Length: 5", "Transfer-Encoding: chunked"))
        gateway.call("POST", PATH, gateway.api_key, b"{")
    gateway.wait_until_back_to(before)


@pytest.fixture(scope="module")
def hurried() -> Iterator[Up]:
    """A quire that waits one second for slow clients."""
    names = ("header_timeout", "body_timeout", "idle_timeout")
    with Up({"limits": {name: "1s" for name in names}}) as up:
        yield up


@pytest.mark.parametrize("start", [
    "GET /v1/models HTTP/1.1\r\nX-Slow: ",
    f"POST {PATH} HTTP/1.1\r\nHost: quire.test\r\nAuthorization: Bearer KEY\r\n"
    "Content-Type: application/json\r\nContent-Length: 100000\r\n\r\n",
], ids=["headers", "body"])
def test_a_slow_sender_is_cut_off(hurried: Up, start: str) -> None:
    before = hurried.footprint_at_rest()
    began = time.monotonic()
    with connect(hurried.url, limit=0.1) as connection:
        connection.send(start.replace("KEY", str(hurried.api_key)))
        while time.monotonic() - began < 10.0:
            try:
                connection.send("x")
                if connection.sock.recv(4096) == b"":
                    break
            except TimeoutError:
                continue
            except ConnectionError:
                break
    assert 0.9 < time.monotonic() - began < 4.0
    hurried.wait_until_back_to(before)


def test_an_idle_connection_is_closed_in_the_end(hurried: Up) -> None:
    with connect(hurried.url) as fresh, connect(hurried.url) as used:
        used.request("GET", "/v1/models", auth(hurried))
        assert used.read_answer().status == 200
        assert fresh.is_closed(limit=4.0)
        assert used.is_closed(limit=4.0)
