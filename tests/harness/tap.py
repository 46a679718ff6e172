# SPDX-License-Identifier: Apache-2.0
"""How test programs that are not GoogleTest report: the Test Anything Protocol.

    ok - NAME
    ok - NAME # SKIP reason
    not ok - NAME
    # diagnostics of the case above
    1..N                          the plan; without it the program stopped early

A program in shell prints these lines itself. One in Python uses unittest and ends with

    if __name__ == "__main__":
        tap.main()

where the name of a case is its class and its method, written as a sentence.
"""
import re
import sys
import traceback
import unittest


def say(*lines):
    """Diagnostics: shown when the case fails, kept in the stage's log."""
    for line in "\n".join(lines).splitlines():
        print("#", line, flush=True)


class Report:
    """Prints one line a case as it happens. `failed` counts."""

    def __init__(self):
        self.count = 0
        self.failed = 0

    def ok(self, name):
        self.count += 1
        print(f"ok - {name}", flush=True)

    def not_ok(self, name, *details):
        self.count += 1
        self.failed += 1
        print(f"not ok - {name}", flush=True)
        say(*details)

    def skip(self, name, reason):
        self.count += 1
        print(f"ok - {name} # SKIP {reason}", flush=True)

    def done(self):
        """The plan, and the program's exit status."""
        print(f"1..{self.count}", flush=True)
        return 1 if self.failed else 0


class _Result(unittest.TestResult):
    def __init__(self, report):
        super().__init__()
        self.report = report

    @staticmethod
    def _name(test):
        if not hasattr(test, "_testMethodName"):
            return str(test)  # a class or module that could not be set up
        return f"{type(test).__name__}.{test._testMethodName.removeprefix('test_')}"

    def addSuccess(self, test):
        self.report.ok(self._name(test))

    def addSkip(self, test, reason):
        self.report.skip(self._name(test), reason)

    def addFailure(self, test, err):
        self.report.not_ok(self._name(test), "".join(traceback.format_exception(*err)))

    addError = addFailure

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self.report.not_ok(f"{self._name(test)} {subtest._subDescription()}",
                               "".join(traceback.format_exception(*err)))

    def addExpectedFailure(self, test, err):
        self.addSuccess(test)

    def addUnexpectedSuccess(self, test):
        self.report.not_ok(self._name(test), "was expected to fail")


def main(pattern=None):
    """Runs the unittest cases of the calling program and exits. The first argument, if there is
    one, is a regular expression that selects cases."""
    pattern = re.compile(pattern or (sys.argv[1] if len(sys.argv) > 1 else ""))
    report = Report()

    def selected(suite):
        for test in suite:
            if isinstance(test, unittest.TestSuite):
                yield from selected(test)
            elif pattern.search(test.id()):
                yield test

    cases = unittest.TestSuite(selected(unittest.defaultTestLoader.loadTestsFromModule(
        sys.modules["__main__"])))
    cases.run(_Result(report))
    sys.exit(report.done())
