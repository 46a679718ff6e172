#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Pods of containerd with these plugins in the chain, driven through CRI as a kubelet does."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tests.e2e import case, chain, image, recorder
from tests.e2e.case import NODE_V4, TCP, UDP
from tests.e2e.node import OURS
from tests.harness import tap

try:
    from tests.e2e.containerd import Containerd
except ImportError as error:  # python3-grpcio, python3-grpc-tools
    Containerd = None
    tap.say(str(error))

PORTS = (("TCP", TCP, 80), ("UDP", UDP, 53))


class ContainerdCase(case.Case):
    needs = ("containerd", "ctr", "runc", "busybox", "gcc-12")

    def containerd(self, *plugins, version="1.0.0"):
        if Containerd is None:
            self.skipTest("not installed: python3-grpcio python3-grpc-tools (scripts/deps e2e)")
        self.node = self.boot(*plugins, version=version)
        containerd = Containerd(self.node)
        containerd.load(case.pod_image())
        containerd.wait_for_network()
        return containerd

    def start(self, backend=None, version="1.0.0"):
        return self.containerd(chain.bridge("demo"), chain.portmap(backend), chain.tuning(),
                               version=version)


class Chain:
    """The tests that hold for each version of the network's configuration and each backend."""
    backend, version = None, "1.0.0"

    def test_ports_answer_tcp_and_udp_on_both_families_from_everywhere(self):
        containerd = self.start(self.backend, self.version)

        sandbox, container = containerd.run_pod("web", PORTS)

        self.assert_answers(self.node, "web")
        v4, v6 = containerd.addresses(sandbox)
        shown = containerd.execute(container, "ip", "address")
        for address in (f"inet {v4}/16", f"inet6 {v6}/64", "inet 127.0.0.1/8", "inet6 ::1/128"):
            self.assertIn(address, shown)

    def test_a_stopped_and_removed_pod_leaves_nothing(self):
        containerd = self.start(self.backend, self.version)
        sandbox, _ = containerd.run_pod("web", PORTS)
        words = [sandbox[:12], *containerd.addresses(sandbox)]
        self.assertNotEqual(chain.port_rules(self.node, *words), [])

        containerd.stop(sandbox)
        self.assert_nothing_left(self.node, *words)
        containerd.stop(sandbox)
        containerd.remove(sandbox)
        containerd.remove(sandbox)

        self.assert_nothing_left(self.node, *words)
        self.assert_silent(self.node)

    def test_a_pod_whose_namespace_is_gone_can_be_stopped_and_removed(self):
        containerd = self.start(self.backend, self.version)
        recorder.record(self.node, ["portmap"])
        sandbox, _ = containerd.run_pod("web", PORTS)
        words = [sandbox[:12], *containerd.addresses(sandbox)]
        [added] = recorder.calls(self.node, cmd="ADD")
        self.node.run("umount", "-l", added["netns"])
        self.node.run("rm", added["netns"])

        containerd.stop(sandbox)
        containerd.remove(sandbox)

        self.assertNotEqual(recorder.calls(self.node, cmd="DEL"), [])
        self.assert_nothing_left(self.node, *words)

    def test_the_next_sandbox_of_a_pod_takes_over_its_ports(self):
        containerd = self.start(self.backend, self.version)
        old, _ = containerd.run_pod("web", PORTS)
        words = [old[:12], *containerd.addresses(old)]
        self.assertEqual(self.node.ask(NODE_V4, UDP, "udp", "client", source_port=40000)[0], "web")

        containerd.stop(old)
        new, _ = containerd.run_pod("web", PORTS, attempt=1)

        # The same client: conntrack must not send it to the old address.
        self.assertEqual(self.node.ask(NODE_V4, UDP, "udp", "client", source_port=40000)[0], "web")
        self.assert_answers(self.node, "web")
        # A kubelet removes the old sandbox late: that must not take the new one's ports.
        containerd.remove(old)
        self.assert_answers(self.node, "web")
        self.assertEqual(chain.port_rules(self.node, *words), [])
        containerd.stop(new)
        containerd.remove(new)
        self.assert_nothing_left(self.node)

    def test_a_killed_containerd_finds_its_pod_again_and_removes_it(self):
        containerd = self.start(self.backend, self.version)
        sandbox, _ = containerd.run_pod("web", PORTS)
        words = [sandbox[:12], *containerd.addresses(sandbox)]

        containerd.kill()
        self.assert_answers(self.node, "web")
        containerd.start()

        containerd.stop(sandbox)
        containerd.remove(sandbox)
        self.assert_nothing_left(self.node, *words)

    def test_after_a_reboot_the_old_sandbox_goes_and_a_new_one_answers(self):
        containerd = self.start(self.backend, self.version)
        old, _ = containerd.run_pod("web", PORTS)

        containerd.close()
        self.node.reboot()
        self.assert_silent(self.node)
        containerd.start()
        containerd.wait_for_network()
        containerd.stop(old)
        containerd.remove(old)
        new, _ = containerd.run_pod("web", PORTS, attempt=1)

        self.assert_answers(self.node, "web")
        # host-local's folder outlived the boot; only the new pod's reservations are in it.
        self.assertEqual(set(chain.leases(self.node, "demo").values()), {new})
        containerd.stop(new)
        containerd.remove(new)
        self.assert_nothing_left(self.node)


