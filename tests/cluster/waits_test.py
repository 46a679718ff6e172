#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""An ADD that waits for others, is interrupted, or gets its addresses from a program of somebody
else. On the embedded store: nothing of it depends on the datastore."""
import fcntl
import http.server
import json
import os
import pathlib
import signal
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tests.cluster import case, inside, plugin
from tests.cluster.case import V4
from tests.cluster.local_test import LocalCase

STATUS_DIR = pathlib.Path("/run/endpoint-status")
LOCK = pathlib.Path("/run/test-ipam.lock")
PROGRAMS = pathlib.Path("/run/programs")
CALLS = pathlib.Path("/run/ipam-calls")


class Gate:
    """An HTTP server that is ready from the nth request on."""

    def __init__(self, ready_at):
        self.asked = 0
        gate = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                gate.asked += 1
                self.send_response(200 if gate.asked >= ready_at else 503)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/readiness"

    def close(self):
        self._server.shutdown()
        self._server.server_close()


class Waits(LocalCase):
    def setUp(self):
        super().setUp()
        self.store.pool("lab-v4", V4)

    def gate(self, ready_at):
        gate = Gate(ready_at)
        self.addCleanup(gate.close)
        return gate

    def assert_node_as_before(self, pod):
        self.assert_nothing_allocated()
        self.assertEqual(plugin.host_links(), [])
        self.assertEqual(list(pod.links()), ["lo"])
        self.assertEqual(self.store.endpoints(), {})


class ReadinessGates(Waits):
    def test_an_add_waits_until_every_gate_is_ready(self):
        open_gate, late = self.gate(1), self.gate(2)

        self.added(readiness_gates=[open_gate.url, late.url])

        self.assertEqual((open_gate.asked, late.asked), (1, 2))

    def test_a_gate_that_stays_shut_ends_the_add_before_it_has_begun(self):
        pod = self.pod(readiness_gates=[self.gate(1000).url], datastore_timeout_seconds=3)

        answer = pod("ADD")

        self.fails(answer, "context deadline exceeded", code=11)
        self.assertLess(answer.seconds, 5)
        self.assert_node_as_before(pod)

    def test_a_gate_that_is_no_address_fails(self):
        pod = self.pod()
        for url in ("not a url", "ftp://127.0.0.1/x", "http://"):
            with self.subTest(url):
                self.fails(pod("ADD", readiness_gates=[url]),
                           f"invalid URL set for ReadinessGates:{url} Error:")


class PolicyWait(Waits):
    """Felix says in a file that it has programmed the endpoint."""

    def setUp(self):
        super().setUp()
        STATUS_DIR.mkdir(exist_ok=True)
        for path in STATUS_DIR.iterdir():
            path.unlink()
        self.wait = {"endpoint_status_dir": str(STATUS_DIR), "policy_setup_timeout_seconds": 4}

    def test_an_add_returns_when_the_file_comes(self):
        felix = threading.Timer(0.7, lambda: (STATUS_DIR / "k8s shop%2Fweb eth0").write_text("{}"))
        felix.start()
        self.addCleanup(felix.join)

        _, answer = self.added(**self.wait)

        self.assertGreater(answer.seconds, 0.6)
        self.assertLess(answer.seconds, 3)

    def test_a_file_of_an_earlier_pod_of_the_name_does_not_count(self):
        (STATUS_DIR / "k8s shop%2Fweb eth0").write_text('{"ifaceName": "cali0123456789a"}')
        self.wait["policy_setup_timeout_seconds"] = 1

        _, answer = self.added(**self.wait)

        self.assertGreater(answer.seconds, 1)

    def test_without_felix_the_pod_starts_when_the_time_is_over(self):
        self.wait["policy_setup_timeout_seconds"] = 1

        _, answer = self.added(**self.wait)

        self.assertLess(answer.seconds, 3)
        self.assertIn("Error waiting for endpoint to become ready. Unblocking pod creation...",
                      answer.stderr)

    def test_a_negative_time_is_refused_before_anything_is_done(self):
        pod = self.pod(policy_setup_timeout_seconds=-1)

        self.fails(pod("ADD"), "invalid pod startup delay of -1")

        self.assert_node_as_before(pod)


class Interruptions(Waits):
    """SIGTERM: the runtime gives up. What the ADD has done is undone, and it says why."""

    def interrupt(self, pod, until):
        child = pod.start("ADD")
        inside.until(until, what="the ADD is where it is to be interrupted")
        child.send_signal(signal.SIGTERM)
        return child

    def test_while_it_waits_for_a_gate(self):
        gate = self.gate(1000)
        pod = self.pod(readiness_gates=[gate.url])

        answer = plugin.finish(self.interrupt(pod, lambda: gate.asked), time.monotonic())

        self.fails(answer, "interrupted by the runtime", code=11)
        self.assertLess(answer.seconds, 5)
        self.assert_node_as_before(pod)

    def test_while_it_allocates(self):
        """Somebody else has the host-wide lock."""
        with open(LOCK, "w", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            pod = self.pod(ipam_lock_file=str(LOCK))
            child = pod.start("ADD")
            inside.until(lambda: self.waits_for_lock(child.pid), what="the ADD waits")
            child.send_signal(signal.SIGTERM)
            fcntl.flock(lock, fcntl.LOCK_UN)

        self.fails(plugin.finish(child, time.monotonic()), "interrupted by the runtime", code=11)

        self.assert_node_as_before(pod)

    def test_by_the_time_that_its_addresses_come(self):
        """Those of another program are given back to it."""
        ipam = Program("killing-ipam", before="kill -TERM $PPID")
        pod = self.pod(conf=self.conf(ipam=ipam.conf))
        pod.path = ipam.path

        answer = pod("ADD")

        self.fails(answer, "interrupted by the runtime", code=11)
        self.assertEqual([call["command"] for call in ipam.calls()], ["ADD", "DEL"])
        self.assert_node_as_before(pod)

    @staticmethod
    def waits_for_lock(pid):
        try:
            files = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
        except OSError:
            return False
        return str(LOCK) in files


class Program:
    """An IPAM plugin that writes down what it was asked, and has one address."""

    def __init__(self, name, address="10.90.0.7/24", before=""):
        PROGRAMS.mkdir(exist_ok=True)
        CALLS.unlink(missing_ok=True)
        self.conf, self.path = {"type": name}, f"{PROGRAMS}:{inside.bin_dir()}"
        program = PROGRAMS / name
        program.write_text(f"""#!/bin/sh
