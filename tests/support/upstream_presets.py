"""Behaviours with a name: a request whose `model` is one of these names gets that behaviour.

Any other model name gets DEFAULT. The fault matrix of tests/e2e walks FAULTS.
"""

from __future__ import annotations

from upstream_answers import WORDS, Behaviour

MIB = 1024 * 1024
DEFAULT: Behaviour = {"do": "text"}

ECHOING_ERROR = {"error": {
    "message": "This model's maximum context length is 10 tokens. You sent {authorization} to "
               "http://{host}/v1 and https://{host}/v1/chat.",
    "type": "invalid_request_error", "param": "messages", "code": "context_length_exceeded"}}


def _status(status: int, **more: object) -> Behaviour:
    return {"do": "status", "status": status, **more}


def _told(status: int) -> Behaviour:
    return _status(status, body=ECHOING_ERROR)


def _sse(text: str, **more: object) -> Behaviour:
    """A stream whose whole body is `text`, sent as it is."""
    return {"do": "sse", "text": text, **more}


PLAIN: dict[str, Behaviour] = {
    "tools": {"do": "tools"},
    "two-tools": {"do": "tools", "calls": [
        {"id": "call_1", "name": "get_weather", "arguments": '{"city": "Z\u00fcrich"}'},
        {"id": "call_2", "name": "get_time", "arguments": '{"zone": "Europe/Zurich"}'}]},
    "plain-json": {"do": "json"},
    "echo": {"do": "echo"},
    "schema": {"do": "schema"},
    "reasoning": {"do": "text", "reasoning": ["Let me", " think."]},
    "length": {"do": "text", "finish": "length"},
    "no-usage": {"do": "text", "usage": False},
    "zero-usage": {"do": "text", "usage": "zero"},
    "slow": {"do": "text", "chunks": {"text": "word ", "times": 2000}, "itl_ms": 5},
}

# The same text as DEFAULT, written in every way the SSE and HTTP rules allow.
WRITTEN: dict[str, Behaviour] = {
    "cr": {"do": "text", "eol": "\r"},
    "crlf": {"do": "text", "eol": "\r\n"},
    "comments": {"do": "text", "comments": True},
    "bom": {"do": "text", "bom": True},
    "multi-line": {"do": "text", "multiline": True},
    "multi-line-crlf": {"do": "text", "multiline": True, "comments": True, "eol": "\r\n"},
    "every-byte": {"do": "text", "split": 1},
    "every-byte-crlf": {"do": "text", "split": 1, "eol": "\r\n", "bom": True, "comments": True},
    "length-body": {"do": "text", "framing": "length"},
    "close-body": {"do": "text", "framing": "close"},
    "missing-done": {"do": "text", "done": False},
    "after-done": {"do": "text",
                   "after_done": 'data: {"choices":[{"index":0,"delta":{"content":"LATE"}}]}\n\n'},
    "plain-json-length": {"do": "json"},
    "plain-json-close": {"do": "json", "framing": "close"},
    "plain-json-every-byte": {"do": "json", "split": 1},
    "connection-close": {"do": "text", "after": "close"},
}

