# SPDX-License-Identifier: Apache-2.0
"""A real control plane: etcd and kube-apiserver 1.20 over TLS, with an audit log, and a second
etcd for Calico's own documents. The plugins are a user with the rights that deploy/manifests grants and nothing more."""
import fcntl
import json
import pathlib
import shutil
import subprocess

from tests.cluster import pki
from tests.cluster.client import Etcd, Kube
from tests.cluster.inside import NODE_IP, ROOT, SHARED, until

FOLDER = pathlib.Path("/run/cluster")
KUBE_PORT, CALICO_ETCD_PORT, METRICS_PORT = 6443, 4379, 4381
_KUBE_ETCD_PORT = 2379
_ARCHIVE = SHARED / "kube/kubernetes-1.20.2-linux-amd64.tar.xz"
_NAMES = f"IP:127.0.0.1,IP:{NODE_IP},IP:10.96.0.1,DNS:localhost"
PLUGIN_USER = "system:serviceaccount:kube-system:calico-cni-plugin"
PLUGIN_TOKEN = "token-of-calico-cni-plugin"
_LEAST_RIGHTS = ROOT / "deploy/manifests/rbac/calico-cni-plugin.yaml"


def missing(*programs):
    """Why there can be no control plane here; "" when there can."""
    absent = [name for name in ("etcd", "openssl", *programs) if not shutil.which(name)]
    if absent:
        return f"not installed: {' '.join(absent)} (scripts/deps cluster)"
    return "" if _ARCHIVE.exists() else f"{_ARCHIVE} is missing"


def kubernetes():
    """The folder of Kubernetes' executables, unpacked once."""
    folder = ROOT / "build/cluster/kubernetes"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(folder.with_suffix(".lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            fresh = folder.with_suffix(".new")
            shutil.rmtree(fresh, ignore_errors=True)
            fresh.mkdir()
            subprocess.run(["tar", "-xJf", _ARCHIVE, "-C", fresh], check=True)
            fresh.rename(folder)
    return folder


def documents(text):
    """The documents of a YAML text, each beginning with a line break."""
    return ["\n" + each.strip("\n") + "\n" for each in ("\n" + text).split("\n---\n")
            if each.strip()]


def kubeconfig(path, server, ca, user):
    """Writes one; `user` is what stands in it for the user."""
    path.write_text(json.dumps({
        "apiVersion": "v1", "kind": "Config", "current-context": "tests",
        "clusters": [{"name": "tests", "cluster": {"server": server,
                                                   "certificate-authority": str(ca)}}],
        "users": [{"name": "tests", "user": user}],
        "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": "tests"}}]}))
    path.chmod(0o600)
    return path


