"""What the tests of tidy's checks share."""

import unittest

from tidy.repository import Repository


class TidyTest(unittest.TestCase):
    def finds(self, check, name, contents):
        """The findings called `name` in a repository of these files; at least one."""
        found = [finding for finding in check(Repository.of(contents)) if finding.check == name]
        self.assertTrue(found, f"{name} found nothing in {contents}")
        return found

    def is_clean(self, check, contents):
        self.assertEqual([], [str(finding) for finding in check(Repository.of(contents))])

    def each_found(self, check, name, cases, path="src/storage/a.cpp", around="{}"):
        for case in cases:
            with self.subTest(case):
                self.finds(check, name, {path: around.format(case)})

    def each_clean(self, check, cases, path="src/storage/a.cpp", around="{}"):
        for case in cases:
            with self.subTest(case):
                self.is_clean(check, {path: around.format(case)})
