#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What vmtest packs into a machine and what it makes of the answer: a row must not pass because
something was not heard."""
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tests.harness import tap
from tests.runner.counts import FAILED, PASSED, SKIPPED
from vmtest.runner import image, judge, kernels, machine, modules, results
from vmtest.runner.cpio import Archive
from vmtest.runner.matrix import Expected, Kernel, Matrix, ROOT, Row, Wrong
from vmtest.runner.root import Root

KERNEL = Kernel("6.1", ("bookworm",), "x")


class Packing(unittest.TestCase):
    def unpacked(self, data):
        """{name: (mode, content)} by what the kernel's format says, not by our writer."""
        found, at = {}, 0
        while data[at:at + 6] == b"070701":
            fields = [int(data[at + 6 + 8 * i:at + 14 + 8 * i], 16) for i in range(13)]
            mode, size, name_size = fields[1], fields[6], fields[11]
            name = data[at + 110:at + 110 + name_size - 1].decode()
            body = (at + 110 + name_size + 3) & ~3
            if name == "TRAILER!!!":
                break
            found[name] = (mode, data[body:body + size])
            at = (body + size + 3) & ~3
        return found

    def test_an_archive_is_what_was_put_in(self):
        archive = Archive()
        archive.file("/a/b/c", b"text", 0o755)
        archive.link("l", "a/b/c")
        archive.device("dev/null", 1, 3)
        found = self.unpacked(archive.packed())
        self.assertEqual(found["a/b/c"], (0o100755, b"text"))
        self.assertEqual(found["l"], (0o120777, b"a/b/c"))
        self.assertEqual(found["dev/null"], (0o020600, b""))
        self.assertEqual(list(found), ["a", "a/b", "a/b/c", "l", "dev", "dev/null"])

    def test_the_same_content_is_the_same_archive(self):
        def packed():
            archive = Archive()
            archive.file("a", b"1")
            return archive.packed()

        self.assertEqual(packed(), packed())
        self.assertEqual(len(packed()) % 512, 0)

    def test_a_program_brings_its_libraries_and_its_loader(self):
        root = Root()
        root.program("/bin/sh")
        found = self.unpacked(root.packed())
        self.assertEqual(found["bin"], (0o120777, b"usr/bin"))
        self.assertIn("usr/bin/dash", found)
        self.assertTrue(any(name.endswith("/libc.so.6") for name in found), list(found))
        self.assertTrue(any("/ld-linux" in name for name in found), list(found))

    def test_every_folder_of_a_file_stands_before_it(self):
        root = Root()
        root.tree(ROOT / "vmtest/expected", "/x/y")
        seen = set()
        for name in self.unpacked(root.packed()):
            folder = name.rpartition("/")[0]
            self.assertTrue(not folder or folder in seen, name)
            seen.add(name)

    def test_a_plan_leaves_out_what_the_row_lacks(self):
        row = Row("x", KERNEL, Expected(), without_mounts=("/sys/fs/bpf",), hide=("/h",),
                  lockdown="integrity")
        steps = image.plan(row, [image.Run("t", ["/t", "-x"], 5)]).splitlines()
        self.assertNotIn("mount bpf /sys/fs/bpf", steps)
        self.assertIn("mount cgroup2 /sys/fs/cgroup", steps)
        self.assertIn("hide /h", steps)
        self.assertIn("write /sys/kernel/security/lockdown integrity", steps)
        self.assertEqual(steps[-1], "run t 5 /t -x")


class Modules(unittest.TestCase):
    class Fake:
        def __init__(self, path):
            self.depends = path.split()

    PATHS = {"nft_nat": "nf_nat nf_tables", "nf_nat": "nf_conntrack", "nf_conntrack": "",
             "nf_tables": "", "veth": ""}

    def closure(self, *without):
        paths = {name: needs for name, needs in self.PATHS.items() if name not in without}
        return modules.closure(paths, ["nft_nat", "veth"], read=self.Fake)

    def test_dependencies_come_along_and_first(self):
        self.assertEqual(list(self.closure()),
                         ["nf_conntrack", "nf_nat", "nf_tables", "nft_nat", "veth"])

    def test_what_needs_a_module_that_is_left_out_is_left_out(self):
        self.assertEqual(list(self.closure("nf_tables")), ["nf_conntrack", "nf_nat", "veth"])

    def test_the_last_one_to_be_loaded_stands_first(self):
        self.assertEqual(modules.dependencies(self.closure(), "nft_nat"),
                         ["nf_tables", "nf_nat", "nf_conntrack"])

    def test_a_module_says_what_it_needs_and_what_it_is_for(self):
        with tempfile.NamedTemporaryFile(suffix=".ko") as file:
            file.write(b"\0\0license=GPL\0alias=net-pf-1\0alias=x:y*\0depends=a-b,c\0\0signature")
            file.flush()
            module = modules.Module(file.name)
        self.assertEqual((module.depends, module.aliases), (["a_b", "c"], ["net-pf-1", "x:y*"]))
        self.assertTrue(module.data.endswith(b"signature"))


