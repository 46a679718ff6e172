# SPDX-License-Identifier: Apache-2.0
"""Another node of the cluster that runs Calico v3.32.1: allocates and releases in the same blocks
with the documents, the steps and the habits of the Go program. It leaves sequence numbers of
released ordinals behind, marks documents `deleted` before it removes them, and rebuilds metadata
on every write. Source: spec calico-ipam-datastore.md 2.4, 3.6; calico-v3.32.1.md 7."""
import ipaddress
import random
import time

_ANNOTATION = {"projectcalico.org/metadata": "{}"}


class Conflict(Exception):
    pass


class KubernetesDocuments:
    def __init__(self, store):
        self._store, self._kube = store, store.kube
        self._base = f"/apis/{store.group}"
        self._marks = _ANNOTATION if store.version == "v1" else None

    def read(self, plural, name):
        found = self._kube.find(f"{self._base}/{plural}/{name.lower()}")
        if found and found["spec"].get("deleted") in (True, "true"):
            self._finish(plural, found)
            return None
        return found

    def blocks(self):
        return [item for item in self._kube.items(f"{self._base}/ipamblocks")
                if not item["spec"].get("deleted")]

    def write(self, plural, found):
        metadata = {"name": found["metadata"]["name"],
                    "resourceVersion": found["metadata"]["resourceVersion"]}
        if plural == "ipamhandles":
            metadata["uid"] = found["metadata"]["uid"]
        self._send("PUT", f"{plural}/{metadata['name']}", found["kind"], metadata, found["spec"])

    def create(self, plural, kind, name, spec):
        self._send("POST", plural, kind, {"name": name.lower()}, spec)

    def remove(self, plural, found):
        found["spec"]["deleted"] = True
        self.write(plural, found)  # this is what decides
        self._finish(plural, self._kube.find(
            f"{self._base}/{plural}/{found['metadata']['name']}"))

    def _finish(self, plural, found):
        if found:
            self._kube.request("DELETE", f"{self._base}/{plural}/{found['metadata']['name']}", {
                "kind": "DeleteOptions", "apiVersion": "v1",
                "preconditions": {"uid": found["metadata"]["uid"]}})

    def _send(self, method, path, kind, metadata, spec):
        if self._marks:
            metadata["annotations"] = self._marks
        code, answer = self._kube.request(method, f"{self._base}/{path}", {
            "kind": kind, "apiVersion": self._store.group, "metadata": metadata, "spec": spec})
        if code in (404, 409):
            raise Conflict(path)
        if not 200 <= code < 300:
            raise AssertionError(f"{method} {path}: {code} {answer}")


class GoNode:
    """Borrows addresses from blocks that are there, as a Go node does when it has none itself."""

    def __init__(self, store, name):
        self._documents = KubernetesDocuments(store)
        self.name = name
        self._random = random.Random(name)

    def add(self, handle):
        """The address; None when nothing is free."""
        while candidates := [block for block in self._shuffled() if block["spec"]["unallocated"]]:
            cidr = candidates[0]["spec"]["cidr"]
            self._count(handle, cidr, +1)
            address = self._take(candidates[0], handle)
            if address:
                return address
            self._count(handle, cidr, -1)
        return None

    def delete(self, handle):
        """Releases what the handle has, block by block."""
        found = self._documents.read("ipamhandles", handle)
        for cidr in list(found["spec"]["block"]) if found else []:
            while not self._release(cidr, handle):
                pass
            self._count(handle, cidr, -1)

    def _shuffled(self):
        blocks = self._documents.blocks()
        self._random.shuffle(blocks)
        return blocks

    def _take(self, block, handle):
        spec = block["spec"]
        ordinal = spec["unallocated"].pop(0)
        # Go looks for an equal record first; the timestamp makes every call's its own.
        spec["attributes"] = (spec.get("attributes") or []) + [{
            "handle_id": handle, "secondary": {
                "node": self.name, "namespace": "shop", "pod": handle.split(".")[-1],
                "timestamp": f"{time.strftime('%Y-%m-%d %H:%M:%S')} +0000 UTC"}}]
        spec["allocations"][ordinal] = len(spec["attributes"]) - 1
        sequences = spec.get("sequenceNumberForAllocation") or {}
        sequences[str(ordinal)] = spec["sequenceNumber"]
        spec["sequenceNumberForAllocation"] = sequences
        spec["sequenceNumber"] += 1
        try:
            self._documents.write("ipamblocks", block)
        except Conflict:
            return None
        return str(ipaddress.ip_network(spec["cidr"])[ordinal])

    def _release(self, cidr, handle):
        name = cidr.replace(".", "-").replace(":", "-").replace("/", "-")
        block = self._documents.read("ipamblocks", name)
        spec = block["spec"] if block else {"attributes": []}
        gone = {index for index, each in enumerate(spec["attributes"])
                if each.get("handle_id") == handle}
        if not gone:
            return True
        kept = [index for index in range(len(spec["attributes"])) if index not in gone]
        for ordinal, index in enumerate(spec["allocations"]):
            if index in gone:
                spec["allocations"][ordinal] = None
                spec["unallocated"].append(ordinal)  # its sequence number stays
            elif index is not None:
                spec["allocations"][ordinal] = kept.index(index)
        spec["attributes"] = [spec["attributes"][index] for index in kept]
        spec["sequenceNumber"] += 1
        try:
            self._documents.write("ipamblocks", block)
        except Conflict:
            return False
        return True

    def _count(self, handle, cidr, step):
        for _ in range(100):
            found = self._documents.read("ipamhandles", handle)
            try:
                if found is None:
                    if step > 0:
                        self._documents.create("ipamhandles", "IPAMHandle", handle, {
                            "handleID": handle, "block": {cidr: 1}, "deleted": False})
                    return
                blocks = found["spec"]["block"]
                blocks[cidr] = blocks.get(cidr, 0) + step
                if blocks[cidr] <= 0:
                    del blocks[cidr]
                if blocks:
                    self._documents.write("ipamhandles", found)
                else:
                    self._documents.remove("ipamhandles", found)
                return
            except Conflict:
                continue
        raise AssertionError(f"handle {handle} cannot be counted")
