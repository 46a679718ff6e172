#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""calico and calico-ipam on a real etcd, with pods and namespaces in a real kube-apiserver, as
Calico's etcd datastore has them."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tests.cluster import behaviours, case, host_local, inside, plugin, servers, stores, workloads
from tests.cluster.case import V4


class EtcdCase(case.Case):
    sample = "etcd"

    @classmethod
    def make_store(cls):
        return stores.EtcdV3(case.cluster())

    def documents(self):
        return self.store.raw("/calico/")


class EtcdAddresses(behaviours.Addresses, EtcdCase):
    pass


class EtcdAnnotations(behaviours.Annotations, EtcdCase):
    pass


class EtcdLife(behaviours.Life, EtcdCase):
    pass


class EtcdWorkloads(workloads.Workloads, EtcdCase):
    pass


class EtcdContainers(workloads.Containers, EtcdCase):
    pass


class EtcdHostLocal(host_local.HostLocal, EtcdCase):
    pass


class EtcdEndpoints(EtcdCase):
    def setUp(self):
        super().setUp()
        self.store.pool("lab-v4", V4)

    def endpoint_of(self, pod):
        [document] = [each for each in self.store.endpoints().values()
                      if each["spec"].get("pod") == pod]
        return document["spec"]

    def test_floating_addresses_stand_in_the_endpoint(self):
        _, answer = self.added(feature_control={"floating_ips": True}, annotations={
            "cni.projectcalico.org/floatingIPs": '["192.0.2.1"]'})

        self.assertEqual(self.endpoint_of("web")["ipNATs"], [
            {"internalIP": answer.addresses[0].split("/")[0], "externalIP": "192.0.2.1"}])

    def test_source_prefixes_stand_in_the_endpoint(self):
        self.added(annotations={
            "cni.projectcalico.org/allowedSourcePrefixes": '["192.0.2.77/24"]'})

        self.assertEqual(self.endpoint_of("web")["allowSpoofedSourcePrefixes"], ["192.0.2.0/24"])

    def test_what_a_pod_says_of_itself_stands_in_the_endpoint(self):
        self.store.kube.create("/api/v1/namespaces/shop/pods", {
            "metadata": {"name": "cart-7d9", "generateName": "cart-", "labels": {"app": "cart"}},
            "spec": {"nodeName": stores.NODE, "serviceAccountName": "seller", "containers": [
                {"name": "main", "image": "none",
                 "ports": [{"name": "anything", "containerPort": 555}]}]}})

        self.succeeds(self.pod("cart-7d9")("ADD"))

        [document] = self.store.endpoints().values()
        self.assertEqual(document["metadata"]["generateName"], "cart-")
        self.assertEqual(document["metadata"]["labels"], {
            "app": "cart", "projectcalico.org/namespace": "shop",
            "projectcalico.org/orchestrator": "k8s",
            "projectcalico.org/serviceaccount": "seller"})
        spec = document["spec"]
        self.assertEqual(spec["profiles"], ["kns.shop", "ksa.shop.seller"])
        self.assertEqual(spec["serviceAccountName"], "seller")
        self.assertEqual([(port["name"], port["protocol"], port["port"])
                          for port in spec["ports"]], [("anything", "TCP", 555)])

    def test_a_container_without_kubernetes_has_a_profile_of_its_network(self):
        conf = self.conf(policy=None, kubernetes=None, name="net1")
        pod = plugin.Pod("none", conf, container="abc123")
        pod.args = ""
        self.addCleanup(pod.remove_namespace)

        answer = self.succeeds(pod("ADD"))

        [document] = self.store.endpoints().values()
        spec = document["spec"]
        self.assertEqual((spec["orchestrator"], spec["profiles"], spec["interfaceName"]),
                         ("cni", ["net1"], "caliabc123"))
        self.assertEqual(spec["ipNetworks"], answer.addresses)
        [profile] = self.store.raw("/calico/resources/v3/projectcalico.org/profiles/").values()
        self.assertEqual(profile["spec"]["labelsToApply"], {"net1": ""})
        self.succeeds(pod("DEL"))
        self.assertEqual(self.store.endpoints(), {})
        self.assert_nothing_allocated()

    def test_the_second_of_two_endpoints_serves_when_the_first_is_away(self):
        good = self.conf()["etcd_endpoints"]

        self.added(etcd_endpoints=f"https://127.0.0.1:2370,{good}")

    def test_pods_are_read_as_whom_the_policy_says(self):
        """As canal's configuration has it: there is no kubeconfig."""
        policy = {"type": "k8s", "k8s_auth_token": servers.PLUGIN_TOKEN,
                  "k8s_api_root": f"https://{inside.NODE_IP}:{servers.KUBE_PORT}/api/v1/",
                  "k8s_certificate_authority": str(self.store.cluster.ca)}

        _, answer = self.added(policy=policy, kubernetes=None)

        self.assertEqual(self.endpoint_of("web")["ipNetworks"], answer.addresses)
        wrong = {**policy, "k8s_auth_token": "wrong"}
        said = self.fails(self.pod("late", policy=wrong, kubernetes=None)("ADD"),
                          "connection is unauthorized")
        self.assertNotIn("wrong", said)


if __name__ == "__main__":
    case.main()
