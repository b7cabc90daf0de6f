"""The description of the HTTP API, and the checks that hold it against the code and the answers.

A check gives what it found, one sentence each; an empty list means that all is well.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator, FormatChecker
from openapi_form import SCHEMA_KEYWORDS, form_findings
from raw_http import Answer

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "api/openapi/gateway.yaml"
ROUTES = ROOT / "src/services/gateway/gateway_routes.cpp"
PROTOS = ROOT / "api/proto/quire"
VERBS = ("get", "put", "post", "delete", "patch", "head", "options", "trace")
ROUTE = re.compile(r'Route\{\s*"([A-Z]+)",\s*"([^"]+)",\s*"([\w.]+)",\s*(true|false),'
                   r"\s*&GatewayApi::(\w+)\s*\}")
RPC = re.compile(r"^\s*rpc (\w+)\s*\((?:stream )?[\w.]+\)\s*returns\s*\((?:stream )?[\w.]+\)"
                 r"\s*\{\s*option \(quire\.options\.v1\.rule\) = \{access: ([A-Z]+)"
                 r'(?:, scope: "([\w:]+)")?[^}]*\};\s*\}', re.M)
CODE = re.compile(r"`([a-z_]+)`")
# The headers of ours that an answer may carry; each that comes must be described.
OUR_HEADERS = re.compile(r"x-.+|server-timing|retry-after|idempotent-replayed|www-authenticate")
Document = dict[str, Any]


@dataclass(frozen=True)
class Route:
    verb: str
    path: str  # as OpenAPI writes it
    method: str
    takes_body: bool
    handler: str


@dataclass(frozen=True)
class Rule:
    access: str
    scope: str = ""


@dataclass(frozen=True)
class Operation:
    verb: str
    path: str
    item: Document

    @property
    def id(self) -> str:
        return str(self.item.get("operationId", f"{self.verb} {self.path}"))


def load(text: str | None = None) -> Document:
    """The file, or another text of its kind."""
    document: Document = yaml.safe_load(FILE.read_text("utf-8") if text is None else text)
    return document


def read_routes(source: str | None = None) -> list[Route]:
    """The table of the gateway's routes. `{name…}`, all the rest of a path, is `{name}` here."""
    text = ROUTES.read_text("utf-8") if source is None else source
    table = text.partition("kRoutes{")[2].partition("};")[0]
    found = [Route(verb, path.replace("…", ""), method, body == "true", handler)
             for verb, path, method, body, handler in ROUTE.findall(table)]
    assert len(found) == table.count("Route{"), "a row of kRoutes has a form that is not known here"
    return found


def read_rules(sources: list[str] | None = None) -> dict[str, Rule]:
    """`credits.GetBalance` to its rule, of every method of every service."""
    texts = sources or [file.read_text("utf-8") for file in sorted(PROTOS.glob("*/v1/*.proto"))]
    found = {}
    for text in texts:
        package = re.search(r"^package quire\.(\w+)\.v1;", text, re.M)
        assert package, text[:200]
        rpcs = RPC.findall(text)
        assert len(rpcs) == len(re.findall(r"^\s*rpc ", text, re.M)), f"{package}: an odd rpc"
        for name, access, scope in rpcs:
            found[f"{package.group(1)}.{name}"] = Rule(access, scope)
    return found


def operations(document: Document) -> list[Operation]:
    return [Operation(verb.upper(), path, item)
            for path, verbs in document["paths"].items()
            for verb, item in verbs.items() if verb in VERBS]


def operation(document: Document, operation_id: str) -> Operation:
    (found,) = [one for one in operations(document) if one.id == operation_id]
    return found


# Against the code ------------------------------------------------------------------------------

def check_routes(document: Document, routes: list[Route]) -> list[str]:
    """Every route is an operation named after its handler, and the other way round."""
    described = {(one.verb, one.path): one for one in operations(document)}
    served = {(route.verb, route.path): route for route in routes}
    found = [f"{verb} {path} is no route" for verb, path in described.keys() - served.keys()]
    for place, route in served.items():
        if place not in described:
            found.append(f"{route.verb} {route.path} is not described")
            continue
        item = described[place].item
        if item.get("operationId") != route.handler:
            found.append(f"{route.verb} {route.path}: the handler is {route.handler}, the "
                         f"operationId {item.get('operationId')}")
        if route.takes_body != ("requestBody" in item):
            found.append(f"{route.handler}: the route and the description differ about a body")
    return found


