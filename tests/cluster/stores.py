# SPDX-License-Identifier: Apache-2.0
"""The three datastores as a test sees them: what stands in the network configuration for each, how
objects get in, and the documents that the plugins left, in one form for all.

A block, a handle, an affinity is a dictionary of the fields of spec calico-ipam-datastore.md 3.4,
in the spelling of the Kubernetes v1 documents; `raw` is what is really stored."""
import contextlib
import json
import pathlib
import sqlite3

from tests.cluster import inside
from tests.cluster.servers import CALICO_ETCD_PORT, KUBE_PORT, NODE_IP

NODE = "node-a"
_RESOURCES = "/calico/resources/v3/projectcalico.org"
_IPAM = "/calico/ipam/v2"


class Objects:
    """Kubernetes' own objects, for every store that has them."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.kube = cluster.kube

    def node(self, name=NODE, **metadata):
        self.kube.create("/api/v1/nodes", {"metadata": {"name": name, **metadata}})

    def namespace(self, name, annotations=None, labels=None):
        self.kube.create("/api/v1/namespaces", {"metadata": {
            "name": name, "annotations": annotations or {}, "labels": labels or {}}})

    def pod(self, name, namespace="shop", node=NODE, annotations=None, **more):
        """The pod's metadata."""
        return self.kube.create(f"/api/v1/namespaces/{namespace}/pods", {
            "metadata": {"name": name, "annotations": annotations or {}, "labels": {"app": name}},
            "spec": {"nodeName": node, "serviceAccountName": "default",
                     "containers": [{"name": "main", "image": "none"}], **more}})["metadata"]

    def annotations(self, name, namespace="shop"):
        return self.kube.get(f"/api/v1/namespaces/{namespace}/pods/{name}")["metadata"].get(
            "annotations", {})

    def remove_pod(self, name, namespace="shop"):
        self.kube.delete(f"/api/v1/namespaces/{namespace}/pods/{name}")

    def clear_pods(self):
        for pod in self.kube.items("/api/v1/pods"):
            self.remove_pod(pod["metadata"]["name"], pod["metadata"]["namespace"])


class Kubernetes(Objects):
    """Custom resources of one group: `v1` of crd.projectcalico.org or `v3` of projectcalico.org."""

    has_pods, endpoints_are_pods = True, True

    def __init__(self, cluster, version):
        super().__init__(cluster)
        self.group = {"v1": "crd.projectcalico.org/v1", "v3": "projectcalico.org/v3"}[version]
        self.version = version
        self.name = f"kubernetes {version}"
        self._base = f"/apis/{self.group}"
        self.config_plural, self._config_kind = ("ipamconfigs", "IPAMConfig") \
            if version == "v1" else ("ipamconfigurations", "IPAMConfiguration")

    def conf(self, port=KUBE_PORT, kubeconfig=None):
        path = kubeconfig or self.cluster.kubeconfig
        if port != KUBE_PORT:
            path = self.cluster.plugin_kubeconfig(f"kubeconfig-{port}", "127.0.0.1", port)
        return {"datastore_type": "kubernetes", "calico_api_group": self.group,
                "kubernetes": {"kubeconfig": str(path)}, "policy": {"type": "k8s"}}

    def conf_of(self, host):
        """As conf(), of a server there."""
        return {**self.conf(), "kubernetes": {"kubeconfig": str(
            self.cluster.plugin_kubeconfig(f"kubeconfig-{host}", host))}}

    server = (NODE_IP, KUBE_PORT)
    client_certificate = None

    # --- objects ---

    def _put(self, plural, kind, name, spec, **more):
        self.kube.create(f"{self._base}/{plural}", {
            "apiVersion": self.group, "kind": kind, "metadata": {"name": name}, "spec": spec,
            **more})

    def pool(self, name, cidr, **spec):
        self._put("ippools", "IPPool", name, {"cidr": cidr, "blockSize": 26, **spec})

    def remove_pool(self, name):
        self.kube.delete(f"{self._base}/ippools/{name}")

    def change_pool(self, name, **spec):
        self.kube.merge(f"{self._base}/ippools/{name}", {"spec": spec})

    def reservation(self, name, *cidrs):
        self._put("ipreservations", "IPReservation", name, {"reservedCIDRs": list(cidrs)})

    def config(self, strict=False, auto=True, most_blocks=0):
        self.kube.request("DELETE", f"{self._base}/{self.config_plural}/default")
        self._put(self.config_plural, self._config_kind, "default", {
            "strictAffinity": strict, "autoAllocateBlocks": auto,
            **({"maxBlocksPerHost": most_blocks} if most_blocks else {})})

    def stored_config(self):
        found = self.kube.find(f"{self._base}/{self.config_plural}/default")
        return found and found["spec"]

    def ready(self, ready=True):
        """None: there is no such document."""
        self.kube.request("DELETE", f"{self._base}/clusterinformations/default")
        if ready is not None:
            self._put("clusterinformations", "ClusterInformation", "default",
                      {"datastoreReady": ready})

    def clear(self):
        for plural in ("ippools", "ipamblocks", "ipamhandles", "blockaffinities",
                       "ipreservations", self.config_plural):
            self.kube.request("DELETE", f"{self._base}/{plural}")
        self.clear_pods()

    # --- documents ---

    def raw(self, plural):
        return self.kube.items(f"{self._base}/{plural}")

    def blocks(self):
        return {item["spec"]["cidr"]: item["spec"] for item in self.raw("ipamblocks")}

    def handles(self):
        return {item["spec"]["handleID"]: item["spec"]["block"]
                for item in self.raw("ipamhandles")}

    def affinities(self):
        return {(item["spec"]["node"], item["spec"]["cidr"]): item["spec"]["state"]
                for item in self.raw("blockaffinities")}

    def endpoint(self, pod, namespace="shop"):
        """(addresses, container id) of the pod's endpoint; None when it has none."""
        said = self.annotations(pod, namespace)
        addresses = said.get("cni.projectcalico.org/podIPs", "")
        return (addresses.split(","), said.get("cni.projectcalico.org/containerID")) \
            if addresses else None

    def put_block(self, spec):
        name = spec["cidr"].replace(".", "-").replace(":", "-").replace("/", "-")
        self._put("ipamblocks", "IPAMBlock", name, {"strictAffinity": False, "deleted": False,
                                                    **spec})


