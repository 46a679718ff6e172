# SPDX-License-Identifier: Apache-2.0
"""What holds on every datastore: a table of cases, each a class takes with its own store.
Source: spec calico-ipam-datastore.md 5.1 and 5.3, calico-cni.md 7.3 and 7.4."""
import ipaddress
import json

from tests.cluster import inside, plugin, samples
from tests.cluster.case import V4, V6

DUAL = {"assign_ipv4": "true", "assign_ipv6": "true"}


class Addresses:
    """Which address a pod gets, and that it goes back."""

    def samples(self):
        return samples.load(self.sample)

    def test_add_gives_an_address_of_the_pool_that_del_gives_back(self):
        self.store.pool("lab-v4", V4)

        pod, answer = self.added()

        [address] = answer.addresses
        self.assertIn(ipaddress.ip_interface(address).ip, ipaddress.ip_network(V4))
        self.assertEqual(self.holder(address), f"{plugin.NETWORK}.{pod.container}")
        addresses, container = self.store.endpoint("web")
        self.assertEqual((addresses, container), ([address], pod.container))
        self.assertEqual(self.succeeds(pod("DEL")).stdout, "")
        self.assert_nothing_allocated()
        self.assertIsNone(self.store.endpoint("web"))

    def test_documents_are_those_of_the_samples(self):
        self.store.pool("lab-v4", "10.80.3.8/29", blockSize=29)

        self.added("cart-7d9", container="c1f0aa")

        found = self.documents()
        for name, sample in self.samples().items():
            with self.subTest(name):
                self.assertEqual(list(samples.differences(sample, found.get(name))), [])

    def test_both_families(self):
        self.store.pool("lab-v4", V4)
        self.store.pool("lab-v6", V6, blockSize=122)

        _, answer = self.added(ipam={"type": "calico-ipam", **DUAL})

        v4, v6 = map(ipaddress.ip_interface, answer.addresses)
        self.assertIn(v4.ip, ipaddress.ip_network(V4))
        self.assertIn(v6.ip, ipaddress.ip_network(V6))
        self.assertEqual((v4.network.prefixlen, v6.network.prefixlen), (32, 128))
        self.assertEqual(len(answer.result["routes"]), 2)

    def test_ipv6_alone(self):
        self.store.pool("lab-v6", V6, blockSize=122)

        _, answer = self.added(ipam={"type": "calico-ipam", "assign_ipv4": "false",
                                     "assign_ipv6": "true"})

        [address] = answer.addresses
        self.assertIn(ipaddress.ip_interface(address).ip, ipaddress.ip_network(V6))

    def test_when_one_family_has_no_pool_nothing_is_allocated(self):
        for name, cidr, size, missing in (("lab-v4", V4, 26, "6"), ("lab-v6", V6, 122, "4")):
            with self.subTest(f"no pool of IPv{missing}"):
                self.store.pool(name, cidr, blockSize=size)
                pod = self.pod(f"no{missing}", ipam={"type": "calico-ipam", **DUAL})

                self.fails(pod("ADD"))

                self.assert_nothing_allocated()
                self.store.remove_pool(name)

    def test_a_listed_pool_is_taken_by_cidr_and_by_name(self):
        self.store.pool("one", "10.80.3.0/26")
        self.store.pool("two", "10.80.4.0/26")
        for number, entry in enumerate(("10.80.4.0/26", "two")):
            with self.subTest(entry):
                _, answer = self.added(f"web{number}",
                                       ipam={"type": "calico-ipam", "ipv4_pools": [entry]})

                self.assertTrue(answer.addresses[0].startswith("10.80.4."), answer.addresses)

    def test_the_second_listed_pool_serves_when_the_first_is_full(self):
        self.store.pool("one", "10.80.3.8/31", blockSize=31)
        self.store.pool("two", "10.80.4.0/26")
        ipam = {"type": "calico-ipam", "ipv4_pools": ["one", "two"]}

        given = [self.added(f"web{number}", ipam=ipam)[1].addresses[0] for number in range(3)]

        self.assertEqual(sorted(given[:2]), ["10.80.3.8/32", "10.80.3.9/32"])
        self.assertTrue(given[2].startswith("10.80.4."), given)

    def test_a_pool_that_is_not_there_fails(self):
        self.store.pool("one", V4)
        for entries in (["192.169.1.0/24"], [V4, "192.169.1.0/24"]):
            with self.subTest(entries):
                pod = self.pod(f"web{len(entries)}",
                               ipam={"type": "calico-ipam", "ipv4_pools": entries})

                self.fails(pod("ADD"), "192.169.1.0/24) does not exist")

                self.assert_nothing_allocated()

    def test_a_disabled_pool_is_never_used(self):
        self.store.pool("off", "10.80.3.0/26", disabled=True)
        self.store.pool("on", "10.80.4.0/26")

        given = [self.added(f"web{number}")[1].addresses[0] for number in range(4)]

        self.assertEqual({address.rpartition(".")[0] for address in given}, {"10.80.4"})

    def test_a_full_pool_says_so(self):
        self.store.pool("small", "10.80.3.8/31", blockSize=31)
        for number in range(2):
            self.added(f"web{number}")

        self.fails(self.pod("late")("ADD"), "failed to request IPv4 addresses: Assigned 0 out of "
                   "1 requested IPv4 addresses", "No IPs available in pools: [10.80.3.8/31]")

    def test_a_requested_address_is_given_once(self):
        self.store.pool("lab-v4", V4)
        pod = self.pod(more=";IP=10.80.3.77")
        self.assertEqual(self.succeeds(pod("ADD")).addresses, ["10.80.3.77/32"])

        self.fails(self.pod("other", more=";IP=10.80.3.77")("ADD"))

        self.succeeds(pod("DEL"))
        self.assertEqual(self.succeeds(pod("ADD")).addresses, ["10.80.3.77/32"])

    def test_reserved_addresses_stay_free_also_beside_nonsense(self):
        self.store.pool("lab-v4", "10.80.3.8/29", blockSize=29)
        self.store.reservation("gw", "10.80.3.8/30", " 10.80.3.12 ", "no address")

        given = {self.added(f"web{number}")[1].addresses[0] for number in range(3)}

        self.assertEqual(given, {f"10.80.3.{host}/32" for host in (13, 14, 15)})
        self.fails(self.pod("late")("ADD"))

    def test_a_full_node_borrows_unless_affinity_is_strict(self):
        self.store.pool("one-block", "10.80.3.8/29", blockSize=29)
        self.added("first")
        self.store.config(strict=True)
        stranger = self.pod("stranger", nodename="node-b")
        self.fails(stranger("ADD"))

        self.store.config(strict=False)

        self.succeeds(stranger("ADD"))

    def test_a_node_gets_no_more_blocks_than_configured(self):
        self.store.pool("lab-v4", "10.80.3.0/28", blockSize=31)
        self.store.config(strict=True, most_blocks=2)

        for number in range(4):
            self.added(f"web{number}")

        self.fails(self.pod("late")("ADD"))
        self.assertEqual(len(self.store.blocks()), 2)

    def test_without_automatic_blocks_a_node_gets_none(self):
        self.store.pool("lab-v4", V4)
        self.store.config(auto=False)

        self.fails(self.pod()("ADD"))

        self.assertEqual(self.store.blocks(), {})

    def test_an_invalid_selector_of_a_pool_fails(self):
        self.store.pool("lab-v4", V4, nodeSelector="zone ==")

        self.fails(self.pod()("ADD"))

    def test_addresses_are_given_in_turn(self):
        self.store.pool("lab-v4", "10.80.3.8/30", blockSize=30)
        pod = self.pod()

        given = []
        for _ in range(5):
            given += self.succeeds(pod("ADD")).addresses
            self.succeeds(pod("DEL"))

        self.assertEqual(len(set(given[:4])), 4, given)
        self.assertEqual(given[4], given[0])