class Kernels(unittest.TestCase):
    def test_the_highest_version_is_taken_by_its_numbers(self):
        names = ["linux-image-6.1.0-9-cloud-amd64", "linux-image-6.1.0-56-cloud-amd64",
                 "linux-image-6.1.0-56-amd64", "linux-image-6.1.0-60-cloud-amd64-dbg"]
        pattern = r"linux-image-6\.1\.0-\d+-cloud-amd64"
        self.assertEqual(kernels.candidates(names, pattern), [names[1], names[0]])

    def test_every_row_can_be_read(self):
        matrix = Matrix()
        self.assertLessEqual({"5.10", "6.1", "6.12", "newest"}, matrix.rows.keys())
        for row in matrix.rows.values():
            self.assertIn("portmap's way", row.expected.facts)

    def test_a_key_that_means_nothing_is_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            (folder / "expected").mkdir()
            (folder / "expected/a.json").write_text('{"skip": {}}')
            (folder / "matrix.json").write_text(
                '{"kernels": {"k": {"suites": [], "package": ""}}, "subset": {},'
                ' "rows": {"a": {"kernel": "k"}}}')
            with self.assertRaises(Wrong):
                Matrix(folder)


REPORT = """
@@ begin facts
btf: yes
way: nftables

@@ end facts exited 0

@@ begin t
[ RUN      ] A.Works
some noise
[       OK ] A.Works (1 ms)
[ RUN      ] A.Skips
/x_test.cc:5: Skipped
no sctp
here

[  SKIPPED ] A.Skips (0 ms)
[ RUN      ] A.Fails/1
1 != 2
[  FAILED  ] A.Fails/1, where GetParam() = 4 (7 ms)
[  FAILED  ] 1 test, listed below:
[  FAILED  ] A.Fails/1, where GetParam() = 4

@@ end t exited 1

@@ done 1
"""


def outcome(report=REPORT, console="", status=3, why=""):
    return machine.Outcome(status, report, console, 1.0, why)


class Results(unittest.TestCase):
    def cases(self, names, report=REPORT):
        program = results.parse(report).programs["t"]
        return {case.name: case for case in results.gtest_cases(program, names)}

    def test_outcomes_and_reasons_are_read(self):
        cases = self.cases(["A.Works", "A.Skips", "A.Fails/1"])
        self.assertEqual({name: case.outcome for name, case in cases.items()},
                         {"A.Works": PASSED, "A.Skips": SKIPPED, "A.Fails/1": FAILED})
        self.assertEqual(cases["A.Skips"].text, "no sctp here")
        self.assertEqual(cases["A.Fails/1"].text, "1 != 2")

    def test_a_case_that_was_not_heard_of_is_a_failure(self):
        self.assertEqual(self.cases(["A.Works", "B.Lost"])["B.Lost"].outcome, FAILED)

    def test_a_case_that_its_program_died_in_is_a_failure(self):
        report = "@@ begin t\n[ RUN      ] A.Dies\nlast words\n\n@@ end t killed 11\n"
        case = self.cases(["A.Dies"], report)["A.Dies"]
        self.assertEqual(case.outcome, FAILED)
        self.assertIn("killed 11", case.text)
        self.assertIn("last words", case.text)

    def test_a_program_that_ended_badly_after_its_cases_is_a_failure(self):
        report = REPORT.replace("[  FAILED  ] A.Fails/1, where GetParam() = 4 (7 ms)",
                                "[       OK ] A.Fails/1 (7 ms)").replace("exited 1", "killed 6")
        cases = self.cases(["A.Works", "A.Skips", "A.Fails/1"], report)
        self.assertEqual(cases["its end"].outcome, FAILED)

    def test_a_machine_that_stopped_keeps_what_was_said(self):
        report = results.parse("@@ begin t\n[ RUN      ] A.B\nhalf")
        self.assertFalse(report.done)
        self.assertEqual(report.programs["t"].end, "did not end")
        self.assertIn("half", report.programs["t"].output)

    def test_broken_kernels_are_noticed(self):
        for line in ("[ 1.0] WARNING: CPU: 0 PID: 1 at net/core/dev.c:1", "[ 1.0] BUG: KASAN: x",
                     "[ 2.0] INFO: task ip:1 blocked for more than 120 seconds.",
                     "unregister_netdevice: waiting for eth0 to become free."):
            self.assertEqual(results.splats(f"fine\n{line}\n", ()), [line])
        self.assertEqual(results.splats("[ 1.0] WARNING: known\n", ["*WARNING: known"]), [])

    def test_the_list_of_a_program_is_read(self):
        listed = "Running main()\nA.\n  B\n  DISABLED_C\nP/D.\n  E/0  # GetParam() = x. y\n"
        self.assertEqual(results.listed(listed), ["A.B", "P/D.E/0"])


