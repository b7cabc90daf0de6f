"""Plain functions that return an awaitable: it starts lazily, when their temporaries are dead.

So a function without a co_ keyword may only end in `return f(...)` that passes on its own
parameters and members as they are. With anything else it must be a coroutine. Where statements
stand before, its members carry a trailing underscore: what has none could be a local.
"""

import re

from tidy import cpp
from tidy.awaitables import AWAITABLE, Index
from tidy.dropped import own_class, split_arguments

COROUTINE = re.compile(r"\bco_(?:await|return|yield)\b|\bQUIRE_CO_TRY\b")
RETURNS = re.compile(r"\breturn\b([^;]*);")
RETURN = re.compile(r"\s*return\b([^;]*);\s*$")
ONLY_STOPS = re.compile(r"\s*(?:throw|QUIRE_ASSERT|std::abort|std::terminate)\b[^;]*;\s*$")
# A name, a member, what a pointer points to, a plain number: nothing that dies with the function.
LASTING = re.compile(r"[*&]?\s*(?:\w+(?:\s*(?:::|\.|->)\s*\w+)*|\*this)$")
USER_LITERAL = re.compile(r"\d[\d'.]*[a-z_]*[a-tv-z_]\w*$")
CALLEE = re.compile(r"(?:\w+\s*(?:::|\.|->)\s*)*(?:template\s+)?\w+$|\(\s*\*\s*\w+\s*\)$"
                    r"|\(\s*[*\w]+\s*(?:\.|->)\s*\*\s*[\w.]+\s*\)$")
MOVED = re.compile(r"\s*(?:std::move\(\s*\w+\s*\)|\w+)\s*$")
OWNER = re.compile(r"(?:const\s+)?std::(?:string|vector|map|set|unordered_\w+|deque|list|optional"
                   r"|variant|function|shared_ptr|unique_ptr)\b[^&*]*$")
LAMBDA = re.compile(r"\[[^\[\]]*\]\s*(?=[({])")
CALL = re.compile(r"[^()]*?(?:(\w+)::|(\w+)\s*(?:\.|->)\s*)?\b(\w+)\s*\(")
LAMBDA_TAIL = re.compile(r"(?:\s|mutable\b|noexcept\b)*(->[^{};]*)?\{")
ADVICE = "awaitables start lazily and it is dead by then: make this a coroutine"


def check(repository):
    index = Index(repository)
    for file in repository.cpp_files():
        structure = file.structure
        for function in structure.functions:
            if _returns_awaitable(function):
                message = _fault(structure, function.open, function.close, function.parameters)
                if message:
                    yield file.finding(function.start, "awaitable-forward", message)
        for at, brace, parameters, is_typed in _lambdas(structure):
            close = structure.partner.get(brace, brace)
            if is_typed or _forwards_known(index, file, at,
                                            structure.code[brace + 1:close]):
                message = _fault(structure, brace, close, parameters)
                if message:
                    yield file.finding(at, "awaitable-forward", message)


def _returns_awaitable(function):
    before = AWAITABLE.search(function.before)
    after = re.match(r"[^{]*?->\s*(?:\w+::)*awaitable\s*<", function.after)
    if before is None:
        return after is not None
    end = cpp.closing_angle(function.before, before.end() - 1)
    return end >= 0 and not function.before[end + 1:].strip()


def _lambdas(structure):
    """(offset, brace of the body, parameters, whether `-> awaitable` is written) of each lambda."""
    code, partner = structure.code, structure.partner
    for match in LAMBDA.finditer(code):
        if code[match.end()] == "{":
            yield match.start(), match.end(), "", False
            continue
        end = partner.get(match.end())
        brace = LAMBDA_TAIL.match(code, (end or 0) + 1)
        if end is None or brace is None:
            continue
        is_typed = AWAITABLE.match((brace.group(1) or "")[2:].strip()) is not None
        if is_typed or brace.group(1) is None:
            yield match.start(), brace.end() - 1, code[match.end() + 1:end], is_typed


