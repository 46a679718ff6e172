# SPDX-License-Identifier: Apache-2.0
"""Calls the plugins as a runtime does, and knows the pods that it gave them."""
import contextlib
import json
import os
import pathlib
import resource
import signal
import subprocess
import time
from dataclasses import dataclass

from tests.cluster import inside
from tests.cluster.stores import NODE

NETWORK = "k8s-pod-network"


@dataclass
class Answer:
    status: int
    stdout: str
    stderr: str
    seconds: float

    @property
    def result(self):
        return json.loads(self.stdout)

    @property
    def addresses(self):
        return [ip["address"] for ip in self.result["ips"]]

    @property
    def error(self):
        """(code, message)"""
        said = self.result
        return said["code"], said["msg"]


def configuration(store, plugin="calico", version="1.0.0", ipam=None, **keys):
    """A network of Calico on this store. `keys` replace or add; None removes."""
    conf = {"cniVersion": version, "name": NETWORK, "type": plugin, "nodename": NODE,
            "nodename_file_optional": True, "log_level": "info",
            "ipam": {"type": "calico-ipam", **(ipam or {})}, **store.conf(), **keys}
    return {key: value for key, value in conf.items() if value is not None}


def arguments(pod, namespace="shop", more=""):
    return (f"IgnoreUnknown=1;K8S_POD_NAMESPACE={namespace};K8S_POD_NAME={pod};"
            f"K8S_POD_INFRA_CONTAINER_ID=c-{pod}{more}")


def environment(verb, container, netns, args="", ifname="eth0"):
    return {"CNI_COMMAND": verb, "CNI_CONTAINERID": container, "CNI_NETNS": netns,
            "CNI_IFNAME": ifname, "CNI_PATH": str(inside.bin_dir()), "CNI_ARGS": args}


def start(plugin, conf, env):
    """A process that has been given its input."""
    child = subprocess.Popen([inside.bin_dir() / plugin], env=env, stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with contextlib.suppress(BrokenPipeError):  # VERSION does not read it
        child.stdin.write(json.dumps(conf))
        child.stdin.close()
    child.stdin = None
    return child


def finish(child, started, seconds=120):
    try:
        stdout, stderr = child.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        child.kill()
        stdout, stderr = child.communicate()
        stderr += f"\nkilled after {seconds} s"
    return Answer(child.returncode, stdout, stderr, time.monotonic() - started)


def call(plugin, conf, env, seconds=120):
    started = time.monotonic()
    return finish(start(plugin, conf, env), started, seconds)


def ipam_tool(conf, *options):
    """What `calico-ipam -check` and its like print, whatever their status."""
    path = pathlib.Path("/run/calico-ipam.conf")
    path.write_text(json.dumps(conf))
    return inside.tool(inside.bin_dir() / "calico-ipam", "-conf", path, *options, check=False)


class Pod:
    """A sandbox: a network namespace and a container id of its own."""

    def __init__(self, name, conf, namespace="shop", container=None, more=""):
        self.name, self.conf, self.namespace = name, conf, namespace
        self.container = container or f"c-{name}"
        self.netns = f"/run/netns/{self.container}"
        self.args = arguments(name, namespace, more)
        self.path = str(inside.bin_dir())  # CNI_PATH
        inside.tool("ip", "netns", "add", self.container)
        inside.tool("ip", "-n", self.container, "link", "set", "lo", "up")

    def __call__(self, verb, conf=None, ifname="eth0", seconds=120, **keys):
        """One call. `keys` go into the configuration."""
        conf = {**(conf or self.conf), **keys}
        return call(conf["type"], conf, self.env(verb, ifname), seconds)

    def env(self, verb, ifname="eth0"):
        return {**environment(verb, self.container, self.netns, self.args, ifname),
                "CNI_PATH": self.path}

    def start(self, verb):
        return start(self.conf["type"], self.conf, self.env(verb))

    def remove_namespace(self):
        inside.tool("ip", "netns", "del", self.container, check=False)

    def links(self):
        return {link["ifname"]: link for link in json.loads(
            inside.tool("ip", "-n", self.container, "-j", "-d", "address"))}


def host_links():
    """Names of the host's ends of pods."""
    # ip fails when a link goes while it counts them.
    said = inside.until(lambda: inside.tool("ip", "-j", "link", check=False), what="ip link")
    return sorted(link["ifname"].split("@")[0] for link in json.loads(said)
                  if link["ifname"].startswith("cali"))


def kill(child):
    os.kill(child.pid, signal.SIGKILL)


def children_cpu_ms():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (used.ru_utime + used.ru_stime) * 1000