class Judging(unittest.TestCase):
    RUNS = [image.Run("facts", ["x"]), image.Run("t", ["x"], 1, ["A.Works", "A.Skips"])]
    EXPECTED = Expected(facts={"btf": "yes"}, skips={"A.S*": "why not"})

    def outcomes(self, expected=EXPECTED, told=None):
        return {case.name: case.outcome for case in judge.row(expected, self.RUNS,
                                                              told or outcome())}

    def test_what_was_expected_passes(self):
        told = outcome(REPORT.replace("end t exited 1", "end t exited 0"))
        self.assertEqual(self.outcomes(told=told), {
            "the kernel is whole at the end": PASSED, "btf is yes": PASSED, "A.Works": PASSED,
            "A.Skips": SKIPPED})

    def test_a_skip_that_nobody_expected_is_a_failure(self):
        found = self.outcomes(Expected(facts={"btf": "yes"}))
        self.assertEqual(found["A.Skips"], FAILED)

    def test_another_fact_and_one_that_was_not_told_are_failures(self):
        found = self.outcomes(Expected(facts={"way": "iptables", "new": "yes"}))
        self.assertEqual((found["way is iptables"], found["new is yes"]), (FAILED, FAILED))

    def test_the_probers_answers_are_compared(self):
        report = ('noise\n{"decision": {"ebpf": "adopted", "certain": true},'
                  ' "findings": {"tcx": {"answer": "yes", "evidence": "fd 3"}}}\nmore')
        expected = Expected(decision={"ebpf": "adopted", "certain": False},
                            findings={"tcx": "yes", "netkit": "no"})
        found = judge.probed(results.Program(report, "exited 0"), expected)
        self.assertEqual([(case.name, case.outcome) for case in found],
                         [("decision: ebpf is adopted", PASSED),
                          ("decision: certain is False", FAILED), ("tcx: yes", PASSED),
                          ("netkit: no", FAILED)])

    def test_a_prober_that_says_nothing_is_a_failure(self):
        found = judge.probed(results.Program("killed", "killed 11"), Expected())
        self.assertEqual([case.outcome for case in found], [FAILED])

    def test_a_machine_that_did_not_end_by_itself_is_a_failure(self):
        for told in (outcome(why="silent"), outcome(status=-1),
                     outcome(report=REPORT.replace("@@ done 1", "")),
                     outcome(console="Kernel panic - not syncing\n")):
            self.assertEqual(self.outcomes(told=told)["the kernel is whole at the end"], FAILED)

    def test_what_is_denied_is_not_run_and_counted_as_skipped(self):
        chosen, denied = judge.select(["A.B", "A.C", "D.E"], Expected(denied={"A.C": "too old"}),
                                      "A.*:D.*-D.E")
        self.assertEqual(chosen, ["A.B"])
        self.assertEqual([(case.name, case.outcome, case.text) for case in denied],
                         [("A.C", SKIPPED, "too old")])


class CommandLine(unittest.TestCase):
    def test_a_row_that_is_not_there_is_named_with_those_that_are(self):
        ran = subprocess.run([ROOT / "vmtest/vmtest.py", "run", "no-such"], capture_output=True,
                             text=True)
        self.assertEqual(ran.returncode, 2)
        self.assertIn("no-such", ran.stderr)
        self.assertIn("5.10", ran.stderr)

    def test_instructions_are_the_clock_when_that_is_asked_for(self):
        self.assertNotIn("-icount", machine.arguments("k", "i", "c"))
        self.assertIn("shift=0,sleep=off", machine.arguments("k", "i", "c", icount=True))


if __name__ == "__main__":
    tap.main()
