# SPDX-License-Identifier: Apache-2.0
"""What goes into one machine: the plan for vmtest/guest, the programs to test, and the tools that
tests call, with their libraries."""
import glob
import os
import pathlib
import shutil
import subprocess
from dataclasses import dataclass, field

from vmtest.runner.matrix import FOLDER, ROOT, Wrong
from vmtest.runner.root import Root

BUILD = ROOT / "build"
_GUEST = BUILD / "dev/vmtest/vm_guest"
_PATH = "/tortie/tests:/tortie/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_TOOLS = ("ip", "tc", "ss", "bridge", "nft", "iptables-nft", "iptables-nft-save",
          "iptables-nft-restore", "ip6tables-nft", "ip6tables-nft-save", "ip6tables-nft-restore",
          "iptables-legacy", "iptables-legacy-save", "iptables-legacy-restore", "ip6tables-legacy",
          "ip6tables-legacy-save", "ip6tables-legacy-restore", "conntrack", "sysctl", "unshare",
          "nsenter", "mount", "dash", "bpftool")
_MOUNTS = (("proc", "/proc"), ("sysfs", "/sys"), ("tmpfs", "/run"), ("tmpfs", "/tmp"),
           ("tmpfs", "/dev/shm"), ("devpts", "/dev/pts"), ("securityfs", "/sys/kernel/security"),
           ("debugfs", "/sys/kernel/debug"), ("tracefs", "/sys/kernel/tracing"),
           ("cgroup2", "/sys/fs/cgroup"), ("bpf", "/sys/fs/bpf"))
# Of this machine, as they are: names of protocols and services for nft, xtables' extensions.
_DATA = ("/etc/protocols", "/etc/services", "/etc/iproute2", "/usr/share/iproute2")
_FOLDERS = ("netns", "prog")  # of tests/: what the kernel's answer matters for
_GO_PEERS = ("portmap", "tuning")


@dataclass
class Run:
    """A program of the plan."""
    name: str
    argv: list
    deadline_s: int = 600
    cases: list = None  # the cases that a GoogleTest program is to run, None for another program


@dataclass
class Build:
    """Where what is tested comes from."""
    programs: pathlib.Path = BUILD / "release/bin"
    tests: pathlib.Path = BUILD / "dev/tests"
    go_peers: pathlib.Path = field(
        default_factory=lambda: pathlib.Path(os.environ.get("TORTIE_GO_PLUGINS")
                                             or BUILD / "go-peers"))

    def test_programs(self):
        """{name: path}, in an order that does not change."""
        found = sorted(path for folder in _FOLDERS for path in self.tests.glob(f"{folder}/{folder}_*")
                       if path.is_file() and os.access(path, os.X_OK))
        return {path.name: path for path in found}


def missing():
    """What this machine lacks to make and to run an image; "" when it has all."""
    for name in ("qemu-system-x86_64", "busybox", "dpkg-deb", "apt-get", "objcopy"):
        if shutil.which(name) is None:
            return f"no {name} (scripts/deps vm)"
    busybox = subprocess.run(["ldd", shutil.which("busybox")], capture_output=True, text=True)
    if "=>" in busybox.stdout:
        return "busybox is not busybox-static (scripts/deps vm)"
    return ""


def plan(row, runs, shell=False):
    """The steps of vmtest/guest/guest.cc."""
    steps = [f"mount {kind} {path}" for kind, path in _MOUNTS if path not in row.without_mounts]
    steps += [f"hide {path}" for path in row.hide]
    steps += [f"env {name}={value}" for name, value in (
        ("PATH", _PATH), ("HOME", "/tmp"), ("TERM", "vt100"), ("LC_ALL", "C.UTF-8"),
        ("TORTIE_BIN_DIR", "/tortie/bin"), ("TORTIE_GO_PLUGINS", "/tortie/go"),
        ("TORTIE_VM_ROW", row.name))]
    steps.append("run loopback 60 /usr/sbin/ip link set lo up")
    if row.lockdown:  # after the mounts, which it would not let us make
        steps.append(f"write /sys/kernel/security/lockdown {row.lockdown}")
    steps += [f"run {run.name} {run.deadline_s} {' '.join(run.argv)}" for run in runs]
    if shell:
        steps.append("shell /bin/sh -i")
    return "\n".join(steps) + "\n"


def root_archive(row, runs, build, files=(), command="", shell=False):
    """The packed root file system. `files` are SOURCE or SOURCE:NAME."""
    if not _GUEST.exists():
        raise Wrong(f"no {os.path.relpath(_GUEST, ROOT)}: cmake --preset dev && "
                    "cmake --build --preset dev")
    root = Root()
    root.program(_GUEST, "/init", strip=True)
    root.file("tortie/plan", plan(row, runs, shell).encode())
    root.file("tortie/command", f"{command}\n".encode())
    root.file("etc/passwd", b"root:x:0:0::/tmp:/bin/sh\n")
    root.file("etc/group", b"root:x:0:\n")
    root.file("etc/hosts", b"127.0.0.1 localhost\n::1 localhost\n")
    for script in ("facts.sh", "probe.sh"):
        root.tree(FOLDER / "guest" / script, f"/tortie/{script}")
    _add_build(root, runs, build)
    for text in files:
        source, _, name = text.partition(":")
        if not os.path.exists(source):
            raise Wrong(f"no {source}")
        root.tree(source, name or os.path.abspath(source))
    _add_tools(root, row.iptables)
    return root.packed()


def _add_build(root, runs, build):
    for path in sorted(build.programs.glob("*")):
        name = f"/tortie/bin/{path.name}"
        if path.is_symlink():
            root.link(name, os.readlink(path))
        elif path.is_file():
            root.program(path, name, strip=True)
    for name, path in build.test_programs().items():
        root.program(path, f"/tortie/tests/{name}", strip=True)
    for run in runs:
        if run.cases is not None:
            root.file(f"tortie/tests/{run.name}.flags",
                      f"--gtest_color=no\n--gtest_filter={':'.join(run.cases)}\n".encode())
    for name in _GO_PEERS:
        if (build.go_peers / name).exists():
            root.program(build.go_peers / name, f"/tortie/go/{name}")


def _add_tools(root, iptables):
    path = "/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
    for tool in _TOOLS:
        if found := shutil.which(tool, path=path):
            root.program(found)
    for start in ("iptables", "ip6tables"):
        for end in ("", "-save", "-restore"):
            root.link(f"usr/sbin/{start}{end}", f"{start}-{iptables}{end}")
    for data in (*_DATA, *glob.glob("/usr/lib/*/xtables")):
        if os.path.exists(data):
            root.tree(data)
    root.link("usr/bin/sh", "dash")
    busybox = shutil.which("busybox")
    root.program(busybox, "/usr/bin/busybox")
    # The kernel's way to load a module; and whatever else is not there in a version of its own.
    root.link("usr/sbin/modprobe", "../bin/busybox")
    applets = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True)
    for applet in applets.stdout.split():
        if f"usr/sbin/{applet}" not in root:
            root.link(f"usr/bin/{applet}", "busybox")
