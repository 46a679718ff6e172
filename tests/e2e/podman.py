# SPDX-License-Identifier: Apache-2.0
"""podman 4.3 with its CNI backend on a node (node.py)."""
import json

from tests.e2e import image
from tests.e2e.node import INSIDE, until

# runc: crun refuses a cgroup tree that is half version 2. The limits and the cgroup manager are
# for machines where root has not every capability and process 1 is no systemd.
_CONFIG = """[containers]
cgroups = "enabled"
cgroupns = "host"
default_ulimits = ["nofile=20000:20000", "nproc=20000:20000"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
[network]
network_backend = "cni"
cni_plugin_dirs = ["/opt/cni/bin"]
network_config_dir = "/etc/cni/net.d"
default_network = "{network}"
"""
_STORAGE = """[storage]
driver = "vfs"
runroot = "/run/containers/storage"
graphroot = "/var/lib/containers/storage"
"""


class Podman:
    def __init__(self, node, network):
        self.node = node
        self.network = network
        (node.folder / "etc/containers.conf").write_text(_CONFIG.format(network=network))
        (node.folder / "etc/storage.conf").write_text(_STORAGE)

    def load(self, archive):
        self("load", "-q", "-i", self.node.put(archive))

    def __call__(self, *words, check=True):
        return self.node.run("podman", *words, check=check, env={
            "CONTAINERS_CONF": f"{INSIDE}/etc/containers.conf",
            "CONTAINERS_STORAGE_CONF": f"{INSIDE}/etc/storage.conf"})

    def run(self, name, *ports, options=()):
        """Starts a pod that answers on tcp:80 and udp:53; its id. `ports` are for -p."""
        publish = [word for port in ports for word in ("-p", port)]
        container = self("run", "-d", "--name", name, "--cgroup-parent", f"/{self.node.cgroup}",
                         *publish, *options, image.IMAGE, name, "tcp:80", "udp:53")
        self._wait_for(name)
        return container

    def start(self, name):
        self("start", name)
        self._wait_for(name)

    def restart(self, name):
        self("restart", "-t", "1", name)
        self._wait_for(name)

    def _wait_for(self, name):
        """Until the pod's program listens: podman does not wait for that."""
        networks = json.loads(self("inspect", name))[0]["NetworkSettings"]["Networks"]
        address = next(iter(networks.values()))["IPAddress"]
        until(lambda: self.node.ask(address, 80, seconds=1), what=f"pod {name} answers")

    def remove(self, name):
        self("rm", "-f", "-t", "0", name)

    def address(self, name):
        """The pod's addresses: {4: ..., 6: ...}"""
        network = json.loads(self("inspect", name))[0]["NetworkSettings"]["Networks"][self.network]
        return {4: network["IPAddress"], 6: network["GlobalIPv6Address"]}
