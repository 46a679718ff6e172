# SPDX-License-Identifier: Apache-2.0
"""The stages of scripts/test, cheapest first: the docstring of each is what --list shows."""
from tests.runner import counts
from tests.runner.counts import Case, FAILED
from tests.runner.steps import BUILD, ROOT


def check(steps):
    """rules of the tree: layers, owners of libraries, banned words and calls, formatting"""
    steps.programs("check")


def dev(steps):
    """g++ 12, warnings are errors; unit tests, plugins as programs, banned symbols"""
    if steps.build("dev") is None:
        return
    steps.ctest("dev", "unit", jobs=2)
    steps.ctest("dev", "cli", jobs=2)
    steps.program([ROOT / "tests/check/objects.py", BUILD / "dev"])


def netns(steps):
    """real namespaces, devices, rules and traffic (root)"""
    if steps.build("dev") is not None:
        steps.ctest("dev", "netns", sandboxed=True)


def prog(steps):
    """what runs in the kernel, on single packets and real flows (root)"""
    if steps.build("dev") is not None:
        steps.ctest("dev", "prog", sandboxed=True)


def store(steps):
    """the contract of the datastores, against a real etcd (root)"""
    if steps.build("dev") is not None:
        steps.ctest("dev", "store", sandboxed=True)


def fault(steps):
    """kill -9 at every system call, failing system calls (root)"""
    if steps.build("dev") is None:
        return
    steps.ctest("dev", "fault", sandboxed=True)
    steps.programs("fault", sandboxed=True, env={"TORTIE_BIN_DIR": str(BUILD / "dev/bin")})


def asan(steps):
    """clang 14, warnings are errors; unit, cli and netns tests under its sanitizers (root)"""
    if steps.build("asan") is None:
        return
    steps.ctest("asan", "unit", jobs=2)
    steps.ctest("asan", "cli", jobs=2)
    steps.ctest("asan", "netns", sandboxed=True)


def tidy(steps):
    """clang-tidy 14 on what ships (scripts/lint --all: on tests, too, and with its analyzer)"""
    if steps.build("asan") is not None:
        steps.program([ROOT / "tests/check/tidy.py", "--product", "--quick", BUILD / "asan"])


def release(steps):
    """what ships: static, hardened executables, their ELF properties, cli and netns tests (root)"""
    # Without executables every one is linked again, so that the linker's warnings are seen.
    for path in (BUILD / "release/bin").glob("*"):
        path.unlink()
    output = steps.build("release")
    if output is None:
        return
    link_log = BUILD / "test/release.link"
    link_log.write_text(output, encoding="utf-8")
    steps.program([ROOT / "tests/check/elf.py", BUILD / "release/bin", link_log])
    if steps.build("dev") is not None:
        env = {"TORTIE_BIN_DIR": str(BUILD / "release/bin")}
        steps.ctest("dev", "cli", jobs=2, env=env)
        steps.ctest("dev", "netns", sandboxed=True, env=env)


def fuzz(steps):
    """each fuzz target on its corpus and for some seconds of new input"""
    if steps.build("fuzz") is None:
        return
    targets = sorted(path for path in (BUILD / "fuzz/bin").glob("fuzz_*") if path.is_file())
    if not targets:
        steps.count([Case("fuzz targets", FAILED, "there is none in build/fuzz/bin")])
    for target in targets:
        steps.say(f"{target.name}: {steps.run.fuzz_s} s")
        corpus = ROOT / "tests/fuzz/corpus" / target.name.removeprefix("fuzz_")
        found = BUILD / "test/fuzz" / target.name  # new inputs and what crashed
        found.mkdir(parents=True, exist_ok=True)
        steps.must(target.name, [
            target, f"-max_total_time={steps.run.fuzz_s}", "-timeout=10", "-rss_limit_mb=512",
            "-verbosity=1", "-print_final_stats=1", f"-artifact_prefix={found}/crash-", found,
            corpus], deadline_s=steps.run.fuzz_s + 300)


def e2e(steps):
    """real runtimes: containers through podman and containerd with these plugins; the demo (root)"""
    if steps.build("release") is None:
        return
    env = {"TORTIE_BIN_DIR": str(BUILD / "release/bin")}
    if steps.programs("e2e", env=env) == 0:
        steps.count([Case("e2e tests", FAILED, "there is none in tests/e2e")])
    steps.say("running scripts/demo")
    steps.must("scripts/demo", [ROOT / "scripts/demo"], deadline_s=600)


def cluster(steps):
    """real kube-apiserver, etcd, kubelet: the Calico plugins on every datastore (root)"""
    if steps.build("release") is None or steps.build("dev") is None:
        return
    env = {"TORTIE_BIN_DIR": str(BUILD / "release/bin")}
    if steps.programs("cluster", env=env) == 0:
        steps.count([Case("cluster tests", FAILED, "there is none in tests/cluster")])


def image(steps):
    """the container image: files, configuration, bill of materials, reproducible (root)"""
    if steps.build("release") is None:
        return
    if steps.programs("image") == 0:
        steps.count([Case("image tests", FAILED, "there is none in tests/image")])


# Phases run one after the other, the lanes of a phase side by side (the second one at a lower
# priority, for the first has deadlines), the stages of a lane in order.
PHASES = (
    ((check, dev),),
    ((netns, prog, store, fault, e2e, cluster, image), (release, asan, tidy, fuzz)),
)
STAGES = {stage.__name__: stage for phase in PHASES for lane in phase for stage in lane}
NEED_ROOT = {name for name, stage in STAGES.items() if stage.__doc__.endswith("(root)")}