class Cluster:
    """Starts everything and waits until it answers."""

    def __init__(self):
        FOLDER.mkdir(parents=True, exist_ok=True)
        self.programs = kubernetes()
        self.authority = pki.Authority(FOLDER / "pki")
        self.ca = self.authority.ca
        self.server = self.authority.issue("server", "/CN=server", _NAMES)
        self.admin = self.authority.issue("admin", "/O=system:masters/CN=admin")
        self.etcd_client = self.authority.issue("etcd-client", "/CN=calico")
        self._running = {}
        self.start_etcd("kube-etcd", _KUBE_ETCD_PORT)
        self.start_etcd("calico-etcd", CALICO_ETCD_PORT, METRICS_PORT)
        self.etcd = Etcd("127.0.0.1", CALICO_ETCD_PORT, self.ca, self.etcd_client)
        self.kube = Kube(NODE_IP, KUBE_PORT, self.ca, certificate=self.admin)
        self.start_apiserver()
        self._allow_plugins()
        self.kubeconfig = self.plugin_kubeconfig("calico-kubeconfig")

    # --- processes ---

    def start(self, name, *argv):
        with open(FOLDER / f"{name}.log", "ab") as log:
            self._running[name] = subprocess.Popen([str(word) for word in argv], stdout=log,
                                                   stderr=log, stdin=subprocess.DEVNULL)

    def stop(self, name):
        process = self._running.pop(name)
        process.kill()
        process.wait()

    def wait(self, name, is_up, seconds=60):
        """Until the process of that name answers; its log's end is the error's text."""
        def answered():
            if is_up():
                return True
            if self._running[name].poll() is not None:
                raise AssertionError(f"{name} ended: {self.log(name)[-2000:]}")
            return False
        until(answered, seconds, what=f"{name} answers")

    def log(self, name):
        return (FOLDER / f"{name}.log").read_text(errors="replace")

    def start_etcd(self, name, port, metrics=None):
        certificate, key = self.server
        url = f"https://127.0.0.1:{port}"
        peer = f"http://127.0.0.1:{port + 1}"
        self.start(name, "etcd", "--name", name, "--data-dir", FOLDER / name,
                   "--listen-client-urls", url, "--advertise-client-urls", url,
                   "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
                   "--initial-cluster", f"{name}={peer}", "--client-cert-auth",
                   "--cert-file", certificate, "--key-file", key, "--trusted-ca-file", self.ca,
                   *(["--listen-metrics-urls", f"http://127.0.0.1:{metrics}"] if metrics else []))
        client = Etcd("127.0.0.1", port, self.ca, self.etcd_client)
        self.wait(name, client.is_up)

    def start_apiserver(self):
        certificate, key = self.server
        etcd_certificate, etcd_key = self.etcd_client
        (FOLDER / "tokens.csv").write_text(f'{PLUGIN_TOKEN},"{PLUGIN_USER}",calico-cni-plugin\n')
        (FOLDER / "audit.json").write_text(json.dumps({
            "apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"],
            "rules": [{"level": "Metadata", "users": [PLUGIN_USER]}, {"level": "None"}]}))
        account, account_key = self.authority.issue("accounts", "/CN=accounts")
        self.start(
            "kube-apiserver", self.programs / "kube-apiserver", "--bind-address=0.0.0.0",
            f"--advertise-address={NODE_IP}", f"--secure-port={KUBE_PORT}", "--insecure-port=0",
            f"--etcd-servers=https://127.0.0.1:{_KUBE_ETCD_PORT}", f"--etcd-cafile={self.ca}",
            f"--etcd-certfile={etcd_certificate}", f"--etcd-keyfile={etcd_key}",
            f"--tls-cert-file={certificate}", f"--tls-private-key-file={key}",
            f"--client-ca-file={self.ca}", f"--token-auth-file={FOLDER / 'tokens.csv'}",
            "--service-account-issuer=https://localhost",
            f"--service-account-signing-key-file={account_key}",
            f"--service-account-key-file={account}", "--authorization-mode=Node,RBAC",
            "--service-cluster-ip-range=10.96.0.0/16,fd00:96::/112",
            "--feature-gates=IPv6DualStack=true", "--allow-privileged=true",
            "--disable-admission-plugins=ServiceAccount", "--max-requests-inflight=0",
            "--max-mutating-requests-inflight=0", "--enable-priority-and-fairness=false",
            "--kubelet-preferred-address-types=InternalIP",
            f"--kubelet-client-certificate={self.admin[0]}",
            f"--kubelet-client-key={self.admin[1]}", f"--audit-log-path={FOLDER / 'audit.log'}",
            f"--audit-policy-file={FOLDER / 'audit.json'}", "--audit-log-mode=blocking")
        self.wait("kube-apiserver", lambda: self.kube.request("GET", "/readyz")[0] == 200)

    # --- rights ---

    def _allow_plugins(self):
        """The least that the plugins need: what the stock ClusterRole grants is more."""
        group = "/apis/rbac.authorization.k8s.io/v1"
        for document in documents(_LEAST_RIGHTS.read_text()):
            for kind, plural in (("ClusterRole", "clusterroles"),
                                 ("ClusterRoleBinding", "clusterrolebindings")):
                if f"\nkind: {kind}\n" in document:
                    self.kube.create(f"{group}/{plural}", document.encode(),
                                     kind="application/yaml")

    def plugin_kubeconfig(self, name, host=NODE_IP, port=KUBE_PORT, token=PLUGIN_TOKEN):
        return kubeconfig(FOLDER / name, f"https://{host}:{port}", self.ca, {"token": token})

    # --- definitions ---

    def define(self, files):
        """Creates custom resource definitions from YAML files and waits until they are served."""
        path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        names = [self.kube.create(path, file.read_bytes(), kind="application/yaml")
                 ["metadata"]["name"] for file in files]
        for name in names:
            until(lambda name=name: _established(self.kube.get(f"{path}/{name}")),
                  what=f"{name} is established")

    def undefine(self):
        """Removes every custom resource definition, with all that it defined."""
        path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        self.kube.request("DELETE", path)
        until(lambda: not self.kube.get(path)["items"], seconds=30, what="definitions are gone")


def _established(definition):
    conditions = definition.get("status", {}).get("conditions") or []
    return any(each["type"] == "Established" and each["status"] == "True" for each in conditions)


def own_definitions(version):
    return sorted((ROOT / "tests/crds" / version).glob("*.yaml"))


def original_definitions(version):
    """The files of Calico v3.32.1 for the same kinds; empty when they are not there."""
    kinds = {path.stem for path in own_definitions(version)}
    return [path for path in sorted((SHARED / "calico-crds" / version).glob("*.yaml"))
            if path.stem.split("_")[-1] in kinds]


def requests_of_plugins():
    """Where the audit log ends now: give it to requests_since()."""
    path = FOLDER / "audit.log"
    return path.stat().st_size if path.exists() else 0


def requests_since(mark):
    """What the plugins asked for: [(verb, path, code)], in the order of completion."""
    with open(FOLDER / "audit.log", "rb") as log:
        log.seek(mark)
        events = [json.loads(line) for line in log]
    return [(event["verb"], event["requestURI"], event.get("responseStatus", {}).get("code", 0))
            for event in events if event["user"]["username"] == PLUGIN_USER]

