# SPDX-License-Identifier: Apache-2.0
"""A node to run containers on: network, mount and process namespaces of its own, the plugins in
/opt/cni/bin, and beside it a second network namespace, the outside machine `client`.

    node 198.51.100.1, 2001:db8:100::1 ── uplink ── 198.51.100.2, 2001:db8:100::2 client

The machine's own network, /run, /var/lib and /etc are out of its reach. Whatever runs on a node
ends with destroy(), also when the program that made it is killed."""
import atexit
import ctypes
import fcntl
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
GO_DEBIAN = pathlib.Path("/usr/lib/cni")
OURS = ("loopback", "host-local", "tuning", "portmap")
CALICO = ("calico", "calico-ipam")  # the second is a link to the first
OTHERS = ("bridge", "ptp", "macvlan")  # the links of a chain that come from GO_DEBIAN
NODE_V4, CLIENT_V4 = "198.51.100.1", "198.51.100.2"
NODE_V6, CLIENT_V6 = "2001:db8:100::1", "2001:db8:100::2"
_INIT = pathlib.Path(__file__).with_name("init.py")
_CLONE_NEWNET = 0x40000000
_PREFIX = "tortie-node."
INSIDE = "/run/node"  # where a node sees its folder
_libc = ctypes.CDLL(None, use_errno=True)


def bin_dir():
    return pathlib.Path(os.environ.get("TORTIE_BIN_DIR", ROOT / "build/release/bin"))


def until(condition, seconds=10, what="condition"):
    """Asks again and again; the first true answer, or an AssertionError at the deadline."""
    deadline = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.05)


def remove_cgroups(name):
    """The control groups of a node whose processes were killed."""
    def removed():
        left = []
        for top in pathlib.Path("/sys/fs/cgroup").glob(f"**/{name}"):
            for path, _, _ in os.walk(top, topdown=False):
                try:
                    os.rmdir(path)
                except OSError:  # a killed process has not quite ended yet
                    left.append(path)
        return not left
    until(removed, what=f"control groups {name} removed")


def remove_node(folder):
    """Kills the node of this folder, whoever made it. True when there was one."""
    def processes():
        for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            try:
                argv = path.read_bytes().split(b"\0")[:-1]
            except OSError:  # it has ended
                continue
            if argv[-1:] == [os.fsencode(folder)] and _INIT.name.encode() in b" ".join(argv):
                yield int(path.parent.name)

    found = list(processes())
    for pid in found:
        os.kill(pid, signal.SIGKILL)
    until(lambda: not list(processes()), what=f"node {folder} ended")
    return bool(found)


def sweep():
    """Removes folders and control groups of nodes whose program was killed before it could."""
    for folder in pathlib.Path("/var/tmp").glob(f"{_PREFIX}*"):
        lock = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            remove_node(folder)
            remove_cgroups(folder.name)
            shutil.rmtree(folder, ignore_errors=True)
        except BlockingIOError:
            pass  # somebody's who lives
        finally:
            os.close(lock)


