"""The check `includes` finds what is planted for it, and leaves the right form alone."""

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from tidy import includes  # noqa: E402
from tidy_case import TidyTest  # noqa: E402

HEADER = "#pragma once\n"


class Includes(TidyTest):
    REFUSED = {
        "src/base/a.cpp": ["runtime/log.hpp", "quire/credits/v1/credits.pb.h"],
        "src/runtime/a.cpp": ["storage/database.hpp", "services/credits/ledger.hpp"],
        "src/storage/a.cpp": ["providers/sim.hpp", "messaging/bus.hpp", "app/modules.hpp"],
        "src/services/credits/a.cpp": ["services/auth/auth_store.hpp", "app/modules.hpp",
                                       "ledger.hpp", "tests/support/ledger.hpp"],
        "src/app/modules.cpp": ["main.cpp"],
        "src/services/credits/a_test.cpp": ["tests/contract/credits.hpp"],
    }
    ALLOWED = {
        "src/base/a.cpp": ["base/result.hpp"],
        "src/storage/a.cpp": ["runtime/log.hpp", "base/result.hpp",
                              "quire/credits/v1/credits.pb.h"],
        "src/services/credits/a.cpp": ["services/credits/ledger.hpp", "storage/database.hpp",
                                       "quire/auth/v1/auth_port.hpp", "credits_migrations.hpp"],
        "src/app/modules.cpp": ["services/auth/auth_module.hpp"],
        "src/main.cpp": ["app/modules.hpp"],
        "src/services/credits/a_test.cpp": ["tests/support/ledger.hpp", "services/auth/auth.hpp"],
        "tests/contract/a.cpp": ["tests/contract/b.hpp", "services/auth/auth_store.hpp"],
    }
    LIBRARIES_REFUSED = [
        ("src/base/a.cpp", "boost/asio.hpp"), ("src/base/a.cpp", "openssl/rand.h"),
        ("src/services/gateway/a.cpp", "boost/beast/http.hpp"),
        ("src/app/a.cpp", "nghttp2/nghttp2.h"),
        ("src/services/credits/a.cpp", "sqlite3.h"), ("src/app/a.cpp", "yaml-cpp/yaml.h"),
        ("src/runtime/a.cpp", "CLI/CLI.hpp"), ("src/storage/a.cpp", "yaml-cpp/yaml.h"),
        ("src/runtime/a.cpp", "grpcpp/grpcpp.h"),
        ("src/app/a.cpp", "grpc++/grpc++.h"), ("src/app/a.cpp", "grpc/grpc.h"),
    ]
    LIBRARIES_ALLOWED = [
        ("src/base/a.cpp", "fmt/format.h"), ("src/base/a.cpp", "vector"),
        ("src/base/a.cpp", "sys/random.h"), ("src/runtime/http/a.cpp", "boost/beast/http.hpp"),
        ("src/storage/a.cpp", "sqlite3.h"), ("src/app/a.cpp", "CLI/CLI.hpp"),
        ("src/runtime/config/a.cpp", "yaml-cpp/yaml.h"),
        ("tests/contract/a.cpp", "grpcpp/grpcpp.h"),
        ("src/base/a_test.cpp", "gtest/gtest.h"),
        ("src/services/credits/a.cpp", "boost/asio/post.hpp"),
    ]

    def test_directions(self):
        for path, included in self.REFUSED.items():
            self.each_found(includes.check, "include", included, path, '#include "{}"\n')
        for path, included in self.ALLOWED.items():
            self.each_clean(includes.check, included, path, '#include "{}"\n')

    def test_libraries_have_their_folders(self):
        for path, library in self.LIBRARIES_REFUSED:
            self.each_found(includes.check, "include", [library], path, "#include <{}>\n")
        for path, library in self.LIBRARIES_ALLOWED:
            self.each_clean(includes.check, [library], path, "#include <{}>\n")

    def test_a_folder_without_a_rank_is_found(self):
        self.finds(includes.check, "include", {"src/extras/a.cpp": ""})

    def test_an_include_in_a_comment_or_string_is_none(self):
        self.each_clean(includes.check, ['// #include "app/modules.hpp"\n',
                                         'auto s = R"(\n#include "app/modules.hpp"\n)";\n'])

    def test_the_line_is_that_of_the_include(self):
        found = self.finds(includes.check, "include",
                           {"src/base/a.cpp": '\n#include <vector>\n#include "app/x.hpp"\n'})
        self.assertEqual([3], [finding.line for finding in found])

    def test_own_header_first(self):
        header = {"src/base/a.hpp": HEADER}
        right = '// Why.\n#include "base/a.hpp"\n\n#include <vector>\n'
        self.is_clean(includes.check, header | {"src/base/a.cpp": right})
        for wrong in ('#include <vector>\n#include "base/a.hpp"\n', "int x;\n"):
            self.finds(includes.check, "own-header", header | {"src/base/a.cpp": wrong})

    def test_headers(self):
        self.is_clean(includes.check,
                      {"src/base/a.hpp": "// Why.\n#pragma once\nusing std::string;\n"})
        self.finds(includes.check, "pragma-once", {"src/base/a.hpp": "// #pragma once\n"})
        self.finds(includes.check, "using-namespace",
                   {"src/base/a.hpp": HEADER + "using namespace std;\n"})
        self.is_clean(includes.check, {"src/base/a.cpp": "using namespace std::chrono_literals;\n"})


if __name__ == "__main__":
    unittest.main()