class EtcdV3(Objects):
    name, has_pods, endpoints_are_pods = "etcd", True, False
    server = ("127.0.0.1", CALICO_ETCD_PORT)

    def __init__(self, cluster):
        super().__init__(cluster)
        self.etcd = cluster.etcd
        self.client_certificate = cluster.etcd_client

    def conf(self, port=CALICO_ETCD_PORT, kubeconfig=None):
        certificate, key = self.cluster.etcd_client
        return {"datastore_type": "etcdv3", "etcd_endpoints": f"https://127.0.0.1:{port}",
                "etcd_ca_cert_file": str(self.cluster.ca), "etcd_cert_file": str(certificate),
                "etcd_key_file": str(key), "policy": {"type": "k8s"},
                "kubernetes": {"kubeconfig": str(kubeconfig or self.cluster.kubeconfig)}}

    def conf_of(self, host):
        return {**self.conf(), "etcd_endpoints": f"https://{host}:{CALICO_ETCD_PORT}"}

    def _put(self, plural, kind, name, spec, **metadata):
        self.etcd.put(f"{_RESOURCES}/{plural}/{name}", {
            "kind": kind, "apiVersion": "projectcalico.org/v3",
            "metadata": {"name": name, "uid": "6e0c2d5e-0f51-4bb0-9c52-000000000000",
                         "creationTimestamp": "2026-06-24T10:11:12Z", **metadata}, "spec": spec})

    def node(self, name=NODE, **metadata):
        super().node(name, **metadata)
        self._put("nodes", "Node", name, {}, **metadata)

    def pool(self, name, cidr, **spec):
        self._put("ippools", "IPPool", name, {"cidr": cidr, "blockSize": 26, "ipipMode": "Never",
                                              "vxlanMode": "Never", **spec})

    def remove_pool(self, name):
        self.etcd.swap(f"{_RESOURCES}/ippools/{name}", None,
                       self.etcd.find(f"{_RESOURCES}/ippools/{name}")[1])

    def change_pool(self, name, **spec):
        document, revision = self.etcd.find(f"{_RESOURCES}/ippools/{name}")
        document["spec"].update(spec)
        self.etcd.swap(f"{_RESOURCES}/ippools/{name}", document, revision)

    def reservation(self, name, *cidrs):
        self._put("ipreservations", "IPReservation", name, {"reservedCIDRs": list(cidrs)})

    def config(self, strict=False, auto=True, most_blocks=0):
        given = {"strict_affinity": strict, "auto_allocate_blocks": auto,
                 "maxBlocksPerHost": most_blocks}
        self.etcd.put(f"{_IPAM}/config", {key: value for key, value in given.items() if value})

    def stored_config(self):
        found = self.etcd.find(f"{_IPAM}/config")
        return found and found[0]

    def ready(self, ready=True):
        self.etcd.delete(f"{_RESOURCES}/clusterinformations/")
        if ready is not None:
            self._put("clusterinformations", "ClusterInformation", "default",
                      {"datastoreReady": ready})

    def clear(self):
        for prefix in (f"{_IPAM}/", f"{_RESOURCES}/ippools/", f"{_RESOURCES}/ipreservations/",
                       f"{_RESOURCES}/workloadendpoints/", f"{_RESOURCES}/profiles/"):
            self.etcd.delete(prefix)
        self.clear_pods()

    def raw(self, prefix):
        """{key: value}; a block's or a handle's folder below /calico/ipam/v2, or any key."""
        where = prefix if prefix.startswith("/") else f"{_IPAM}/{prefix}"
        return {key: json.loads(value or "{}") for key, value in self.etcd.texts(where).items()}

    def blocks(self):
        return {value["cidr"]: value for value in self.raw("assignment/").values()}

    def handles(self):
        return {key.rsplit("/", 1)[1]: value["block"] for key, value in
                self.raw("handle/").items()}

    def affinities(self):
        found = {}
        for key, value in self.raw("host/").items():
            _, host, _, _, cidr = key[len(_IPAM):].strip("/").split("/")
            address, _, prefix = cidr.rpartition("-")
            found[host, f"{address}/{prefix}"] = value.get("state") or "confirmed"
        return found

    def endpoints(self):
        return self.raw(f"{_RESOURCES}/workloadendpoints/")

    def endpoint(self, pod, namespace="shop"):
        for document in self.endpoints().values():
            spec = document["spec"]
            if (spec.get("pod"), document["metadata"]["namespace"]) == (pod, namespace):
                return spec["ipNetworks"], spec.get("containerID")
        return None

    def put_block(self, spec):
        address, prefix = spec["cidr"].split("/")
        family = 6 if ":" in address else 4
        self.etcd.put(f"{_IPAM}/assignment/ipv{family}/block/{address}-{prefix}",
                      {"deleted": False, **spec})



