# SPDX-License-Identifier: Apache-2.0
"""vmtest/vmtest.py: the command line."""
import argparse
import concurrent.futures
import os
import pathlib
import shlex
import subprocess
import sys
import threading

from tests.harness.tap import Report
from tests.runner import counts
from tests.runner.counts import Case, FAILED, PASSED, SKIPPED
from vmtest.runner import image, judge, kernels, machine, modules, results
from vmtest.runner.matrix import Matrix, ROOT, Wrong

LOGS = ROOT / "build/vmtest"
_FACTS = image.Run("facts", ["/bin/sh", "/tortie/facts.sh"], 300)
_PROBE = image.Run("probe", ["/bin/sh", "/tortie/probe.sh"], 300)
_BOOT_S, _TEST_PROGRAM_S = 300, 900
_HOUR_S = 3600


def _listed_cases(build):
    """{program: names of its cases}, asked of the programs on this machine."""
    found = {}
    for name, path in build.test_programs().items():
        listed = subprocess.run([path, "--gtest_list_tests"], capture_output=True, text=True)
        found[name] = results.listed(listed.stdout)
        if not found[name]:
            raise Wrong(f"{path} lists no test: {listed.stderr.strip()}")
    return found


def test_runs(row, build, subset, filter_):
    """(Runs, Cases of what is denied). Without a subset all programs run whole."""
    runs, denied = [_FACTS, _PROBE], []
    for program, names in _listed_cases(build).items():
        wanted = filter_ or ("*" if subset is None else subset.get(program))
        if not wanted:
            continue
        chosen, refused = judge.select(names, row.expected, wanted)
        denied += refused
        if chosen:
            argv = [f"/tortie/tests/{program}", f"--gtest_flagfile=/tortie/tests/{program}.flags"]
            runs.append(image.Run(program, argv, _TEST_PROGRAM_S, chosen))
    if filter_ and len(runs) == 2:
        raise Wrong(f"no test matches {filter_}")
    return runs, denied


def boot(row, runs, build, options=None, **what):
    """The machine of a row, run to its end. Raises Wrong when its kernel is not there."""
    kernel = kernels.installed(row.kernel)
    if kernel is None:
        raise Wrong(f"kernel {row.kernel.name} is not in the cache (vmtest/vmtest.py get)")
    root = image.root_archive(row, runs, build, **what)
    segment = modules.segment(kernel, row.without_modules)
    deadline_s = _BOOT_S + sum(run.deadline_s for run in runs)
    return machine.boot(kernel.image, [root, segment], LOGS / row.name, deadline_s,
                        shell=what.get("shell", False), **(options or {}))


def list_rows(matrix):
    for row in matrix.rows.values():
        kernel = kernels.installed(row.kernel)
        print(f"{row.name:<14}{'whole' if row.whole else 'subset':<8}"
              f"{kernel.record['package'] if kernel else 'not in the cache'}")
    return 0


def get(matrix, names, again):
    rows = [matrix.row(name) for name in names] if names else matrix.rows.values()
    kernels.get({row.kernel.name: row.kernel for row in rows}.values(), again)
    return 0


def run(matrix, call):
    row = matrix.row(call.row)
    if lack := image.missing():
        raise Wrong(lack)
    kernels.get([row.kernel], say=lambda text: print(text, file=sys.stderr))
    build = _build_of(call)
    options = {"icount": call.icount, "memory": call.memory}
    if call.shell or call.command:
        return _run_command(row, call, build, options)
    runs, denied = test_runs(row, build, matrix.subset if call.subset else None, call.filter)
    outcome = boot(row, runs, build, options, files=call.file)
    cases = judge.row(row.expected, runs, outcome) + denied
    for case in cases:
        if case.outcome != PASSED:
            print(f"{case.outcome.upper()} {case.name}: {case.text.strip()}")
    print(f"{row.name}: {counts.in_words(cases)} in {outcome.seconds:.0f} s, logs in "
          f"{os.path.relpath(LOGS / row.name, ROOT)}")
    return 1 if any(case.outcome == FAILED for case in cases) else 0


def _run_command(row, call, build, options):
    """Its exit status is the command's, 125 when the machine failed."""
    runs = [] if call.shell else [image.Run("command", ["/bin/sh", "/tortie/command"], _HOUR_S)]
    outcome = boot(row, runs, build, options, files=call.file,
                   command=call.command, shell=call.shell)
    if call.shell:
        return 0
    report = results.parse(outcome.report)
    command = report.programs.get("command", results.Program())
    sys.stdout.write(command.output.strip("\n") + "\n")
    for line in report.failed_steps + results.splats(outcome.console, row.expected.console):
        print(line, file=sys.stderr)
    if not report.done:
        print(f"QEMU ended with {outcome.status} {outcome.why}", file=sys.stderr)
    how, _, number = command.end.partition(" ")
    return int(number) if how == "exited" and report.done else 125


