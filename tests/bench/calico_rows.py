# SPDX-License-Identifier: Apache-2.0
"""What is measured of the Calico plugins, what the Go programs took, and what was promised.
Source of Go's figures: spec calico-peers.md 1, run A."""
import ipaddress
import os
import re
import statistics
import time
import urllib.request

from tests.bench import memory
from tests.bench.timing import Call
from tests.cluster import case, inside, plugin, servers, stores, wire
from tests.cluster.servers import METRICS_PORT

LEGEND = ("Times are of the whole process, from its start to its end: median (fastest). CPU "
          "time is user and system, with children. A round trip is a request that was sent after "
          "the reply to another one; what goes out together counts once.")
_DUAL = {"type": "calico-ipam", "assign_ipv4": "true", "assign_ipv6": "true"}
_MANY, _AT_ONCE, _ONE_ADDRESS_BLOCKS = 110, 30, 1024


def row(what, peer, ours, target, met):
    return f"| {what} | {peer} | {ours} | {target} | {'yes' if met else '**no**'} |"


def counted(what, peer, ours, most):
    return row(what, peer, ours, f"at most {most}", ours <= most)


def timed(what, peer, samples, most, unit="ms"):
    median = statistics.median(samples)
    return row(what, peer, f"{median:.1f} ({min(samples):.1f}) {unit}", f"at most {most} {unit}",
               median <= most)


class PodCall:
    """The verbs of one pod, ready to be measured."""

    def __init__(self, name, conf, program="calico"):
        self.name = name
        self._conf, self._program = conf, program
        inside.tool("ip", "netns", "add", name)

    def call(self, verb, conf=None):
        call = Call(str(inside.bin_dir() / self._program), verb, conf or self._conf,
                    container=f"c-{self.name}", netns=f"/run/netns/{self.name}")
        call.env["CNI_ARGS"] = plugin.arguments(self.name)
        return call

    def run(self, verb, conf=None):
        """(wall ms, CPU ms)"""
        call = self.call(verb, conf)
        started = time.perf_counter_ns()
        _, status, used = os.wait4(call.start(), 0)
        wall = (time.perf_counter_ns() - started) / 1e6
        if status != 0:
            raise RuntimeError(f"{verb} of {self.name}: {call.output()}")
        return wall, (used.ru_utime + used.ru_stime) * 1000

    def remove(self):
        inside.tool("ip", "netns", "del", self.name)


def round_trips(seen):
    """The longest chain of requests of which each was sent after a reply to the one before."""
    depth = {}
    for request in sorted(seen, key=lambda each: each.arrived):
        depth[request] = 1 + max((depth[other] for other in depth
                                  if other.answered <= request.arrived), default=0)
    return max(depth.values(), default=0)


def _late(line, connection, request):
    """Passed on, and the reply held until whatever was sent beside it has arrived."""
    found = line.ask(request)
    time.sleep(0.02)
    return line.answer(connection, *found)


def _etcd_requests():
    """Requests of etcd's clients so far."""
    with urllib.request.urlopen(f"http://127.0.0.1:{METRICS_PORT}/metrics") as answer:
        text = answer.read().decode()
    return sum(int(float(count)) for count in re.findall(
        r'^grpc_server_handled_total\{grpc_code="OK",grpc_method="(?:Range|Txn|Put|DeleteRange)"'
        r'.*\} (\S+)$', text, re.MULTILINE))


