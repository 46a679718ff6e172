# SPDX-License-Identifier: Apache-2.0
"""What stands on the node, read from the node and nowhere else."""
import contextlib
import ipaddress
import json
import re
import sqlite3
from dataclasses import dataclass

from tests.e2e import chain, recorder


@dataclass
class Pod:
    name: str
    runtime: str
    network: str
    id: str
    addresses: list
    ports: list  # (protocol, host port, port in the pod)
    annotations: dict


@dataclass
class Reservation:
    address: str
    pod: str
    where: str


@dataclass
class Mapping:
    protocol: str
    port: int
    pod: str
    target: str
    carrier: str
    shown_by: str  # the command that shows it


@dataclass
class Proof:
    command: str
    answer: str


def _host_local(node, pods):
    """Files that host-local keeps, one an address."""
    for network in dict.fromkeys(pod.network for pod in pods):
        names = {pod.id: pod.name for pod in pods}
        for address, owner in chain.leases(node, network).items():
            yield Reservation(address, names.get(owner, owner[:12]),
                              f"/var/lib/cni/networks/{network}/{address}")


def namespace(node, pod):
    """The path of the pod's network namespace, where its runtime has it."""
    [added] = recorder.calls(node, plugin="calico", cmd="ADD", id=pod.id)
    return added["netns"]


def _documents(node):
    """{key: document} of the embedded store."""
    store = node.folder / "var-lib/tortie/store.db"
    with contextlib.closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as database:
        return {name: json.loads(value) for name, value in
                database.execute("SELECT name, value FROM documents ORDER BY name")}


def _calico(node, pods):
    """What blocks say of their addresses."""
    names = {f"{pod.network}.{pod.id}": pod.name for pod in pods}
    for key, block in _documents(node).items():
        if "/assignment/" not in key:
            continue
        network = ipaddress.ip_network(block["cidr"])
        for ordinal, index in enumerate(block["allocations"]):
            if index is not None:
                handle = block["attributes"][index]["handle_id"]
                yield Reservation(str(network[ordinal]), names.get(handle, handle[:20]),
                                  f"block {block['cidr']} of {block['affinity']}")


RESERVATIONS = (_calico, _host_local)


def stored(node):
    """The last pod's endpoint and a block as they are in the store, one line each."""
    found = _documents(node)
    for kind in ("/workloadendpoints/", "/assignment/"):
        key = [key for key in found if kind in key][-1]
        document = found[key]
        yield key
        yield json.dumps(document.get("spec", document))


def _nf_tables_map(node, protocol, port):
    """(target, carrier, command) for each family: elements `tcp . 8080 : 10.88.0.2 . 80`."""
    tables = json.loads(node.run("nft", "-j", "list", "maps"))["nftables"]
    names = [item["map"]["name"] for item in tables
             if item.get("map", {}).get("table") == "tortie"]
    for name in sorted(name for name in names if name.startswith("ports")):
        command = f"nft list map inet tortie {name}"
        found = re.search(rf'\b{protocol} \. {port}\b(?: comment "[^"]*")? : (\S+) \. (\d+)',
                          node.run(*command.split()))
        if found:
            yield _joined(*found.groups()), f"nft map {name}", command


def _iptables_chain(node, protocol, port):
    for program in ("iptables", "ip6tables"):
        found = re.search(rf"-A (CNI-DN-\w+) .*-p {protocol} .*--dport {port} -j DNAT "
                          r"--to-destination (\S+)", node.run(program, "-t", "nat", "-S"))
        if found:
            yield (found.group(2), program,
                   f"{program} -t nat -S {found.group(1)}")


CARRIERS = (_nf_tables_map, _iptables_chain)


def _joined(address, port):
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def reservations(node, pods):
    return [held for find in RESERVATIONS for held in find(node, pods)]


def mappings(node, pods):
    """One for each host port and family, or one that says that nothing carries it."""
    found = []
    for pod in pods:
        for protocol, port, _ in pod.ports:
            carried = [Mapping(protocol, port, pod.name, *fact)
                       for find in CARRIERS for fact in find(node, protocol, port)]
            found += carried or [Mapping(protocol, port, pod.name, "-", "nothing", "-")]
    return found


def add_times(node, pods):
    """{pod: {plugin: milliseconds of its ADD}}"""
    return {pod.name: {call["plugin"]: call["ms"]
                       for call in recorder.calls(node, cmd="ADD", id=pod.id)} for pod in pods}
