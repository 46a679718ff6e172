# SPDX-License-Identifier: Apache-2.0
"""Runs programs and says how long they took: the whole process, from before it is made to after
it is gone, with its children."""
import json
import os
import statistics
import time

_NULL = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)


class Call:
    """One verb of a plugin, ready to run."""

    def __init__(self, path, command, config, container="bench", ifname="eth0",
                 netns="/run/netns/pod"):
        self.path = path
        self.env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "CNI_COMMAND": command,
                    "CNI_CONTAINERID": container, "CNI_IFNAME": ifname, "CNI_NETNS": netns,
                    "CNI_PATH": "/opt/cni/bin", "TORTIE_LOG": "error"}
        self.config = json.dumps(config).encode()
        self._stdin = os.memfd_create("stdin")
        os.write(self._stdin, self.config)
        self._stdout = os.memfd_create("stdout")

    def __del__(self):
        os.close(self._stdin)
        os.close(self._stdout)

    def start(self, stdin=None):
        os.lseek(self._stdin, 0, os.SEEK_SET)
        os.ftruncate(self._stdout, 0)
        os.lseek(self._stdout, 0, os.SEEK_SET)
        return os.posix_spawn(self.path, [self.path], self.env, file_actions=[
            (os.POSIX_SPAWN_DUP2, stdin or self._stdin, 0),
            (os.POSIX_SPAWN_DUP2, self._stdout, 1), (os.POSIX_SPAWN_DUP2, _NULL, 2)])

    def output(self):
        os.lseek(self._stdout, 0, os.SEEK_SET)
        return os.read(self._stdout, 4096).decode(errors="replace")

    def run(self):
        """Milliseconds."""
        started = time.perf_counter_ns()
        _, status = os.waitpid(self.start(), 0)
        took = (time.perf_counter_ns() - started) / 1e6
        if status != 0:
            raise RuntimeError(f"{self.path} {self.env['CNI_COMMAND']}: {self.output()}")
        return took


class Series:
    """What one program took, in order."""

    def __init__(self):
        self.ms = []

    @property
    def median(self):
        return statistics.median(self.ms)

    def __str__(self):
        return f"{self.median:.2f} ({min(self.ms):.2f})"


def ratio(ours, peer):
    """The median of the ratios of runs that stood next to each other."""
    return statistics.median(a / b for a, b in zip(ours.ms, peer.ms))


def interleave(cycles, rounds, warm_up=1):
    """Runs each of `cycles` ({name: function that returns {step: sample}}) in turns, the order
    changing from round to round. Returns {name: {step: Series}}."""
    names = list(cycles)
    series = {name: {} for name in names}
    for number in range(-warm_up, rounds):
        for name in (names if number % 2 else reversed(names)):
            for step, sample in cycles[name]().items():
                if number >= 0:
                    series[name].setdefault(step, Series()).ms.append(sample)
    return series


def at_once(calls):
    """Milliseconds until all of them are done, and how many of them failed."""
    started = time.perf_counter_ns()
    pids = [call.start() for call in calls]
    failed = sum(os.waitpid(pid, 0)[1] != 0 for pid in pids)
    return (time.perf_counter_ns() - started) / 1e6, failed
