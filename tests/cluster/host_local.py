# SPDX-License-Identifier: Apache-2.0
"""host-local with the pod CIDRs that Kubernetes gave to the node, on every store beside which there
is a cluster. Source: spec calico-cni.md 3.4, 7.4 cases 6 to 14."""
from tests.cluster import inside


class HostLocal:
    NODE = "node-of-cidrs"  # named by kubernetes.node_name

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        if not cls.store.kube.find(f"/api/v1/nodes/{cls.NODE}"):
            cls.store.kube.create("/api/v1/nodes", {
                "metadata": {"name": cls.NODE},
                "spec": {"podCIDR": "10.10.0.0/24", "podCIDRs": ["10.10.0.0/24",
                                                                 "dead:beef::/64"]}})

    def routes_of(self, name, ipam, **keys):
        """Starts a pod that asks for .42; ([routes, IPv4], [IPv6])."""
        conf = self.conf(policy={"type": "k8s"}, **keys)
        conf["ipam"] = {"type": "host-local", **ipam}
        conf["kubernetes"] = {**conf["kubernetes"], "node_name": self.NODE}
        pod = self.pod(name, conf=conf, more=";IP=10.10.0.42")

        answer = self.succeeds(pod("ADD"))

        self.assertEqual(answer.addresses[0], "10.10.0.42/32")
        self.assertEqual(self.store.endpoint(name)[0], answer.addresses)
        lines = [[line.strip() for line in inside.tool(
            "ip", "-n", pod.container, f"-{family}", "route").splitlines()] for family in (4, 6)]
        self.succeeds(pod("DEL"))
        return lines

    def test_one_subnet_gives_the_default_route(self):
        v4, v6 = self.routes_of("a", {"subnet": "usePodCidr"})

        self.assertEqual(v4, ["default via 169.254.1.1 dev eth0",
                              "169.254.1.1 dev eth0 scope link"])
        self.assertEqual([line for line in v6 if not line.startswith("fe80::/64 ")], [])

    def test_both_families_by_the_nodes_cidrs(self):
        v4, v6 = self.routes_of("c", {"ranges": [[{"subnet": "usePodCidr"}],
                                                 [{"subnet": "usePodCidrIPv6"}]]})

        self.assertIn("default via 169.254.1.1 dev eth0", v4)
        self.assertEqual([line for line in v6 if line.startswith("default")],
                         ["default via fe80::ecee:eeff:feee:eeee dev eth0 metric 1024 pref medium"])

    def test_routes_of_the_configuration_replace_the_default_ones(self):
        ipam = {"ranges": [[{"subnet": "usePodCidr"}], [{"subnet": "dead:beef::/96"}]],
                "routes": [{"dst": "10.123.0.0/16", "gw": "10.123.0.1"},
                           {"dst": "10.124.0.0/16"}, {"dst": "dead:beef::/96"}]}

        v4, v6 = self.routes_of("d", ipam)

        self.assertEqual(v4, ["10.123.0.0/16 via 169.254.1.1 dev eth0",
                              "10.124.0.0/16 via 169.254.1.1 dev eth0",
                              "169.254.1.1 dev eth0 scope link"])
        self.assertTrue([line for line in v6 if line.startswith(
            "dead:beef::/96 via fe80::ecee:eeff:feee:eeee dev eth0 metric 1024")], v6)
        v4, _ = self.routes_of("e", ipam, include_default_routes=True)
        self.assertIn("default via 169.254.1.1 dev eth0", v4)
        self.assertIn("10.124.0.0/16 via 169.254.1.1 dev eth0", v4)

    def test_a_node_without_cidrs_says_so(self):
        conf = self.conf()
        conf["ipam"] = {"type": "host-local", "subnet": "usePodCidr"}

        self.fails(self.pod("f", conf=conf)("ADD"), "no podCidr for node")