class ContainerdPortsInNftables(Chain, ContainerdCase):
    backend = "nftables"


class ContainerdPortsInIptables(Chain, ContainerdCase):
    backend = "iptables"


class ContainerdChainOfVersion040(Chain, ContainerdCase):
    version = "0.4.0"


class Containerd16(ContainerdCase):
    def test_says_what_the_plugins_were_built_to_hear(self):
        containerd = self.start()
        recorder.record(self.node, OURS)
        sandbox, _ = containerd.run_pod("web", PORTS)
        containerd.stop(sandbox)
        containerd.remove(sandbox)

        everything = recorder.calls(self.node)
        self.assertEqual({call["status"] for call in everything}, {0}, everything)
        loopback = recorder.calls(self.node, plugin="loopback")
        self.assertEqual({call["stdin"]["cniVersion"] for call in loopback}, {"0.3.1"})
        self.assertEqual(loopback[0]["stdout"]["ips"][0]["address"], "127.0.0.1/8")
        [added] = recorder.calls(self.node, plugin="portmap", cmd="ADD")
        self.assertEqual(added["stdin"]["runtimeConfig"]["portMappings"][0],
                         {"HostPort": TCP, "ContainerPort": 80, "Protocol": "tcp", "HostIP": ""})
        for name in OURS:
            deleted = recorder.calls(self.node, plugin=name, cmd="DEL")
            self.assertEqual(len(deleted), 2, name)
            self.assertNotIn("prevResult", deleted[1]["stdin"])

    def test_a_port_of_one_host_address_is_open_there_only(self):
        containerd = self.start()

        containerd.run_pod("web", (("TCP", TCP, 80, NODE_V4), ("UDP", UDP, 53, "127.0.0.1")))

        self.assertEqual(self.node.ask(NODE_V4, TCP, netns="client")[0], "web")
        self.assertIsNone(self.node.ask("127.0.0.1", TCP, seconds=0.5))
        self.assertEqual(self.node.ask("127.0.0.1", UDP, "udp")[0], "web")
        self.assertIsNone(self.node.ask(NODE_V4, UDP, "udp", netns="client", seconds=0.5))

    def test_the_older_pod_keeps_a_port_that_a_second_one_wants(self):
        containerd = self.start()
        first, _ = containerd.run_pod("first", PORTS)
        containerd.run_pod("second", PORTS)
        self.assert_answers(self.node, "first")

        containerd.stop(first)

        self.assert_answers(self.node, "second")

    def test_ctr_run_with_cni_gets_an_address_and_gives_it_back(self):
        self.start()

        shown = self.node.run("ctr", "-n", "k8s.io", "run", "--rm", "--cni", "--cgroup",
                              f"{self.node.cgroup}/ctr", image.IMAGE, "one", "/bin/ip", "address")

        self.assertIn("inet 10.88.0.2/16", shown)
        self.assertIn("inet6 fd00:88::2/64", shown)
        self.assert_nothing_left(self.node)


if __name__ == "__main__":
    case.main()
