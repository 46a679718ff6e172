# SPDX-License-Identifier: Apache-2.0
"""Where these tests run: tests/harness/sandbox, an empty node of its own in which the servers, the
plugins and the test itself are ordinary processes. It ends with the test, whatever happens."""
import ctypes
import os
import pathlib
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHARED = pathlib.Path(os.environ.get("TORTIE_SHARED", ROOT.parent / "shared"))
NODE_IP, CLIENT_IP = "198.51.100.1", "198.51.100.2"
_SANDBOX = ROOT / "tests/harness/sandbox"
_MARK = "TORTIE_CLUSTER_INSIDE"
_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def bin_dir():
    return pathlib.Path(os.environ.get("TORTIE_BIN_DIR", ROOT / "build/release/bin"))


def enter():
    """Starts this program again inside the sandbox, once. There: a cable to a namespace `client`,
    as every node has one to somewhere."""
    if os.environ.pop(_MARK, None):
        os.makedirs("/run/cluster", exist_ok=True)
        tool("ip", "netns", "add", "client")
        tool("ip", "link", "add", "uplink", "type", "veth", "peer", "name", "uplink", "netns",
             "client")
        for where, address in (((), NODE_IP), (("-n", "client"), CLIENT_IP)):
            tool("ip", *where, "addr", "add", f"{address}/24", "dev", "uplink")
            tool("ip", *where, "link", "set", "uplink", "up")
            tool("ip", *where, "link", "set", "lo", "up")
        tool("ip", "route", "add", "default", "via", CLIENT_IP)
        return
    os.environ[_MARK] = "1"
    os.execv(_SANDBOX, [str(_SANDBOX), sys.executable, "-B", *sys.orig_argv[_program_at():]])


def _program_at():
    """Where in the command line the program's own name stands."""
    return next(i for i, word in enumerate(sys.orig_argv) if i and not word.startswith("-")
                or word == "-m")


def tool(*words, text=None, check=True, seconds=60):
    """What the command printed on stdout."""
    ran = subprocess.run([str(word) for word in words], input=text, capture_output=True, text=True,
                         timeout=seconds, check=False)
    if check and ran.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, words))}: {ran.stdout}{ran.stderr}")
    return ran.stdout


def until(condition, seconds=10, what="condition", pause=0.05):
    """Asks again and again; the first true answer, or an AssertionError at the deadline."""
    deadline = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(pause)


def switch_to(name):
    """Puts the calling thread, and what it starts, into the network namespace of that name; None
    is the node's own."""
    path = f"/run/netns/{name}" if name else f"/proc/{os.getpid()}/ns/net"
    with open(path, "rb") as namespace:
        if _libc.setns(namespace.fileno(), _CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"enter {name}")
