# SPDX-License-Identifier: Apache-2.0
"""What test programs report, as one list of cases: ctest by its JUnit file, others by TAP."""
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"


@dataclass
class Case:
    name: str
    outcome: str
    text: str = ""  # why it was skipped, what a failed one printed


def totals(cases):
    """(passed, failed, skipped)"""
    outcomes = [case.outcome for case in cases]
    return tuple(outcomes.count(outcome) for outcome in (PASSED, FAILED, SKIPPED))


def in_words(cases):
    return "{} passed, {} failed, {} skipped".format(*totals(cases))


def _gtest_skip_reason(output):
    found = re.search(r": Skipped\n(.*?)\n(?:\[|\n)", output, re.DOTALL)
    return " ".join(found.group(1).split()) if found else ""


def from_junit(path):
    """Cases of `ctest --output-junit`. Raises OSError or ParseError when there is no such file."""
    cases = []
    for element in ElementTree.parse(path).iter("testcase"):
        output = element.findtext("system-out") or ""
        name = element.get("name").split("  # GetParam()")[0]
        status = element.get("status")
        if status == "run":
            cases.append(Case(name, PASSED))
        elif element.find("skipped") is not None and status == "notrun":
            reason = _gtest_skip_reason(output) or element.find("skipped").get("message", "")
            # A test whose program is missing is "not run", too: that is no skip.
            broken = "SKIP_REGULAR_EXPRESSION" not in element.find("skipped").get("message", "")
            cases.append(Case(name, FAILED if broken else SKIPPED, reason))
        else:
            failure = element.find("failure")
            message = failure.get("message", "") if failure is not None else status
            cases.append(Case(name, FAILED, f"{message}\n{output}".strip()))
    return cases


_TAP_LINE = re.compile(r"(not )?ok\b(?: \d+)?(?: - )?\s*(.*?)\s*(?:#\s*(SKIP)\S*\s*(.*))?$",
                       re.IGNORECASE)


def from_tap(program, output, status):
    """Cases of a program that printed `output` and ended with `status`. A program that stopped
    before its plan, or failed without saying where, is a failed case of its own."""
    cases, plan = [], None
    for line in output.splitlines():
        if found := re.fullmatch(r"1\.\.(\d+)\s*(?:#.*)?", line):
            plan = int(found.group(1))
        elif found := _TAP_LINE.match(line) if line.startswith(("ok", "not ok")) else None:
            negated, name, directive, reason = found.groups()
            if directive and directive.upper() == "SKIP":
                cases.append(Case(name, SKIPPED, reason))
            else:
                cases.append(Case(name, FAILED if negated else PASSED))
        elif cases and cases[-1].outcome == FAILED and line.startswith("#"):
            cases[-1].text += line[1:].strip() + "\n" if len(line) > 1 else "\n"
    failed = sum(case.outcome == FAILED for case in cases)
    if plan != len(cases):
        tail = "\n".join(output.splitlines()[-20:])
        cases.append(Case(program, FAILED, f"ended with status {status} after {len(cases)} cases, "
                                           f"plan: {plan}\n{tail}"))
    elif status != 0 and not failed:
        cases.append(Case(program, FAILED, f"ended with status {status}, every case passed"))
    return cases
