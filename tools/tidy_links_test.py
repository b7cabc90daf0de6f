"""The check `links` finds what is planted for it, and leaves the right form alone."""

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from tidy import links  # noqa: E402
from tidy_case import TidyTest  # noqa: E402

HEADER = "#pragma once\n"


class Links(TidyTest):
    def test_headers_that_nobody_takes(self):
        pair = {"src/base/a.hpp": HEADER, "src/base/a.cpp": '#include "base/a.hpp"\n'}
        self.finds(links.check, "dead-file", pair)
        self.is_clean(links.check, pair | {"src/base/b.cpp": '#include "base/a.hpp"\n'})
        self.is_clean(links.check, pair | {"tools/generator/main.cpp": 'p("base/a.hpp");'})

    def test_documents_that_nothing_links(self):
        for path in ("docs/adr/0001-a.md", "docs/checklists/add-a-service.md"):
            self.finds(links.check, "dead-file", {path: f"[self]({path.split('/')[-1]})"})
            self.is_clean(links.check, {path: "", "README.md": f"[why]({path}#choice)"})

    def test_links(self):
        for link in ("[a](gone.md)", "[a](../x/gone.md)", "![a](gone.png)", "[a]: gone.md",
                     '[a](gone.md#part "title")'):
            self.finds(links.check, "link", {"docs/a.md": f"See\n{link}\n"})
        right = ("[a](b.md) [b](../README.md#top) [c](#part) [d](https://x.y/z.md) [e](guides/)\n"
                 "[f](mailto:a@b.c) `[g](gone.md)`\n```\n[h](gone.md)\n```\n[i]: <b.md>\n"[:-8])
        self.is_clean(links.check, {"docs/a.md": right, "docs/b.md": "", "README.md": "",
                                    "docs/guides/c.md": ""})

    def test_paths_in_backticks(self):
        for path in ("src/base/gone.cpp", "tools/gone.py --all", "python3 tests/gone.py",
                     "./tools/x"):
            self.finds(links.check, "path", {"README.md": f"run `{path}` now"})
        right = ("`src/base/a.cpp:12` `tools/a.py` `python3 tools/a.py --x` `src/base/`\n"
                 "`src/base` `src/services/<name>/` `src/*.cpp` `tests/bench/NAME.py` `src/...`\n"
                 "```\ntools/gone.py\n```\n")
        self.is_clean(links.check, {"README.md": right, "src/base/a.cpp": "", "tools/a.py": ""})

    def test_history_may_name_what_is_gone(self):
        self.is_clean(links.check, {"CHANGELOG.md": "`src/gone.cpp` [a](docs/adr/0001-a.md)",
                                    "docs/adr/0001-a.md": "`src/gone.cpp`"})


if __name__ == "__main__":
    unittest.main()
