# SPDX-License-Identifier: Apache-2.0
"""The rest of a cluster on this one node: controller-manager, scheduler, containerd and kubelet,
with the plugins under test in the kubelet's chain."""
import json
import os
import pathlib
import signal

from tests.cluster import inside
from tests.cluster.inside import NODE_IP, until
from tests.cluster.servers import FOLDER, KUBE_PORT, kubeconfig
from tests.e2e import image
from tests.e2e.node import remove_cgroups

CGROUP = "tortie-kubelet"
NODE = "node1"
_SOCKET = FOLDER / "containerd.sock"
_CONTAINERD = f"""version = 2
root = "{FOLDER}/ctd/root"
state = "{FOLDER}/ctd/state"
oom_score = 0
[grpc]
  address = "{_SOCKET}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{image.IMAGE}"
  restrict_oom_score_adj = true
  disable_apparmor = true
  tolerate_missing_hugetlb_controller = true
  disable_hugetlb_controller = true
  netns_mounts_under_state_dir = true
  stream_server_address = "127.0.0.1"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{inside.bin_dir()}"
    conf_dir = "{FOLDER}/net.d"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
"""


class KubeNode:
    def __init__(self, cluster, chain, pod_image):
        self.cluster = cluster
        for folder in ("net.d", "ctd"):
            (FOLDER / folder).mkdir()
        # The kubelet's own choice of a place for logs is the machine's; not here.
        inside.tool("mount", "-t", "tmpfs", "tmpfs", "/var/log")
        inside.tool("sysctl", "-qw", "net.ipv4.ip_forward=1")
        (FOLDER / "net.d/10-calico.conflist").write_text(json.dumps(chain))
        self._users = {user: self._user(user, subject) for user, subject in (
            ("manager", "/CN=system:kube-controller-manager"),
            ("scheduler", "/CN=system:kube-scheduler"),
            ("node", f"/O=system:nodes/CN=system:node:{NODE}"))}
        self._start_controllers()
        self.start_containerd()
        inside.tool("ctr", "-a", _SOCKET, "-n", "k8s.io", "images", "import", pod_image)
        self._start_kubelet()
        until(self._is_ready, seconds=90, what="the node is Ready")

    def _user(self, name, subject):
        certificate, key = self.cluster.authority.issue(
            f"user-{name}", subject, f"IP:{NODE_IP},DNS:{NODE}")
        return kubeconfig(FOLDER / f"{name}.kubeconfig", f"https://{NODE_IP}:{KUBE_PORT}",
                          self.cluster.ca, {"client-certificate": str(certificate),
                                            "client-key": str(key)})

    def _start_controllers(self):
        programs, user = self.cluster.programs, self._users["manager"]
        key = self.cluster.authority.folder / "accounts.key"
        self.cluster.start(
            "manager", programs / "kube-controller-manager", f"--kubeconfig={user}",
            f"--authentication-kubeconfig={user}", f"--authorization-kubeconfig={user}",
            f"--service-account-private-key-file={key}", f"--root-ca-file={self.cluster.ca}",
            "--use-service-account-credentials", "--leader-elect=false",
            "--bind-address=127.0.0.1", "--port=0")
        self.cluster.start("scheduler", programs / "kube-scheduler",
                           f"--kubeconfig={self._users['scheduler']}", "--leader-elect=false",
                           "--bind-address=127.0.0.1", "--port=0")

    def start_containerd(self):
        (FOLDER / "containerd.toml").write_text(_CONTAINERD)
        self.cluster.start("containerd", "containerd", "-c", FOLDER / "containerd.toml")
        self.cluster.wait("containerd", lambda: _succeeds("ctr", "-a", _SOCKET, "version"))

    def _start_kubelet(self):
        certificate, key = (self.cluster.authority.folder / f"user-node.{end}"
                            for end in ("crt", "key"))
        (FOLDER / "kubelet.json").write_text(json.dumps({
            "apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
            "authentication": {"anonymous": {"enabled": False}, "webhook": {"enabled": True},
                               "x509": {"clientCAFile": str(self.cluster.ca)}},
            "authorization": {"mode": "Webhook"}, "cgroupDriver": "cgroupfs",
            "cgroupRoot": f"/{CGROUP}", "failSwapOn": False, "oomScoreAdj": 0,
            "tlsCertFile": str(certificate), "tlsPrivateKeyFile": str(key),
            "enforceNodeAllocatable": [], "imageGCHighThresholdPercent": 100,
            "nodeStatusUpdateFrequency": "1s",
            "registryPullQPS": 0, "kubeAPIQPS": 100, "kubeAPIBurst": 200,
            "evictionHard": {"nodefs.available": "1%", "imagefs.available": "1%",
                             "memory.available": "50Mi"}}))
        _make_cgroups()
        self.cluster.start(
            "kubelet", self.cluster.programs / "kubelet", f"--config={FOLDER / 'kubelet.json'}",
            f"--kubeconfig={self._users['node']}", "--container-runtime=remote",
            f"--container-runtime-endpoint=unix://{_SOCKET}", f"--hostname-override={NODE}",
            f"--root-dir={FOLDER / 'kubelet'}", f"--cert-dir={FOLDER / 'kubelet/pki'}",
            f"--node-ip={NODE_IP}", f"--pod-infra-container-image={image.IMAGE}")

    def _is_ready(self):
        node = self.cluster.kube.find(f"/api/v1/nodes/{NODE}") or {"status": {}}
        return any(each["type"] == "Ready" and each["status"] == "True"
                   for each in node["status"].get("conditions", []))

    def kill_containerd(self):
        """kill -9 of the daemon; its containers go on."""
        self.cluster.stop("containerd")

    def end(self):
        """Everything of this node is in this process namespace; its control groups are not."""
        self.cluster.stop("kubelet")
        self.cluster.stop("containerd")
        for path in pathlib.Path("/proc").glob("[0-9]*/cgroup"):
            try:
                if f"/{CGROUP}" in path.read_text() or b"containerd-shim" in path.with_name(
                        "cmdline").read_bytes():
                    os.kill(int(path.parent.name), signal.SIGKILL)
            except OSError:
                continue  # it has ended
        remove_cgroups(CGROUP)


def _succeeds(*command):
    try:
        inside.tool(*command)
        return True
    except RuntimeError:
        return False


def _make_cgroups():
    """The kubelet wants its root to be there in every hierarchy."""
    for top in pathlib.Path("/sys/fs/cgroup").iterdir():
        if top.is_dir() and (top / "cgroup.procs").exists():
            (top / CGROUP).mkdir(exist_ok=True)
            for name in ("cpuset.cpus", "cpuset.mems"):
                if (top / CGROUP / name).exists():
                    (top / CGROUP / name).write_text((top / name).read_text())
