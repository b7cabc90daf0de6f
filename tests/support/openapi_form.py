"""The form of an OpenAPI 3.1 document, as far as ours uses it.

The specification's own JSON Schema leaves schemas, references and names open; this one knows only
the members that we use, so that a misspelt one is found too.
"""

from __future__ import annotations

from typing import Any

from jsonschema import Draft202012Validator

TEXT = {"type": "string", "minLength": 1}
SCHEMA_KEYWORDS = frozenset({
    "$ref", "type", "enum", "const", "properties", "required", "additionalProperties", "items",
    "allOf", "oneOf", "anyOf", "minimum", "maximum", "minLength", "maxLength", "minItems",
    "maxItems", "maxProperties", "pattern", "format", "default", "description"})


def _object(required: list[str], properties: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "object", "required": required, "properties": properties,
            "additionalProperties": False, **more}


def _map(values: dict[str, Any], names: str = ".") -> dict[str, Any]:
    return {"type": "object", "patternProperties": {names: values}, "additionalProperties": False}


def _or_reference(kind: str, form: dict[str, Any]) -> dict[str, Any]:
    reference = _object(["$ref"], {
        "$ref": {"type": "string", "pattern": f"^#/components/{kind}/[A-Z][A-Za-z0-9]*$"},
        "summary": TEXT, "description": TEXT})
    return {"if": {"required": ["$ref"]}, "then": reference, "else": form}


SCHEMA = {"type": ["object", "boolean"]}  # JSON Schema's own business
HEADER = _object(["description", "schema"],
                 {"description": TEXT, "required": {"type": "boolean"}, "schema": SCHEMA})
MEDIA = _object(["schema"], {"schema": SCHEMA, "x-quire-events": _map(SCHEMA, "^[a-z]+$")})
RESPONSE = _object(["description"], {
    "description": TEXT,
    "headers": _map(_or_reference("headers", HEADER), "^[a-z-]+$"),
    "content": _map(MEDIA, "^[a-z]+/[a-z+-]+$")})
PARAMETER = _object(["name", "in", "description", "schema"], {
    "name": TEXT, "in": {"enum": ["path", "query", "header"]}, "description": TEXT,
    "required": {"type": "boolean"}, "schema": SCHEMA})
BODY = _object(["required", "content"],
               {"required": {"const": True}, "content": _map(MEDIA, "^application/json$")})
OPERATION = _object(
    ["operationId", "tags", "summary", "description", "x-quire-access", "responses"], {
        "operationId": {"type": "string", "pattern": "^[a-z_]+$"},
        "tags": {"type": "array", "items": TEXT, "minItems": 1},
        "summary": TEXT, "description": TEXT,
        "x-quire-access": _object(["method", "access", "scope"], {
            "method": {"type": "string", "pattern": r"^[a-z]+\.[A-Za-z]+$"},
            "access": {"enum": ["PUBLIC", "SCOPE", "INTERNAL", "OPERATOR"]},
            "scope": {"type": "string"}}),
        "parameters": {"type": "array", "items": _or_reference("parameters", PARAMETER)},
        "requestBody": BODY,
        "responses": _map(_or_reference("responses", RESPONSE), "^([1-5][0-9][0-9]|default)$")})
DOCUMENT = _object(["openapi", "info", "servers", "security", "tags", "paths", "components"], {
    "openapi": {"const": "3.1.0"},
    "info": _object(["title", "version"], {
        "title": TEXT, "version": {"type": "string", "pattern": r"^\d+\.\d+\.\d+$"},
        "summary": TEXT, "description": TEXT,
        "license": _object(["name"], {"name": TEXT, "identifier": TEXT})}),
    "servers": {"type": "array", "items": _object(["url"], {"url": TEXT, "description": TEXT})},
    "security": {"type": "array", "minItems": 1, "items": _map({"type": "array"})},
    "tags": {"type": "array", "items": _object(["name", "description"],
                                               {"name": TEXT, "description": TEXT})},
    "paths": _map(_map(OPERATION, "^(get|put|post|delete|patch)$"), "^/"),
    "components": _object([], {
        "securitySchemes": _map(_object(["type", "scheme"], {
            "type": {"const": "http"}, "scheme": TEXT, "bearerFormat": TEXT,
            "description": TEXT})),
        "parameters": _map(PARAMETER), "headers": _map(HEADER), "responses": _map(RESPONSE),
        "schemas": _map(SCHEMA, "^[A-Z][A-Za-z0-9]*$")})})


def form_findings(document: Any) -> list[str]:
    return [f"/{'/'.join(map(str, error.absolute_path))}: {error.message[:300]}"
            for error in Draft202012Validator(DOCUMENT).iter_errors(document)]
