#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Many at once: on one node, on several, and beside a node that still runs the Go program."""
import concurrent.futures
import ipaddress
import json
import pathlib
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tests.cluster import case, go_peer, inside, plugin, servers, stores, verify

_ADDS, _NODES, _PODS = 30, 4, 200
_AT_ONCE = 6  # processes of all nodes together; two processors are all there is here


class OtherNode:
    """A node's own /run and /var/lib, in which calico-ipam runs; the network does not matter."""

    def __init__(self, name):
        self.name = name
        self._shell = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "private", "sh", "-c",
             "mkdir -p /run/cluster /tmp/kept && mount --rbind /run/cluster /tmp/kept && "
             "mount -t tmpfs tmpfs /var/lib && mount -t tmpfs tmpfs /run && "
             "mkdir /run/cluster && mount --rbind /tmp/kept /run/cluster && echo ready && cat"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self._shell.stdout.readline() != "ready\n":
            raise AssertionError(f"no node {name}")

    def call(self, conf, env):
        started = time.monotonic()
        child = subprocess.Popen(
            ["nsenter", f"--mount=/proc/{self._shell.pid}/ns/mnt",
             inside.bin_dir() / "calico-ipam"], env={**env, "PATH": "/usr/bin:/bin"},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        child.stdin.write(json.dumps(conf))
        child.stdin.close()
        child.stdin = None
        return plugin.finish(child, started)

    def end(self):
        self._shell.kill()
        self._shell.wait()
        self._shell.stdin.close()
        self._shell.stdout.close()


class Crowds:
    def test_thirty_adds_and_dels_at_once_on_one_node(self):
        self.store.pool("lab-v4", "10.80.0.0/24")
        pods = [self.pod(f"web{number}") for number in range(_ADDS)]

        answers = self.at_once(pods, "ADD")

        given = [self.succeeds(answer).addresses[0] for answer in answers]
        self.assertEqual(len(set(given)), _ADDS)
        self.assertEqual({self.holder(address) for address in given}, self.handles())
        self.assertEqual(verify.problems(self.store), [])
        for answer in self.at_once(pods, "DEL"):
            self.succeeds(answer)
        self.assert_nothing_allocated()

    def test_four_nodes_share_a_pool_that_just_fits(self):
        self.store.pool("tight", "10.80.0.0/22", blockSize=26)
        self.store.reservation("rest", "10.80.3.32/27", "10.80.3.64/26", "10.80.3.128/25")
        self.assertEqual(1024 - 32 - 64 - 128, _NODES * _PODS)

        given = self.crowd("ADD")

        self.assertEqual(len(set(given)), _NODES * _PODS)
        self.assertEqual(verify.problems(self.store), [])
        self.crowd("DEL")
        self.assert_nothing_allocated()
        self.assertEqual(verify.problems(self.store), [])

    @staticmethod
    def at_once(pods, verb):
        started = time.monotonic()
        children = [pod.start(verb) for pod in pods]
        return [plugin.finish(child, started) for child in children]

    def crowd(self, verb):
        nodes = [OtherNode(f"node-{number}") for number in range(_NODES)]
        self.other_nodes(nodes)
        confs = {node.name: self.conf(type="calico-ipam", nodename=node.name) for node in nodes}

        def one(number):
            node = nodes[number % _NODES]
            name = f"pod-{number}"
            return node.call(confs[node.name], plugin.environment(
                verb, f"c-{name}", "/none", plugin.arguments(name)))

        try:
            with concurrent.futures.ThreadPoolExecutor(_AT_ONCE) as pool:
                answers = list(pool.map(one, range(_NODES * _PODS)))
        finally:
            for node in nodes:
                node.end()
        for answer in answers:
            self.succeeds(answer)
        return [answer.addresses[0] for answer in answers] if verb == "ADD" else []

    def other_nodes(self, nodes):
        """The nodes as objects, where they need to be some."""
        for node in nodes:
            if not self.store.kube.find(f"/api/v1/nodes/{node.name}"):
                self.store.node(node.name)


class KubernetesCase(case.Case):
    version = "v1"

    @classmethod
    def make_store(cls):
        case.definitions(cls.version)
        return stores.Kubernetes(case.cluster(), cls.version)


class KubernetesCrowds(Crowds, KubernetesCase):
    def test_thirty_adds_at_once_are_served_together(self):
        self.store.pool("lab-v4", "10.80.0.0/24")
        warm, _ = self.added("warm")
        pods = [self.pod(f"web{number}") for number in range(_ADDS)]
        mark = servers.requests_of_plugins()

        for answer in self.at_once(pods, "ADD"):
            self.succeeds(answer)

        asked = servers.requests_since(mark)
        writes = [path for verb, path, code in asked
                  if "ipamblocks" in path and verb in ("update", "create") and code < 300]
        self.assertLessEqual(len(writes), 6)
        self.assertLessEqual(len(asked), 240)
        self.succeeds(warm("DEL"))


class KubernetesBesideGo(KubernetesCase):
    go_wrote = True

    def test_a_go_node_changes_the_same_blocks_meanwhile(self):
        self.store.pool("lab-v4", "10.80.0.0/25", blockSize=29)
        self.added("warm")
        peers = [go_peer.GoNode(self.store, f"go-{number}") for number in range(2)]
        stop, of_go, errors = threading.Event(), {}, []

        def work(peer):
            number = 0
            try:
                while not stop.is_set() or number < 5:
                    handle = f"{plugin.NETWORK}.{peer.name}-{number}"
                    address = peer.add(handle)
                    if address and number % 2:
                        peer.delete(handle)
                    elif address:
                        of_go[handle] = address
                    number += 1
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=work, args=(peer,)) for peer in peers]
        for thread in threads:
            thread.start()
        try:
            pods = [self.pod(f"web{number}") for number in range(12)]
            given = {pod: self.succeeds(pod("ADD")).addresses[0].split("/")[0] for pod in pods}
            for pod in pods[::3]:
                self.succeeds(pod("DEL"))
                del given[pod]
        finally:
            stop.set()
            for thread in threads:
                thread.join()

        self.assertEqual(errors, [])
        held = verify.allocated(self.store)
        for pod, address in given.items():
            self.assertEqual(held[address], f"{plugin.NETWORK}.{pod.container}")
        for handle, address in of_go.items():
            self.assertEqual(held[address], handle)
        self.assertEqual(verify.problems(self.store, own_sequences=False), [])
        for handle in of_go:
            peers[0].delete(handle)

    def test_documents_that_go_marked_deleted_are_finished_and_not_used(self):
        self.store.pool("lab-v4", "10.80.3.8/29", blockSize=29)
        base = f"/apis/{self.store.group}"
        pod, _ = self.added("web")
        self.succeeds(pod("DEL"))
        for plural in ("ipamblocks", "blockaffinities"):
            [item] = self.store.raw(plural)
            item["spec"]["deleted"] = "true" if plural == "blockaffinities" else True
            self.store.kube.replace(f"{base}/{plural}/{item['metadata']['name']}", item)
        self.store.kube.create(f"{base}/ipamhandles", {
            "kind": "IPAMHandle", "apiVersion": self.store.group,
            "metadata": {"name": f"{plugin.NETWORK}.{pod.container}"},
            "spec": {"handleID": f"{plugin.NETWORK}.{pod.container}",
                     "block": {"10.80.3.8/29": 1}, "deleted": True}})

        answer = self.succeeds(pod("ADD"))

        [block] = self.store.blocks().values()
        self.assertFalse(block["deleted"])
        self.assertIn(ipaddress.ip_interface(answer.addresses[0]).ip,
                      ipaddress.ip_network("10.80.3.8/29"))


class EtcdCrowds(Crowds, case.Case):
    @classmethod
    def make_store(cls):
        return stores.EtcdV3(case.cluster())


if __name__ == "__main__":
    case.main()
