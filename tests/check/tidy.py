#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""tests/check/tidy.py [--all | --product] [--quick] BUILD_DIR [FILE...]

clang-tidy 14 on the sources of BUILD_DIR's compile_commands.json: all, those of what ships, or the
named ones; with --quick without its static analyzer, which is half of the time. A file that was
clean is not looked at again while it, every header it includes, its flags and .clang-tidy are the
same (build/tidy/ holds one empty file for each such state)."""
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tests.check.tree import ROOT
from tests.harness import tap

_CLEAN = ROOT / "build/tidy"


def _dependencies(build_dir):
    """{object: [files it was made from]}, as ninja recorded them."""
    listed = subprocess.run(["ninja", "-C", build_dir, "-t", "deps"], capture_output=True,
                            text=True, check=True)
    made, current = {}, None
    for line in listed.stdout.splitlines():
        if line.startswith("    "):
            made[current].append(line.strip())
        elif ": #deps" in line:
            current = line.split(":")[0]
            made[current] = []
    return made


def _state(entry, dependencies):
    """A name for everything the answer depends on; None when that is not known."""
    output = re.search(r" -o (\S+)", entry["command"])
    files = dependencies.get(output.group(1)) if output else None
    if not files:
        return None
    state = hashlib.sha256(entry["command"].encode())
    for folder in reversed(pathlib.Path(entry["file"]).parents):
        if ROOT in (folder, *folder.parents) and (folder / ".clang-tidy").exists():
            state.update((folder / ".clang-tidy").read_bytes())
    for name in sorted(files):
        path = pathlib.Path(entry["directory"], name)
        if ROOT in path.resolve().parents:
            state.update(name.encode() + path.read_bytes())
    return state.hexdigest()


def _check(entry, state, options):
    """(file, problems or "")"""
    name = os.path.relpath(entry["file"], ROOT)
    ran = subprocess.run(
        ["clang-tidy-14", "--quiet", *options, "-p", entry["directory"], entry["file"]],
        cwd=ROOT, capture_output=True, text=True)
    if ran.returncode == 0:
        if state:
            (_CLEAN / state).touch()
        return name, ""
    return name, ran.stdout.replace(f"{ROOT}/", "") or ran.stderr


def main(argv):
    everything, product, quick = "--all" in argv, "--product" in argv, "--quick" in argv
    options = ["--checks=-clang-analyzer-*"] if quick else []
    build_dir, *files = [arg for arg in argv if not arg.startswith("--")]
    wanted = {str(pathlib.Path(file).resolve()) for file in files}
    entries = json.loads(pathlib.Path(build_dir, "compile_commands.json").read_text())
    entries = [entry for entry in entries if everything or entry["file"] in wanted
               or (product and str(ROOT / "tests") not in entry["file"])]
    dependencies = _dependencies(build_dir)
    _CLEAN.mkdir(parents=True, exist_ok=True)

    report, unchanged, work = tap.Report(), [], []
    for entry in entries:
        state = _state(entry, dependencies)
        whole = state and _CLEAN / state
        if quick and state:
            state += "-quick"
        if state and ((_CLEAN / state).exists() or whole.exists()):
            unchanged.append(os.path.relpath(entry["file"], ROOT))
        else:
            work.append((entry, state))
    tap.say(f"{len(unchanged)} files are as they were when they were found clean, "
            f"{len(work)} to look at")
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for name, problems in pool.map(lambda job: _check(*job, options), work):
            if problems:
                report.not_ok(name, problems)
            else:
                report.ok(name)
    for name in unchanged:
        report.ok(name)
    return report.done()


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1:]))
