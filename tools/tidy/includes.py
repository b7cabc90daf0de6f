"""Who may include whom, and what every header and source begins with."""

import re
from pathlib import PurePosixPath

from tidy.repository import Finding

# base <- runtime <- storage, providers <- services/* <- app <- main.cpp
RANKS = {"base": 0, "runtime": 1, "storage": 2, "providers": 2, "services": 3, "app": 4,
         "main.cpp": 5}

# Prefix of a library's headers, where it may be included, and what to do elsewhere.
LIBRARIES = [
    ("boost/beast", ["src/runtime/"], "speak HTTP through runtime"),
    ("nghttp2/", ["src/runtime/"], "speak gRPC through the generated ports"),
    ("sqlite3.h", ["src/storage/"], "go through storage's Database port"),
    ("CLI/", ["src/app/"], "only the commands in app read the command line"),
    ("yaml-cpp/", ["src/runtime/"], "take a config struct"),
    ("re2/", ["src/services/review/"], "match text through review's rules"),
    ("hs/", ["src/services/review/"], "match text through review's rules"),
    ("unicode/", ["src/services/review/", "src/services/prompts/template/characters.cpp"],
     "normalise text through review's Normalizer"),
    ("grpcpp/", ["tests/"], "libgrpc++ is the oracle of the tests only"),
    ("grpc++/", ["tests/"], "libgrpc++ is the oracle of the tests only"),
    ("grpc/", ["tests/"], "libgrpc++ is the oracle of the tests only"),
]

STD = re.compile(r"[a-z_]+$")
POSIX = re.compile(r"(?:(?:sys|netinet|arpa|net)/\w+|unistd|fcntl|pthread|signal|poll|netdb|dirent"
                   r"|termios|spawn|pwd|grp|dlfcn|sched|semaphore)\.h$")
EMBEDDED = re.compile(r"[a-z_]+_migrations\.hpp$")


def check(repository):
    for file in repository.cpp_files():
        if file.path.startswith("cmake/"):
            continue  # The precompiled header is forced in, never included.
        yield from _check_header(file)
        yield from _check_own_header_first(repository, file)
        if file.path.startswith("src/"):
            yield from _check_folder(file)
            for offset, path, is_quoted in file.includes:
                message = _refuse(file, path, is_quoted)
                if message:
                    yield file.finding(offset, "include", message)


def _check_header(file):
    if not file.is_header:
        return
    if not re.search(r"^#pragma once$", file.code, re.M):
        yield Finding(file.path, 1, "pragma-once", "a header begins with #pragma once")
    for match in re.finditer(r"\busing\s+namespace\b", file.code):
        yield file.finding(match.start(), "using-namespace",
                           "a header must not open a namespace for its includers")


def _check_own_header_first(repository, file):
    own = file.path.removesuffix(".cpp") + ".hpp"
    if file.suffix != ".cpp" or own not in repository.files:
        return
    expected = own.removeprefix("src/")
    if not file.includes:
        yield Finding(file.path, 1, "own-header", f'include "{expected}" first')
        return
    offset, path, is_quoted = file.includes[0]
    if not is_quoted or not (own == path or own.endswith("/" + path)):
        yield file.finding(offset, "own-header",
                           f'include "{expected}" first: it proves that the header compiles alone')


def _check_folder(file):
    if len(file.folders) > 1 and file.folders[1] not in RANKS:
        yield Finding(file.path, 1, "include", f"src/{file.folders[1]} has no rank: add it to "
                      "RANKS in tools/tidy/includes.py and to docs/architecture.md")


def _refuse(file, path, is_quoted):
    """Why `file` (below src/) must not include `path`; None when it may."""
    first = PurePosixPath(path).parts[0] if path else ""
    if first == "tests":
        if not file.is_test:
            return "nothing in src/ sees tests/"
        if not path.startswith("tests/support/"):
            return "a unit test may include tests/support/... only"
        return None
    if file.is_test:
        return None
    place = file.folders[1] if len(file.folders) > 1 else file.name
    if place == "base":
        return _refuse_in_base(path, is_quoted)
    if first == "quire":
        return None
    for prefix, allowed, instead in LIBRARIES:
        if path.startswith(prefix) and not file.path.startswith(tuple(allowed)):
            return f"<{path}> belongs in {' and '.join(allowed)}: {instead}"
    return _refuse_project(file, place, path, first) if is_quoted else None


def _refuse_in_base(path, is_quoted):
    if is_quoted and path.startswith("base/"):
        return None
    if not is_quoted and (STD.match(path) or POSIX.match(path) or path.startswith("fmt/")):
        return None
    return f"base depends on std, POSIX and fmt only, not on {path}"


def _refuse_project(file, place, path, first):
    if first not in RANKS:
        if EMBEDDED.match(path):
            return None
        return f'"{path}": project includes are written from src/, as in "base/result.hpp"'
    if place not in RANKS:
        return None
    if first == place == "services":
        own, other = file.folders[2:3], path.split("/")[1]
        if own == (other,):
            return None
        return f'another service is seen only through its port, "quire/{other}/v1/{other}_port.hpp"'
    if first != place and RANKS[first] >= RANKS[place]:
        return f"{place} must not include {first}: base <- runtime <- storage, messaging, " \
               "providers <- services <- app <- main.cpp"
    return None
