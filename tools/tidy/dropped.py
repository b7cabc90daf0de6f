"""Dropped results: g++ 12.2 warns for a dropped `f();` but not for a dropped `co_await f();`.

A bare statement `co_await f(...);` is allowed only when f is declared as awaitable<void>.
"""

import re

from tidy.awaitables import Index
from tidy.awaits import statement_at

AWAIT = re.compile(r"\bco_await\b")
CALLEE = re.compile(r"(?:([\w\)\]]+)\s*(?:\.|->)\s*|\b(?:\w+::)+)?(\w+)\s*$")
ALWAYS_VOID = {"reset_cancellation_state", "throw_if_cancelled"}
VOID_WITH_USE_AWAITABLE = {"async_wait", "post", "dispatch", "defer"}
USE_AWAITABLE = re.compile(r"(?:\b(?:\w+::)*)?use_awaitable$")
FIX = "bind what it answers, or use QUIRE_CO_TRY or ignore(result, \"why\")"


def check(repository):
    index = Index(repository)
    for file in repository.cpp_files():
        for match in AWAIT.finditer(file.structure.code):
            statement = statement_at(file.structure, match.start())
            if statement.before.strip() or statement.is_in_parentheses or statement.is_in_braces:
                continue
            message = _fault(index, file, match.start(), statement.after)
            if message:
                yield file.finding(match.start(), "dropped-result", message)


def _fault(index, file, offset, text):
    """Why the awaited `text` may drop a result; None when it holds none."""
    expression = text.removeprefix("co_await").strip()
    callee, arguments = _split_call(expression)
    match = CALLEE.search(_strip_template(callee)) if callee is not None else None
    if match is None:
        return f"the answer of a bare co_await is lost: {FIX}"
    receiver, name = match.groups()
    if name in ALWAYS_VOID or _is_asio_void(name, callee, arguments):
        return None
    if name == "move":
        return _fault_of(index, file, offset, "", arguments[0])
    if name == "co_spawn" and len(arguments) == 3 and USE_AWAITABLE.search(arguments[2]):
        return _fault_of(index, file, offset, "", arguments[1].partition("(")[0])
    return _fault_of(index, file, offset, receiver or "", name)


def _fault_of(index, file, offset, receiver, name):
    name = name.rpartition("::")[2].strip()
    declared = index.visible(file, name)
    if not declared:
        return f"`{name}` is not known to return awaitable<void>: {FIX}"
    if len({declaration.is_void for declaration in declared}) > 1:
        owners = index.owners(file, receiver.strip()) if receiver else own_class(file, offset)
        declared = [d for d in declared if d.owner in owners] or declared
    if all(declaration.is_void for declaration in declared):
        return None
    if not any(declaration.is_void for declaration in declared):
        return f"`{name}` answers with a value: {FIX}"
    return f"`{name}` is declared with and without a value: {FIX}, or give one another name"


def own_class(file, offset):
    function = file.structure.function_at(offset)
    return {"", function.owner} if function else {""}


def _is_asio_void(name, callee, arguments):
    if not arguments or not USE_AWAITABLE.search(arguments[-1]):
        return False
    if name == "async_initiate":
        return re.search(r"\bvoid\s*\(\s*\)\s*>\s*$", callee) is not None
    return name in VOID_WITH_USE_AWAITABLE


def _split_call(expression):
    """(what is called, its arguments) of `a.b<C>(x, y)`; (None, []) when it is not a call."""
    if not expression.endswith(")"):
        return None, []
    depth = 0
    for at in range(len(expression) - 1, -1, -1):
        depth += (expression[at] == ")") - (expression[at] == "(")
        if depth == 0:
            return expression[:at], split_arguments(expression[at + 1:-1])
    return None, []


def split_arguments(text):
    depth, arguments, start = 0, [], 0
    for at, char in enumerate(text):
        depth += (char in "([{<") - (char in ")]}" or char == ">" and text[at - 1:at] != "-")
        if char == "," and depth == 0:
            arguments.append(text[start:at].strip())
            start = at + 1
    last = text[start:].strip()
    return [*arguments, last] if last else arguments


def _strip_template(callee):
    callee = callee.rstrip()
    if not callee.endswith(">"):
        return callee
    depth = 0
    for at in range(len(callee) - 1, -1, -1):
        depth += (callee[at] == ">") - (callee[at] == "<")
        if depth == 0:
            return callee[:at]
    return callee