conf=$(/bin/cat)
/bin/printf '{{"command":"%s","conf":%s}}\\n' "$CNI_COMMAND" "$conf" >> {CALLS}
if [ "$CNI_COMMAND" = ADD ]; then
    {before or ":"}
    echo '{{"cniVersion":"1.0.0","ips":[{{"address":"{address}"}}]}}'
fi
""")
        program.chmod(0o755)

    @staticmethod
    def calls():
        return [json.loads(line) for line in CALLS.read_text().splitlines()]


class Azure(Waits):
    """Azure's IPAM is told which subnet its network has, and at DEL which address to give back."""

    RECORDS = pathlib.Path("/var/run/calico/azure/networks")

    def test_the_network_and_the_endpoint_are_remembered_until_del(self):
        ipam = Program("azure-vnet-ipam")
        pod = self.pod(conf=self.conf(ipam=ipam.conf))
        pod.path = ipam.path

        def run(verb):
            return self.succeeds(pod(verb))

        self.assertEqual(run("ADD").addresses, ["10.90.0.7/32"])
        network = json.loads((self.RECORDS / plugin.NETWORK / "network.json").read_text())
        self.assertEqual(network["Subnets"], ["10.90.0.0/24"])
        run("DEL")
        run("ADD")
        run("DEL")
        run("DEL")  # nothing is known of it any more

        asked = [(call["command"], call["conf"]["ipam"].get("subnet"),
                  call["conf"]["ipam"].get("ipAddress")) for call in ipam.calls()]
        self.assertEqual(asked, [("ADD", None, None), ("DEL", "10.90.0.0/24", "10.90.0.7"),
                                 ("ADD", "10.90.0.0/24", None),
                                 ("DEL", "10.90.0.0/24", "10.90.0.7")])
        self.assertFalse((self.RECORDS / plugin.NETWORK / f"{pod.container}-eth0").exists())


if __name__ == "__main__":
    case.main()
