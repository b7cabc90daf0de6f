"""What a scripted upstream puts on the wire for one behaviour.

A behaviour is a plain dict (so that it can come over HTTP as JSON). `answer` turns it, together
with the request, into pieces: (milliseconds to wait before, bytes). Where the answer stops early,
and how the connection ends, is the business of scripted_upstream.py.

Keys of a behaviour; all but `do` have a default:
  do                  text tools json echo schema sse status raw silent drop
  chunks, reasoning   lists of text deltas; {"text": T, "times": N} repeats one without storing it
  reasoning_field     reasoning_content (default) or reasoning
  itl_ms, ttft_ms     time between two chunks, and before the first byte
  first_event_ms      time between the head and the first event
  calls               for tools: [{"id", "name", "arguments"}], arguments cut in `argument_bytes`
  usage               true, false, "zero", or the usage object itself
  finish              finish_reason; null leaves the finishing chunk out
  done, after_done    whether [DONE] is sent; text that follows it
  eol, comments, bom, multiline    how events are written
  insert, insert_at   raw text sent as it is before that chunk (the role chunk is number 0)
  bad_chunk_at        that event gets a chunk size which is no number
  framing             chunked, length or close
  split, split_ms     bytes per write (1 sends every byte alone), and time between two of them
  header_bytes        size of an extra response header
  status, headers, body            for status: the plain answer; {authorization} and {host} in the
                                   body are replaced by what the request carried
  text, times, wait_ms  for raw: what is sent instead of HTTP (latin-1); for sse: the body of a
                      well-framed event stream; sent `times` times, `wait_ms` apart
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

Behaviour = dict[str, Any]
Piece = tuple[float, bytes]

CREATED = 1_700_000_000
WORDS = ["Hello", " from", " the", " scripted", " upstream", "."]
USAGE = {"prompt_tokens": 11, "completion_tokens": 6, "total_tokens": 17}
CALLS = [{"id": "call_1", "name": "get_weather", "arguments": '{"city": "Z\u00fcrich"}'}]
REASONS = {200: "OK", 302: "Found", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden",
           404: "Not Found", 413: "Content Too Large", 422: "Unprocessable Content",
           429: "Too Many Requests", 500: "Internal Server Error", 502: "Bad Gateway",
           503: "Service Unavailable", 504: "Gateway Timeout"}


def answer(behaviour: Behaviour, request: Any) -> Iterator[Piece]:
    """The pieces of the whole answer; `request` has headers (dict) and body (decoded JSON)."""
    kind = behaviour.get("do", "text")
    ttft = float(behaviour.get("ttft_ms", 0))
    if kind == "sse" or kind in ("text", "tools", "echo", "schema") and wants_stream(request):
        yield from _stream(behaviour, request, ttft)
    elif kind in ("text", "tools", "echo", "schema", "json"):
        yield from _plain(200, {}, completion(behaviour, request), behaviour, ttft)
    elif kind == "status":
        body = _filled(behaviour.get("body", _default_error(behaviour)), request)
        yield from _plain(int(behaviour["status"]), behaviour.get("headers", {}), body,
                          behaviour, ttft)
    elif kind == "raw":
        text = str(behaviour.get("text", "")).encode("latin-1")
        for _ in range(int(behaviour.get("times", 1))):
            yield ttft, text
            ttft = 0.0
    else:
        raise ValueError(f"no such behaviour: {kind!r}")


def wants_stream(request: Any) -> bool:
    return isinstance(request.body, dict) and request.body.get("stream") is True


def completion(behaviour: Behaviour, request: Any) -> dict[str, Any]:
    """The same content as the stream, as one chat.completion object."""
    message: dict[str, Any] = {"role": "assistant", "content": None, "refusal": None}
    finish = behaviour.get("finish", "stop")
    if behaviour.get("do") == "tools":
        finish = behaviour.get("finish", "tool_calls")
        message["tool_calls"] = [
            {"id": call["id"], "type": "function",
             "function": {"name": call["name"], "arguments": call["arguments"]}}
            for call in behaviour.get("calls", CALLS)]
    else:
        message["content"] = "".join(_texts(behaviour, request))
    if behaviour.get("reasoning"):
        field = behaviour.get("reasoning_field", "reasoning_content")
        message[field] = "".join(_repeated(behaviour["reasoning"]))
    made = {"id": "chatcmpl-upstream", "object": "chat.completion", "created": CREATED,
            "model": _model(request),
            "choices": [{"index": 0, "message": message, "logprobs": None,
                         "finish_reason": finish}]}
    usage = _usage(behaviour)
    if usage is not None:
        made["usage"] = usage
    return made


def schema_instance(schema: Any) -> Any:
    """A small value that satisfies a JSON schema of the everyday kind."""
    kind = schema.get("type")
    if "enum" in schema:
        return schema["enum"][0]
    if kind == "object":
        return {name: schema_instance(part)
                for name, part in schema.get("properties", {}).items()}
    if kind == "array":
        return [schema_instance(schema.get("items", {}))]
    return {"integer": 7, "number": 1.5, "boolean": True, "null": None}.get(kind, "text")


def _stream(behaviour: Behaviour, request: Any, ttft: float) -> Iterator[Piece]:
    framing = behaviour.get("framing", "chunked")
    headers = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}
    headers.update(behaviour.get("headers", {}))
    sse = behaviour.get("do") == "sse"
    events = _given(behaviour, request) if sse else _events(behaviour, request)
    if framing == "length":
        body = b"".join(event for _, event in events)
        yield ttft, _head(200, headers | {"content-length": str(len(body))}, behaviour)
        yield 0.0, body
        return
    if framing == "chunked":
        headers["transfer-encoding"] = "chunked"
    yield ttft, _head(200, headers, behaviour)
    wait = float(behaviour.get("first_event_ms", 0))
    for number, (delay, event) in enumerate(events):
        if number == behaviour.get("bad_chunk_at"):
            event = b"zz\r\n" + event
        elif framing == "chunked":
            event = b"%x\r\n%s\r\n" % (len(event), event)
        yield delay + wait, event
        wait = 0.0
    if framing == "chunked":
        yield 0.0, b"0\r\n\r\n"


def _given(behaviour: Behaviour, request: Any) -> Iterator[Piece]:
    text = _filled(str(behaviour["text"]), request).encode()
    for number in range(int(behaviour.get("times", 1)) if text else 0):
        yield float(behaviour.get("wait_ms", 0)) if number else 0.0, text


def _events(behaviour: Behaviour, request: Any) -> Iterator[Piece]:
    """Every event of the stream, written the way the behaviour asks for."""
    itl = float(behaviour.get("itl_ms", 0))
    eol = behaviour.get("eol", "\n")
    prefix = "\ufeff" if behaviour.get("bom") else ""
    insert_at = int(behaviour.get("insert_at", 0))
    delay = 0.0
    for number, chunk in enumerate(_chunks(behaviour, request)):
        if "insert" in behaviour and number == insert_at:
            yield delay, str(behaviour["insert"]).encode("utf-8", "surrogateescape")
        text = prefix + _event(chunk, eol, behaviour)
        yield delay, text.encode()
        prefix = ""
        delay = itl
    if behaviour.get("done", True):
        yield 0.0, f"data: [DONE]{eol}{eol}".encode()
    if behaviour.get("after_done"):
        yield 0.0, str(behaviour["after_done"]).encode()


def _event(chunk: dict[str, Any], eol: str, behaviour: Behaviour) -> str:
    lines = [json.dumps(chunk, ensure_ascii=False)]
    if behaviour.get("multiline"):
        lines = json.dumps(chunk, ensure_ascii=False, indent=1).split("\n")
    text = "".join(f"data: {line}{eol}" for line in lines)
    if behaviour.get("comments"):
        text = f": comment{eol}{eol}event: message{eol}id: 7{eol}retry: 10{eol}{text}"
    return text + eol


def _chunks(behaviour: Behaviour, request: Any) -> Iterator[dict[str, Any]]:
    finish = behaviour.get("finish", "stop")
    yield _chunk(request, {"role": "assistant", "content": ""})
    field = behaviour.get("reasoning_field", "reasoning_content")
    for text in _repeated(behaviour.get("reasoning", [])):
        yield _chunk(request, {field: text})
    if behaviour.get("do") == "tools":
        finish = behaviour.get("finish", "tool_calls")
        for delta in _tool_deltas(behaviour):
            yield _chunk(request, {"tool_calls": [delta]})
    else:
        for text in _texts(behaviour, request):
            yield _chunk(request, {"content": text})
    if finish is not None:
        yield _chunk(request, {}, finish)
    usage = _usage(behaviour)
    asked = (request.body.get("stream_options") or {}).get("include_usage")
    if usage is not None and asked:
        yield {**_chunk(request, {}), "choices": [], "usage": usage}


def _tool_deltas(behaviour: Behaviour) -> Iterator[dict[str, Any]]:
    size = int(behaviour.get("argument_bytes", 6))
    for index, call in enumerate(behaviour.get("calls", CALLS)):
        yield {"index": index, "id": call["id"], "type": "function",
               "function": {"name": call["name"], "arguments": ""}}
        text = call["arguments"]
        for at in range(0, len(text), size):
            yield {"index": index, "function": {"arguments": text[at:at + size]}}


def _chunk(request: Any, delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    return {"id": "chatcmpl-upstream", "object": "chat.completion.chunk", "created": CREATED,
            "model": _model(request),
            "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}],
            "usage": None}


def _texts(behaviour: Behaviour, request: Any) -> Iterator[str]:
    if behaviour.get("do") == "echo":
        yield json.dumps(request.body)
        return
    if behaviour.get("do") == "schema":
        wanted = (request.body.get("response_format") or {}).get("json_schema", {})
        text = json.dumps(schema_instance(wanted.get("schema", {})))
        for at in range(0, len(text), 8):
            yield text[at:at + 8]
        return
    yield from _repeated(behaviour.get("chunks", WORDS))


def _repeated(chunks: Any) -> Iterator[str]:
    if isinstance(chunks, dict):
        for _ in range(int(chunks["times"])):
            yield chunks["text"]
        return
    yield from chunks


def _usage(behaviour: Behaviour) -> dict[str, Any] | None:
    usage = behaviour.get("usage", True)
    if usage is False:
        return None
    if usage == "zero":
        return {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
    return USAGE if usage is True else usage


def _model(request: Any) -> str:
    return str(request.body.get("model", "")) if isinstance(request.body, dict) else ""


def _default_error(behaviour: Behaviour) -> dict[str, Any]:
    return {"error": {"message": f"scripted status {behaviour['status']}", "type": "server_error",
                      "param": None, "code": None}}


def _filled(body: Any, request: Any) -> Any:
    """Puts what the request carried into an error body: an upstream that tells too much."""
    text = body if isinstance(body, str) else json.dumps(body)
    for name in ("authorization", "host"):
        text = text.replace("{" + name + "}", request.headers.get(name, ""))
    return text


def _plain(status: int, headers: dict[str, str], body: Any, behaviour: Behaviour,
           ttft: float) -> Iterator[Piece]:
    text = body if isinstance(body, str) else json.dumps(body)
    data = text.encode()
    made = {"content-type": "application/json"} | headers
    if behaviour.get("framing", "length") != "close":
        made["content-length"] = str(len(data))
    yield ttft, _head(status, made, behaviour)
    yield 0.0, data


def _head(status: int, headers: dict[str, str], behaviour: Behaviour) -> bytes:
    if behaviour.get("framing") == "close" or behaviour.get("after") == "close":
        headers = headers | {"connection": "close"}
    if behaviour.get("header_bytes"):
        headers = headers | {"x-padding": "p" * int(behaviour["header_bytes"])}
    lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'Scripted')}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
