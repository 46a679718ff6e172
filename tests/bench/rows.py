# SPDX-License-Identifier: Apache-2.0
"""What is measured, and what was promised for it."""
import ipaddress
import os
import shutil

from tests.bench import memory, node
from tests.bench.timing import Call, Series, at_once, interleave, ratio

LEGEND = ("Whole process, from its start to its end, with children. Ratios are the median of the "
          "ratios of neighbouring runs.")
_TAKEN = 65_000
_MAPPINGS = (0, 1000, 5000, 60_000)
_POD_NET = ipaddress.ip_network("10.1.0.0/16")


def row(what, peer, ours, target, measured, met):
    return f"| {what} | {peer} | {ours} | {target} | {measured} | {'yes' if met else '**no**'} |"


def compared(what, ours, peer, most):
    """A row for "at most `most` x Go"; an integer is a divisor: 12 for 1/12."""
    value = ratio(ours, peer)
    if isinstance(most, int):
        return row(what, peer, ours, f"<= 1/{most} of Go", f"1/{1 / value:.1f}", value * most <= 1)
    return row(what, peer, ours, f"<= {most} x Go", f"{value:.2f} x", value <= most)


class Suite:
    def __init__(self, ours, peer, quick):
        self._paths = {"tortie": ours, "go": peer}
        self._quick = quick

    def groups(self):
        return (self.version, self.small_plugins, self.full_range, self.iptables, self.maps,
                self.thirty_at_once, self.memory, self.size)

    def _rounds(self, wanted):
        return max(2, wanted // 10) if self._quick else wanted

    def _measure(self, plugin, cycle_of, rounds):
        """`cycle_of` makes, from "tortie" or "go" and the executable, what interleave() runs."""
        cycles = {whose: cycle_of(whose, os.path.join(directory, plugin))
                  for whose, directory in self._paths.items()}
        series = interleave(cycles, self._rounds(rounds))
        return series["tortie"], series["go"]

    def version(self):
        def cycle_of(_whose, path):
            call = Call(path, "VERSION", {})
            return lambda: {"VERSION": call.run()}

        ours, peer = self._measure("portmap", cycle_of, 100)
        yield compared("VERSION (portmap)", ours["VERSION"], peer["VERSION"], 0.4)

    def small_plugins(self):
        pod = node.Node("small")
        pod.enter()
        result = {"cniVersion": "1.0.0", "interfaces": [{"name": "eth0", "sandbox": pod.pod_path}],
                  "ips": [{"address": "10.88.0.2/16", "interface": 0}]}
        configs = {
            "loopback": {},
            "tuning": {"sysctl": {"net.core.somaxconn": "500", "net.ipv4.conf.IFNAME.arp_filter":
                                  "1"}, "mtu": 1400, "mac": "c2:11:22:33:44:55",
                       "prevResult": result},
            "host-local": {"ipam": {"type": "host-local", "subnet": "10.1.0.0/16"}},
        }
        for plugin, config in configs.items():
            def cycle_of(whose, path, plugin=plugin, config=config):
                full = {"cniVersion": "1.0.0", "name": f"{whose}-{plugin}", "type": plugin,
                        "dataDir": f"/run/{whose}-tuning", **config}
                steps = {verb: Call(path, verb, full, netns=pod.pod_path)
                         for verb in ("ADD", "DEL")}
                return lambda: {verb: call.run() for verb, call in steps.items()}

            ours, peer = self._measure(plugin, cycle_of, 100)
            for verb in ("ADD", "DEL"):
                yield compared(f"{plugin} {verb}", ours[verb], peer[verb], 0.4)

    def full_range(self):
        """host-local in a /16 with 65,000 taken: the first ones, or round robin at the end."""
        hosts = [str(_POD_NET[number]) for number in range(2, _TAKEN + 2)]
        ends = {"next to a free one": hosts[-1], "at the range's end": str(_POD_NET[-2])}
        for directory, count in (("tortie", _TAKEN), ("go", _TAKEN), ("few", 10)):
            _take(directory, hosts[:count])
        few = self._host_local_cycle("few", os.path.join(self._paths["tortie"], "host-local"),
                                     hosts[9])
        for where, pointer in ends.items():
            def cycle_of(whose, path, pointer=pointer):
                return self._host_local_cycle(whose, path, pointer)

            ours, peer = self._measure("host-local", cycle_of, 7)
            own = interleave({"full": cycle_of("tortie", os.path.join(
                self._paths["tortie"], "host-local")), "few": few}, self._rounds(60))
            for verb in ("ADD", "DEL"):
                what = f"host-local {verb}, 65,000 taken, pointer {where}"
                yield compared(what, ours[verb], peer[verb], 150)
                value = ratio(own["full"][verb], own["few"][verb])
                yield row(what + ", against 10 taken", f"(10: {own['few'][verb]})",
                          own["full"][verb], "<= 1.5 x own", f"{value:.2f} x", value <= 1.5)
        for directory in ("tortie", "go", "few"):
            shutil.rmtree(_data_dir(directory))

    @staticmethod
    def _host_local_cycle(whose, path, pointer):
        config = {"cniVersion": "1.0.0", "name": "net", "type": "host-local",
                  "ipam": {"type": "host-local", "subnet": str(_POD_NET),
                           "dataDir": _data_dir(whose)}}
        steps = {verb: Call(path, verb, config) for verb in ("ADD", "DEL")}

        def cycle():
            # In place, so that the directory does not change: that would void our index.
            with open(f"{_data_dir(whose)}/net/last_reserved_ip.0", "w") as file:
                file.write(pointer)
            return {verb: call.run() for verb, call in steps.items()}

        return cycle

    def iptables(self):
        host = node.Node("iptables")
        host.enter()
        ours, peer = self._measure("portmap", lambda whose, path: _portmap_cycle(
            path, host, "iptables", whose, [8080 if whose == "go" else 8081]), 40)
        for verb, most in (("ADD", 0.25), ("DEL", 0.15)):
            yield compared(f"portmap iptables {verb}, one TCP port", ours[verb], peer[verb], most)

    def maps(self):
        """portmap nf_tables with many mappings there already: a node for each number."""
        cycles = {}
        for whose, counts in (("tortie", _MAPPINGS), ("go", (0, 5000))):
            path = os.path.join(self._paths[whose], "portmap")
            for count in counts:
                host = node.Node(f"{whose}-{count}")
                host.enter()
                _publish(path, host, count)
                cycles[whose, count] = _portmap_cycle(path, host, "nftables", "bench", [64_000],
                                                      verbs=("ADD", "CHECK", "DEL"))
        series = interleave(cycles, self._rounds(30))
        for verb in ("ADD", "DEL", "CHECK"):
            empty = series["tortie", 0][verb]
            for count in _MAPPINGS:
                ours = series["tortie", count][verb]
                flat = ratio(ours, empty)
                peer = series["go", count][verb] if ("go", count) in series else ""
                yield row(f"portmap nf_tables {verb}, {count:,} mappings", peer, ours,
                          "<= 3 ms, flat within 25 %", f"{ours.median:.2f} ms, {flat:.2f} x empty",
                          ours.median <= 3 and flat <= 1.25)
            yield compared(f"portmap nf_tables {verb}, no mappings, against Go's nftables", empty,
                           series["go", 0][verb], 12)
        yield compared("portmap nf_tables DEL, 5,000 mappings, against Go's nftables",
                       series["tortie", 5000]["DEL"], series["go", 5000]["DEL"], 100)

    def thirty_at_once(self):
        for backend, most in (("nftables", 20), ("iptables", 5)):
            took = {"tortie": Series(), "go": Series()}
            notes = {}
            for number in range(self._rounds(5)):
                for whose, directory in self._paths.items():
                    host = node.Node(f"many-{whose}")
                    host.enter()
                    calls = [Call(os.path.join(directory, "portmap"), "ADD",
                                  _portmap_config(host, backend, [20_000 + each]),
                                  container=f"c{each}", netns=host.pod_path)
                             for each in range(30)]
                    ms, failed = at_once(calls)
                    took[whose].ms.append(ms)
                    duplicates = node.duplicate_rules()
                    seen = notes.setdefault(whose, [0, 0])
                    seen[0], seen[1] = seen[0] + failed, max(seen[1], duplicates)
                    node.switch_to("small")
                    host.remove()
            what = f"30 portmap ADDs at once, {backend}"
            yield compared(what, took["tortie"], took["go"], most)
            yield row(what + ": failed / duplicate rules", *(
                f"{notes[whose][0]} / {notes[whose][1]}" for whose in ("go", "tortie")),
                "0 / 0", f"{notes['tortie'][0]} / {notes['tortie'][1]}", notes["tortie"] == [0, 0])

    def memory(self):
        host = node.Node("memory")
        host.enter()
        result = {"cniVersion": "1.0.0", "interfaces": [{"name": "eth0", "sandbox":
                  host.pod_path}], "ips": [{"address": "10.88.0.2/16", "interface": 0}]}
        configs = {
            "loopback": {},
            "tuning": {"mtu": 1400, "sysctl": {"net.core.somaxconn": "500"}, "prevResult": result},
            "host-local": {"ipam": {"type": "host-local", "subnet": str(_POD_NET)}},
            "portmap": _portmap_config(host, "nftables", [8080]),
        }
        peaks = {}
        for plugin, config in configs.items():
            full = {"cniVersion": "1.0.0", "name": "memory", "type": plugin, **config}
            for whose, directory in self._paths.items():
                peaks[whose] = max(
                    memory.peak_kib(Call(os.path.join(directory, plugin), verb, full,
                                         container=whose, netns=host.pod_path)) / 1024
                    for verb in ("ADD", "CHECK", "DEL"))
            yield row(f"{plugin}: peak memory", f"{peaks['go']:.1f} MiB",
                      f"{peaks['tortie']:.1f} MiB", "<= 4 MiB", f"{peaks['tortie']:.1f} MiB",
                      peaks["tortie"] <= 4)

    def size(self):
        for plugin, most in (("loopback", 1.5), ("host-local", 1.5), ("tuning", 1.5),
                             ("portmap", 3.2)):
            ours, peer = (os.path.getsize(os.path.join(self._paths[whose], plugin)) / 1e6
                          for whose in ("tortie", "go"))
            yield row(f"{plugin}: executable", f"{peer:.2f} MB", f"{ours:.2f} MB",
                      f"<= {most} MB", f"{ours:.2f} MB", ours <= most)


def _data_dir(whose):
    return f"/run/{whose}-full"


def _take(whose, addresses):
    os.makedirs(f"{_data_dir(whose)}/net")
    for address in addresses:
        with open(f"{_data_dir(whose)}/net/{address}", "w") as file:
            file.write(f"taken-{address}\r\neth0")


def _portmap_config(host, backend, ports):
    return {"cniVersion": "1.0.0", "name": "pmnet", "type": "portmap", "backend": backend,
            "runtimeConfig": {"portMappings": [
                {"hostPort": port, "containerPort": 80, "protocol": "tcp"} for port in ports]},
            "prevResult": {"cniVersion": "1.0.0",
                           "interfaces": [{"name": "eth0", "sandbox": host.pod_path}],
                           "ips": [{"address": "10.88.0.2/16", "interface": 0}]}}


def _publish(path, host, count, chunk=500):
    for first in range(0, count, chunk):
        ports = range(1024 + first, 1024 + min(first + chunk, count))
        Call(path, "ADD", _portmap_config(host, "nftables", ports), container=f"held-{first}",
             netns=host.pod_path).run()


def _portmap_cycle(path, host, backend, container, ports, verbs=("ADD", "DEL")):
    config = _portmap_config(host, backend, ports)
    steps = {verb: Call(path, verb, config, container=container, netns=host.pod_path)
             for verb in verbs}

    def cycle():
        host.enter()
        return {verb: call.run() for verb, call in steps.items()}

    return cycle
