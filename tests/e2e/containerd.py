# SPDX-License-Identifier: Apache-2.0
"""containerd 1.6 on a node (node.py), driven as a kubelet drives it: through CRI (cri.proto)."""
import pathlib
import subprocess
import sys

import grpc

from tests.e2e import image
from tests.e2e.node import INSIDE, ROOT, until

_SOCKET = "/run/containerd/containerd.sock"
_CONFIG = f"""version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
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
    bin_dir = "/opt/cni/bin"
    conf_dir = "/etc/cni/net.d"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
"""


def _messages():
    """cri.proto as Python modules: (messages, stubs). They are made below build/."""
    made = ROOT / "build/e2e/cri"
    made.mkdir(parents=True, exist_ok=True)
    subprocess.run([sys.executable, "-m", "grpc_tools.protoc", f"-I{pathlib.Path(__file__).parent}",
                    f"--python_out={made}", f"--grpc_python_out={made}", "cri.proto"], check=True)
    if str(made) not in sys.path:
        sys.path.insert(0, str(made))
    import cri_pb2
    import cri_pb2_grpc
    return cri_pb2, cri_pb2_grpc


class Containerd:
    def __init__(self, node):
        self.node = node
        self.cri, self._stubs = _messages()
        self._daemon = None
        (node.folder / "etc/containerd.toml").write_text(_CONFIG)
        self.start()

    def start(self):
        with open(self.node.folder / "log/containerd.log", "ab") as log:
            self._daemon = self.node.start("containerd", "-c", f"{INSIDE}/etc/containerd.toml",
                                           stdout=log, stderr=log)
        self._channel = grpc.insecure_channel(f"unix:{self.node.path(_SOCKET)}", options=[
            ("grpc.max_reconnect_backoff_ms", 100), ("grpc.initial_reconnect_backoff_ms", 50)])
        self._service = self._stubs.RuntimeServiceStub(self._channel)
        until(self._is_up, seconds=30, what="containerd is up")

    def _is_up(self):
        try:
            return bool(self.call("Status", self.cri.StatusRequest()))
        except grpc.RpcError:  # it listens before it has read what it ran: "not initialized yet"
            return False

    def kill(self):
        """kill -9 of the daemon; its containers go on."""
        self.close()
        self.node.run("kill", "-9", self.node.run("pidof", "containerd"))
        self._daemon.wait()

    def close(self):
        """Before the node goes down."""
        self._channel.close()

    def call(self, method, request, seconds=30):
        return getattr(self._service, method)(request, timeout=seconds, wait_for_ready=True)

    def load(self, archive):
        self.node.run("ctr", "-n", "k8s.io", "images", "import", self.node.put(archive))

    def wait_for_network(self):
        """Until the runtime reports the network ready, as a node has to before it gets pods."""
        def ready():
            conditions = self.call("Status", self.cri.StatusRequest()).status.conditions
            return all(condition.status for condition in conditions)
        until(ready, what="containerd reports its network ready")

    def run_sandbox(self, name, ports=(), attempt=0, annotations=None):
        """The id of a new sandbox. `ports`: (protocol, host port, container port[, host IP])"""
        config = self.config(name, ports, attempt, annotations)
        request = self.cri.RunPodSandboxRequest(config=config)
        return self.call("RunPodSandbox", request).pod_sandbox_id

    def config(self, name, ports=(), attempt=0, annotations=None):
        mappings = [self.cri.PortMapping(protocol=protocol, host_port=host, container_port=inner,
                                         host_ip="".join(address))
                    for protocol, host, inner, *address in ports]
        return self.cri.PodSandboxConfig(
            metadata=self.cri.PodSandboxMetadata(name=name, uid=f"uid-{name}", namespace="default",
                                                 attempt=attempt),
            hostname=name, log_directory="/run/pod-logs", port_mappings=mappings,
            annotations=annotations or {},
            linux=self.cri.LinuxPodSandboxConfig(cgroup_parent=f"/{self.node.cgroup}"))

    def run_container(self, sandbox, name, attempt=0):
        """The id of a started container that answers on tcp:80 and udp:53."""
        container = self.cri.ContainerConfig(
            metadata=self.cri.ContainerMetadata(name="main", attempt=attempt),
            image=self.cri.ImageSpec(image=image.IMAGE), args=[name, "tcp:80", "udp:53"],
            log_path=f"{name}.{attempt}.log", linux=self.cri.LinuxContainerConfig())
        made = self.call("CreateContainer", self.cri.CreateContainerRequest(
            pod_sandbox_id=sandbox, config=container, sandbox_config=self.config(name)))
        self.call("StartContainer",
                  self.cri.StartContainerRequest(container_id=made.container_id))
        address = self.addresses(sandbox)[0]
        until(lambda: self.node.ask(address, 80, seconds=1), what=f"pod {name} answers")
        return made.container_id

    def run_pod(self, name, ports=(), attempt=0, annotations=None):
        """(sandbox, container)"""
        sandbox = self.run_sandbox(name, ports, attempt, annotations)
        return sandbox, self.run_container(sandbox, name, attempt)

    def execute(self, container, *command):
        answer = self.call("ExecSync", self.cri.ExecSyncRequest(
            container_id=container, cmd=command, timeout=10))
        assert answer.exit_code == 0, answer.stderr.decode()
        return answer.stdout.decode()

    def addresses(self, sandbox):
        network = self.call("PodSandboxStatus",
                            self.cri.PodSandboxId(pod_sandbox_id=sandbox)).status.network
        return [network.ip, *(more.ip for more in network.additional_ips)]

    def stop(self, sandbox):
        self.call("StopPodSandbox", self.cri.PodSandboxId(pod_sandbox_id=sandbox))

    def remove(self, sandbox):
        self.call("RemovePodSandbox", self.cri.PodSandboxId(pod_sandbox_id=sandbox))
