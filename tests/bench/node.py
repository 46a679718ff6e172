# SPDX-License-Identifier: Apache-2.0
"""A node for measuring: network and mount namespaces of its own, with empty state directories."""
import collections
import ctypes
import os
import re
import subprocess
import sys

_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def enter(arguments):
    """Starts this program again inside, once."""
    if os.environ.get("TORTIE_BENCH_INSIDE"):
        for directory in ("/run", "/var/lib/cni"):
            os.makedirs(directory, exist_ok=True)
            tool("mount", "-t", "tmpfs", "-o", "size=1g,nr_inodes=400k", "tmpfs", directory)
        tool("ip", "link", "set", "lo", "up")
        return
    os.environ["TORTIE_BENCH_INSIDE"] = "1"
    os.execvp("unshare", ["unshare", "--net", "--mount", "--propagation", "private",
                          sys.executable, *arguments])


def tool(*words, text=None):
    ran = subprocess.run(words, input=text, capture_output=True, text=True)
    if ran.returncode != 0:
        raise RuntimeError(f"{' '.join(words)}: {ran.stderr}")
    return ran.stdout


def switch_to(name):
    """Puts this process, and what it starts, into the network namespace of that name."""
    with open(f"/run/netns/{name}", "rb") as namespace:
        if _libc.setns(namespace.fileno(), _CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"enter {name}")


class Node:
    """A network namespace that is a node with one pod, "<name>-pod"."""

    def __init__(self, name):
        self.name = name
        pod = self.pod = f"{name}-pod"
        tool("ip", "netns", "add", name)
        tool("ip", "netns", "add", pod)
        tool("ip", "-n", name, "link", "set", "lo", "up")
        tool("ip", "-n", name, "link", "add", "vpod", "type", "veth", "peer", "name", "eth0",
             "netns", pod)
        tool("ip", "-n", name, "addr", "add", "10.88.0.1/16", "dev", "vpod")
        tool("ip", "-n", name, "link", "set", "vpod", "up")
        tool("ip", "-n", pod, "addr", "add", "10.88.0.2/16", "dev", "eth0")
        tool("ip", "-n", pod, "link", "set", "eth0", "up")

    @property
    def pod_path(self):
        return f"/run/netns/{self.pod}"

    def enter(self):
        switch_to(self.name)

    def remove(self):
        tool("ip", "netns", "del", self.name)
        tool("ip", "netns", "del", self.pod)


def duplicate_rules():
    """How many rules of this namespace there is another one like, in the same chain."""
    rules = collections.Counter()
    for save in ("iptables-save", "ip6tables-save"):
        rules.update(f"{save} {line}" for line in tool(save).splitlines() if line.startswith("-A"))
    where = ""
    for line in tool("nft", "list", "ruleset").splitlines():
        where = line if line.startswith(("table", "\tchain", "\tmap", "\tset")) else where
        if re.match(r"\t\t[a-z@]", line) and "elements" not in line:
            rules[where + line] += 1
    return sum(count - 1 for count in rules.values())
