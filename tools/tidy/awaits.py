"""co_await stands alone: the forms that g++ 12.2 miscompiles, and the rule that avoids them all.

co_await is the whole right side of a declaration or an assignment, a whole statement, or the
operand of co_return; what it awaits carries no braces, no ternary and no by-value capture.
"""

import re
from dataclasses import dataclass

# QUIRE_CO_TRY(decl, call) expands to `auto tmp = co_await call;` and breaks in the same ways.
AWAIT = re.compile(r"\bco_await\b|\bQUIRE_CO_TRY\s*\(")
TRY = re.compile(r"\bQUIRE_(?:CO_)?TRY\s*\(")
HEADER = re.compile(r"\b(if|while|switch|for)\s*(?:constexpr\s*)?\(")
CAPTURE = re.compile(r"(?<![\w\])])\[([^\[\]]*)\]")
NO_CAPTURE = re.compile(r"\bauto\s*&{0,2}\s*\[[^\]]*\]|\[\[[^\]]*\]\]")
BY_REFERENCE = re.compile(r"\s*(?:this|&(?:\s*\w+(?:\s*=.*)?)?)?\s*$", re.S)
BODY = re.compile(r"(\)(?:\s*&{1,2})?|\b(?:mutable|noexcept|const|override|final)"
                  r"|->\s*[\w:<>,&*\s]+|\btry|\bdo|\belse|\[[^\]]*\]"
                  r"|\bcase\b[^;{}]*:|\bdefault\s*:)\s*$")
LEAD = re.compile(r"\s*(?:else\b|do\b|case\b[^;{}]*?(?<!:):(?!:)|default\s*:)")
BEFORE = re.compile(r"(?:\bco_return|(?<![=!<>])=)\s*$")
AFTER = re.compile(r"\s(?:\|\||&&|==|!=|<=|>=|\+|-|\*|/|%|<<|>>)\s")


@dataclass(frozen=True)
class Statement:
    """The statement around a co_await, lambda bodies blanked."""

    before: str  # up to the co_await, without `if (...)`, `else`, `case x:`
    after: str
    lead: str  # what was taken off the front of `before`
    is_in_braces: bool  # inside an initializer's braces
    is_in_parentheses: bool

    @property
    def text(self):
        return self.before + self.after


def check(repository):
    for file in repository.cpp_files():
        yield from check_file(file)


def check_file(file):
    structure = file.structure
    headers = [(match.end() - 1, structure.partner.get(match.end() - 1, -1), match.group(1))
               for match in HEADER.finditer(structure.code)]
    for match in AWAIT.finditer(structure.code):
        for message in _faults(structure, headers, match):
            yield file.finding(match.start(), "co-await", message)
    for match in TRY.finditer(structure.code):
        if statement_at(structure, match.start()).lead:
            yield file.finding(match.start(), "co-await",
                               "QUIRE_TRY is three statements: it needs braces after if or else")


def _faults(structure, headers, match):
    at = match.start()
    around = [keyword for begin, end, keyword in headers if begin < at < end]
    if around:
        yield f"co_await inside {around[-1]}(...): bind it to a local first"
        return
    statement = statement_at(structure, at)
    if statement.is_in_braces or "{" in statement.text:
        yield "braces in a co_await statement: name the local first"
    if "?" in statement.text:
        yield "ternary with co_await: use if/else"
    if _captures_by_value(statement.text):
        yield "by-value lambda capture in a co_await statement: name the lambda first"
    if not _stands_alone(statement):
        yield "co_await stands alone: bind it to a local, and go on with that"


def _captures_by_value(text):
    return any(not BY_REFERENCE.match(item) for match in CAPTURE.finditer(NO_CAPTURE.sub("", text))
               for item in match.group(1).split(","))


def _stands_alone(statement):
    before = statement.before.strip()
    if statement.is_in_parentheses or (before and not BEFORE.search(before)):
        return False
    return not AFTER.search(_top_level(statement.after))


def _top_level(text):
    """Without what stands in parentheses."""
    depth, kept = 0, []
    for char in text:
        depth -= char in ")]"
        kept.append(char if depth <= 0 else " ")
        depth += char in "(["
    return "".join(kept)


def statement_at(structure, at):
    code = structure.code
    begin, is_in_braces, is_in_parentheses = _beginning(structure, at)
    before = _without_bodies(structure, begin, at)
    lead_end = _lead(before)
    return Statement(before[lead_end:], _without_bodies(structure, at, _ending(structure, at)),
                     before[:lead_end].strip(), is_in_braces and code[begin - 1] == "{",
                     is_in_parentheses)


def is_body(code, brace):
    """Whether the brace opens a body or a bare block, not an initializer."""
    before = code[max(0, brace - 200):brace]
    if BODY.search(before):
        return True
    last = before.rstrip()[-1:]
    return last in (";", "}", "") or (last == "{" and is_body(code, code.rindex("{", 0, brace)))


def _beginning(structure, at):
    code, partner = structure.code, structure.partner
    is_in_parentheses = False
    while at > 0:
        at -= 1
        char = code[at]
        if char == ";":
            return at + 1, False, is_in_parentheses
        if char == "{":
            return at + 1, not is_body(code, at), is_in_parentheses
        if char == "}":
            brace = partner.get(at, 0)
            if is_body(code, brace):
                return at + 1, False, is_in_parentheses
            at = brace
        elif char in ")]":
            at = partner.get(at, at)
        elif char == "(":
            is_in_parentheses = True
    return 0, False, is_in_parentheses


def _ending(structure, at):
    code, partner = structure.code, structure.partner
    while at < len(code) and code[at] not in ";}":
        if code[at] in "({[":
            at = partner.get(at, at)
        at += 1
    return at


def _without_bodies(structure, at, end):
    code, kept = structure.code, []
    while at < end:
        if code[at] == "{" and is_body(code, at) and at in structure.partner:
            at = structure.partner[at] + 1
            kept.append(" ")
            continue
        kept.append(code[at])
        at += 1
    return "".join(kept)


def _lead(before):
    """Length of the `if (...)`, `else`, `case x:` that comes before the statement itself."""
    at = 0
    while True:
        match = LEAD.match(before, at)
        if match:
            at = match.end()
            continue
        match = re.match(r"\s*(?:if|while|for|switch)\s*(?:constexpr\s*)?\(", before[at:])
        if not match:
            return at
        depth, end = 1, at + match.end()
        while end < len(before) and depth:
            depth += (before[end] == "(") - (before[end] == ")")
            end += 1
        at = end