def check_access(document: Document, routes: list[Route], rules: dict[str, Rule]) -> list[str]:
    """x-quire-access says what the rule of the method behind the route says."""
    by_place = {(route.verb, route.path): route for route in routes}
    found = []
    for one in operations(document):
        route = by_place.get((one.verb, one.path))
        if route is None:
            continue
        rule = rules.get(route.method)
        if rule is None:
            found.append(f"{one.id}: no service has {route.method}")
            continue
        wanted = {"method": route.method, "access": rule.access, "scope": rule.scope}
        if one.item.get("x-quire-access") != wanted:
            found.append(f"{one.id}: x-quire-access is {one.item.get('x-quire-access')}, the "
                         f"rule {wanted}")
    return found


def check_codes(document: Document, catalogue: dict[str, int]) -> list[str]:
    """Every code that an error's description names is one of the catalogue with that status."""
    found = []
    for one in operations(document):
        for status, response in one.item["responses"].items():
            if not status.isdecimal() or int(status) < 400:
                continue
            codes = CODE.findall(response.get("description", ""))
            if not codes:
                found.append(f"{one.id} {status}: names no code")
            found += [f"{one.id} {status}: {code} is no code with this status" for code in codes
                      if catalogue.get(code) != int(status)]
    return found


# The file itself -------------------------------------------------------------------------------

def check_form(document: Document) -> list[str]:
    """OpenAPI 3.1: the objects and their members, references, parameters of paths, names."""
    found = form_findings(document)
    if found:
        return found
    used = set()
    for reference in _references(document):
        if _at(document, reference) is None:
            found.append(f"{reference} leads nowhere")
        used.add(reference)
    for kind, parts in document["components"].items():
        found += [f"components/{kind}/{name} is used by nothing" for name in parts
                  if kind != "securitySchemes" and f"#/components/{kind}/{name}" not in used]
    if found:
        return found
    ids = [one.id for one in operations(document)]
    found += [f"the operationId {name} is there twice" for name in {*ids} if ids.count(name) > 1]
    tags = {tag["name"] for tag in document["tags"]}
    for one in operations(document):
        found += [f"{one.id}: the tag {tag} is not declared"
                  for tag in one.item["tags"] if tag not in tags]
        found += _check_parameters(document, one)
    schemes = document["components"]["securitySchemes"]
    found += [f"the security scheme {name} is not declared"
              for wanted in document["security"] for name in wanted if name not in schemes]
    for where, schema in _schemas(document):
        found += [f"{where}: {fault}" for fault in _schema_faults(schema)]
    return found


def _check_parameters(document: Document, one: Operation) -> Iterator[str]:
    parameters = [inline(document, parameter) for parameter in one.item.get("parameters", [])]
    in_path = {parameter["name"] for parameter in parameters if parameter["in"] == "path"}
    wanted = set(re.findall(r"\{(\w+)\}", one.path))
    if in_path != wanted:
        yield f"{one.id}: the path has {sorted(wanted)}, the parameters {sorted(in_path)}"
    for parameter in parameters:
        if parameter["in"] == "path" and parameter.get("required") is not True:
            yield f"{one.id}: {parameter['name']} stands in the path and is not required"


def _schema_faults(schema: Any) -> Iterator[str]:
    yield from (error.message for error in
                Draft202012Validator(Draft202012Validator.META_SCHEMA).iter_errors(schema))
    for part in _parts(schema):
        unknown = [key for key in part if key not in SCHEMA_KEYWORDS]
        if unknown:
            yield f"unknown keywords {unknown}"
        absent = set(part.get("required", [])) - set(part.get("properties", {}))
        if absent:
            yield f"{sorted(absent)} required and not described"


def _schemas(document: Document) -> Iterator[tuple[str, Any]]:
    """Every schema that stands in the file, with where it stands."""
    def walk(where: str, node: Any) -> Iterator[tuple[str, Any]]:
        if isinstance(node, list):
            for at, part in enumerate(node):
                yield from walk(f"{where}/{at}", part)
        if not isinstance(node, dict):
            return
        for key, part in node.items():
            if key == "schema":
                yield f"{where}/schema", part
            elif key == "x-quire-events" or where == "/components" and key == "schemas":
                yield from ((f"{where}/{key}/{name}", schema) for name, schema in part.items())
            else:
                yield from walk(f"{where}/{key}", part)
    yield from walk("", document)


def _parts(schema: Any) -> Iterator[Document]:
    """A schema and the schemas in it."""
    if not isinstance(schema, dict):
        return
    yield schema
    for part in schema.get("properties", {}).values():
        yield from _parts(part)
    for keyword in ("allOf", "oneOf", "anyOf"):
        for part in schema.get(keyword, []):
            yield from _parts(part)
    for keyword in ("items", "additionalProperties"):
        yield from _parts(schema.get(keyword))


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for part in node.values():
            yield from _references(part)
    elif isinstance(node, list):
        for part in node:
            yield from _references(part)