class Annotations:
    """What a pod may ask for."""

    def setUp(self):
        super().setUp()
        self.store.pool("one", "10.80.3.0/26")
        self.store.pool("two", "10.80.4.0/26")

    def asks(self, name="web", features=(), **annotations):
        """A pod with annotations of cni.projectcalico.org."""
        conf = self.conf(feature_control={feature: True for feature in features})
        return self.pod(name, conf=conf, annotations={
            f"cni.projectcalico.org/{key}": value if isinstance(value, str) else json.dumps(value)
            for key, value in annotations.items()})

    def test_a_pod_chooses_its_pool_by_name_and_by_cidr(self):
        for number, entry in enumerate(("two", "10.80.4.0/26")):
            with self.subTest(entry):
                answer = self.succeeds(self.asks(f"web{number}", ipv4pools=[entry])("ADD"))

                self.assertTrue(answer.addresses[0].startswith("10.80.4."), answer.addresses)

    def test_a_chosen_pool_that_is_missing_or_full_fails_the_add(self):
        self.store.pool("small", "10.80.5.8/32", blockSize=32)
        self.succeeds(self.asks("first", ipv4pools=["small"])("ADD"))

        self.fails(self.asks("late", ipv4pools=["small"])("ADD"), "No IPs available in pools")
        self.fails(self.asks("lost", ipv4pools=["none"])("ADD"), "none")

    def test_families_are_chosen(self):
        self.store.pool("six", V6, blockSize=122)

        answer = self.succeeds(self.asks(ipFamilies=["IPv6"])("ADD"))

        self.assertEqual([":" in address for address in answer.addresses], [True])

    def test_ipaddrs_gives_exactly_that_address_and_a_route_to_it(self):
        pod = self.asks(ipAddrs=["10.80.4.11"])

        self.assertEqual(self.succeeds(pod("ADD")).addresses, ["10.80.4.11/32"])

        self.assertEqual(self.holder("10.80.4.11"), f"{plugin.NETWORK}.{pod.container}")
        self.assertIn("10.80.4.11 dev cali", inside.tool("ip", "route"))
        self.succeeds(pod("DEL"))
        self.assert_nothing_allocated()

    def test_ipaddrs_without_ipam_needs_the_feature_and_one_address(self):
        pod = self.asks("web", ["ip_addrs_no_ipam"], ipAddrsNoIpam=["192.0.2.9"])

        self.assertEqual(self.succeeds(pod("ADD")).addresses, ["192.0.2.9/32"])

        self.assert_nothing_allocated()
        self.fails(self.asks("off", ipAddrsNoIpam=["192.0.2.10"])("ADD"),
                   "requested feature is not enabled: ip_addrs_no_ipam")
        self.fails(self.asks("two", ["ip_addrs_no_ipam"],
                             ipAddrsNoIpam=["192.0.2.11", "192.0.2.12"])("ADD"),
                   "cannot have more than one IPv4 address")

    def test_floating_addresses_need_the_feature(self):
        self.succeeds(self.asks("web", ["floating_ips"], floatingIPs=["192.0.2.1"])("ADD"))

        self.fails(self.asks("off", floatingIPs=["192.0.2.1"])("ADD"),
                   "requested feature is not enabled: floating_ips")
        self.fails(self.asks("junk", ["floating_ips"], floatingIPs=["junk"])("ADD"))

    def test_a_hardware_address_is_set_or_refused(self):
        pod = self.asks(hwAddr="ca:fe:ca:fe:ca:fe")
        self.succeeds(pod("ADD"))
        self.assertEqual(pod.links()["eth0"]["address"], "ca:fe:ca:fe:ca:fe")

        self.fails(self.asks("bad", hwAddr="not a mac")("ADD"))

    def test_a_typo_fails_the_add_and_never_the_del(self):
        for number, (key, value) in enumerate((
                ("ipv4pools", '["two"'), ("ipAddrs", "10.80.4.11"), ("ipFamilies", '["IPv5"]'),
                ("ipv4pools", '[' * 100000), ("ipAddrs", '["' + "1" * 200000 + '"]'),
                ("allowedSourcePrefixes", '["10.0.0.0/99"]'))):
            with self.subTest(f"{key} {value[:20]}"):
                pod = self.asks(f"web{number}", **{key: value})

                self.fails(pod("ADD"))

                self.succeeds(pod("DEL"))
                self.assert_nothing_allocated()
                self.assertEqual(plugin.host_links(), [])


