"""Lengths of lines, functions and files, as a ratchet: old giants may shrink, never grow."""

import ast
import json
import re
from collections import defaultdict

from tidy import cpp
from tidy.repository import Finding

COLUMNS_MAX = 100
FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 600
RATCHET = "tools/tidy_ratchet.json"
URL_COMMENT = re.compile(r"(?://|#|\*)[^\"]*\bhttps?://\S+$")


def check(repository):
    ratchet = load_ratchet(repository)
    measured = {file.path: measure(file) for file in repository if file.is_code}
    for path, lengths in measured.items():
        yield from _check_columns(repository.files[path])
        yield from _check_lengths(path, lengths, ratchet.get(path, {}))
    yield from _check_ratchet(measured, ratchet)


def load_ratchet(repository):
    file = repository.files.get(RATCHET)
    return json.loads(file.text) if file else {}


def lowered(repository):
    """The ratchet after this run: no entry is added, none grows, what became fine is gone."""
    result = {}
    for path, entry in load_ratchet(repository).items():
        file = repository.files.get(path)
        if file is None:
            continue
        file_lines, functions = measure(file)
        kept = {}
        if "file_lines" in entry and file_lines > FILE_LINES_MAX:
            kept["file_lines"] = min(entry["file_lines"], file_lines)
        kept_functions = {name: min(limit, functions[name][0])
                          for name, limit in entry.get("functions", {}).items()
                          if name in functions and functions[name][0] > FUNCTION_LINES_MAX}
        if kept_functions:
            kept["functions"] = kept_functions
        if kept:
            result[path] = kept
    return result


def measure(file):
    """(lines of the file, {function: (lines of the longest of that name, its first line)})"""
    functions = defaultdict(lambda: (0, 0))
    for name, first, last in _functions(file):
        functions[name] = max(functions[name], (last - first + 1, first))
    return len(file.lines), functions


def _functions(file):
    if file.is_cpp:
        for function in file.structure.functions:
            yield function.name, file.line_of(function.start), file.line_of(function.close)
    elif file.suffix == ".py":
        try:
            tree = ast.parse(file.text)
        except SyntaxError:
            return  # compileall in ./dev lint says it better
        for node in ast.walk(tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                yield node.name, node.lineno, node.end_lineno


def _check_columns(file):
    if not (file.is_cpp or file.suffix == ".py"):
        return
    long = [number for number, line in enumerate(file.lines, 1) if len(line) > COLUMNS_MAX]
    data = _raw_string_lines(file) if long and file.is_cpp and file.is_test else set()
    for number in long:
        line = file.lines[number - 1]
        if number in data or URL_COMMENT.search(line):
            continue
        yield Finding(file.path, number, "line-length",
                      f"{len(line)} columns; {COLUMNS_MAX} is the limit")


def _raw_string_lines(file):
    """Lines of raw strings, which nothing can break: what a test sends byte for byte."""
    numbers = set()
    for match in cpp.LITERAL.finditer(file.text):
        if match.group("fence") is not None:
            numbers.update(range(file.line_of(match.start()), file.line_of(match.end()) + 1))
    return numbers


def _check_lengths(path, lengths, entry):
    file_lines, functions = lengths
    limit = max(FILE_LINES_MAX, entry.get("file_lines", 0))
    if file_lines > limit:
        yield Finding(path, 1, "file-length", f"{file_lines} lines; {limit} is the limit: split it "
                      "by noun")
    for name, (lines, first) in functions.items():
        limit = max(FUNCTION_LINES_MAX, entry.get("functions", {}).get(name, 0))
        if lines > limit:
            yield Finding(path, first, "function-length", f"{name} has {lines} lines; {limit} is "
                          "the limit")


def _check_ratchet(measured, ratchet):
    for path, entry in ratchet.items():
        file_lines, functions = measured.get(path, (0, {}))
        fine = []
        if "file_lines" in entry and file_lines <= FILE_LINES_MAX:
            fine.append("file_lines")
        fine += [name for name in entry.get("functions", {})
                 if functions.get(name, (0, 0))[0] <= FUNCTION_LINES_MAX]
        for name in fine:
            yield Finding(RATCHET, 1, "ratchet", f"{path}: {name} is fine now, remove it "
                          "(tools/tidy.py --update-ratchet)")