class Local(EtcdV3):
    """The embedded store: the keys and values of etcd in a file, and no Kubernetes."""

    name, has_pods = "local", False
    path = pathlib.Path("/var/lib/tortie/store.db")

    def __init__(self):
        self.etcd = self

    def conf(self, port=None, kubeconfig=None):
        return {"datastore_type": "local", "policy": {"type": "k8s"}}

    def node(self, name=NODE, **metadata):
        self._put("nodes", "Node", name, {}, **metadata)

    def clear(self):
        for name in self.path.parent.glob("store.db*"):
            name.unlink()

    # What the etcd store asks of etcd, from the file.

    def _run(self, statement, *values):
        if not self.path.exists():  # the first call of a plugin makes it
            inside.tool("env", "CNI_COMMAND=STATUS", "CNI_PATH=/none", inside.bin_dir() / "calico",
                        text=json.dumps({"cniVersion": "1.1.0", "name": "net", "type": "calico",
                                         "nodename": NODE, "nodename_file_optional": True,
                                         **self.conf()}), check=False)
        with contextlib.closing(sqlite3.connect(self.path, timeout=10)) as database:
            found = database.execute(statement, values).fetchall()
            database.commit()
            return found

    def texts(self, prefix):
        if not self.path.exists():
            return {}
        return dict(self._run("SELECT name, value FROM documents WHERE substr(name, 1, ?) = ? "
                              "ORDER BY name", len(prefix), prefix))

    def find(self, key):
        found = self._run("SELECT value, version FROM documents WHERE name = ?", key)
        return (json.loads(found[0][0]), found[0][1]) if found else None

    def put(self, key, value):
        self._run("UPDATE revision SET last = last + 1")
        self._run("INSERT INTO documents(kind, name, value, version) VALUES ('test', ?, ?, "
                  "(SELECT last FROM revision)) ON CONFLICT(name) DO UPDATE SET "
                  "value = excluded.value, version = excluded.version", key,
                  json.dumps(value, separators=(",", ":")))

    def swap(self, key, value, revision):
        if value is None:
            self._run("DELETE FROM documents WHERE name = ?", key)
        else:
            self.put(key, value)
        return revision is not None

    def delete(self, prefix):
        self._run("DELETE FROM documents WHERE substr(name, 1, ?) = ?", len(prefix), prefix)
