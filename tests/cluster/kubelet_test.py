#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Pods as users have them: a kubelet and containerd run calico, calico-ipam and portmap."""
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tests.cluster import case, inside, kubelet, plugin, servers, stores, verify
from tests.cluster.inside import NODE_IP, until
from tests.e2e import image
from tests.e2e.case import pod_image

_PODS, _FEWER = 30, 8
_DEPLOYMENTS = "/apis/apps/v1/namespaces/shop/deployments"


class KubeletPods(unittest.TestCase):
    """One node for all cases, which go from pods that come to pods that are gone."""

    @classmethod
    def setUpClass(cls):
        if reason := servers.missing("containerd", "ctr", "runc", "busybox", "gcc-12", "curl"):
            raise unittest.SkipTest(reason)
        cluster = case.cluster()
        case.definitions("v1")
        cls.store = stores.Kubernetes(cluster, "v1")
        cls.kube = cluster.kube
        cls.store.ready(True)
        status = plugin.call("calico", plugin.configuration(cls.store, version="1.1.0"), {
            "CNI_COMMAND": "STATUS", "CNI_PATH": str(inside.bin_dir())})
        if "this build reaches" in status.stdout:
            raise unittest.SkipTest(f"calico: {status.error[1]}")
        cls.store.pool("lab-v4", "10.80.0.0/24")
        cls.store.pool("other", "10.80.8.0/26")
        cls.store.pool("third", "10.80.9.0/26")
        # Only who asks gets one of these.
        for name in ("other", "third"):
            cls.store.change_pool(name, nodeSelector="!all()")
        conf = plugin.configuration(cls.store, nodename=kubelet.NODE)
        chain = {"name": conf.pop("name"), "cniVersion": "0.3.1", "plugins": [
            {key: value for key, value in conf.items() if key != "cniVersion"},
            {"type": "portmap", "snat": True, "capabilities": {"portMappings": True}}]}
        cls.node = kubelet.KubeNode(cluster, chain, pod_image())
        cls.addClassCleanup(cls.node.end)
        cls.store.namespace("shop")

    def test_1_a_deployment_of_thirty_pods_comes_up(self):
        self.kube.create(_DEPLOYMENTS, {
            "metadata": {"name": "web"}, "spec": {
                "replicas": _PODS, "selector": {"matchLabels": {"app": "web"}},
                "template": {"metadata": {"labels": {"app": "web"}}, "spec": self.spec("web")}}})

        pods = self.until_running("app=web", _PODS, seconds=180)

        addresses = {pod["status"]["podIP"] for pod in pods}
        self.assertEqual(len(addresses), _PODS)
        self.assertLessEqual(addresses, set(verify.allocated(self.store)))
        self.assertEqual(verify.problems(self.store), [])
        for pod in pods[::10]:
            self.assertEqual(self.ask(pod["status"]["podIP"], 80), "web")

    def test_2_a_pod_and_a_namespace_choose_their_pool(self):
        self.store.namespace("ops", {"cni.projectcalico.org/ipv4pools": '["other"]'})
        self.run_pod("of-namespace", "ops")
        self.run_pod("of-pod", "ops", {"cni.projectcalico.org/ipv4pools": '["third"]'})

        of_namespace, = self.until_running("app=of-namespace", 1, "ops")
        of_pod, = self.until_running("app=of-pod", 1, "ops")

        self.assertTrue(of_namespace["status"]["podIP"].startswith("10.80.8."))
        self.assertTrue(of_pod["status"]["podIP"].startswith("10.80.9."))

    def test_3_a_pod_has_the_address_it_asks_for(self):
        self.run_pod("static", "shop", {"cni.projectcalico.org/ipAddrs": '["10.80.0.200"]'})

        pod, = self.until_running("app=static", 1)

        self.assertEqual(pod["status"]["podIP"], "10.80.0.200")
        self.assertEqual(self.ask("10.80.0.200", 80), "static")

    def test_4_a_host_port_answers_another_machine(self):
        self.run_pod("published", "shop", ports=[{"containerPort": 80, "hostPort": 8080}])
        self.until_running("app=published", 1)

        until(lambda: self.ask(NODE_IP, 8080, "client") == "published", 20,
              "the host port answers")

    def test_5_a_killed_runtime_finds_its_pods_again(self):
        self.scale(_FEWER)
        self.node.kill_containerd()
        self.node.start_containerd()

        until(lambda: len(self.pods("app=web")) == _FEWER, 180, "the deployment is smaller")
        self.until_running("app=web", _FEWER)
        self.run_pod("after", "shop")
        self.until_running("app=after", 1)
        for pod in self.pods("app=web"):
            self.assertEqual(self.ask(pod["status"]["podIP"], 80), "web")

    def test_6_deleted_pods_leave_nothing(self):
        self.kube.delete(f"{_DEPLOYMENTS}/web", propagationPolicy="Background")
        for namespace in ("shop", "ops"):
            for pod in self.pods("app", namespace):
                self.kube.request("DELETE", f"/api/v1/namespaces/{namespace}/pods/"
                                  f"{pod['metadata']['name']}", {"gracePeriodSeconds": 1})

        until(lambda: not self.pods("app") + self.pods("app", "ops"), 180, "the pods are gone")

        until(lambda: not verify.allocated(self.store), 60, "the addresses are given back")
        self.assertEqual(verify.problems(self.store), [])
        self.assertEqual(self.store.handles(), {})
        self.assertEqual(plugin.host_links(), [])

    # --- pods ---

    @staticmethod
    def spec(name, ports=()):
        return {"terminationGracePeriodSeconds": 1, "automountServiceAccountToken": False,
                "enableServiceLinks": False, "containers": [{
                    "name": "main", "image": image.IMAGE, "imagePullPolicy": "Never",
                    "args": [name, "tcp:80"], "ports": list(ports)}]}

    def run_pod(self, name, namespace, annotations=None, ports=()):
        self.kube.create(f"/api/v1/namespaces/{namespace}/pods", {
            "metadata": {"name": name, "labels": {"app": name}, "annotations": annotations or {}},
            "spec": self.spec(name, ports)})

    def scale(self, replicas):
        self.kube.merge(f"{_DEPLOYMENTS}/web", {"spec": {"replicas": replicas}})

    def pods(self, selector, namespace="shop"):
        return self.kube.items(f"/api/v1/namespaces/{namespace}/pods?labelSelector={selector}")

    def until_running(self, selector, count, namespace="shop", seconds=90):
        def running():
            found = [pod for pod in self.pods(selector, namespace)
                     if pod["status"].get("phase") == "Running" and pod["status"].get("podIP")
                     and "deletionTimestamp" not in pod["metadata"]]
            return found if len(found) == count else None
        try:
            return until(running, seconds, f"{count} pods {selector} run", pause=0.2)
        except AssertionError as error:
            log = self.node.cluster.log("kubelet").splitlines()
            raise AssertionError("\n".join([str(error), *[
                line for line in log if "rror" in line][-8:]])) from error

    @staticmethod
    def ask(address, port, netns=None):
        """The name that a pod answers with."""
        where = ["nsenter", f"--net=/run/netns/{netns}"] if netns else []
        answer = inside.tool(*where, "curl", "-sS", "-m", "3", f"http://{address}:{port}/",
                             check=False).split()
        return answer[0] if answer else None


if __name__ == "__main__":
    case.main()
