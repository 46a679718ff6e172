# SPDX-License-Identifier: Apache-2.0
"""Pods and containers as runtimes start them, seen from the node: the cases of spec calico-cni.md
7.3 and 7.4 that behaviours.py does not have."""
import json
import pathlib
import subprocess

from tests.cluster import inside, plugin
from tests.cluster.case import V4, V6

MTU_FILE = pathlib.Path("/var/lib/calico/mtu")
NODENAME_FILE = pathlib.Path("/var/lib/calico/nodename")


def test_connection(conf):
    """The plugin's option -t, in an environment that has nothing."""
    return subprocess.run([inside.bin_dir() / "calico", "-t"], input=json.dumps(conf), text=True,
                          capture_output=True, env={}, timeout=60, check=False)


class Workloads:
    """Pods, on every store."""

    def setUp(self):
        super().setUp()
        self.store.pool("lab-v4", V4)
        for path in (MTU_FILE, NODENAME_FILE):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
            self.addCleanup(path.unlink, missing_ok=True)

    def test_the_mtu_is_that_of_the_file_unless_configured(self):
        MTU_FILE.write_text("3000")

        by_file, _ = self.added("file", mtu=0)
        by_conf, answer = self.added("conf", mtu=4000)

        self.assertEqual(by_file.links()["eth0"]["mtu"], 3000)
        self.assertEqual(by_conf.links()["eth0"]["mtu"], 4000)
        self.assertEqual(answer.result["interfaces"][1]["mtu"], 4000)

    def test_a_file_that_says_no_mtu_fails_the_add(self):
        pod = self.pod()
        self.fails(pod("ADD", require_mtu_file=True), "failed to read MTU file")
        MTU_FILE.write_text("many")
        self.fails(pod("ADD"), "failed to read MTU file")

    def test_without_the_nodename_file_an_add_waits_for_calico_node_and_a_del_works(self):
        pod = self.pod(nodename_file_optional=False)

        self.fails(pod("ADD"), "stat /var/lib/calico/nodename: no such file or directory: check that "
                   "the calico/node container is running and has mounted /var/lib/calico/", code=11)

        self.succeeds(pod("DEL"))

    def test_the_node_is_named_by_key_then_file_then_host(self):
        NODENAME_FILE.write_text("node-a\n")

        self.added(nodename=None, hostname="other")

        [(host, _)] = self.store.affinities()
        self.assertEqual(host, "node-a")

    def test_the_connection_can_be_tried(self):
        tried = test_connection(self.conf())
        self.assertEqual((tried.returncode, tried.stdout), (0, ""), tried.stderr)
        if self.store.name == "local":
            return

        tried = test_connection(self.conf(**self.store.conf_of("127.0.0.2")))

        self.assertEqual(tried.returncode, 1)
        said = json.loads(tried.stdout)
        self.assertEqual((said["code"], said["msg"]), (100, "data store connection failed"))

    def test_a_second_sandbox_in_the_same_namespace_replaces_the_first(self):
        pod, first = self.added()
        old = pod.container
        pod.container = "new-container-id"

        second = self.succeeds(pod("ADD"))

        def without(answer):
            result = answer.result
            for key in ("ips", "routes"):
                result.pop(key)
            result["interfaces"][1].pop("mac")
            return result

        self.assertEqual(without(second), without(first))
        self.assertNotEqual(second.addresses, first.addresses)
        self.assertNotEqual(second.result["interfaces"][1]["mac"],
                            first.result["interfaces"][1]["mac"])
        self.assertEqual(self.holder(first.addresses[0]), f"{plugin.NETWORK}.{old}")
        self.succeeds(pod("DEL"))
        pod.container = old

    def test_an_interface_whose_other_end_is_not_ours_is_left_alone(self):
        pod, first = self.added()
        [name] = plugin.host_links()
        for words in (("down",), ("name", "s" + name[1:])):
            inside.tool("ip", "link", "set", name, *words)
        old, pod.container = pod.container, "new-container-id"

        self.fails(pod("ADD"))

        pod.container = old
        self.assertEqual(self.holder(first.addresses[0]), f"{plugin.NETWORK}.{old}")
        inside.tool("ip", "link", "del", "s" + name[1:])

    def test_a_second_interface_shares_the_pods_endpoint(self):
        pod, _ = self.added()
        neighbour, other = self.added("web-1")
        second = self.succeeds(pod("ADD", ifname="eth1"))

        self.assertEqual(self.store.endpoint("web")[0], second.addresses)
        self.assertEqual(self.store.endpoint("web-1")[0], other.addresses)
        self.succeeds(pod("DEL", ifname="eth1"))
        self.assertIsNone(self.store.endpoint("web"))
        self.assertIsNotNone(self.store.endpoint("web-1"))
        self.succeeds(neighbour("DEL"))

    def test_both_families_with_floating_addresses(self):
        self.store.pool("lab-v6", V6, blockSize=122)
        ipam = {"type": "calico-ipam", "assign_ipv4": "true", "assign_ipv6": "true"}

        pod, answer = self.added(
            conf=self.conf(ipam=ipam, feature_control={"floating_ips": True}), annotations={
                "cni.projectcalico.org/floatingIPs": '["192.0.2.1", "2001:db8::1"]'})

        self.assertEqual(len(answer.result["routes"]), 2)
        self.assertEqual([ip["interface"] for ip in answer.result["ips"]], [1, 1])
        self.assertEqual(self.store.endpoint("web")[0], answer.addresses)
        if not self.store.endpoints_are_pods:
            [document] = self.store.endpoints().values()
            inner = [address.split("/")[0] for address in answer.addresses]
            self.assertEqual(document["spec"]["ipNATs"], [
                {"internalIP": inner[0], "externalIP": "192.0.2.1"},
                {"internalIP": inner[1], "externalIP": "2001:db8::1"}])
        self.succeeds(pod("DEL"))


class Containers:
    """Without Kubernetes: where endpoints are documents."""

    def setUp(self):
        super().setUp()
        self.store.pool("lab-v4", V4)

    def container(self, **keys):
        conf = self.conf(policy=None, kubernetes=None, **{"name": "net1", **keys})
        pod = plugin.Pod("none", conf, container="abc123")
        pod.args = ""
        self.addCleanup(pod.remove_namespace)
        self.addCleanup(lambda: self.succeeds(pod("DEL")))
        return pod

    def endpoint_document(self):
        [document] = self.store.endpoints().values()
        return document

    def test_labels_of_mesos_are_made_fit_for_calico(self):
        labels = [{"key": "DCOS_SPACE", "value": "/a/b/c"}, {"key": "$odd", "value": "m$y.val"}]
        args = {"org.apache.mesos": {"network_info": {"labels": {"labels": labels}}}}

        self.succeeds(self.container(args=args)("ADD"))

        self.assertEqual(self.endpoint_document()["metadata"]["labels"], {
            "DCOS_SPACE": "a.b.c", "odd": "m-y.val", "projectcalico.org/namespace": "default",
            "projectcalico.org/orchestrator": "cni"})

    def test_a_second_network_is_joined_without_touching_the_link(self):
        pod = self.container()
        first = self.succeeds(pod("ADD"))
        inside.tool("ip", "link", "set", "caliabc123", "down")
        inside.tool("ip", "link", "set", "caliabc123", "name", "saliabc123")

        again = self.succeeds(pod("ADD"))
        self.succeeds(pod("ADD", name="net2"))

        self.assertEqual(again.addresses, first.addresses)
        self.assertEqual(self.endpoint_document()["spec"]["profiles"], ["net1", "net2"])
        self.assertEqual(self.holder(first.addresses[0]), "net1.abc123")
