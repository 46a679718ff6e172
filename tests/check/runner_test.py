#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What scripts/test counts: a run that lost a test must not look like a good one."""
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tests.check.tree import ROOT
from tests.harness import tap
from tests.runner import counts

JUNIT = """<testsuite>
<testcase name="A.Works" status="run"><system-out>fine</system-out></testcase>
<testcase name="A.IsSkipped" status="notrun">
<skipped message="SKIP_REGULAR_EXPRESSION_MATCHED"/>
<system-out>[ RUN      ] A.IsSkipped
/a/b_test.cc:19: Skipped
no sctp
in this kernel

[  SKIPPED ] A.IsSkipped (0 ms)
</system-out></testcase>
<testcase name="A.Fails/iptables  # GetParam() = 8-byte object &lt;B0-2B&gt;" status="fail"><failure message=""/><system-out>1 != 2</system-out></testcase>
<testcase name="a_NOT_BUILT" status="notrun">
<skipped message="Unable to find executable"/><system-out/></testcase>
</testsuite>"""


class Junit(unittest.TestCase):
    def cases(self):
        with tempfile.NamedTemporaryFile("w", suffix=".xml") as file:
            file.write(JUNIT)
            file.flush()
            return {case.name: case for case in counts.from_junit(file.name)}

    def test_outcomes_are_counted(self):
        self.assertEqual(counts.totals(self.cases().values()), (1, 2, 1))

    def test_a_skip_gives_its_reason(self):
        self.assertEqual(self.cases()["A.IsSkipped"].text, "no sctp in this kernel")

    def test_a_failure_shows_what_was_printed(self):
        self.assertIn("1 != 2", self.cases()["A.Fails/iptables"].text)

    def test_a_program_that_was_not_built_is_a_failure(self):
        self.assertEqual(self.cases()["a_NOT_BUILT"].outcome, counts.FAILED)


class Tap(unittest.TestCase):
    def totals(self, output, status=0):
        return counts.totals(counts.from_tap("x_test.py", output, status))

    def test_outcomes_are_counted(self):
        output = "ok - a\nok 2 - b # SKIP no root\nnot ok - c\n# why\n1..3\n"
        self.assertEqual(self.totals(output, 1), (1, 1, 1))

    def test_a_skip_gives_its_reason(self):
        case, = counts.from_tap("x", "ok - b # SKIP no root\n1..1\n", 0)
        self.assertEqual((case.name, case.text), ("b", "no root"))

    def test_diagnostics_belong_to_the_failure_before_them(self):
        case = counts.from_tap("x", "not ok - c\n# why\n1..1\n", 1)[0]
        self.assertEqual(case.text, "why\n")

    def test_a_program_without_a_plan_is_a_failure(self):
        self.assertEqual(self.totals("ok - a\n"), (1, 1, 0))

    def test_a_program_that_ran_less_than_its_plan_is_a_failure(self):
        self.assertEqual(self.totals("1..2\nok - a\n"), (1, 1, 0))

    def test_a_status_without_a_failed_case_is_a_failure(self):
        self.assertEqual(self.totals("ok - a\n1..1\n", 139), (1, 1, 0))

    def test_a_line_that_only_starts_like_a_case_is_none(self):
        self.assertEqual(self.totals("okay then\nok - a\n1..1\n"), (1, 0, 0))


class CommandLine(unittest.TestCase):
    def run_test(self, *args):
        return subprocess.run([ROOT / "scripts/test", *args], capture_output=True, text=True)

    def test_an_unknown_option_is_named_and_ends_with_2(self):
        ran = self.run_test("--no-such")
        self.assertEqual(ran.returncode, 2)
        self.assertIn("--no-such", ran.stderr)

    def test_an_unknown_stage_is_named_and_ends_with_2(self):
        ran = self.run_test("nothing")
        self.assertEqual(ran.returncode, 2)
        self.assertIn("nothing", ran.stderr)

    def test_the_list_has_every_stage(self):
        ran = self.run_test("--list")
        self.assertEqual(ran.returncode, 0)
        self.assertEqual([line.split()[0] for line in ran.stdout.splitlines()],
                         ["check", "dev", "netns", "prog", "store", "fault", "e2e", "cluster",
                          "image", "release", "asan", "tidy", "fuzz"])


@unittest.skipUnless(os.geteuid() == 0, "needs root")
class Sandbox(unittest.TestCase):
    def test_what_runs_in_it_ends_with_it_when_it_is_killed(self):
        with tempfile.NamedTemporaryFile("r") as file:
            sandbox = subprocess.Popen(
                [ROOT / "tests/harness/sandbox", "/bin/sh", "-c",
                 f"ip netns add inside; setsid sleep 300 & readlink /proc/self/ns/pid >{file.name};"
                 "wait"], start_new_session=True)
            deadline = time.monotonic() + 10
            while not (namespace := file.read().strip()) and time.monotonic() < deadline:
                time.sleep(0.01)
            self.assertTrue(self.processes_in(namespace))
            os.kill(sandbox.pid, signal.SIGKILL)
            sandbox.wait()
            while self.processes_in(namespace) and time.monotonic() < deadline:
                time.sleep(0.01)
            self.assertEqual(self.processes_in(namespace), [])
            self.assertFalse(os.path.exists("/run/netns/inside"))

    @staticmethod
    def processes_in(namespace):
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                if os.readlink(f"/proc/{pid}/ns/pid") == namespace:
                    found.append(int(pid))
            except OSError:
                pass  # it has just ended
        return found


if __name__ == "__main__":
    tap.main()