class Node:
    def __init__(self, folder=None, cgroup=None, survive=False):
        """`folder` holds what outlives a boot; without one it is made, and removed with the node.
        `cgroup`: the parent of the containers' control groups. `survive`: the node stays when this
        program ends."""
        self._own_folder = folder is None
        self.folder = pathlib.Path(folder or tempfile.mkdtemp(prefix=_PREFIX, dir="/var/tmp"))
        self.cgroup = cgroup or self.folder.name
        self._lock = os.open(self.folder, os.O_RDONLY)  # sweep() keeps off
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self._init = None
        self._survive = survive
        for name in ("var-lib", "cni-bin", "net.d", "etc", "log"):
            (self.folder / name).mkdir(exist_ok=True)
        if not survive:
            atexit.register(self.destroy)
        try:
            self.boot()
        except BaseException:
            self.destroy()
            raise

    # --- life ---

    def boot(self):
        """A fresh kernel as far as networking goes: no devices, rules, sysctls; /run is empty."""
        ends_with_us = [] if self._survive else ["setpriv", "--pdeathsig", "KILL"]
        with open(self.folder / "log/init.log", "ab") as log:
            self._init = self._unshare(ends_with_us, log)
        if self._init.stdout.readline() != b"ready\n":
            raise AssertionError("the node did not boot: "
                                 + (self.folder / "log/init.log").read_text())
        children = f"/proc/{self._init.pid}/task/{self._init.pid}/children"
        self.pid = int(pathlib.Path(children).read_text().split()[0])
        self.run("ip", "netns", "add", "client")
        self.run("ip", "link", "add", "uplink", "type", "veth", "peer", "name", "uplink",
                 "netns", "client")
        for where, v4, v6 in (((), NODE_V4, NODE_V6), (("-n", "client"), CLIENT_V4, CLIENT_V6)):
            self.run("ip", *where, "addr", "add", f"{v4}/24", "dev", "uplink")
            self.run("ip", *where, "addr", "add", f"{v6}/64", "dev", "uplink", "nodad")
            self.run("ip", *where, "link", "set", "uplink", "up")
            self.run("ip", *where, "link", "set", "lo", "up")

    def _unshare(self, prefix, log):
        return subprocess.Popen(
            [*prefix, "unshare", "--mount", "--net", "--pid", "--fork", "--kill-child",
             "--mount-proc", sys.executable, _INIT, self.folder],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log,
            start_new_session=self._survive)

    def halt(self):
        """Power off: every process of the node is killed, its namespaces end."""
        if self._init:
            self._init.kill()
            self._init.wait()
            self._init.stdout.close()
            self._init = None

    def reboot(self):
        self.halt()
        remove_cgroups(self.cgroup)
        self.boot()

    def destroy(self):
        """Nothing is left. May be called again."""
        self.halt()
        remove_cgroups(self.cgroup)
        if self._own_folder:
            shutil.rmtree(self.folder, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    # --- plugins and configuration ---

    def install(self, folder, names=OURS):
        """Puts plugins into /opt/cni/bin by renaming, as installers do: a runtime may be running
        the old one."""
        for name in names:
            fresh = self.folder / "cni-bin" / f".{name}"
            shutil.copy2(folder / name, fresh, follow_symlinks=False)
            fresh.rename(fresh.with_name(name))

    def put(self, path):
        """Copies a file to the node; its path there."""
        shutil.copy2(path, self.folder / path.name)
        return f"{INSIDE}/{path.name}"

    def configure(self, name, plugins, version="1.0.0"):
        """A network of the node: /etc/cni/net.d/NAME.conflist."""
        (self.folder / "net.d" / f"{name}.conflist").write_text(json.dumps(
            {"cniVersion": version, "name": name, "plugins": plugins}))

    # --- commands and traffic ---

    def argv(self, *command, netns=None):
        """`netns`: a name in /run/netns, or a path."""
        inside = ["nsenter", f"--net={pathlib.Path('/run/netns', netns)}"] if netns else []
        return ["nsenter", f"--target={self.pid}", "--mount", "--net", "--pid", "--",
                *inside, *map(str, command)]

    def start(self, *command, **options):
        return subprocess.Popen(self.argv(*command), stdin=subprocess.DEVNULL,
                                start_new_session=self._survive, **options)

    def run(self, *command, check=True, netns=None, env=None, stdin=None, seconds=60):
        """The command's stdout without the last newline."""
        done = subprocess.run(self.argv(*command, netns=netns), capture_output=True, text=True,
                              env={**os.environ, **(env or {})}, input=stdin, timeout=seconds)
        if check and done.returncode != 0:
            raise AssertionError(f"{' '.join(map(str, command))}: exit {done.returncode}: "
                                 f"{done.stdout}{done.stderr}")
        return done.stdout.rstrip("\n")

    def path(self, inside):
        """The path by which this program reaches a file of the node."""
        return pathlib.Path(f"/proc/{self.pid}/root{inside}")

    def ask(self, address, port, protocol="tcp", netns=None, source_port=0, seconds=3):
        """What a pod answers to one request made on the node or in one of its namespaces:
        (name of the pod, address that it saw); None when there is no answer."""
        where = self.path(f"/run/netns/{netns}") if netns else f"/proc/{self.pid}/ns/net"
        answers = []
        asking = threading.Thread(target=lambda: answers.append(
            _ask(where, address, port, protocol, source_port, seconds)))
        asking.start()
        asking.join()
        if isinstance(answers[0], BaseException):
            raise answers[0]
        return answers[0]


def _ask(namespace, address, port, protocol, source_port, seconds):
    """In a thread of its own, for a namespace belongs to a thread and nobody goes back."""
    try:
        with open(namespace, "rb") as file:
            if _libc.setns(file.fileno(), _CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), f"setns {namespace}")
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        kind = socket.SOCK_DGRAM if protocol == "udp" else socket.SOCK_STREAM
        with socket.socket(family, kind) as asking:
            asking.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            asking.settimeout(seconds)
            try:
                if source_port:
                    asking.bind(("", source_port))
                asking.connect((address, port))
                asking.sendall(b"GET / HTTP/1.0\r\n\r\n")
                answer = b""
                while chunk := asking.recv(4096):
                    answer += chunk
                    if protocol == "udp":
                        break
            except (ConnectionError, TimeoutError, OSError):
                return None
        words = answer.decode().split("\r\n\r\n")[-1].split()
        return tuple(words) if words else None
    except BaseException as error:
        return error
