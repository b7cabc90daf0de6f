"""Which functions of the tree return an awaitable, and whether it holds a value.

Read from declarations, so that a bare `co_await f();` can be told to drop something or nothing.
"""

import re
from dataclasses import dataclass
from functools import cached_property

from tidy import cpp

AWAITABLE = re.compile(r"\b(?:\w+::)*awaitable\s*<")
VOID = re.compile(r"\s*void\s*(?:,[^<>]*)?$")
ALIAS = re.compile(r"\busing\s+(\w+)\s*=\s*[\w:\s<]*$")
LAMBDA_NAME = re.compile(r"(\w+)\s*=\s*$")
SERVICE = re.compile(r"^\s*service\s+(\w+)|^\s*rpc\s+(\w+)", re.M)


@dataclass(frozen=True)
class Declaration:
    name: str
    owner: str  # the class it is a member of, "" for a free function
    is_void: bool
    path: str  # where it was seen; "quire/<service>/v1/" for a generated port
    is_local: bool = False  # a lambda, a parameter or a variable
    is_alias: bool = False  # using Name = std::function<awaitable<...>(...)>


class Index:
    def __init__(self, repository):
        self.repository = repository
        self._visible = {}

    @cached_property
    def by_name(self):
        declarations = [declaration for file in self.repository
                        for declaration in _declarations(file)]
        aliases = [declaration for declaration in declarations if declaration.is_alias]
        found = {}
        for declaration in [*declarations, *self._variables(aliases)]:
            found.setdefault(declaration.name, []).append(declaration)
        return found

    def _variables(self, aliases):
        """Variables of a `using Alias = std::function<awaitable<...>(...)>;`"""
        if not aliases:
            return
        named = "|".join({re.escape(alias.name) for alias in aliases})
        declared = re.compile(r"\b(" + named + r")\b(?:\s*>)?[\s&*]+(\w+)\s*[;,)={]")
        for file in self.repository.cpp_files():
            for match in declared.finditer(file.structure.code):
                for alias in aliases:
                    if alias.name == match.group(1) and self._sees(file, alias):
                        yield Declaration(match.group(2), file.structure.class_at(match.start()),
                                          alias.is_void, file.path)

    def _sees(self, file, declaration):
        return declaration.path == file.path or (not declaration.is_local
                                                 and declaration.path in self.reach(file))

    def visible(self, file, name):
        """Declarations of `name` in `file` and in what it includes, however deep."""
        return [declaration for declaration in self.by_name.get(name, [])
                if self._sees(file, declaration)]

    def reach(self, file):
        if file.path not in self._visible:
            seen, waiting = set(), [file]
            while waiting:
                for _, path, _ in waiting.pop().includes:
                    generated = re.match(r"quire/\w+/v\d+/", path)
                    if generated:
                        seen.add(generated.group())
                    for full in ("src/" + path, path):
                        if full in self.repository.files and full not in seen:
                            seen.add(full)
                            waiting.append(self.repository.files[full])
            self._visible[file.path] = seen
        return self._visible[file.path]

    def owners(self, file, receiver):
        """Every identifier in the declared type of the variable `receiver`."""
        kind = r"(?<![\w.>])(?!return\b|co_return\b)([\w:]+(?:\s*<[^;(){}]*>)?)[\s&*]+"
        declared = re.compile(kind + re.escape(receiver) + r"\s*(?=[;,)={(\[])([^;]*)")
        names = set()
        for path in (file.path, *sorted(self.reach(file))):
            source = self.repository.files.get(path)
            if source is None:
                continue
            for match in declared.finditer(source.structure.code):
                is_deduced = match.group(1).endswith("auto")
                names.update(re.findall(r"\w+", match.group(2 if is_deduced else 1)))
        return names


def _declarations(file):
    if file.suffix == ".proto":
        yield from _methods(file)
    elif file.is_cpp:
        yield from _functions(file)


def _methods(file):
    """Every method of a port answers with a Result."""
    folder = "/".join(file.folders[-3:]) + "/"
    service = ""
    for match in SERVICE.finditer(file.text):
        service = match.group(1) or service
        if match.group(2):
            name = re.sub(r"(?<!^)(?=[A-Z])", "_", match.group(2)).lower()
            yield Declaration(name, service, False, folder)


def _functions(file):
    structure = file.structure
    for match in AWAITABLE.finditer(structure.code):
        end = cpp.closing_angle(structure.code, match.end() - 1)
        if end < 0:
            continue
        is_void = VOID.match(structure.code[match.end():end]) is not None
        rest = structure.code[end + 1:end + 400]
        found = _declared(structure, match.start(), end, rest)
        if found is None:
            continue
        name, owner, is_local, is_alias = found
        yield Declaration(name, owner, is_void, file.path, is_local, is_alias)


def _declared(structure, start, end, rest):
    """(name, owner, is_local, is_alias) of what has the awaitable type at `start`, or None."""
    if match := re.match(r"\s*((?:\w+::)*)(\w+)\s*(\(?)", rest):
        owner = match.group(1).removesuffix("::").rpartition("::")[2]
        return match.group(2), owner or structure.class_at(start), not match.group(3), False
    if rest[:1] == "(":  # std::function<awaitable<void>(int)> name
        after = structure.code[structure.partner.get(end + 1, end) + 1:]
        if match := re.match(r"\s*(?:const\s*)?>+[\s&*]*(\w+)", after[:200]):
            return match.group(1), structure.class_at(start), False, False
        alias = ALIAS.search(structure.code[max(0, start - 120):start])
        return (alias.group(1), "", False, True) if alias else None
    name = lambda_name(structure, start)
    return (name, "", True, False) if name else None


def lambda_name(structure, start):
    """`name` of `name = [...](...) -> awaitable`, whose awaitable stands at `start`."""
    before = structure.code[:start].rstrip()
    if not before.endswith("->"):
        return None
    head = re.sub(r"(?:\s|\bmutable\b|\bnoexcept\b)+$", "", before[:-2])
    at = len(head) - 1
    if at >= 0 and head[at] == ")":
        at = len(head[:structure.partner.get(at, 0)].rstrip()) - 1
    if at < 0 or head[at] != "]":
        return None
    match = LAMBDA_NAME.search(head[max(0, structure.partner.get(at, 0) - 100):
                                    structure.partner.get(at, 0)])
    return match.group(1) if match else None
