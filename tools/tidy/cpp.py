"""C++ read well enough for style checks: literals, brackets, functions, classes.

No parser: text is blanked until only structure is left, and offsets never change.
"""

import bisect
import re
from dataclasses import dataclass

LITERAL = re.compile(
    r'//[^\n]*|/\*.*?\*/'
    r'|\bR"(?P<fence>[^\s()\\]{0,16})\(.*?\)(?P=fence)"'
    r'|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9A-Fa-f])'(?:\\[^\n']+|\\'|[^'\\\n])'", re.S)
DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n\\]|\\\n|\\.)*", re.M)
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])', re.M)
TEMPLATE = re.compile(r"\btemplate\s*<")
CLASS = re.compile(r"(?:typedef\s+)?(?:class|struct|union)\b\s*(?:alignas\s*\([^)]*\)\s*)?"
                   r"(?P<name>[\w:]*)\s*(?:<[^{}]*>)?\s*(?:final\b)?\s*(?::(?!:)[^{}]*)?$")
SCOPE = re.compile(r'(?:inline\s+)?namespace\b[\w\s:]*$|extern\s*"[^"]*"\s*$')
LABEL = re.compile(r"\b(?:public|protected|private)\s*:(?!:)|\[\[[^\]]*\]\]")
CALLABLE = re.compile(r"(operator\s*\(\s*\)|operator\s*[^\s\w(]+|operator\s+[\w:<>]+"
                      r"|~?[\w:~]+)\s*\(")
NOT_NAMES = {"requires", "noexcept", "alignas", "decltype", "explicit", "if", "for", "while",
             "switch", "catch", "return", "sizeof"}
TAIL = re.compile(r"(?:\s|\b(?:const|volatile|override|final|mutable|try)\b|&&?"
                  r"|\bnoexcept\b(?:\s*\([^)]*\))?)*"
                  r"(?:->[^{};]+|\brequires\b[^{};]+|(?<!:):(?!:).*)?$", re.S)
LAMBDA_VALUE = re.compile(r"([\w:]+)\s*=\s*\[[^\]]*\][^=;]*$", re.S)
TESTS = {"TEST", "TEST_F", "TEST_P", "TYPED_TEST", "TYPED_TEST_P"}


def _spaces(text):
    return re.sub(r"[^\n]", " ", text)


def _blank_literal(match):
    token = match.group()
    blank = _spaces(token)
    return blank if token[0] == "/" else token[-1] + blank[1:-1] + token[-1]


def blank_literals(text):
    return LITERAL.sub(_blank_literal, text)


def blank_directives(code):
    return DIRECTIVE.sub(lambda match: _spaces(match.group()), code)


def includes(text, code):
    """(offset, path, is_quoted) of each #include."""
    found = []
    for match in INCLUDE.finditer(code):
        quote = match.group(1)
        path, closed, _ = text[match.end():].partition(">" if quote == "<" else '"')
        if closed:
            found.append((match.start(1), path, quote == '"'))
    return found


def closing_angle(code, start):
    """Offset of the `>` that closes the `<` at `start`, or -1."""
    depth = 0
    for at in range(start, min(len(code), start + 2000)):
        if code[at] == "<":
            depth += 1
        elif code[at] == ">" and code[at - 1] != "-":
            depth -= 1
            if depth == 0:
                return at
        elif code[at] in ";{}":
            return -1
    return -1


@dataclass(frozen=True)
class Function:
    """A function with a body; `owner` is the class it belongs to, "" for a free one."""

    name: str
    owner: str
    before: str  # what stands before the name: the return type and specifiers
    parameters: str
    after: str  # what stands between the parameters and the body
    start: int
    open: int
    close: int


class Structure:
    """Brackets matched, functions and classes found."""

    def __init__(self, code):
        self.code = code
        self.partner = _match_brackets(code)
        self.functions = []
        self.classes = []  # (open, close, name)
        self._scan(0, len(code), "")
        self._starts = [function.start for function in self.functions]

    def function_at(self, offset):
        index = bisect.bisect_right(self._starts, offset) - 1
        if index >= 0 and self.functions[index].close > offset:
            return self.functions[index]
        return None

    def class_at(self, offset):
        around = [(begin, name) for begin, end, name in self.classes if begin < offset < end]
        return max(around)[1] if around else ""

    def _scan(self, at, end, owner):
        start = at
        punctuation = re.compile(r"[(;{}]")
        while match := punctuation.search(self.code, at, end):
            at = match.end()
            if match.group() in ";}":
                start = at
                continue
            close = self.partner.get(match.start(), end)
            at = close + 1
            if match.group() == "{" and self._enter(start, match.start(), close, owner):
                start = at

    def _enter(self, start, brace, close, owner):
        """Handles the block at `brace`; False when it is part of a longer declaration."""
        header = LABEL.sub(lambda m: " " * len(m.group()), self.code[start:brace])
        header = _blank_templates(header)
        if SCOPE.match(header.strip()):
            self._scan(brace + 1, close, owner)
            return True
        if match := CLASS.match(header.strip()):
            name = match.group("name").rpartition("::")[2]
            self.classes.append((brace, close, name))
            self._scan(brace + 1, close, name)
            return True
        function = _read_function(header, start, brace, close, owner)
        if function:
            self.functions.append(function)
        return function is not None


def _match_brackets(code):
    partner, stack = {}, []
    closes = {")": "(", "]": "[", "}": "{"}
    for match in re.finditer(r"[()\[\]{}]", code):
        char, at = match.group(), match.start()
        if char not in closes:
            stack.append((char, at))
            continue
        # A stray bracket (two branches of an #if) must not spoil the rest of the file.
        if any(kind == closes[char] for kind, _ in stack[-8:]):
            while stack:
                kind, begin = stack.pop()
                if kind == closes[char]:
                    partner[begin], partner[at] = at, begin
                    break
    return partner


def _blank_templates(header):
    while match := TEMPLATE.search(header):
        end = closing_angle(header, match.end() - 1)
        end = match.end() if end < 0 else end + 1
        header = header[:match.start()] + " " * (end - match.start()) + header[end:]
    return header


def _read_function(header, start, brace, close, owner):
    if match := LAMBDA_VALUE.search(header):
        return Function(match.group(1), owner, "", "", "", start + match.start(1), brace, close)
    partner = _match_brackets(header)
    at = 0
    while match := CALLABLE.search(header, at):
        name, begin = match.group(1), match.end() - 1
        end = partner.get(begin)
        if end is None:
            return None
        at = end + 1
        if name.strip() in NOT_NAMES:
            continue
        before, after = header[:match.start()], header[end + 1:]
        if re.search(r"(?<![=!<>])=(?!=)", before):
            return None
        if not TAIL.match(after):
            continue
        # In a constructor's list `: a_{x}` the brace belongs to the member.
        has_list = re.search(r"(?<!:):(?!:)", after)
        if has_list and header.rstrip()[-1] not in ")}.":
            return None
        parameters = header[begin + 1:end]
        qualifier, _, last = name.rpartition("::")
        if last in TESTS:
            return Function(".".join(p.strip() for p in parameters.split(",")), owner, "", "", "",
                            start + match.start(1), brace, close)
        return Function(name, qualifier.rpartition("::")[2] or owner, before, parameters, after,
                        start + match.start(1), brace, close)
    return None
