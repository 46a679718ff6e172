# SPDX-License-Identifier: Apache-2.0
"""The work of scripts/demo, which describes it: boots a node, runs pods on it, shows, removes."""
import fcntl
import json
import os
import pathlib
import platform
import shutil
import signal
import sys
import time

from tests.demo import screen, view
from tests.e2e import machine, recorder
from tests.e2e.case import pod_image
from tests.e2e.containerd import Containerd
from tests.e2e.node import (CALICO, CLIENT_V4, GO_DEBIAN, INSIDE, NODE_V4, OURS, ROOT, Node,
                            bin_dir, remove_cgroups, remove_node)
from tests.e2e.podman import Podman

_HERE = pathlib.Path(__file__).parent
_FOLDER = ROOT / "build/demo"
_CGROUP = "tortie-demo"


def say(text):
    print(f"demo: {text}", flush=True)


class Demo:
    def __init__(self, keep):
        self.node = Node(_FOLDER, _CGROUP, survive=keep)
        self.pods = []
        self._runtime = None  # containerd, when it runs

    def prepare(self):
        chains = sorted((_HERE / "net.d").glob("*.conflist"))
        for chain in chains:
            shutil.copy(chain, self.node.folder / "net.d")
        self.node.install(bin_dir(), OURS + CALICO)
        self.node.install(GO_DEBIAN, ["bridge"])
        recorder.record(self.node, (*OURS, "calico"))
        # What a node has from its own configuration: it forwards, and knows a way out.
        self.node.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
        self.node.run("ip", "route", "add", "default", "via", CLIENT_V4)
        say(f"plugins in /opt/cni/bin: {' '.join(OURS + CALICO)} of this tree, bridge of Debian; "
            f"networks: {' '.join(chain.stem for chain in chains)}")
        said = self.node.run("calico-ipam", "-apply", self.node.put(_HERE / "pools.yaml"),
                             env={"PATH": f"/opt/cni/bin:{os.environ['PATH']}"})
        say(f"calico-ipam -apply pools.yaml: {' '.join(said.split()) or 'done'}")

    def run_pods(self):
        self._start = {"containerd": self._containerd, "podman": self._podman}
        for wanted in json.loads((_HERE / "pods.json").read_text()):
            started = time.monotonic()
            pod = self._start[wanted["runtime"]](wanted)
            self.pods.append(pod)
            say(f"{pod.runtime} started pod {pod.name}, {' '.join(pod.addresses)}, in "
                f"{time.monotonic() - started:.1f} s")
        if self._runtime:
            self._runtime.close()

    def _containerd(self, wanted):
        if self._runtime is None:
            say("starting containerd")
            self._runtime = Containerd(self.node)
            self._runtime.load(pod_image())
            self._runtime.wait_for_network()
        sandbox, _ = self._runtime.run_pod(wanted["name"], [
            (protocol.upper(), port, inner) for protocol, port, inner in wanted["ports"]],
            annotations=wanted["annotations"])
        return view.Pod(**wanted, id=sandbox, addresses=self._runtime.addresses(sandbox))

    def _podman(self, wanted):
        podman = Podman(self.node, wanted["network"])
        podman.load(pod_image())
        container = podman.run(wanted["name"], *(f"{port}:{inner}/{protocol}" for
                                                 protocol, port, inner in wanted["ports"]))
        addresses = [address for address in podman.address(wanted["name"]).values() if address]
        return view.Pod(**wanted, id=container, addresses=addresses)

    def prove(self):
        """Each host port asked from namespace `client`, which has a cable to the node, and one
        pod asked by another."""
        tool, fetch = "curl", ("curl", "-sS", "-m", "3")
        if not shutil.which("curl"):  # Debian's static busybox crashes in wget -T
            tool, fetch = "wget", ("timeout", "3", "busybox", "wget", "-qO-")
        for pod in self.pods:
            for protocol, port, _ in pod.ports:
                where = f"{NODE_V4}:{port}"
                if protocol == "tcp":
                    command = (*fetch, f"http://{where}/")
                    answer = self.node.run(*command, netns="client", check=False)
                    yield view.Proof(f"client: {tool} {command[-1]}", answer)
                else:
                    answer = self.node.ask(NODE_V4, port, protocol, "client")
                    yield view.Proof(f"client: {protocol} to {where}", " ".join(answer or ()))
        asking, asked = self.pods[:2]
        command = (*fetch, f"http://{asked.addresses[0]}:80/")
        answer = self.node.run(*command, check=False, netns=view.namespace(self.node, asking))
        yield view.Proof(f"{asking.name}: {tool} {command[-1]}", answer)

    def show(self):
        """Prints the screen; False when a port did not answer as it should."""
        proofs = list(self.prove())
        title = (f"A node with tortie's plugins, no cluster: {' and '.join(self._start)} on Linux "
                 f"{platform.release()}")
        rule = "─" * screen.WIDTH
        print(rule, screen.render(title, self.pods, view.reservations(self.node, self.pods),
                                  view.mappings(self.node, self.pods), proofs,
                                  view.add_times(self.node, self.pods),
                                  view.stored(self.node)), rule, sep="\n")
        return all(proof.answer for proof in proofs)


def how_to_look(node):
    enter = node.folder / "enter"
    enter.write_text(f"""#!/bin/sh
exec nsenter --target={node.pid} --mount --net --pid env \\
    CONTAINERS_CONF={INSIDE}/etc/containers.conf \\
    CONTAINERS_STORAGE_CONF={INSIDE}/etc/storage.conf "$@"
""")
    enter.chmod(0o755)
    shown = os.path.relpath(enter)
    for command in ("/opt/cni/bin/calico-ipam -show", "ip route",
                    "nft list table inet tortie", "iptables-save -t nat", "podman ps",
                    "ctr -n k8s.io tasks list", "ls -R /var/lib/cni/networks",
                    f"busybox wget -qO- http://{NODE_V4}:8080/"):
        say(f"look:    sudo {shown} {command}")
    say("remove:  sudo scripts/demo --down")


def take_down():
    """Whatever an earlier run left standing. True when there was something."""
    stood = remove_node(_FOLDER) or _FOLDER.exists()
    remove_cgroups(_CGROUP)
    shutil.rmtree(_FOLDER, ignore_errors=True)
    return stood


def demonstrate(keep):
    if take_down():
        say("removed the node that an earlier run had left standing")
    _FOLDER.mkdir(parents=True)
    say("making a node: network, mount and process namespaces of its own, and a client beside it")
    demo = Demo(keep)
    demo.prepare()
    demo.run_pods()
    say("asking every host port from the client's namespace")
    passed = demo.show()
    if keep:
        how_to_look(demo.node)
    return passed


def main(argv):
    keep, down = "--keep" in argv, "--down" in argv
    lock = open(ROOT / "build/demo.lock", "w", encoding="utf-8")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say("another demo is running in this tree")
        return 1
    if down:
        say("the node is removed" if take_down() else "there is no node")
        return 0
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    before = machine.network()
    passed, stays = False, False
    try:
        passed = demonstrate(keep)
        stays = keep
    except KeyboardInterrupt:
        say("interrupted")
        return 130
    except Exception as error:  # a runtime that does not start is the user's news, not a traceback
        say(f"failed: {error}")
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # cleaning up is short, and is finished
        if not stays:
            take_down()
            say("removed pods, runtimes and node")
        changed = machine.difference(before, machine.network())
        say("the machine's own network is as it was" if not changed
            else f"the machine's own network has changed:\n{changed}")
    if not passed:
        say("a host port did not answer: see above")
    return 0 if passed and not changed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
