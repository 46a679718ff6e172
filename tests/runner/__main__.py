# SPDX-License-Identifier: Apache-2.0
"""The command line of scripts/test, which describes it: chooses stages, runs them, adds up."""
import os
import signal
import subprocess
import sys
import threading
import time

from tests.runner import counts
from tests.runner.counts import Case, FAILED, SKIPPED
from tests.runner.stages import NEED_ROOT, PHASES, STAGES
from tests.runner.steps import BUILD, ROOT, Builds, Interrupted, Processes, Steps

_OPTIONS = {"--list", "--fuzz", "--no-deps"}


class Run:
    """What the stages of one run share."""

    def __init__(self, fuzz_s):
        self.fuzz_s = fuzz_s
        self.processes = Processes()
        self.builds = Builds()
        self.environment = {
            # Neither a caller's CNI variables nor its locale reach a test.
            **{key: value for key, value in os.environ.items()
               if not key.startswith(("CNI_", "LC_", "TORTIE_")) and key != "LANG"},
            "LC_ALL": "C.UTF-8",
            "PYTHONDONTWRITEBYTECODE": "1",
            "CCACHE_BASEDIR": str(ROOT),
            "CCACHE_NOHASHDIR": "1",
        }
        self.results = {}  # stage: (cases, seconds)


def run_stage(name, run):
    steps = Steps(name, run)
    started = time.monotonic()
    steps.say(STAGES[name].__doc__)
    try:
        STAGES[name](steps)
    except Interrupted:
        return
    except Exception as error:  # a defect of the stage itself must not pass for a success
        steps.count([Case(f"stage {name}", FAILED, repr(error))])
    finally:
        steps.close()
    seconds = time.monotonic() - started
    run.results[name] = (steps.cases, seconds)
    steps.say(f"{counts.in_words(steps.cases)}, {seconds:.0f} s")


def run_phase(lanes, run):
    def work(lane, nice):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), nice)  # its children inherit it
        for name in lane:
            if not run.processes.stopped:
                run_stage(name, run)

    nice = os.getpriority(os.PRIO_PROCESS, 0)
    threads = [threading.Thread(target=work, args=(lane, nice + 5 * i))
               for i, lane in enumerate(lanes) if lane]
    for thread in threads:
        thread.start()
    for thread in threads:
        while thread.is_alive():
            thread.join(0.2)  # a bare join would hold back the handler of Ctrl-C


def prepare(run, install):
    """Packages and peers; False when the machine lacks something."""
    if install and subprocess.run([ROOT / "scripts/deps"], stdin=subprocess.DEVNULL).returncode:
        return False
    peers = BUILD / "go-peers"
    built = subprocess.run([ROOT / "scripts/go-peers", peers], stdin=subprocess.DEVNULL)
    if built.returncode == 0:
        run.environment["TORTIE_GO_PLUGINS"] = str(peers)
    else:
        print("scripts/test: tests against the Go plugins v1.9.1 will be skipped", flush=True)
    return True


def summary(run, seconds):
    """Prints it, and returns the exit status."""
    everything = [case for cases, _ in run.results.values() for case in cases]
    print(f"\n{'stage':<10}{'passed':>8}{'failed':>8}{'skipped':>8}{'time':>8}")
    for name in (name for name in STAGES if name in run.results):
        cases, stage_s = run.results[name]
        print("{:<10}{:>8}{:>8}{:>8}{:>6.0f} s".format(name, *counts.totals(cases), stage_s))
    for title, outcome in (("Skipped", SKIPPED), ("Failed", FAILED)):
        listed = [(name, case) for name, (cases, _) in run.results.items() for case in cases
                  if case.outcome == outcome]
        if listed:
            print(f"\n{title}:")
        for name, case in listed:
            reason = case.text.strip().splitlines()[0] if outcome == SKIPPED and case.text else ""
            print(f"  {name}: {case.name}" + (f": {reason}" if reason else ""))
    print(f"\n{seconds / 60:.1f} minutes, logs in build/test/")
    print(counts.in_words(everything), flush=True)
    return 1 if counts.totals(everything)[1] or not everything else 0


def main(argv):
    options = {arg for arg in argv if arg.startswith("-")}
    wanted = [arg for arg in argv if not arg.startswith("-")]
    wrong = sorted(options - _OPTIONS) + [name for name in wanted if name not in STAGES]
    if wrong:
        print(f"scripts/test: no such option or stage: {wrong[0]} (see --help, --list)",
              file=sys.stderr)
        return 2
    if "--list" in options:
        for name, stage in STAGES.items():
            print(f"{name:<10}{stage.__doc__}")
        return 0
    if not wanted:
        wanted = ["fuzz"] if "--fuzz" in options else list(STAGES)
    if os.geteuid() != 0 and NEED_ROOT & set(wanted):
        print("scripts/test: needs root to install packages and to make namespaces; run "
              "`sudo scripts/test`,\nor without root only: "
              + " ".join(name for name in STAGES if name not in NEED_ROOT), file=sys.stderr)
        return 2

    run = Run(fuzz_s=60 if "--fuzz" in options else 5)
    interrupted = []

    def stop(number, _frame):
        interrupted.append(number)
        print("\nscripts/test: interrupted, cleaning up", flush=True)
        run.processes.stop()

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)

    started = time.monotonic()
    print(f"scripts/test: {' '.join(name for name in STAGES if name in wanted)}", flush=True)
    if not prepare(run, "--no-deps" not in options):
        return 130 if interrupted else 1
    for phase in PHASES:
        if not interrupted:
            run_phase([[stage.__name__ for stage in lane if stage.__name__ in wanted]
                       for lane in phase], run)
    if interrupted:
        return 130
    return summary(run, time.monotonic() - started)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
