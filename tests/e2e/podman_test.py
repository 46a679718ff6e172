#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Containers of podman with these plugins in the chain, once for each way to publish a port."""
import concurrent.futures
import json
import pathlib
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tests.e2e import case, chain
from tests.e2e.case import CLIENT_V4, NODE_V4, NODE_V6, TCP, UDP
from tests.e2e.node import GO_DEBIAN
from tests.e2e.podman import Podman

PORTS = (f"{TCP}:80", f"{UDP}:53/udp")


class PodmanCase(case.Case):
    needs = ("podman", "conmon", "runc", "busybox", "gcc-12")

    def podman(self, *plugins):
        self.node = self.boot(*plugins)
        podman = Podman(self.node, "demo")
        podman.load(case.pod_image())
        return podman

    def words_of(self, podman, name):
        """By what the pod's rules would be recognised."""
        addresses = podman.address(name)
        return [podman("inspect", name, "--format", "{{.Id}}")[:12],
                *(address for address in addresses.values() if address)]


class Backend:
    """The tests that hold for each backend."""
    backend = None

    def start(self, name="web", ports=PORTS, options=(), **ipam):
        podman = self.podman(chain.bridge("demo", **ipam), chain.portmap(self.backend),
                             chain.tuning())
        podman.run(name, *ports, options=options)
        return podman

    def test_ports_answer_tcp_and_udp_on_both_families_from_everywhere(self):
        self.start()

        self.assert_answers(self.node, "web")

    def test_ports_are_carried_by_the_chosen_backend(self):
        podman = self.start()

        for word in podman.address("web").values():
            rules = chain.port_rules(self.node, f"{word}:", f"[{word}]:")
            elements = chain.port_rules(self.node, f": {word} . 80")
            self.assertEqual(bool(rules), self.backend == "iptables", rules)
            self.assertEqual(bool(elements), self.backend != "iptables", elements)

    def test_a_pod_without_ipv6_gets_its_ports(self):
        self.start(ipv6=False)

        self.assert_answers(self.node, "web", ipv6=False)
        self.assertIsNone(self.node.ask(NODE_V6, TCP, netns="client", seconds=0.5))

    def test_another_pod_of_the_network_reaches_the_port_through_the_node(self):
        podman = self.start()

        seen = podman("run", "--rm", "--cgroup-parent", f"/{self.node.cgroup}", "--entrypoint",
                      "/bin/wget", "localhost/tortie-pod:1", "-qO-", f"http://{NODE_V4}:{TCP}/")

        self.assertEqual(seen, f"web {chain.GATEWAY_V4}")

    def test_a_port_of_one_host_address_is_open_there_only(self):
        self.start(ports=(f"{NODE_V4}:{TCP}:80", f"127.0.0.1:{UDP}:53/udp"))

        self.assertEqual(self.node.ask(NODE_V4, TCP, netns="client")[0], "web")
        self.assertIsNone(self.node.ask("127.0.0.1", TCP, seconds=0.5))
        self.assertEqual(self.node.ask("127.0.0.1", UDP, "udp")[0], "web")
        self.assertIsNone(self.node.ask(NODE_V4, UDP, "udp", netns="client", seconds=0.5))

    def test_the_pod_gets_the_address_and_the_mac_it_asks_for(self):
        podman = self.start(options=("--ip", "10.88.7.7", "--ip6", "fd00:88::77",
                                     "--mac-address", "02:00:00:00:00:77"))

        self.assertEqual(podman.address("web"), {4: "10.88.7.7", 6: "fd00:88::77"})
        shown = podman("exec", "web", "/bin/ip", "addr", "show", "eth0")
        self.assertIn("link/ether 02:00:00:00:00:77", shown)
        self.assertIn("inet 10.88.7.7/16", shown)
        self.assert_answers(self.node, "web")

    def test_a_restarted_pod_is_reached_at_once_also_by_a_udp_client_that_keeps_its_port(self):
        podman = self.start()
        old = podman.address("web")[4]
        self.assertEqual(self.node.ask(NODE_V4, UDP, "udp", "client", source_port=40000)[0], "web")

        podman.restart("web")

        self.assertNotEqual(podman.address("web")[4], old)
        self.assertEqual(self.node.ask(NODE_V4, UDP, "udp", "client", source_port=40000)[0], "web")
        self.assert_answers(self.node, "web")
        self.assertEqual(chain.port_rules(self.node, f"{old}:", f": {old} . "), [])

    def test_a_removed_pod_leaves_nothing_and_can_be_removed_twice(self):
        podman = self.start()
        words = self.words_of(podman, "web")
        self.assertNotEqual(chain.port_rules(self.node, *words), [])

        podman.remove("web")
        podman("rm", "-f", "web", check=False)

        self.assert_nothing_left(self.node, *words)
        self.assert_silent(self.node)

    def test_a_pod_that_died_can_be_started_and_removed(self):
        podman = self.start()
        words = self.words_of(podman, "web")
        podman("kill", "-s", "KILL", "web")
        podman("wait", "web")

        podman.start("web")
        self.assert_answers(self.node, "web")

        podman.remove("web")
        self.assert_nothing_left(self.node, *words)

    def test_a_second_pod_keeps_its_ports_when_the_first_one_goes(self):
        podman = self.start()
        podman.run("other", "8081:80", "8054:53/udp")

        podman.remove("web")

        self.assert_answers(self.node, "other", 8081, 8054)
        self.assert_silent(self.node)

    def test_a_pod_of_two_networks_keeps_its_ports_when_it_leaves_the_second(self):
        podman = self.podman(chain.bridge("demo"), chain.portmap(self.backend))
        self.node.configure("second", [chain.bridge("second", ipv6=False, v4="10.90.0.0/16"),
                                       chain.portmap(self.backend)])
        podman.run("web", *PORTS, options=("--network", "demo,second"))
        self.assertEqual(len(chain.leases(self.node, "second")), 1)

        podman("network", "disconnect", "second", "web")

        self.assert_answers(self.node, "web")
        self.assertEqual(chain.leases(self.node, "second"), {})
        self.assertEqual(chain.port_rules(self.node, "10.90.0.2"), [])
        podman.remove("web")
        self.assert_nothing_left(self.node)

    def test_pods_that_start_at_once_all_get_their_ports(self):
        podman = self.start()
        names = [f"p{i}" for i in range(6)]

        with concurrent.futures.ThreadPoolExecutor(len(names)) as pool:
            list(pool.map(lambda i: podman.run(names[i], f"{9000 + i}:80"), range(len(names))))

        for i, name in enumerate(names):
            self.assertEqual(self.node.ask(NODE_V4, 9000 + i, netns="client")[0], name)
        podman("rm", "-f", "-t", "0", "-a")
        self.assert_nothing_left(self.node)

    def test_after_a_reboot_the_pod_starts_again_and_nothing_old_is_left(self):
        # podman does not release at a boot: reservations have to be where a boot wipes them.
        podman = self.start(dataDir="/run/cni/networks")

        self.node.reboot()
        self.assert_silent(self.node)
        podman.start("web")

        self.assert_answers(self.node, "web")
        words = self.words_of(podman, "web")
        podman.remove("web")
        self.assertEqual(chain.leases(self.node, "demo", "/run/cni/networks"), {})
        self.assert_nothing_left(self.node, *words)


