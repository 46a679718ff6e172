#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Plugins exchanged under running pods: the Go plugins by ours, and ours by theirs. Ports answer
all the time, and whoever gets the DEL leaves nothing."""
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tests.e2e import case, chain
from tests.e2e.case import TCP, UDP
from tests.e2e.node import GO_DEBIAN, bin_dir
from tests.e2e.podman import Podman

PORTS = (f"{TCP}:80", f"{UDP}:53/udp")


class Exchange(case.Case):
    needs = ("podman", "conmon", "runc", "busybox", "gcc-12")

    def start(self, plugins, backend):
        """A running pod that these plugins made."""
        self.node = self.boot(chain.bridge("demo"), chain.portmap(backend), chain.tuning(
            sysctl={"net.core.somaxconn": "500"}, mtu=1400))
        self.node.install(plugins)
        self.podman = Podman(self.node, "demo")
        self.podman.load(case.pod_image())
        self.podman.run("web", *PORTS)
        self.words = [self.podman("inspect", "web", "--format", "{{.Id}}")[:12],
                      *self.podman.address("web").values()]

    def exchange(self, plugins):
        self.assert_answers(self.node, "web")
        self.node.install(plugins)
        self.assert_answers(self.node, "web")

    def assert_removed_without_rest(self):
        self.podman.remove("web")
        self.assert_nothing_left(self.node, *self.words)
        self.assert_silent(self.node)

    def go_191(self):
        folder = os.environ.get("TORTIE_GO_PLUGINS")
        if not folder:
            self.skipTest("TORTIE_GO_PLUGINS is not set (scripts/go-peers needs Go)")
        return pathlib.Path(folder)


class Upgrade(Exchange):
    def upgrade(self, plugins, backend):
        self.start(plugins, backend)
        self.exchange(bin_dir())
        self.assert_removed_without_rest()

    def test_from_1_1_1(self):
        self.upgrade(GO_DEBIAN, None)

    def test_from_1_1_1_to_iptables(self):
        self.upgrade(GO_DEBIAN, "iptables")

    def test_from_1_9_1(self):
        self.upgrade(self.go_191(), None)

    def test_from_1_9_1_with_iptables(self):
        self.upgrade(self.go_191(), "iptables")

    def test_from_1_9_1_with_nftables(self):
        self.upgrade(self.go_191(), "nftables")

    def test_a_pod_restarted_with_the_new_plugins_is_all_theirs(self):
        self.start(GO_DEBIAN, None)
        self.exchange(bin_dir())

        self.podman.restart("web")

        self.assert_answers(self.node, "web")
        self.assertEqual(chain.port_rules(self.node, "CNI-DN-"), [])
        self.assert_removed_without_rest()

    def test_pods_of_old_and_new_plugins_live_side_by_side(self):
        self.start(GO_DEBIAN, None)
        self.exchange(bin_dir())
        self.podman.run("new", "8081:80", "8054:53/udp")

        self.assert_answers(self.node, "web")
        self.assert_answers(self.node, "new", 8081, 8054)
        self.assertEqual(len(set(chain.leases(self.node, "demo").values())), 2)
        self.podman.remove("web")
        self.assert_answers(self.node, "new", 8081, 8054)


class Downgrade(Exchange):
    def downgrade(self, plugins, backend):
        self.start(bin_dir(), backend)
        self.exchange(plugins)
        self.assert_removed_without_rest()

    def test_to_1_1_1_with_iptables(self):
        self.downgrade(GO_DEBIAN, "iptables")

    def test_to_1_9_1_with_iptables(self):
        self.downgrade(self.go_191(), "iptables")

    def test_to_1_9_1_with_the_map_gives_the_address_back_and_the_map_is_emptied_later(self):
        go = self.go_191()
        self.start(bin_dir(), "nftables")
        self.exchange(go)

        # The Go plugins do not know the map: the port stays claimed until ours see it again.
        self.podman("stop", "-t", "1", "web")
        self.assertEqual(chain.leases(self.node, "demo"), {})
        self.assertNotEqual(chain.port_rules(self.node, *self.words), [])

        self.node.install(bin_dir())
        self.podman.start("web")
        self.assert_answers(self.node, "web")
        self.assert_removed_without_rest()


if __name__ == "__main__":
    case.main()
