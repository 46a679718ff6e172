# SPDX-License-Identifier: Apache-2.0
"""Chains of plugins for the tests, and what they leave on a node."""
import json
import re

V4, V6 = "10.88.0.0/16", "fd00:88::/64"
GATEWAY_V4, GATEWAY_V6 = "10.88.0.1", "fd00:88::1"


def bridge(network, ipv6=True, v4=V4, **ipam):
    ranges = [[{"subnet": v4}]] + ([[{"subnet": V6}]] if ipv6 else [])
    routes = [{"dst": "0.0.0.0/0"}] + ([{"dst": "::/0"}] if ipv6 else [])
    return {"type": "bridge", "bridge": f"br-{network}", "isGateway": True, "ipMasq": True,
            "hairpinMode": True,
            "ipam": {"type": "host-local", "ranges": ranges, "routes": routes, **ipam}}


def portmap(backend=None):
    return {"type": "portmap", "capabilities": {"portMappings": True},
            **({"backend": backend} if backend else {})}


def tuning(**settings):
    return {"type": "tuning", "capabilities": {"mac": True}, **settings}


def call(node, plugin, verb, settings, version="1.0.0", pod=None):
    """Calls a plugin as a runtime does for network `demo`, and `pod` (a namespace) if the verb is
    about one. What it prints, parsed."""
    config = {"cniVersion": version, "name": "demo", "type": plugin, **settings}
    about = {"CNI_CONTAINERID": pod, "CNI_NETNS": f"/run/netns/{pod}", "CNI_IFNAME": "eth0"}
    said = node.run(f"/opt/cni/bin/{plugin}", stdin=json.dumps(config), env={
        "CNI_COMMAND": verb, "CNI_PATH": "/opt/cni/bin", "CNI_ARGS": "", **(about if pod else {})})
    return json.loads(said) if said else None


def leases(node, network, folder="/var/lib/cni/networks"):
    """Addresses that host-local holds: {address: container id}"""
    held = {}
    for path in sorted(node.path(f"{folder}/{network}").glob("*")):
        if path.name[0].isdigit() or ":" in path.name:
            held[path.name] = path.read_text().split()[0]
    return held


def port_rules(node, *words):
    """Every line of the node's NAT rules and maps that speaks of one of the words, in any
    backend: iptables and nf_tables, IPv4 and IPv6. Without bridge's masquerade of all that a pod
    sends (chains CNI-<24 digits>), which stays when the pod's namespace went first."""
    rules = []
    for command in (("iptables-save", "-t", "nat"), ("ip6tables-save", "-t", "nat")):
        rules += node.run(*command).splitlines()
    rules += node.run("nft", "list", "ruleset").splitlines()
    return [rule for rule in rules if any(word in rule for word in words)
            and not re.search("CNI-[0-9a-f]{24}", rule)]


def kept_settings(node, folder="/run/cni/tuning"):
    """What tuning keeps so that DEL can put it back: names of files"""
    return sorted(path.name for path in node.path(folder).glob("*"))

