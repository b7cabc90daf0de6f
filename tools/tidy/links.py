"""Files nobody reaches, and links that lead nowhere."""

import posixpath
import re
import urllib.parse

from tidy.repository import Finding

LINKED_FOLDERS = ("docs/adr/", "docs/checklists/")
# What happened stays written as it was: an ADR and a changelog may name files that are gone.
HISTORY = ("docs/adr/", "CHANGELOG.md")
FENCE = re.compile(r"^[ ]{0,3}(```+|~~~+).*?^[ ]{0,3}\1[^\n]*$", re.M | re.S)
CODE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
LINK = re.compile(r"\]\(\s*<?([^()\s<>]+)>?(?:\s+\"[^\"]*\")?\s*\)"
                  r"|^[ ]{0,3}\[[^\]]+\]:\s*(\S+)", re.M)
OURS = re.compile(r"(?:\./)?((?:src|tests|tools)/[^\s:#?,;()'\"]*)")
PLACEHOLDER = re.compile(r"[<>*{}$\[\]]|\.\.\.|\u2026")
STAND_IN = re.compile(r"[A-Z]+(?:_[A-Z]+)*(?:\.\w+)?$")
REAL_CAPITALS = {"README.md", "CHANGELOG.md", "LICENSE"}


def check(repository):
    linked = set()
    for file in repository:
        if file.suffix != ".md":
            continue
        text = _blank(FENCE, file.text)
        yield from _check_links(repository, file, _blank(CODE, text), linked)
        if not file.path.startswith(HISTORY):
            yield from _check_paths(repository, file, text)
    for file in repository:
        if file.path.startswith(LINKED_FOLDERS) and file.path not in linked:
            yield Finding(file.path, 1, "dead-file", "no .md links to it")
    yield from _check_headers(repository)


def _blank(pattern, text):
    return pattern.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), text)


def _check_links(repository, file, text, linked):
    for match in LINK.finditer(text):
        target = urllib.parse.unquote((match.group(1) or match.group(2)).partition("#")[0])
        if not target or re.match(r"[a-z][a-z0-9+.-]*:", target):
            continue
        path = posixpath.normpath(posixpath.join(posixpath.dirname(file.path), target))
        if path != file.path:
            linked.add(path)
        if path != "." and not repository.has(path):
            yield file.finding(match.start(), "link", f"`{target}` does not exist")


def _check_paths(repository, file, text):
    for code in CODE.finditer(text):
        for word in code.group(1).split():
            match = OURS.match(word)
            if not match or PLACEHOLDER.search(word):
                continue
            path = match.group(1).rstrip("/.")
            if any(STAND_IN.match(part) and part not in REAL_CAPITALS for part in path.split("/")):
                continue
            if not repository.has(path):
                yield file.finding(code.start(), "path", f"`{path}` does not exist")


def _check_headers(repository):
    """A header of src/ that only its own .cpp includes offers something that nobody takes."""
    users = {}
    for file in repository.cpp_files():
        for _, path, _ in file.includes:
            users.setdefault(path, set()).add(file.path)
    generators = [file.text for file in repository
                  if file.path.startswith(("tools/", "cmake/")) and file.is_code]
    for file in repository.cpp_files():
        if not (file.is_header and file.path.startswith("src/")):
            continue
        path = file.path.removeprefix("src/")
        others = users.get(path, set()) - {file.path.removesuffix(".hpp") + ".cpp"}
        if not others and not any(path in text for text in generators):
            yield Finding(file.path, 1, "dead-file", "nothing but its own .cpp includes it")
