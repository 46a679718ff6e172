#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Addresses of KubeVirt's virtual machines on a real kube-apiserver: they outlive pods and move with
a live migration. KubeVirt itself is not here: the test makes the objects that it would make.
Source: spec calico-ipam-datastore.md 1.8, 5.2."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tests.cluster import case, plugin, servers, stores, verify
from tests.cluster.case import V4, V6

_API = "/apis/kubevirt.io/v1/namespaces/shop"
VMI, VM = f"{_API}/virtualmachineinstances", f"{_API}/virtualmachines"
HANDLE = f"{plugin.NETWORK}.vmi.shop.db"


class KubeVirtCase(case.Case):
    version = "v1"

    @classmethod
    def missing(cls):
        return servers.missing()

    @classmethod
    def make_store(cls):
        case.definitions(cls.version, with_kubevirt=True)
        return stores.Kubernetes(case.cluster(), cls.version)

    def setUp(self):
        super().setUp()
        self.kube = self.store.kube
        for plural in (VMI, VM):
            for item in self.kube.items(plural):
                self.remove(plural, item["metadata"]["name"])
        self.store.pool("lab-v4", V4)
        self.store.pool("lab-v6", V6, blockSize=122)
        self.dual = self.conf(ipam={"type": "calico-ipam", "assign_ipv4": "true",
                                    "assign_ipv6": "true"})

    # --- what KubeVirt makes ---

    def create(self, collection, kind, name, owner=None):
        """Held by a finalizer, so that it can be seen while it is being deleted."""
        return self.kube.create(collection, {
            "apiVersion": "kubevirt.io/v1", "kind": kind, "metadata": {
                "name": name, "finalizers": ["kubevirt.io/test"],
                "ownerReferences": [owner] if owner else []}})

    def remove(self, collection, name):
        self.kube.request("DELETE", f"{collection}/{name}")
        self.kube.request("PATCH", f"{collection}/{name}", {"metadata": {"finalizers": None}},
                          "application/merge-patch+json")

    @staticmethod
    def owned_by(kind, item):
        return {"apiVersion": "kubevirt.io/v1", "kind": kind, "name": item["metadata"]["name"],
                "uid": item["metadata"]["uid"], "controller": True}

    def machine(self):
        """A VirtualMachine and its running instance."""
        self.vm = self.create(VM, "VirtualMachine", "db")
        self.instance()

    def instance(self, alone=False):
        owner = None if alone else self.owned_by("VirtualMachine", self.vm)
        self.vmi = self.create(VMI, "VirtualMachineInstance", "db", owner)

    def launcher(self, name, migration=None):
        """The pod in which the instance runs; with `migration` the one it moves to."""
        pod = f"virt-launcher-db-{name}"
        labels = {"kubevirt.io/migrationJobUID": migration} if migration else {}
        self.kube.create("/api/v1/namespaces/shop/pods", {
            "metadata": {"name": pod, "labels": labels, "ownerReferences": [
                self.owned_by("VirtualMachineInstance", self.vmi)]},
            "spec": {"nodeName": stores.NODE, "serviceAccountName": "default",
                     "containers": [{"name": "main", "image": "none"}]}})
        return self.pod(pod, conf=self.dual)

    def handles(self):
        return super().handles() - {HANDLE}

    # --- what is stored ---

    def owners(self):
        """{(active pod, alternate pod)} of the machine's addresses."""
        found = set()
        for block in self.store.blocks().values():
            for record in block["attributes"]:
                if record.get("handle_id") == HANDLE:
                    found.add(((record.get("secondary") or {}).get("pod"),
                               (record.get("alternateOwnerAttrs") or {}).get("pod")))
        return found

    def held(self):
        return sorted(address for address, handle in verify.allocated(self.store).items()
                      if handle == HANDLE)


