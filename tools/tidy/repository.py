"""The files of the repository, each read once, and what a check says about them."""

import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from tidy import cpp

FILE_BYTES_MAX = 1 << 20
SKIPPED_FOLDERS = {"build", "node_modules", "__pycache__"}
CPP_SUFFIXES = {".cpp", ".hpp"}
CODE_SUFFIXES = CPP_SUFFIXES | {".py", ".sh", ".proto", ".sql", ".cmake", ".ts", ".js", ".mjs",
                                ".svelte"}


@dataclass(frozen=True, order=True)
class Finding:
    path: str
    line: int
    check: str
    message: str

    def __str__(self):
        return f"{self.path}:{self.line}: {self.check}: {self.message}"


class SourceFile:
    """One file; what is derived from its text is computed when a check first asks for it."""

    def __init__(self, path, data, size=None):
        self.path = path
        self.data = data
        self.size = len(data) if size is None else size
        pure = PurePosixPath(path)
        self.name, self.suffix, self.folders = pure.name, pure.suffix, pure.parts[:-1]
        self.is_cpp = self.suffix in CPP_SUFFIXES
        self.is_header = self.suffix == ".hpp"
        # Tests may see everything; benches and fuzz targets are built only with them.
        self.is_test = path.startswith("tests/") or pure.stem.endswith(("_test", "_bench", "_fuzz"))
        self.is_planted = path.startswith("tools/tidy_") and path.endswith("_test.py")

    @cached_property
    def text(self):
        return "" if b"\0" in self.data[:4096] else self.data.decode("utf-8", "replace")

    @cached_property
    def lines(self):
        return self.text.splitlines()

    @cached_property
    def is_script(self):
        return self.suffix == ".sh" or self.text.startswith("#!/usr/bin/env bash")

    @cached_property
    def is_code(self):
        return self.suffix in CODE_SUFFIXES or self.name == "CMakeLists.txt" or self.is_script

    @cached_property
    def code(self):
        """The C++ text with comments and the insides of literals blanked; offsets stay right."""
        return cpp.blank_literals(self.text)

    @cached_property
    def structure(self):
        """Brackets, functions and classes of the C++ text, without preprocessor lines."""
        return cpp.Structure(cpp.blank_directives(self.code))

    @cached_property
    def includes(self):
        return cpp.includes(self.text, self.code)

    def line_of(self, offset):
        return self.text.count("\n", 0, offset) + 1

    def finding(self, offset, check, message):
        return Finding(self.path, self.line_of(offset), check, message)


class Repository:
    """Every file that git knows or would add, by its path from the root."""

    def __init__(self, files):
        self.files = {file.path: file for file in files
                      if not SKIPPED_FOLDERS.intersection(file.folders)}
        self.folders = {str(parent) for path in self.files
                        for parent in PurePosixPath(path).parents}

    @classmethod
    def of(cls, contents):
        """A repository in memory: {path: text or bytes}."""
        return cls(SourceFile(path, content.encode() if isinstance(content, str) else content)
                   for path, content in contents.items())

    @classmethod
    def from_git(cls, root):
        # The root may belong to another user: a container that mounts a checkout.
        command = ["git", "-c", f"safe.directory={root}", "-C", str(root), "ls-files", "-z", "-co",
                   "--exclude-standard"]
        listed = subprocess.run(command, capture_output=True, check=True).stdout.decode()
        return cls(_read(Path(root), path) for path in sorted(set(listed.split("\0")))
                   if path and (Path(root) / path).is_file())

    def __iter__(self):
        return iter(self.files.values())

    def cpp_files(self):
        return [file for file in self if file.is_cpp]

    def has(self, path):
        return path in self.files or path in self.folders


def _read(root, path):
    with open(root / path, "rb") as stream:
        data = stream.read(FILE_BYTES_MAX + 1)
    return SourceFile(path, data, (root / path).stat().st_size)
