# SPDX-License-Identifier: Apache-2.0
"""What a machine said, as cases: GoogleTest's output framed by the guest's lines, and what the
kernel printed. Nothing that should have been heard may be missing."""
import fnmatch
import re
from dataclasses import dataclass, field

from tests.runner.counts import Case, FAILED, PASSED, SKIPPED

_MARK = re.compile(r"^@@ (begin|end|failed|done) ?(.*)$", re.M)
_START = re.compile(r"\[ RUN      \] (\S+)$")
_END = re.compile(r"\[ +(OK|FAILED|SKIPPED) +\] ([^\s,]+)(?:,.*)? \(\d+ ms\)$")
_OUTCOMES = {"OK": PASSED, "FAILED": FAILED, "SKIPPED": SKIPPED}
# Lines that a kernel prints when something of it is broken.
_SPLAT = re.compile(r"\bBUG:|\bWARNING:|\bOops\b|Kernel panic|general protection fault|KASAN|UBSAN"
                    r"|\bINFO: task .* blocked|rcu: INFO|soft lockup|hard LOCKUP|refcount_t:"
                    r"|unregister_netdevice: waiting|list_(add|del) corruption|Out of memory"
                    r"|segfault at|scheduling while atomic|suspicious RCU")
_SHOWN_LINES = 25


@dataclass
class Program:
    output: str = ""
    end: str = "did not end"  # "exited 0", "killed 11", "overdue"


@dataclass
class Report:
    programs: dict = field(default_factory=dict)  # name: Program
    failed_steps: list = field(default_factory=list)
    done: bool = False  # the guest came to the end of its plan


def parse(text):
    """The guest's lines (vmtest/guest/guest.cc) and what stood between them."""
    report, current, at = Report(), None, 0
    for mark in _MARK.finditer(text):
        if current is not None:
            current.output += text[at:mark.start()]
        at = mark.end()
        verb, rest = mark.groups()
        if verb == "begin":
            current = report.programs.setdefault(rest, Program())
        elif verb == "end":
            name, _, how = rest.partition(" ")
            report.programs.setdefault(name, Program()).end = how
            current = None
        elif verb == "failed":
            report.failed_steps.append(rest)
        else:
            report.done = True
    if current is not None:
        current.output += text[at:]
    return report


def gtest_cases(program, expected):
    """One Case for each name of `expected`: what its program said about it. A case that began and
    did not end, and one that never began, are failures; so is a program that ended badly for no
    reason that a case shows."""
    outcomes, running, lines = {}, None, []
    for line in program.output.splitlines():
        if start := _START.search(line):
            running, lines = start[1], []
        elif (end := _END.search(line)) and end[2] == running:
            outcomes[running] = Case(running, _OUTCOMES[end[1]], _reason(end[1], lines))
            running = None
        elif running:
            lines.append(line)
    if running:
        outcomes[running] = Case(running, FAILED, f"its program {program.end}\n" + _tail(lines))
    cases = [outcomes.get(name, Case(name, FAILED, f"never began: its program {program.end}"))
             for name in expected]
    if program.end != "exited 0" and all(case.outcome != FAILED for case in cases):
        cases.append(Case("its end", FAILED, f"{program.end}, but no case failed\n"
                          + _tail(program.output.splitlines())))
    return cases


def _tail(lines):
    return "\n".join(lines[-_SHOWN_LINES:])


def _reason(outcome, lines):
    """Why a case skipped itself: what stands behind "FILE:LINE: Skipped"."""
    if outcome == "OK":
        return ""
    if outcome == "FAILED":
        return _tail(lines)
    after = [i for i, line in enumerate(lines) if line.endswith(": Skipped")]
    return " ".join(line.strip() for line in lines[after[0] + 1:] if line) if after else ""


def splats(console, excused):
    """Lines of the console that say that the kernel is broken, but those that a pattern of
    `excused` (fnmatch) matches."""
    return [line for line in console.splitlines() if _SPLAT.search(line)
            and not any(fnmatch.fnmatchcase(line, pattern) for pattern in excused)]


def listed(output):
    """The names that --gtest_list_tests printed."""
    names, suite = [], ""
    for line in output.splitlines():
        line = line.split("#")[0].rstrip()
        if line.startswith("  "):
            names.append(suite + line.strip())
        elif line.endswith("."):
            suite = line
    return [name for name in names if "DISABLED_" not in name]