class PodmanPortsInNftables(Backend, PodmanCase):
    backend = "nftables"


class PodmanPortsInIptables(Backend, PodmanCase):
    backend = "iptables"


class Podman43(PodmanCase):
    def test_the_network_that_debian_ships_works_as_it_is(self):
        conflist = pathlib.Path("/etc/cni/net.d/87-podman-bridge.conflist")
        if not conflist.exists():
            self.skipTest(f"no {conflist}")
        self.node = self.boot()
        self.node.install(GO_DEBIAN, ["firewall"])
        (self.node.folder / "net.d/demo.conflist").unlink()
        shutil.copy(conflist, self.node.folder / "net.d")
        podman = Podman(self.node, "podman")
        podman.load(case.pod_image())

        podman.run("web", *PORTS)

        for protocol, port in (("tcp", TCP), ("udp", UDP)):
            self.assertEqual(self.node.ask(NODE_V4, port, protocol, "client"), ("web", CLIENT_V4))
        words = self.words_of(podman, "web")
        podman.remove("web")
        self.assert_nothing_left(self.node, *words, network="podman")

    def test_without_a_backend_in_the_configuration_the_nf_tables_map_carries_the_ports(self):
        podman = self.podman(chain.bridge("demo"), chain.portmap(), chain.tuning())
        podman.run("web", *PORTS)

        self.assert_answers(self.node, "web")
        self.assertNotEqual(
            chain.port_rules(self.node, f": {podman.address('web')[4]} . 80"), [])
        podman.remove("web")
        self.assert_nothing_left(self.node)

    def test_sysctls_and_link_settings_of_tuning_are_seen_in_the_pod(self):
        podman = self.podman(chain.bridge("demo"), chain.tuning(
            sysctl={"net.core.somaxconn": "500", "net.ipv4.conf.IFNAME.arp_filter": "1"},
            mtu=1400, allmulti=True, txQLen=500))
        podman.run("web")

        namespace = podman("inspect", "web", "--format", "{{.NetworkSettings.SandboxKey}}")
        [link] = json.loads(self.node.run("ip", "-j", "link", "show", "eth0",
                                          netns=pathlib.Path(namespace).name))
        self.assertEqual((link["mtu"], link["txqlen"]), (1400, 500))
        self.assertIn("ALLMULTI", link["flags"])
        for name, value in (("net.core.somaxconn", "500"), ("net.ipv4.conf.eth0.arp_filter", "1")):
            self.assertEqual(podman("exec", "web", "/bin/sysctl", "-n", name), value)
        podman.remove("web")
        self.assert_nothing_left(self.node)


if __name__ == "__main__":
    case.main()