def _build_of(call):
    build = image.Build()
    if call.bin:
        build.programs = pathlib.Path(call.bin).resolve()
    elif not build.programs.exists():
        build.programs = image.BUILD / "dev/bin"
    return build


class _Output:
    """Rows end in any order; what is said about one stays together."""

    def __init__(self, tap):
        self._lock = threading.Lock()
        self._report = Report() if tap else None
        self.cases = []

    def row(self, name, cases, seconds):
        with self._lock:
            self.cases += cases
            words = f"{name}: {counts.in_words(cases)} in {seconds:.0f} s"
            if self._report is None:
                for case in cases:
                    if case.outcome == FAILED:
                        print(f"FAILED {name}: {case.name}\n{case.text.rstrip()}")
                print(words, flush=True)
                return
            print(f"# {words}", flush=True)
            for case in cases:
                self._tap(f"{name}: {case.name}", case)

    def _tap(self, name, case):
        if case.outcome == PASSED:
            self._report.ok(name)
        elif case.outcome == SKIPPED:
            self._report.skip(name, " ".join(case.text.split()))
        else:
            self._report.not_ok(name, case.text)

    def end(self):
        if self._report is not None:
            return self._report.done()
        print(counts.in_words(self.cases))
        return 1 if any(case.outcome == FAILED for case in self.cases) else 0


def _matrix_row(matrix, row, build, full):
    """(cases, seconds) of a row; one skipped case when its kernel is not to be had."""
    if kernels.installed(row.kernel) is None:
        return [Case("all of it", SKIPPED, f"kernel {row.kernel.name} cannot be had here")], 0
    subset = None if full or row.whole else matrix.subset
    runs, denied = test_runs(row, build, subset, "")
    outcome = boot(row, runs, build)
    return judge.row(row.expected, runs, outcome) + denied, outcome.seconds


def matrix_rows(matrix, call):
    """Long rows first, so that the last machine does not run alone for long."""
    rows = [matrix.row(name) for name in call.row] or list(matrix.rows.values())
    output = _Output(call.tap)
    if lack := image.missing():
        for row in rows:
            output.row(row.name, [Case("all of it", SKIPPED, lack)], 0)
        return output.end()
    try:
        kernels.get({row.kernel.name: row.kernel for row in rows}.values(),
                    say=lambda text: print("#", text))
    except Wrong as error:
        print("#", error)
    build = _build_of(call)
    rows.sort(key=lambda row: not row.whole)
    with concurrent.futures.ThreadPoolExecutor(call.jobs) as pool:
        running = {pool.submit(_matrix_row, matrix, row, build, call.full): row for row in rows}
        for future in concurrent.futures.as_completed(running):
            output.row(running[future].name, *future.result())
    return output.end()


def _parser():
    parser = argparse.ArgumentParser(prog="vmtest/vmtest.py", description="vmtest/README.md")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("list", help="the rows, and what is in the cache")
    verb = verbs.add_parser("get", help="download kernels into the cache")
    verb.add_argument("row", nargs="*")
    verb.add_argument("--again", action="store_true", help="newer ones, if there are any")
    verb = verbs.add_parser("run", help="the tests, or `-- COMMAND`, on one row")
    verb.add_argument("row")
    verb.add_argument("--subset", action="store_true", help="the short list of tests")
    verb.add_argument("--filter", default="", metavar="PATTERNS", help="as --gtest_filter")
    verb.add_argument("--shell", action="store_true", help="a shell; `exit` ends the machine")
    verb.add_argument("--icount", action="store_true", help="time is the number of instructions")
    verb.add_argument("--memory", default="512M")
    verb.add_argument("-f", "--file", action="append", default=[], metavar="SOURCE[:NAME]",
                      help="a file or folder of this machine that the guest gets, too")
    verb.add_argument("--bin", help="folder of the executables to test (build/release/bin)")
    verb = verbs.add_parser("matrix", help="the tests on every row, or on those that are named")
    verb.add_argument("row", nargs="*")
    verb.add_argument("--full", action="store_true", help="every test on every row")
    verb.add_argument("--jobs", type=int, default=os.cpu_count(), help="machines side by side")
    verb.add_argument("--tap", action="store_true", help="report by the Test Anything Protocol")
    verb.add_argument("--bin", help="folder of the executables to test (build/release/bin)")
    return parser


def main(argv):
    cut = argv.index("--") if "--" in argv else len(argv)
    call = _parser().parse_args(argv[:cut])
    words = argv[cut + 1:]  # one word is a line for the guest's shell, more are a command
    call.command = words[0] if len(words) == 1 else shlex.join(words)
    try:
        matrix = Matrix()
        if call.verb == "list":
            return list_rows(matrix)
        if call.verb == "get":
            return get(matrix, call.row, call.again)
        return run(matrix, call) if call.verb == "run" else matrix_rows(matrix, call)
    except Wrong as error:
        print(f"vmtest: {error}", file=sys.stderr)
        return 2