class Suite:
    def __init__(self, quick):
        self._quick = quick
        self.cluster = case.cluster()
        case.definitions("v1")
        self.kubernetes = stores.Kubernetes(self.cluster, "v1")
        self.etcd = stores.EtcdV3(self.cluster)
        self.etcd.node()
        self.etcd.namespace("shop")
        for store in (self.kubernetes, self.etcd):
            self._fill(store)

    def groups(self):
        return (self.start, self.requests, self.times, self.slow_line, self.at_once,
                self.one_by_one, self.full_pool, self.unreachable, self.weight, self.local)

    @staticmethod
    def _fill(store):
        store.clear()
        store.ready(True)
        store.pool("lab-v4", "10.80.0.0/16")
        store.pool("lab-v6", "fd00:80::/64", blockSize=122)

    def _rounds(self, wanted):
        return max(3, wanted // 10) if self._quick else wanted

    def _pods(self, store, count, conf):
        names = [f"bench-{number}" for number in range(count)]
        if store.has_pods:
            for name in names:
                store.pod(name)
        return [PodCall(name, conf) for name in names]

    @staticmethod
    def _end(store, pods):
        for pod in pods:
            pod.remove()
        if store.has_pods:
            store.clear_pods()

    def _sample(self, store, conf, rounds):
        """{verb: [(wall, cpu)]} of one pod that comes and goes."""
        [pod] = self._pods(store, 1, conf)
        for _ in range(2):
            pod.run("ADD"), pod.run("DEL")
        samples = {"ADD": [], "DEL": []}
        for _ in range(rounds):
            for verb, taken in samples.items():
                taken.append(pod.run(verb))
        self._end(store, [pod])
        return samples

    # --- groups ---

    def start(self):
        taken = []
        for name in ("calico", "calico-ipam"):
            for _ in range(self._rounds(30)):
                started = time.perf_counter_ns()
                pid = os.posix_spawn(inside.bin_dir() / name, [name, "-v"], {}, file_actions=[
                    (os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)])
                os.waitpid(pid, 0)
                taken.append((time.perf_counter_ns() - started) / 1e6)
        yield timed("start: -v", "38.6 / 25.7 ms", taken, 5)

    def requests(self):
        """Requests and round trips, of an ADD and a DEL where the block is there."""
        for store, shown, limits in (
                (self.kubernetes, "kubernetes", {
                    ("ADD", 4): ("16", 10), ("ADD", 6): ("26", 12),
                    ("DEL", 4): ("13", 7), ("DEL", 6): ("19", 9)}),
                (self.etcd, "etcd", {
                    ("ADD", 4): ("13 + 3", 7), ("ADD", 6): ("23 + 3", 9),
                    ("DEL", 4): ("11", 4), ("DEL", 6): ("17", 6)})):
            line = wire.FaultLine(store.server, self.cluster.ca, self.cluster.server,
                                  store.client_certificate)
            for families, ipam in ((4, {"type": "calico-ipam"}), (6, _DUAL)):
                conf = plugin.configuration(store, ipam=ipam)
                through = {**conf, **store.conf(port=line.port)}
                [pod] = self._pods(store, 1, conf)
                for _ in range(2):
                    pod.run("ADD"), pod.run("DEL")
                kind = "dual stack" if families == 6 else "IPv4"
                for verb in ("ADD", "DEL"):
                    mark, before = servers.requests_of_plugins(), _etcd_requests()
                    pod.run(verb)
                    asked = len(servers.requests_since(mark)) + _etcd_requests() - before
                    peer, most = limits[verb, families]
                    yield counted(f"requests of {verb}, {shown}, {kind}", peer, asked, most)
                for verb in ("ADD", "DEL"):
                    line.reset(lambda request: _late)
                    pod.run(verb, through)
                    yield counted(f"round trips of {verb}, {shown}, {kind}", "as many",
                                  round_trips(line.seen), 4)
                self._end(store, [pod])
            line.close()

    def times(self):
        for store, shown, peers in (
                (self.kubernetes, "kubernetes", {"ADD": ("107 ms", "92 ms", 20, 9),
                                                 "DEL": ("124 ms", "86 ms", 17, 9)}),
                (self.etcd, "etcd", {"ADD": ("144 ms", "119 ms", 20, 9),
                                     "DEL": ("106 ms", "75 ms", 17, 9)})):
            samples = self._sample(store, plugin.configuration(store), self._rounds(60))
            for verb, (wall, cpu, most_wall, most_cpu) in peers.items():
                yield timed(f"{verb}, {shown}: wall time", wall,
                            [each[0] for each in samples[verb]], most_wall)
                yield timed(f"{verb}, {shown}: CPU time", cpu,
                            [each[1] for each in samples[verb]], most_cpu)

    def slow_line(self):
        line = wire.SlowLine(self.kubernetes.server, 0.005)
        conf = plugin.configuration(self.kubernetes)
        conf.update(self.kubernetes.conf(port=line.port))
        samples = self._sample(self.kubernetes, conf, self._rounds(30))
        for verb, peer, most in (("ADD", "274 ms", 65), ("DEL", "254 ms", 55)):
            yield timed(f"{verb}, kubernetes, 5 ms of round trip added", peer,
                        [each[0] for each in samples[verb]], most)
        line.close()

    def at_once(self):
        for store, shown, peer, peer_asked in ((self.kubernetes, "kubernetes", "2.8 s", "480"),
                                               (self.etcd, "etcd", "2.2 s", "390 + 90")):
            conf = plugin.configuration(store)
            took, asked, writes = [], [], []
            for _ in range(3):
                self._fill(store)
                pods = self._pods(store, _AT_ONCE, conf)
                pods[0].run("ADD"), pods[0].run("DEL")
                calls = [pod.call("ADD") for pod in pods]
                mark, before = servers.requests_of_plugins(), _etcd_requests()
                started = time.perf_counter()
                pids = [call.start() for call in calls]
                failed = sum(os.waitpid(pid, 0)[1] != 0 for pid in pids)
                took.append(time.perf_counter() - started)
                if failed:
                    raise RuntimeError(f"{failed} of {_AT_ONCE} ADDs at once failed")
                seen = servers.requests_since(mark)
                asked.append(len(seen) + _etcd_requests() - before)
                writes.append(sum("ipamblocks" in path and verb in ("update", "create")
                                  for verb, path, _ in seen))
                for pod in pods:
                    pod.run("DEL")
                self._end(store, pods)
            yield timed(f"{_AT_ONCE} ADDs at once on one node, {shown}", peer, took, 0.9, "s")
            yield counted(f"{_AT_ONCE} ADDs at once, {shown}: requests", peer_asked,
                          statistics.median(asked), 240)
            if store is self.kubernetes:
                yield counted(f"{_AT_ONCE} ADDs at once, {shown}: writes of blocks", "30",
                              statistics.median(writes), 6)

    def one_by_one(self):
        count = _AT_ONCE if self._quick else _MANY
        for store, shown, peer in ((self.kubernetes, "kubernetes", "17.0 s"),
                                   (self.etcd, "etcd", "14.4 s")):
            self._fill(store)
            pods = self._pods(store, count, plugin.configuration(store))
            started = time.perf_counter()
            for pod in pods:
                pod.run("ADD")
            took = time.perf_counter() - started
            for pod in pods:
                pod.run("DEL")
            self._end(store, pods)
            yield timed(f"{count} pods one by one, ADD, {shown}", peer, [took], 3, "s")

    def full_pool(self):
        store = self.kubernetes
        store.clear()
        store.pool("full", "10.80.0.0/22", blockSize=32)
        for number, address in enumerate(ipaddress.ip_network("10.80.0.0/22")):
            store.put_block({
                "cidr": f"{address}/32", "affinity": "host:node-b", "allocations": [0],
                "unallocated": [], "sequenceNumber": 1787393472000000000 + number,
                "attributes": [{"handle_id": f"{plugin.NETWORK}.other-{number}",
                                "secondary": {"node": "node-b"}}]})
        [pod] = self._pods(store, 1, plugin.configuration(store))
        call = pod.call("ADD")
        started = time.perf_counter()
        _, status = os.waitpid(call.start(), 0)
        took = time.perf_counter() - started
        self._end(store, [pod])
        self._fill(store)
        told = status != 0 and "No IPs available" in call.output()
        yield row(f"full pool of {_ONE_ADDRESS_BLOCKS:,} one-address blocks: time to the error",
                  "87 s", f"{took:.2f} s" + ("" if told else f": {call.output()}"), "at most 1 s",
                  told and took <= 1)

    def unreachable(self):
        """A server behind a line that takes everything and answers nothing."""
        if self._quick:
            return
        inside.tool("nsenter", "--net=/run/netns/client", "nft", "add table ip quiet; add chain "
                    "ip quiet in { type filter hook input priority 0; }; add rule ip quiet in tcp "
                    "dport 4379 drop")
        conf = plugin.configuration(self.etcd)
        conf["etcd_endpoints"] = f"https://{inside.CLIENT_IP}:4379"
        yield self._time_to_error("etcd that cannot be reached: time to the error", conf, 10.5)
        silent = wire.Silence()
        conf["etcd_endpoints"] = f"https://127.0.0.1:{silent.port}"
        yield self._time_to_error("etcd that answers nothing: time to the error", conf, 90.5)
        silent.close()

    def _time_to_error(self, what, conf, most):
        [pod] = self._pods(self.etcd, 1, conf)
        started = time.perf_counter()
        _, status = os.waitpid(pod.call("ADD").start(), 0)
        took = time.perf_counter() - started
        self._end(self.etcd, [pod])
        return row(what, "never", f"{took:.1f} s", f"{most:.0f} s", status != 0 and took <= most)

    def weight(self):
        for store, shown, peer in ((self.kubernetes, "kubernetes", "51 MiB, two processes"),
                                   (self.etcd, "etcd", "58 MiB, two processes")):
            [pod] = self._pods(store, 1, plugin.configuration(store, ipam=_DUAL))
            pod.run("ADD"), pod.run("DEL")
            peak = memory.peak_kib(pod.call("ADD")) / 1024
            pod.run("DEL")
            self._end(store, [pod])
            yield row(f"peak memory of an ADD, {shown}", peer, f"{peak:.1f} MiB, one process",
                      "at most 12 MiB", peak <= 12)
        size = os.path.getsize(inside.bin_dir() / "calico") / 1e6
        yield row("executable", "67.6 MB", f"{size:.2f} MB", "at most 11 MB", size <= 11)

    def local(self):
        store = stores.Local()
        self._fill(store)
        samples = self._sample(store, plugin.configuration(store), self._rounds(60))
        for verb in ("ADD", "DEL"):
            yield timed(f"{verb} of a whole pod, local", "–",
                        [each[0] for each in samples[verb]], 8)
            yield timed(f"{verb} of a whole pod, local: CPU time", "–",
                        [each[1] for each in samples[verb]], 8)
