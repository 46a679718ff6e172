#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""calico and calico-ipam on a real kube-apiserver, with both groups of custom resources, defined by
this tree's files and by Calico's own."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tests.cluster import behaviours, case, host_local, plugin, samples, servers, stores, workloads
from tests.cluster.case import V4


class KubernetesCase(case.Case):
    version, originals = "v1", False

    @classmethod
    def missing(cls):
        if cls.originals and not servers.original_definitions(cls.version):
            return f"{servers.SHARED / 'calico-crds' / cls.version} is missing"
        return servers.missing()

    @classmethod
    def make_store(cls):
        case.definitions(cls.version, cls.originals)
        return stores.Kubernetes(case.cluster(), cls.version)

    @property
    def sample(self):
        return f"kubernetes-{self.version}"

    def documents(self):
        documents = {f"{plural}/{item['metadata']['name']}": samples.without_servers(item)
                     for plural in ("ipamblocks", "blockaffinities", "ipamhandles",
                                    self.store.config_plural) for item in self.store.raw(plural)}
        # Calico's own definition fills this in; nobody wrote it.
        config = documents.get(f"{self.store.config_plural}/default")
        if config and config["spec"].get("maxBlocksPerHost") == 0:
            del config["spec"]["maxBlocksPerHost"]
        return documents


class Pods:
    """What only a cluster has: pods and namespaces with their annotations."""

    def test_the_namespace_chooses_a_pool_and_the_pod_another(self):
        self.store.pool("one", "10.80.3.0/26")
        self.store.pool("two", "10.80.4.0/26")
        self.namespace("ns-pool", {"cni.projectcalico.org/ipv4pools": '["two"]'})

        _, of_namespace = self.added("web", namespace="ns-pool")
        _, of_pod = self.added("own", namespace="ns-pool", annotations={
            "cni.projectcalico.org/ipv4pools": '["one"]'})

        self.assertTrue(of_namespace.addresses[0].startswith("10.80.4."))
        self.assertTrue(of_pod.addresses[0].startswith("10.80.3."))

    def test_a_namespace_selector_keeps_a_pool_for_its_namespaces(self):
        self.store.pool("ops", "10.80.4.0/26", namespaceSelector="team == 'ops'")
        self.namespace("ns-ops", labels={"team": "ops"})

        self.fails(self.pod("web")("ADD"))

        self.assertTrue(self.added("ops", namespace="ns-ops")[1].addresses[0].startswith(
            "10.80.4."))

    def test_a_node_selector_keeps_a_pool_for_its_nodes(self):
        self.store.pool("west", V4, nodeSelector="zone == 'west'")
        self.fails(self.pod("web")("ADD"), "no configured Calico pools for node node-a")

        self.store.kube.merge("/api/v1/nodes/node-a", {"metadata": {"labels": {"zone": "west"}}})
        self.addCleanup(self.store.kube.merge, "/api/v1/nodes/node-a",
                        {"metadata": {"labels": {"zone": None}}})

        self.added("east")

    def test_a_pod_or_namespace_that_is_gone_fails_the_add_and_not_the_del(self):
        self.store.pool("lab-v4", V4)
        pod, answer = self.added()
        self.store.remove_pod("web")
        self.succeeds(pod("DEL"))
        self.assertIsNone(self.holder(answer.addresses[0]))

        self.fails(pod("ADD"), 'pods "web" not found')

        lost = plugin.Pod("lost", self.conf(), namespace="nowhere")
        self.pods.append(lost)
        self.fails(lost("ADD"))
        self.assert_nothing_allocated()

    def test_a_pod_that_was_replaced_meanwhile_is_tried_again_later(self):
        self.store.pool("lab-v4", V4)
        pod = self.pod()
        pod.args += ";K8S_POD_UID=00000000-0000-4000-8000-000000000000"

        self.fails(pod("ADD"), code=11)

        self.assert_nothing_allocated()

    def test_check_takes_pods_at_their_word(self):
        self.store.pool("lab-v4", V4)
        _, kept = self.added("kept")
        _, lost = self.added("lost")
        self.assertEqual(plugin.ipam_tool(self.conf(), "-check"), "no findings\n")
        self.store.remove_pod("lost")

        said = plugin.ipam_tool(self.conf(), "-check")

        self.assertIn(f"address-not-used {lost.addresses[0].split('/')[0]}: no pod has it", said)
        self.assertNotIn(kept.addresses[0].split("/")[0], said)
        # Its ADD might still be under way.
        self.assertIn("less than two minutes ago", plugin.ipam_tool(self.conf(), "-repair"))

    def namespace(self, name, annotations=None, labels=None):
        if not self.store.kube.find(f"/api/v1/namespaces/{name}"):
            self.store.namespace(name, annotations, labels)


class KubernetesV1Addresses(behaviours.Addresses, KubernetesCase):
    pass


class KubernetesV1Annotations(behaviours.Annotations, KubernetesCase):
    pass


class KubernetesV1Life(behaviours.Life, KubernetesCase):
    pass


class KubernetesV1Workloads(workloads.Workloads, KubernetesCase):
    pass


class KubernetesV1HostLocal(host_local.HostLocal, KubernetesCase):
    pass


class KubernetesV1Pods(Pods, KubernetesCase):
    pass


class KubernetesV1OriginalDefinitions(behaviours.Addresses, KubernetesCase):
    originals = True


class KubernetesV3Addresses(behaviours.Addresses, KubernetesCase):
    version = "v3"


class KubernetesV3Life(behaviours.Life, KubernetesCase):
    version = "v3"


class KubernetesV3Pods(Pods, KubernetesCase):
    version = "v3"


class KubernetesV3OriginalDefinitions(behaviours.Addresses, KubernetesCase):
    version, originals = "v3", True


if __name__ == "__main__":
    case.main()