def _forwards_known(index, file, offset, body):
    """Whether an untyped lambda's body is `return f(...);` of functions that return awaitables."""
    match = RETURN.match(body)
    call = match and CALL.match(match.group(1))
    if not call:
        return False
    scope, receiver, name = call.groups()
    declared = [d for d in index.visible(file, name) if not d.is_local]
    if not declared:
        return False
    if receiver:
        owners = index.owners(file, receiver)
    else:
        owners = {"", scope} if scope else own_class(file, offset)
    return any(declaration.owner in owners for declaration in declared)


def _fault(structure, brace, close, parameters):
    """What is wrong with the body between the braces; None when it is right or a coroutine."""
    body = _own_text(structure, brace + 1, close)
    if COROUTINE.search(body) or ONLY_STOPS.match(body):
        return None
    match = RETURN.match(body)
    if match is None:
        return _fault_of_steps(body, parameters)
    expression = match.group(1).strip()
    if MOVED.match(expression):
        return None
    return _fault_of_call(expression, parameters)


def _fault_of_steps(body, parameters):
    """Statements, then calls that are returned: none of them may see a local variable."""
    returned = [match.group(1).strip() for match in RETURNS.finditer(body)]
    if not returned or not re.search(r"\breturn\b[^;]*;\s*$", body):
        return "a plain function that returns an awaitable only forwards: make this a coroutine"
    own = {parameter.partition("=")[0].split()[-1].lstrip("*&")
           for parameter in split_arguments(parameters)}
    for expression in returned:
        fault = _fault_of_call(expression, parameters)
        if fault:
            return fault
        open_at = _last_call(expression)
        names = [*split_arguments(expression[open_at + 1:-1]),
                 *re.findall(r"^\w+(?=\s*(?:\.|->))", expression)]
        for name in names:
            if name not in own and not re.match(r"\w+_(?:\.\w+)*$", name):
                return f"`{_short(name)}` may be a local; {ADVICE}"
    return None


def _fault_of_call(expression, parameters):
    open_at = _last_call(expression)
    if open_at is None or not CALLEE.match(_untemplated(expression[:open_at])):
        return f"`{_short(expression)}` calls through a temporary; {ADVICE}"
    owned = _owned_parameters(parameters)
    for argument in split_arguments(expression[open_at + 1:-1]):
        if not LASTING.match(argument) or USER_LITERAL.match(argument):
            return f"`{_short(argument)}` is a temporary; {ADVICE}"
        if argument in owned:
            return f"`{argument}` is a parameter by value; {ADVICE}"
    return None


def _own_text(structure, at, end):
    """The body without the bodies of lambdas in it, which may be coroutines of their own."""
    code, partner, kept = structure.code, structure.partner, []
    inner = {brace: partner.get(brace, brace) for _, brace, _, _ in _lambdas_in(structure, at, end)}
    while at < end:
        if at in inner:
            kept.append("{}")
            at = inner[at] + 1
            continue
        kept.append(code[at])
        at += 1
    return "".join(kept)


def _lambdas_in(structure, at, end):
    for match in LAMBDA.finditer(structure.code, at, end):
        brace = structure.code.find("{", match.end(), end)
        if brace >= 0:
            yield match.start(), brace, "", False


def _last_call(expression):
    if not expression.endswith(")"):
        return None
    depth = 0
    for at in range(len(expression) - 1, -1, -1):
        depth += (expression[at] == ")") - (expression[at] == "(")
        if depth == 0:
            return at
    return None


def _untemplated(callee):
    callee = callee.strip()
    at = callee.find("<")
    end = cpp.closing_angle(callee, at) if at >= 0 else -1
    return callee[:at] + callee[end + 1:] if end >= 0 else callee


def _owned_parameters(parameters):
    names = set()
    for parameter in split_arguments(parameters):
        kind, _, name = parameter.partition("=")[0].strip().rpartition(" ")
        if OWNER.match(kind.strip()):
            names.add(name)
    return names


def _short(text):
    text = " ".join(text.split())
    return text if len(text) <= 40 else text[:37] + "..."
