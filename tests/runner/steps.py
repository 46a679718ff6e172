# SPDX-License-Identifier: Apache-2.0
"""What a stage does: run commands, build a preset, run tests. Everything goes to the stage's log;
one line a step goes to the terminal, and the interesting part of what failed."""
import os
import pathlib
import signal
import subprocess
import threading
import time

from tests.runner import counts
from tests.runner.counts import Case, FAILED

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
LOGS = BUILD / "test"
SANDBOX = ROOT / "tests/harness/sandbox"
_KILL_GRACE_S = 5


class Interrupted(Exception):
    """Ctrl-C or SIGTERM: no further command is started."""


class Processes:
    """Every child that runs, so that an interruption ends them all."""

    def __init__(self):
        self._lock = threading.Lock()
        self._running = set()
        self.stopped = False

    def start(self, argv, **options):
        with self._lock:
            if self.stopped:
                raise Interrupted
            child = subprocess.Popen(argv, start_new_session=True, stdin=subprocess.DEVNULL,
                                     **options)
            self._running.add(child)
            return child

    def ended(self, child):
        with self._lock:
            self._running.discard(child)
            if self.stopped:
                raise Interrupted

    def stop(self):
        """Ends every child with all of its own: SIGTERM, SIGKILL for who stays."""
        with self._lock:
            self.stopped = True
            children = list(self._running)
        deadline = time.monotonic() + _KILL_GRACE_S
        for number in (signal.SIGTERM, signal.SIGKILL):
            for child in children:
                kill_group(child, number)
            while time.monotonic() < deadline and any(c.poll() is None for c in children):
                time.sleep(0.05)


def kill_group(child, number):
    try:
        os.killpg(child.pid, number)
    except ProcessLookupError:
        pass


class Builds:
    """Each preset is configured and built once a run, whoever asks first; the others wait."""

    def __init__(self):
        self._lock = threading.Lock()
        self._locks = {}
        self._results = {}

    def once(self, preset, build):
        with self._lock:
            lock = self._locks.setdefault(preset, threading.Lock())
        with lock:
            if preset not in self._results:
                self._results[preset] = build()
            return self._results[preset]


class Steps:
    """The steps of one stage, and the cases they counted."""

    def __init__(self, stage, run):
        self.stage = stage
        self.run = run  # processes, builds, environment, seconds of fuzzing
        self.cases = []
        LOGS.mkdir(parents=True, exist_ok=True)
        self._log = open(LOGS / f"{stage}.log", "w", encoding="utf-8", errors="replace")

    def close(self):
        self._log.close()

    def say(self, text):
        print(f"[{self.stage}] {text}", flush=True)

    def count(self, cases):
        self.cases += cases
        for case in cases:
            if case.outcome == FAILED:
                self.say(f"FAILED {case.name}")
                for line in case.text.strip().splitlines()[-60:]:
                    self.say(f"    {line}")

    def command(self, argv, deadline_s=1800, env=None, sandboxed=False):
        """(status, output); status 124 at the deadline. Output is stdout and stderr."""
        argv = [str(arg) for arg in ([SANDBOX] if sandboxed else []) + list(argv)]
        self._log.write(f"\n$ {' '.join(argv)}\n")
        self._log.flush()
        child = self.run.processes.start(argv, cwd=ROOT, env={**self.run.environment, **(env or {})},
                                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                         text=True, errors="replace")
        timer = threading.Timer(deadline_s, kill_group, (child, signal.SIGKILL))
        timer.start()
        lines = []
        for line in child.stdout:
            self._log.write(line)
            self._log.flush()
            lines.append(line)
        status = child.wait()
        overdue = not timer.is_alive()
        timer.cancel()
        self.run.processes.ended(child)
        return (124 if overdue else status), "".join(lines)

    def must(self, what, argv, **options):
        """A step that is one test: it passes with status 0."""
        status, output = self.command(argv, **options)
        if status == 0:
            self.count([Case(what, counts.PASSED)])
        else:
            self.count([Case(what, FAILED, f"status {status}\n{output}")])
        return status == 0

    def build(self, preset, *definitions):
        """What building the preset printed, warnings being errors; None when it failed, which is
        a failed case of every stage that needed it."""
        def configure_and_build():
            started = time.monotonic()
            self.say(f"building preset {preset}")
            status, output = self.command(
                ["cmake", "--preset", preset, "-DTORTIE_WERROR=ON",
                 "-DCMAKE_C_COMPILER_LAUNCHER=ccache", "-DCMAKE_CXX_COMPILER_LAUNCHER=ccache",
                 *definitions])
            if status == 0:
                status, output = self.command(["cmake", "--build", "--preset", preset])
            self.say(f"built preset {preset} in {time.monotonic() - started:.0f} s"
                     if status == 0 else f"cannot build preset {preset}")
            return status, output

        status, output = self.run.builds.once(preset, configure_and_build)
        if status == 0:
            return output
        interesting = [line for line in output.splitlines() if "error" in line.lower()]
        self.count([Case(f"build preset {preset}", FAILED,
                         "\n".join(interesting[:20] or output.splitlines()[-20:]))])
        return None

    def ctest(self, preset, label, sandboxed=False, jobs=1, env=None):
        """Every test of the preset that carries the label."""
        started = time.monotonic()
        self.say(f"running {label} tests ({preset})")
        report = LOGS / f"{self.stage}.{label}.xml"
        report.unlink(missing_ok=True)
        _, output = self.command(
            ["ctest", "--test-dir", BUILD / preset, "--label-regex", f"^{label}$", "--timeout",
             "300", "--parallel", jobs, "--output-on-failure", "--output-junit", report],
            env={"TORTIE_BIN_DIR": str(BUILD / preset / "bin"), **(env or {})},
            sandboxed=sandboxed)
        try:
            cases = counts.from_junit(report)
        except (OSError, counts.ElementTree.ParseError) as error:
            cases = [Case(f"{label} tests", FAILED, f"{error}\n{output[-2000:]}")]
        if not cases:
            cases = [Case(f"{label} tests", FAILED, "there is no test with this label")]
        self.count(cases)
        self.say(f"{label} tests: {counts.in_words(cases)} in {time.monotonic() - started:.0f} s")

    def program(self, argv, sandboxed=False, env=None, deadline_s=1800):
        """A test program that reports by TAP (tests/harness/tap.py)."""
        started = time.monotonic()
        name = os.path.relpath(argv[0], ROOT)
        self.say(f"running {name}")
        status, output = self.command(argv, sandboxed=sandboxed, env=env, deadline_s=deadline_s)
        cases = counts.from_tap(name, output, status)
        self.count(cases)
        self.say(f"{name}: {counts.in_words(cases)} in {time.monotonic() - started:.0f} s")

    def programs(self, folder, **options):
        """Every executable tests/FOLDER/*_test.* that is not C++."""
        found = sorted(path for path in (ROOT / "tests" / folder).glob("*_test.*")
                       if path.suffix in (".py", ".sh"))
        for path in found:
            self.program([path], **options)
        return len(found)
