#!/usr/bin/env python3
"""Makes the pages of docs/reference that are made from the code.

tools/reference_docs.py [--quire FILE]          writes errors.md and metrics.md, with --quire also
                                                config.md
tools/reference_docs.py --check [--quire FILE]  says which differ; exit status 1 if one does

errors.md comes from the catalogue in src/base/error.cpp, metrics.md from where the code registers
its families; config.md is what the program FILE says (`FILE config reference`).
"""

import argparse
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CATALOGUE = "src/base/error.cpp"
ERRORS_PAGE = "docs/reference/errors.md"
CONFIG_PAGE = "docs/reference/config.md"
METRICS_PAGE = "docs/reference/metrics.md"

TEXT = r'((?:"(?:[^"\\]|\\.)*"\s*)+)'
ROW = re.compile(r"ErrorRow\{(k\w+),\s*" + TEXT + r",\s*(\d+),\s*G::k(\w+),\s*(k\w+|\"[^\"]*\")"
                 r",\s*(true|false),\s*" + TEXT + r"\}")
FAMILY = re.compile(r"\b(counter|gauge|histogram)_family\(\s*" + TEXT + r",\s*" + TEXT + r"\)"
                    r"\s*(?:\.Add\(\{(.*?)\}(?:,|\)))?", re.S)
LABEL = re.compile(r"\{\s*\"(\w+)\",")
NAMED_TEXT = re.compile(r'constexpr std::string_view (k\w+) = "([^"]*)";')

ERRORS_INTRODUCTION = """\
# Errors

Made from the catalogue in the code by `tools/reference_docs.py`. A `code` is what programs should
look at; messages may change. The same codes come in two dialects:

* under `/v1`: `{"error": {"message", "type", "param", "code", "metadata"}}`, OpenAI's object.
  `param` names the field at fault or is null; `metadata` holds facts such as `limit`, and the trace
  id.
* under `/api/v1` and on `quire.sock`: `application/problem+json` (RFC 9457) with `type`
  (`urn:quire:error:CODE`), `title`, `status`, `detail`, `code`, `request_id` and `errors`
  (`pointer`, `detail`).

Every answer has `x-request-id`. `retry-after` comes with 409, 429, 503 and 504, `www-authenticate`
with 401, and `x-should-retry: false` where a repeat cannot help, or would be paid for again. Codes
without an HTTP status are
seen in logs and metrics, or as the error event of a stream. gRPC is the status that services apart
use between each other. Codes marked *later* are raised by nothing yet; one of them with
400 can still come when a model's provider names it.

| HTTP | code | type | gRPC | retry can help | when |
|---|---|---|---|---|---|
"""


METRICS_INTRODUCTION = """\
# Metrics

Made from the code by `tools/reference_docs.py`. `GET /metrics` on the admin port (`127.0.0.1:8701`)
has them in Prometheus' text format; counts and times start anew with the process. Labels come from
closed sets: never a user, a key or a prompt. A histogram has `_bucket`, `_sum` and `_count`. A row
appears in `/metrics` with its first event.

| metric | kind | labels | told by | what |
|---|---|---|---|---|
"""


@dataclass(frozen=True)
class Metric:
    name: str
    kind: str
    labels: tuple[str, ...]
    folder: str
    meaning: str


@dataclass(frozen=True)
class Row:
    enumerator: str
    code: str
    http_status: int
    grpc_status: str
    openai_type: str
    can_retry: bool
    meaning: str


def joined(literals):
    """The text of adjacent C++ string literals."""
    return "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', literals))


def read_catalogue(source):
    """The rows of kCatalogue, in their order; ValueError when one of them is not understood."""
    names = dict(NAMED_TEXT.findall(source))
    rows = [Row(enumerator, joined(code), int(status), grpc,
                kind.strip('"') if kind.startswith('"') else names[kind], retry == "true",
                joined(meaning))
            for enumerator, code, status, grpc, kind, retry, meaning in ROW.findall(source)]
    if len(rows) != source.count("ErrorRow{") or not rows:
        raise ValueError(f"{CATALOGUE}: {len(rows)} rows understood of "
                         f"{source.count('ErrorRow{')}; mend ROW in tools/reference_docs.py")
    return rows


