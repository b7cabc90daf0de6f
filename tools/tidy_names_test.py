"""The check `names` finds what is planted for it, and leaves the right form alone."""

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from tidy import names  # noqa: E402
from tidy.repository import FILE_BYTES_MAX  # noqa: E402
from tidy_case import TidyTest  # noqa: E402


class Names(TidyTest):
    def test_folders(self):
        for folder in names.REFUSED_FOLDERS:
            self.finds(names.check, "folder-name", {f"src/{folder}/a.cpp": ""})
        self.is_clean(names.check, {"api/proto/quire/common/v1/money.proto": "",
                                    "src/base/core.cpp": ""})

    def test_files(self):
        for path in ("src/base/myFile.cpp", "src/base/my-file.cpp", "tests/E2e/a.py", "src/a.h"):
            self.finds(names.check, "file-name", {path: ""})
        self.is_clean(names.check, dict.fromkeys(
            ["src/base/my_file_2.cpp", "src/README.md", "tests/compat/package-lock.json",
             "src/services/credits/migrations/sqlite/0001_accounts.sql", "tests/fuzz/corpus/A-1",
             "tests/e2e/__init__.py", "tests/CMakeLists.txt", "web/dashboard/App.svelte"], ""))

    def test_what_is_not_source(self):
        self.finds(names.check, "file-size", {"docs/a.png": b"x" * (FILE_BYTES_MAX + 1)})
        self.finds(names.check, "binary", {"tools/thing": b"\x7fELF\2\1\1\0"})
        self.finds(names.check, "binary", {"tools/thing": b"!<arch>\nabc"})
        self.finds(names.check, "binary", {"src/base/a.o": b"abc"})
        self.is_clean(names.check, {"docs/a.png": b"x" * FILE_BYTES_MAX,
                                    "tools/run": "#!/bin/sh\n"})

    def test_secrets(self):
        key = "-----BEGIN " + "EC PRIVATE KEY-----"
        ours = "qk_live_" + "aB3" * 14 + "x"
        theirs = "sk-proj-" + "aB3_" * 10
        for secret in (key, ours, theirs):
            for path in ("docs/a.md", "deploy/a.yaml", "src/base/a.cpp"):
                self.finds(names.check, "secret", {path: f"key: {secret}\n"})
        for path in ("tests/e2e/a.py", "src/services/auth/api_key_test.cpp"):
            self.finds(names.check, "secret", {path: key})
            self.is_clean(names.check, {path: ours + " " + theirs})
        self.is_clean(names.check, {
            "docs/a.md": "-----BEGIN PUBLIC KEY-----, `qk_live_...`, sk-1234, "
                         "task-0123456789012345678901234567890123456789"})


if __name__ == "__main__":
    unittest.main()
