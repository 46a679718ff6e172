# SPDX-License-Identifier: Apache-2.0
"""What every end-to-end test stands on: a node of its own with the plugins under test, and the
promise that the machine's own network is afterwards as it was."""
import fcntl
import os
import shutil
import signal
import sys
import unittest

from tests.e2e import chain, image, machine
from tests.e2e.node import (CLIENT_V4, CLIENT_V6, GO_DEBIAN, NODE_V4, NODE_V6, OTHERS, OURS, ROOT,
                            Node, bin_dir, sweep)
from tests.harness import tap

TCP, UDP = 8080, 8053  # host ports of the first pod; it answers on 80 and 53


def pod_image():
    """Path of the image, built once."""
    path = ROOT / "build/e2e/pod.tar"
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path.with_suffix(".lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        newest = max(os.stat(source).st_mtime for source in image.SOURCES)
        if not path.exists() or path.stat().st_mtime < newest:
            image.build(path.with_suffix(".new"))
            path.with_suffix(".new").rename(path)
    return path


class Case(unittest.TestCase):
    needs = ()  # programs beside those of every test
    maxDiff = 800  # lists of rules are long

    def setUp(self):
        if os.geteuid() != 0:
            self.skipTest("needs root for namespaces")
        missing = [name for name in ("ip", "nsenter", "nft", "iptables", *self.needs)
                   if not shutil.which(name)]
        missing += [str(GO_DEBIAN / name) for name in OTHERS if not (GO_DEBIAN / name).exists()]
        if missing:
            self.skipTest(f"not installed: {' '.join(missing)} (scripts/deps e2e)")

    def boot(self, *plugins, network="demo", version="1.0.0"):
        """A node with the plugins under test and a network of this chain."""
        absent = [name for name in OURS if not (bin_dir() / name).exists()]
        self.assertEqual(absent, [], f"not built: see TORTIE_BIN_DIR, now {bin_dir()}")
        node = Node()
        self.addCleanup(node.destroy)
        node.install(GO_DEBIAN, OTHERS)
        node.install(bin_dir())
        node.configure(network, plugins, version)
        return node

    def assert_answers(self, node, name, tcp=TCP, udp=UDP, ipv6=True):
        """The pod answers on its host ports, to whom it should, and sees who asked: strangers by
        their own address, the node's loopback masqueraded."""
        addresses = [(NODE_V4, CLIENT_V4)] + ([(NODE_V6, CLIENT_V6)] if ipv6 else [])
        for protocol, port in (("tcp", tcp), ("udp", udp)):
            if not port:
                continue
            for address, client in addresses:
                with self.subTest(f"{protocol} {address} from another machine"):
                    self.assertEqual(node.ask(address, port, protocol, netns="client"),
                                     (name, client))
                with self.subTest(f"{protocol} {address} from the node"):
                    self.assertEqual(node.ask(address, port, protocol), (name, address))
            with self.subTest(f"{protocol} 127.0.0.1"):
                self.assertEqual(node.ask("127.0.0.1", port, protocol),
                                 (name, chain.GATEWAY_V4))

    def assert_silent(self, node, tcp=TCP, udp=UDP):
        for protocol, port in (("tcp", tcp), ("udp", udp)):
            self.assertIsNone(node.ask(NODE_V4, port, protocol, netns="client", seconds=0.5))
            self.assertIsNone(node.ask("127.0.0.1", port, protocol, seconds=0.5))

    def assert_nothing_left(self, node, *words, network="demo"):
        """No reservation, no rule or map element of a host port, no setting kept by tuning."""
        self.assertEqual(chain.leases(node, network), {})
        self.assertEqual(chain.port_rules(node, "CNI-DN-", *words), [])
        self.assertEqual(chain.kept_settings(node), [])


_before = []


def _remember_machine():
    _before[:] = machine.network() if os.geteuid() == 0 else []


def _compare_machine():
    changed = machine.difference(_before, machine.network()) if _before else ""
    if changed:
        raise AssertionError(f"the machine's own network has changed:\n{changed}")


def main():
    """tap.main(), and: the machine's network is compared; Ctrl-C and SIGTERM leave nothing, and
    what kill -9 has left is removed by the next run."""
    program = sys.modules["__main__"]
    program.setUpModule, program.tearDownModule = _remember_machine, _compare_machine
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    if os.geteuid() == 0:
        sweep()
    tap.main()