def used_enumerators(folder):
    """Codes that something outside the catalogue names."""
    used = set()
    for path in folder.rglob("*.[ch]pp"):
        if not path.name.startswith("error.") and not path.stem.endswith("_test"):
            used.update(re.findall(r"ErrorCode::(k\w+)", path.read_text()))
    return used


def grpc_name(name):
    """InvalidArgument -> INVALID_ARGUMENT"""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).upper()


def errors_page(rows, used):
    page = ERRORS_INTRODUCTION
    for row in sorted(rows, key=lambda row: row.http_status or 1000):
        status = row.http_status or ""
        mark = "" if row.enumerator in used else " *later*"
        kind = f"`{row.openai_type}`" if row.openai_type else ""
        retry = "yes" if row.can_retry else "no"
        page += (f"| {status} | `{row.code}`{mark} | {kind} | {grpc_name(row.grpc_status)} | "
                 f"{retry} | {row.meaning} |\n")
    return page


def read_metrics(folder):
    """The families that the code registers, by name; ValueError when a call is not understood."""
    metrics = {}
    for path in sorted(folder.rglob("*.[ch]pp")):
        if path.name.startswith("metrics.hpp") or path.stem.endswith("_test"):
            continue
        source = path.read_text()
        found = list(FAMILY.finditer(source))
        calls = len(re.findall(r"\b(?:counter|gauge|histogram)_family\(\s*\"", source))
        if len(found) != calls:
            raise ValueError(f"{path}: {len(found)} families understood of {calls}")
        for match in found:
            kind, name, meaning, labels = match.groups()
            # Where the family is kept first, its labels are given further down.
            labels = labels or (re.search(r"\bfamily\s*\.Add\(\{(.*?)\}\s*\)",
                                          source[match.end():], re.S) or [None, ""])[1]
            name = joined(name)
            known = metrics.get(name)
            where = path.relative_to(folder).parent.as_posix()
            metrics[name] = known or Metric(name, kind, tuple(LABEL.findall("{" + labels)), where,
                                            joined(meaning))
    return [metrics[name] for name in sorted(metrics)]


def metrics_page(metrics):
    page = METRICS_INTRODUCTION
    for metric in metrics:
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        page += (f"| `{metric.name}` | {metric.kind} | {labels} | {metric.folder} | "
                 f"{metric.meaning} |\n")
    return page


def config_page(quire):
    done = subprocess.run([quire, "config", "reference"], capture_output=True, text=True)
    if done.returncode != 0:
        raise ValueError(f"{quire} config reference: {done.stderr.strip()}")
    return done.stdout


def pages(quire):
    made = {ERRORS_PAGE: errors_page(read_catalogue((ROOT / CATALOGUE).read_text()),
                                     used_enumerators(ROOT / "src")),
            METRICS_PAGE: metrics_page(read_metrics(ROOT / "src"))}
    if quire:
        made[CONFIG_PAGE] = config_page(quire)
    return made


def check(made):
    stale = [path for path, text in made.items()
             if not (ROOT / path).exists() or (ROOT / path).read_text() != text]
    for path in stale:
        print(f"{path} is not what the code says: run tools/reference_docs.py", file=sys.stderr)
    return 1 if stale else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare, do not write")
    parser.add_argument("--quire", metavar="FILE", help="the program whose settings are described")
    options = parser.parse_args()
    try:
        made = pages(options.quire)
    except (OSError, ValueError) as error:
        print(f"reference_docs: {error}", file=sys.stderr)
        return 1
    if options.check:
        return check(made)
    for path, text in made.items():
        (ROOT / path).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