class Life:
    """Verbs in the orders in which runtimes and crashes give them."""

    def setUp(self):
        super().setUp()
        self.store.pool("lab-v4", V4)

    def test_del_of_what_never_was_succeeds(self):
        pod = self.pod()
        self.succeeds(pod("DEL"))
        pod.netns = "/not/a/real/path1234567890"

        self.assertEqual(self.succeeds(pod("DEL")).stdout, "")

    def test_del_works_twice_and_without_the_namespace(self):
        pod, _ = self.added()
        pod.remove_namespace()

        self.succeeds(pod("DEL"))
        self.succeeds(pod("DEL"))

        # The kernel takes a namespace apart when it has time to.
        inside.until(lambda: not plugin.host_links(), what="the link is gone")
        self.assert_nothing_allocated()

    def test_a_second_sandbox_of_the_pod_gets_its_own_address(self):
        old, first = self.added(container="sandbox-x")
        new, second = self.added(container="sandbox-y")
        self.assertNotEqual(first.addresses, second.addresses)

        self.succeeds(old("DEL"))
        self.assertEqual(self.store.endpoint("web"), (second.addresses, "sandbox-y"))

        self.succeeds(new("DEL"))
        self.assertIsNone(self.store.endpoint("web"))

    def test_a_late_del_of_the_old_sandbox_leaves_the_new_one_alone(self):
        old, _ = self.added(container="sandbox-x")
        self.succeeds(old("DEL"))
        _, answer = self.added(container="sandbox-y")

        self.succeeds(old("DEL"))

        self.assertEqual(self.store.endpoint("web"), (answer.addresses, "sandbox-y"))
        self.assertEqual(self.holder(answer.addresses[0]), f"{plugin.NETWORK}.sandbox-y")

    def test_nothing_starts_while_the_datastore_is_not_ready(self):
        for ready in (False, None):
            with self.subTest(ready):
                pod = self.pod(f"web-{ready}".lower())
                self.store.ready(ready)

                self.fails(pod("ADD"))
                self.assertNotEqual(pod("DEL").status, 0)

                self.store.ready(True)
                self.assert_nothing_allocated()

    def test_check_sees_what_is_missing(self):
        pod, answer = self.added()
        conf = {**pod.conf, "prevResult": answer.result}
        self.assertEqual(self.succeeds(pod("CHECK", conf)).stdout, "")

        inside.tool("ip", "-n", pod.container, "address", "del", answer.addresses[0], "dev",
                    "eth0")

        self.fails(pod("CHECK", conf))

    def test_gc_releases_what_is_not_in_use(self):
        kept, answer = self.added("kept", cniVersion="1.1.0")
        gone, _ = self.added("gone", cniVersion="1.1.0")
        gone.remove_namespace()
        valid = [{"containerID": kept.container, "ifname": "eth0"}]

        self.assertEqual(self.succeeds(
            kept("GC", **{"cni.dev/valid-attachments": valid})).stdout, "")

        self.assertEqual(self.store.handles().keys(), {f"{plugin.NETWORK}.{kept.container}"})
        self.assertIsNotNone(self.holder(answer.addresses[0]))

    def test_status_tells_a_node_that_cannot_work(self):
        pod = self.pod(cniVersion="1.1.0")
        self.assertEqual(self.succeeds(pod("STATUS")).stdout, "")
        self.store.ready(False)

        self.fails(pod("STATUS"), code=50)

        self.store.ready(True)

    def test_every_version_of_the_result(self):
        for version in ("0.2.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"):
            with self.subTest(version):
                pod = self.pod(f"v{version.replace('.', '')}")

                result = self.succeeds(pod("ADD", cniVersion=version)).result

                self.assertEqual(result["cniVersion"], version)
                self.assertEqual("ip4" in result, version == "0.2.0")

    def test_the_ipam_plugin_works_alone(self):
        self.needs_ipam_program()
        pod = self.pod()
        conf = {**pod.conf, "type": "calico-ipam"}

        answer = self.succeeds(pod("ADD", conf))

        self.assertEqual(answer.result["routes"], [{"dst": answer.addresses[0]}])
        self.assertTrue(answer.addresses[0].endswith("/26"), answer.addresses)
        self.succeeds(pod("DEL", conf))
        self.assert_nothing_allocated()

    def test_a_host_interface_of_the_same_name_is_replaced(self):
        pod, _ = self.added()
        [name] = plugin.host_links()
        self.succeeds(pod("DEL"))
        inside.tool("ip", "link", "add", name, "type", "veth", "peer", "name", "other")
        inside.tool("ip", "link", "set", name, "up")

        self.succeeds(pod("ADD"))
