#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""host-local as other plugins call it: bridge, ptp and macvlan of Debian."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tests.e2e import case, chain


class HostLocalCalledBy(case.Case):
    def check_addresses_come_and_go(self, plugin, **settings):
        settings["ipam"] = chain.bridge("demo")["ipam"]
        for number, name in enumerate(("one", "two"), start=2):
            self.node.run("ip", "netns", "add", name)
            result = chain.call(self.node, plugin, "ADD", settings, pod=name)

            addresses = [f"10.88.0.{number}", f"fd00:88::{number}"]
            self.assertEqual([ip["address"].split("/")[0] for ip in result["ips"]], addresses)
            shown = self.node.run("ip", "-br", "address", "show", "eth0", netns=name)
            for address in addresses:
                self.assertIn(f" {address}/", shown)
            chain.call(self.node, plugin, "CHECK", {**settings, "prevResult": result}, pod=name)
        self.assertEqual(sorted(chain.leases(self.node, "demo").values()),
                         ["one", "one", "two", "two"])

        for name in ("one", "two", "one"):  # a runtime may say it twice
            chain.call(self.node, plugin, "DEL", settings, pod=name)
        self.assertEqual(chain.leases(self.node, "demo"), {})

    def setUp(self):
        super().setUp()
        self.node = self.boot()

    def test_bridge(self):
        self.check_addresses_come_and_go("bridge", bridge="br-demo", isGateway=True, ipMasq=True)

    def test_ptp(self):
        self.check_addresses_come_and_go("ptp", ipMasq=True)

    def test_macvlan(self):
        self.node.run("ip", "link", "add", "trial", "link", "uplink", "type", "macvlan",
                      check=False)
        if not self.node.run("ip", "-br", "link", "show", "type", "macvlan", check=False):
            self.skipTest("this kernel has no macvlan")
        self.node.run("ip", "link", "del", "trial")

        self.check_addresses_come_and_go("macvlan", master="uplink", mode="bridge")


if __name__ == "__main__":
    case.main()
