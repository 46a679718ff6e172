#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Chains of CNI 1.1.0 through cnitool, that is through the library in every runtime: ADD, CHECK,
DEL, GC and STATUS."""
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tests.e2e import case, chain, cnitool
from tests.e2e.case import NODE_V4, TCP, UDP
from tests.e2e.cnitool import Cnitool

PORTS = (("tcp", TCP, 80), ("udp", UDP, 53))


class Chain:
    """The tests that hold for each backend."""
    needs = ("busybox", "gcc-12")
    backend = None

    def setUp(self):
        super().setUp()
        if not cnitool.program():
            self.skipTest("no cnitool in TORTIE_GO_PLUGINS (scripts/go-peers needs Go)")
        self.node = self.boot(chain.bridge("demo"), chain.portmap(self.backend),
                              chain.tuning(sysctl={"net.core.somaxconn": "500"}), version="1.1.0")
        # The bridge of the other tests, Debian's 1.1.1, knows no version 1.1.0.
        self.node.install(pathlib.Path(os.environ["TORTIE_GO_PLUGINS"]), ["bridge"])
        self.tool = Cnitool(self.node, "demo", self.node.put(case.pod_image().with_name("pod")))

    def test_add_check_del(self):
        self.tool("status", "web")
        result = self.tool.add("web", *PORTS)
        self.assertEqual(result["cniVersion"], "1.1.0")
        self.assertEqual([ip["address"] for ip in result["ips"]],
                         ["10.88.0.2/16", "fd00:88::2/64"])

        self.assert_answers(self.node, "web")
        self.tool("check", "web", *PORTS)
        self.assertEqual(self.node.run("sysctl", "-n", "net.core.somaxconn", netns="web"), "500")

        self.tool("del", "web", *PORTS)
        self.assert_nothing_left(self.node, "10.88.0.2", "fd00:88::2")
        self.tool("del", "web", *PORTS)

    def test_check_fails_when_a_port_is_no_longer_published(self):
        self.tool.add("web", *PORTS)
        if self.backend == "iptables":
            self.node.run("iptables", "-t", "nat", "-F", "CNI-HOSTPORT-DNAT")
        else:
            self.node.run("nft", "flush", "map", "inet", "tortie", "ports4")

        with self.assertRaises(AssertionError):
            self.tool("check", "web", *PORTS)

    def test_check_fails_when_the_reservation_is_gone(self):
        self.tool.add("web", *PORTS)
        for address in chain.leases(self.node, "demo"):
            self.node.run("rm", f"/var/lib/cni/networks/demo/{address}")

        with self.assertRaises(AssertionError):
            self.tool("check", "web", *PORTS)

    def test_del_without_add_and_without_a_namespace(self):
        self.tool("del", "nobody", *PORTS)

        self.assert_nothing_left(self.node)

    def test_del_after_the_namespace_is_gone(self):
        self.tool.add("web", *PORTS)
        self.node.run("ip", "netns", "del", "web")

        self.tool("del", "web", *PORTS)

        self.assert_nothing_left(self.node, "10.88.0.2", "fd00:88::2")

    def test_gc_of_the_library_removes_what_it_added(self):
        self.tool.add("web", *PORTS)

        self.tool("gc", "any")

        self.assert_nothing_left(self.node, "10.88.0.2", "fd00:88::2")

    def test_gc_releases_what_the_runtime_no_longer_lists(self):
        self.tool.add("one", *PORTS)
        self.tool.add("two", ("tcp", 8081, 80))
        two = {"containerID": Cnitool.container_id("two"), "ifname": "eth0"}
        valid = {"cni.dev/valid-attachments": [two]}

        for settings in (chain.portmap(self.backend), chain.tuning(), chain.bridge("demo")):
            plugin = "host-local" if "ipam" in settings else settings["type"]
            chain.call(self.node, plugin, "GC", {**settings, **valid}, "1.1.0")

        self.assertEqual(set(chain.leases(self.node, "demo")), {"10.88.0.3", "fd00:88::3"})
        self.assertEqual(chain.port_rules(self.node, "10.88.0.2", "fd00:88::2"), [])
        self.assertEqual(self.node.ask(NODE_V4, 8081, netns="client")[0], "two")

    def test_gc_without_a_list_releases_nothing(self):
        self.tool.add("web", *PORTS)
        # Without its cache the library knows no attachments, and leaves the key out.
        self.node.run("rm", "-r", "/var/lib/cni/results")

        self.tool("gc", "any")

        self.assertEqual(set(chain.leases(self.node, "demo")), {"10.88.0.2", "fd00:88::2"})
        self.assert_answers(self.node, "web")

    def test_status_is_ready_when_every_address_is_taken(self):
        small = [[{"subnet": "10.88.0.0/30"}]]
        self.node.configure("demo", [chain.bridge("demo", ranges=small),
                                     chain.portmap(self.backend)], "1.1.0")
        self.tool.add("one")
        with self.assertRaises(AssertionError):
            self.tool("add", "client")

        self.tool("status", "any")


class CnitoolPortsInNftables(Chain, case.Case):
    backend = "nftables"


class CnitoolPortsInIptables(Chain, case.Case):
    backend = "iptables"


if __name__ == "__main__":
    case.main()
