# SPDX-License-Identifier: Apache-2.0
"""cnitool on a node (node.py): the CNI library of the runtimes, without a runtime."""
import hashlib
import json
import os
import pathlib

from tests.e2e.node import until


def program():
    """cnitool as scripts/go-peers built it, or None."""
    path = pathlib.Path(os.environ.get("TORTIE_GO_PLUGINS", "/nonexistent")) / "cnitool"
    return path if path.exists() else None


class Cnitool:
    """Pods that are nothing but a network namespace."""

    def __init__(self, node, network, pod_program):
        self.node = node
        self.network = network
        self._pod_program = pod_program  # a path on the node
        self._program = node.put(program())

    def add(self, name, *ports):
        """The result of ADD for a new namespace, in which a pod then answers on tcp:80 and
        udp:53. `ports`: (protocol, host port, container port)."""
        self.node.run("ip", "netns", "add", name)
        result = json.loads(self("add", name, *ports))
        self.node.start("nsenter", f"--net=/run/netns/{name}", self._pod_program, name, "tcp:80",
                        "udp:53")
        address = result["ips"][0]["address"].split("/")[0]
        until(lambda: self.node.ask(address, 80, seconds=1), what=f"pod {name} answers")
        return result

    def __call__(self, verb, name, *ports, check=True):
        mappings = [{"protocol": protocol, "hostPort": host, "containerPort": inner}
                    for protocol, host, inner in ports]
        return self.node.run(self._program, verb, self.network, f"/run/netns/{name}", check=check,
                             env={"NETCONFPATH": "/etc/cni/net.d", "CNI_PATH": "/opt/cni/bin",
                                  "CAP_ARGS": json.dumps({"portMappings": mappings})})

    @staticmethod
    def container_id(name):
        return "cnitool-" + hashlib.sha512(f"/run/netns/{name}".encode()).hexdigest()[:20]