def _at(document: Document, reference: str) -> Any:
    node: Any = document
    for name in reference.removeprefix("#/").split("/"):
        node = node.get(name) if isinstance(node, dict) else None
    return node


# Against what is sent --------------------------------------------------------------------------

def inline(document: Document, node: Any) -> Any:
    """The node with every reference replaced by what it names; what stands beside it wins."""
    if isinstance(node, list):
        return [inline(document, part) for part in node]
    if not isinstance(node, dict):
        return node
    out = {key: inline(document, part) for key, part in node.items() if key != "$ref"}
    if isinstance(node.get("$ref"), str):
        out = inline(document, _at(document, node["$ref"])) | out
    return out


def closed(schema: Any, is_part: bool = False) -> Any:
    """The same schema, but members that it does not name are refused. Clients must ignore them, as
    there may be more in time; those that are answered today must be described today."""
    if not isinstance(schema, dict):
        return schema
    out = dict(schema)
    if "properties" in schema:
        out["properties"] = {name: closed(part) for name, part in schema["properties"].items()}
    if "allOf" in schema:
        out["allOf"] = [closed(part, True) for part in schema["allOf"]]
    if "oneOf" in schema:
        out["oneOf"] = [closed(part) for part in schema["oneOf"]]
    for keyword in ("items", "additionalProperties"):
        if keyword in schema:
            out[keyword] = closed(schema[keyword])
    is_open = "additionalProperties" not in schema
    if not is_part and is_open and ("properties" in schema or "allOf" in schema):
        out["unevaluatedProperties"] = False
    return out


def check_value(document: Document, schema: Any, value: Any) -> list[str]:
    """What of the value is not as the schema has it, undescribed members included."""
    validator = Draft202012Validator(closed(inline(document, schema)),
                                     format_checker=FormatChecker())
    return [f"/{'/'.join(map(str, error.absolute_path))}: {error.message[:500]}"
            for error in validator.iter_errors(value)]


def check_request(document: Document, operation_id: str, body: Any) -> list[str]:
    content = operation(document, operation_id).item["requestBody"]["content"]
    return check_value(document, content["application/json"]["schema"], body)


def check_answer(document: Document, operation_id: str, answer: Answer) -> list[str]:
    """Status, code, headers, media type, and the body or every event of the stream."""
    responses = operation(document, operation_id).item["responses"]
    response = inline(document, responses.get(str(answer.status)))
    if response is None:
        return [f"{answer.status} is not described: {answer.text[:300]}"]
    found = _check_headers(document, response, answer)
    content = response.get("content", {})
    media = answer.headers.get("content-type", "").partition(";")[0]
    if not content:
        return found + (["a body where none is described"] if answer.body else [])
    if media not in content:
        return [*found, f"the media type {media!r} is not described"]
    if "x-quire-events" in content[media]:
        return found + _check_events(document, content[media]["x-quire-events"], answer)
    found += check_value(document, content[media]["schema"], answer.json())
    if answer.status >= 400:
        body = answer.json()
        code = body["code"] if "code" in body else body["error"]["code"]
        if code not in CODE.findall(response["description"]):
            found.append(f"{answer.status}: the description does not name {code}")
    return found


def _check_headers(document: Document, response: Document, answer: Answer) -> list[str]:
    described = response.get("headers", {})
    found = [f"there is no {name}" for name, header in described.items()
             if header.get("required") and name not in answer.headers]
    for name, value in answer.headers.items():
        if name in described:
            found += [f"{name}: {fault}"
                      for fault in check_value(document, described[name]["schema"], value)]
        elif OUR_HEADERS.fullmatch(name):
            found.append(f"the header {name} is not described")
    return found


def named_events(text: str) -> list[tuple[str, str]]:
    """(name, data) of each event; one without a name is a `message`, as browsers have it."""
    found = []
    for block in text.split("\n\n"):
        lines = [line.partition(":") for line in block.split("\n")]
        names = [value.removeprefix(" ") for field, _, value in lines if field == "event"]
        data = [value.removeprefix(" ") for field, _, value in lines if field == "data"]
        if data:
            found.append((names[-1] if names else "message", "\n".join(data)))
    return found


def _check_events(document: Document, described: Document, answer: Answer) -> list[str]:
    found = []
    events = named_events(answer.text)
    if not events:
        found.append("a stream without an event")
    for at, (name, data) in enumerate(events):
        if (name, data) == ("message", "[DONE]") and "message" in described:
            found += ["[DONE] is not the last event"] if at != len(events) - 1 else []
        elif name not in described:
            found.append(f"the event {name!r} is not described")
        else:
            found += [f"event {at} ({name}) {fault}"
                      for fault in check_value(document, described[name], json.loads(data))]
    return found