# Faults before the first content.
FAULTS: dict[str, Behaviour] = {
    "fail-500": _status(500, body=ECHOING_ERROR),
    "fail-502": _status(502, body="<html>{authorization} {host}</html>"),
    "fail-503": _status(503),
    "fail-504": _status(504),
    "auth-401": _told(401),
    "auth-403": _told(403),
    "bad-400": _told(400),
    "bad-404": _told(404),
    "bad-413": _told(413),
    "bad-422": _told(422),
    "busy-429": _status(429),
    "busy-429-seconds": _status(429, headers={"retry-after": "7"}),
    "busy-429-ms": _status(429, headers={"retry-after-ms": "1500"}),
    "busy-429-date": _status(429, headers={"retry-after": "Fri, 31 Dec 2099 23:59:59 GMT"}),
    "busy-429-nonsense": _status(429, headers={"retry-after": "soon"}),
    "drop": {"do": "drop"},
    "reset-before": {"do": "text", "stop_after_bytes": 0, "ending": "reset"},
    "reset-in-head": {"do": "text", "stop_after_bytes": 40, "ending": "reset"},
    "cut-in-head": {"do": "text", "stop_after_bytes": 40, "ending": "close"},
    "cut-after-head": {"do": "text", "stop_after_events": 0, "ending": "close"},
    "cut-after-role": {"do": "text", "stop_after_events": 1, "ending": "close"},
    "garbage": {"do": "raw", "text": "\x00\xffnot http at all\r\n\r\n" * 4, "ending": "close"},
    "garbage-sse": _sse("data: {not json\n\n"),
    "nonsense-sse": _sse("\u0001\u0002 what is this\n\n"),
    "json-array-sse": _sse("data: [1, 2, 3]\n\n"),
    "empty-stream": _sse(""),
    "html": _status(200, headers={"content-type": "text/html"}, body="<html>Sign in</html>"),
    "not-json": _status(200, body="{\"id\": "),
    "error-event": _sse('data: {"error": {"message": "no {host}", "type": "x", "code": 500}}\n\n'),
    "redirect": _status(302, headers={"location": "http://127.0.0.1:9/v1/chat/completions"}),
    "huge-headers": {"do": "text", "header_bytes": MIB},
    "endless-headers": {"do": "raw", "text": "HTTP/1.1 200 OK\r\n" + "x-a: b\r\n" * 1000,
                        "times": 2000},
    "deep": _sse("data: " + "[" * 100_000 + "\n\n"),
    "deep-json": _status(200, body="[" * 100_000),
    "gzip": _status(200, headers={"content-encoding": "gzip"}, body="not gzip"),
    "silent": {"do": "silent"},
    "head-then-stall": {"do": "text", "stop_after_events": 0, "ending": "stall"},
    "role-then-stall": {"do": "text", "stop_after_events": 1, "ending": "stall"},
    "only-comments": _sse(": still here\n\n", times=100_000, wait_ms=50),
}

# Faults after the first content: the client has text already.
AFTER_CONTENT: dict[str, Behaviour] = {
    "cut": {"do": "text", "stop_after_events": 3, "ending": "close"},
    "reset": {"do": "text", "stop_after_events": 3, "ending": "reset", "itl_ms": 20},
    "stall": {"do": "text", "stop_after_events": 3, "ending": "stall"},
    "garbage-later": {"do": "text", "insert": "data: {not json\n\n", "insert_at": 3},
    "deep-later": {"do": "text", "insert": "data: " + "[" * 100_000 + "\n\n", "insert_at": 3},
    "error-later": {"do": "text", "insert_at": 3, "insert":
                    'data: {"error": {"message": "worker died", "code": 500}}\n\n'},
    "no-finish": {"do": "text", "finish": None, "done": False, "usage": False},
    "bad-chunk-size": {"do": "text", "bad_chunk_at": 3},
}

# Odd but readable: an answer or the catalogue's error; never a crash, never bytes outside UTF-8.
ODD: dict[str, Behaviour] = {
    "bad-utf8": {"do": "text", "insert_at": 3, "insert":
                 'data: {"choices":[{"index":0,"delta":{"content":"\udcff\udcfe"}}]}\n\n'},
    "lone-surrogate": {"do": "text", "insert_at": 3, "insert":
                       'data: {"choices":[{"index":0,"delta":{"content":"\\ud800"}}]}\n\n'},
    "nul": {"do": "text", "chunks": ["a\u0000b", "c"]},
    "duplicate-keys": {"do": "text", "insert_at": 3, "insert":
                       'data: {"choices":[],"choices":[{"index":0,"delta":{"content":"x"}}]}\n\n'},
    "huge-number": {"do": "text", "insert_at": 3,
                    "insert": 'data: {"created":1e400,"choices":[]}\n\n'},
    "negative-usage": {"do": "text", "usage": {"prompt_tokens": -1, "completion_tokens": -5,
                                               "total_tokens": -6}},
    "huge-usage": {"do": "text", "usage": {"prompt_tokens": 2**63, "completion_tokens": 2**63,
                                           "total_tokens": 2**64}},
    "text-usage": {"do": "text", "usage": {"prompt_tokens": "many"}},
    "no-choices": {"do": "text", "insert": 'data: {"choices":[]}\n\n', "insert_at": 1},
    "long-line": {"do": "text", "chunks": {"text": "x" * MIB, "times": 1}},
}

HUGE_LINE: Behaviour = {"do": "sse", "text": "data: " + "x" * MIB, "times": 64}

PRESETS: dict[str, Behaviour] = PLAIN | WRITTEN | FAULTS | AFTER_CONTENT | ODD
TEXT = "".join(WORDS)