class Machines(KubeVirtCase):
    def test_the_next_pod_of_a_machine_gets_its_addresses(self):
        self.machine()
        first = self.launcher("a")
        answer = self.succeeds(first("ADD"))
        self.succeeds(first("DEL"))
        self.store.remove_pod(first.name)
        self.assertEqual(self.owners(), {(None, None)})

        second = self.launcher("b")
        again = self.succeeds(second("ADD"))

        plain = lambda answer: [each.split("/")[0] for each in answer.addresses]
        self.assertEqual(plain(again), plain(answer))
        self.assertEqual(len(again.result["routes"]), 2)
        self.assertEqual(self.owners(), {(second.name, None)})

    def test_a_migration_has_two_owners_until_each_is_gone(self):
        self.machine()
        source = self.launcher("a")
        self.succeeds(source("ADD"))
        target = self.launcher("b", migration="m1")

        answer = self.succeeds(target("ADD"))

        self.assertEqual(sorted(each.split("/")[0] for each in answer.addresses), self.held())
        self.assertEqual(answer.result.get("routes", []), [])
        self.assertEqual(self.owners(), {(source.name, target.name)})
        self.succeeds(source("DEL"))
        self.assertEqual(self.owners(), {(None, target.name)})
        self.succeeds(target("DEL"))
        self.assertEqual(self.owners(), {(None, None)})
        self.assertEqual(len(self.held()), 2)

    def test_an_instance_made_anew_keeps_the_addresses(self):
        self.machine()
        first = self.launcher("a")
        self.succeeds(first("ADD"))
        before = self.held()
        self.succeeds(first("DEL"))
        self.remove(VMI, "db")
        self.instance()

        self.succeeds(self.launcher("b")("ADD"))

        self.assertEqual(self.held(), before)
        uids = {record["secondary"].get("vmi-uid") for block in self.store.blocks().values()
                for record in block["attributes"] if record.get("handle_id") == HANDLE}
        self.assertEqual(uids, {self.vmi["metadata"]["uid"]})

    def test_addresses_go_with_the_machine_and_not_with_its_instance(self):
        self.machine()
        first = self.launcher("a")
        self.succeeds(first("ADD"))
        self.kube.request("DELETE", f"{VMI}/db")
        self.succeeds(first("DEL"))
        self.assertEqual(len(self.held()), 2)
        self.remove(VMI, "db")
        self.instance()
        last = self.launcher("b")
        self.succeeds(last("ADD"))
        self.kube.request("DELETE", f"{VM}/db")

        self.succeeds(last("DEL"))

        self.assert_nothing_allocated()
        self.succeeds(last("DEL"))

    def test_the_last_owner_of_a_machine_that_goes_releases(self):
        for order in (0, 1):
            with self.subTest(order):
                self.machine()
                source = self.launcher(f"a{order}")
                self.succeeds(source("ADD"))
                target = self.launcher(f"b{order}", migration="m1")
                self.succeeds(target("ADD"))
                self.kube.request("DELETE", f"{VM}/db")
                first, last = (source, target) if order == 0 else (target, source)

                self.succeeds(first("DEL"))
                self.assertEqual(len(self.held()), 2)
                self.succeeds(last("DEL"))

                self.assert_nothing_allocated()
                for collection in (VMI, VM):
                    self.remove(collection, "db")
                self.store.clear_pods()

    def test_an_instance_that_stands_alone_releases_when_it_goes(self):
        self.instance(alone=True)
        pod = self.launcher("a")
        self.succeeds(pod("ADD"))
        self.kube.request("DELETE", f"{VMI}/db")

        self.succeeds(pod("DEL"))

        self.assert_nothing_allocated()

    def test_a_pod_that_is_gone_does_not_stop_its_del(self):
        self.machine()
        pod = self.launcher("a")
        self.succeeds(pod("ADD"))
        self.store.remove_pod(pod.name)

        self.succeeds(pod("DEL"))

        self.assertEqual(len(self.held()), 2)

    def test_an_add_needs_the_instance(self):
        self.machine()
        self.remove(VMI, "db")

        self.fails(self.launcher("a")("ADD"), "failed to get VMI info")

        self.assert_nothing_allocated()

    def test_without_persistence_pods_are_ordinary_and_migrations_refused(self):
        self.store.config()
        self.kube.merge(f"/apis/{self.store.group}/{self.store.config_plural}/default",
                        {"spec": {"kubeVirtVMAddressPersistence": "Disabled"}})
        self.machine()

        self.succeeds(self.launcher("a")("ADD"))

        self.assertEqual(self.held(), [])
        self.fails(self.launcher("b", migration="m1")("ADD"),
                   "not allowed when KubeVirtVMAddressPersistence is disabled")


class MachinesV3(KubeVirtCase):
    version = "v3"
    test_a_migration_has_two_owners_until_each_is_gone = \
        Machines.test_a_migration_has_two_owners_until_each_is_gone


if __name__ == "__main__":
    case.main()
