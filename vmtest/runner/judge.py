# SPDX-License-Identifier: Apache-2.0
"""Whether a row showed what it must: vmtest/expected/ROW.json against what the machine said."""
import fnmatch
import json

from tests.runner.counts import Case, FAILED, PASSED, SKIPPED
from vmtest.runner import results


def _matching(name, patterns):
    """The reason of the first pattern that matches, None when there is none."""
    return next((why for pattern, why in patterns.items() if fnmatch.fnmatchcase(name, pattern)),
                None)


def select(names, expected, filter_):
    """(to run, Cases of what is denied) of the names that the filter takes. A filter is patterns
    between ':', and behind '-' those that it does not take, as GoogleTest's."""
    positive, _, negative = filter_.partition("-")

    def any_of(name, patterns):
        return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns.split(":") if pattern)

    taken = [name for name in names if any_of(name, positive or "*") and not any_of(name, negative)]
    denied = [Case(name, SKIPPED, why) for name in taken
              if (why := _matching(name, expected.denied)) is not None]
    refused = {case.name for case in denied}
    return [name for name in taken if name not in refused], denied


def facts(program, expected):
    """Cases: each expected fact, by name."""
    found = {}
    for line in program.output.splitlines():
        name, _, value = line.partition(": ")
        if value:
            found[name] = value
    cases = []
    for name, value in expected.items():
        if found.get(name) == value:
            cases.append(Case(f"{name} is {value}", PASSED))
        else:
            cases.append(Case(f"{name} is {value}", FAILED,
                              f"it is {found.get(name, 'not told')}\n{program.output[-2000:]}"))
    return cases


def probed(program, expected):
    """Cases: what the prober found out and decided, against what the row must show."""
    start = program.output.find("{")
    try:
        report, _ = json.JSONDecoder().raw_decode(program.output[max(start, 0):])
        decision, findings = report["decision"], report["findings"]
    except (ValueError, KeyError, TypeError) as error:
        return [Case("the prober's report", FAILED, f"{program.end}, {error!r}\n"
                     + program.output[-2000:])]
    cases = []
    for key, value in expected.decision.items():
        same = decision.get(key) == value
        cases.append(Case(f"decision: {key} is {value}", PASSED if same else FAILED,
                          "" if same else json.dumps(decision)))
    for name, answer in expected.findings.items():
        finding = findings.get(name, {})
        same = finding.get("answer") == answer
        cases.append(Case(f"{name}: {answer}", PASSED if same else FAILED,
                          "" if same else json.dumps(finding)))
    return cases


def row(expected, runs, outcome):
    """Every Case of a machine that ran `runs` (image.Run)."""
    report = results.parse(outcome.report)
    cases = [_end_of(report, outcome, expected.console)]
    cases += [Case("step of the plan", FAILED, text) for text in report.failed_steps]
    for run in runs:
        program = report.programs.get(run.name, results.Program())
        if run.cases is not None:
            cases += [_with_skip_judged(case, expected)
                      for case in results.gtest_cases(program, run.cases)]
        elif run.name == "facts":
            cases += facts(program, expected.facts)
        elif run.name == "probe":
            cases += probed(program, expected)
        else:
            cases.append(Case(run.name, PASSED) if program.end == "exited 0" else
                         Case(run.name, FAILED, f"{program.end}\n{program.output[-2000:]}"))
    return cases


def _end_of(report, outcome, excused):
    name = "the kernel is whole at the end"
    broken = results.splats(outcome.console, excused)
    if not report.done or outcome.why or outcome.status not in (0, 1, 3):
        tail = "\n".join(outcome.console.splitlines()[-25:])
        return Case(name, FAILED, f"QEMU ended with {outcome.status} {outcome.why}\n{tail}")
    if broken:
        return Case(name, FAILED, "\n".join(broken[:20]))
    return Case(name, PASSED)


def _with_skip_judged(case, expected):
    """A skip that nobody expected is a failure: a fallback must not be silent."""
    if case.outcome == SKIPPED and _matching(case.name, expected.skips) is None:
        return Case(case.name, FAILED, f"skipped itself, which is not expected here: {case.text}")
    return case
