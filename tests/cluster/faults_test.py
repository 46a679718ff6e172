#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Servers that fail, lines that break, plugins that are killed: on kubernetes (both groups) and on
etcd. Whatever happened, the runtime's DEL afterwards leaves nothing.
Source: spec calico-ipam-datastore.md 8.6, calico-peers.md 3."""
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tests.cluster import case, pki, plugin, stores, verify, wire
from tests.cluster.case import V4, V6

_TRY_AGAIN = 11
# What can happen to any one request, and whether the server has then done it.
FAULTS = {
    "500": wire.status(500), "503": wire.status(503),
    "429": wire.status(429, **{"Retry-After": "1"}), "409": wire.status(409),
    "garbage": wire.garbage, "half a body": wire.half_a_body, "nothing": wire.closed,
    "reply lost": wire.lost_reply,
}


class FaultCase(case.Case):
    """A store behind a line that fails where a test says so."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.line = wire.FaultLine(cls.store.server, cls.store.cluster.ca, cls.store.cluster.server,
                                  cls.store.client_certificate)

    @classmethod
    def tearDownClass(cls):
        cls.line.close()

    def setUp(self):
        super().setUp()
        self.line.reset()
        self.addCleanup(self.line.reset)
        self.store.pool("lab-v4", V4)
        self.direct = self.conf()
        self.through = self.conf(**self.store.conf(port=self.line.port),
                                 datastore_timeout_seconds=20)

    def requests_of(self, verb, pod, conf):
        """What an undisturbed call asks for."""
        self.line.reset()
        self.succeeds(pod(verb, conf))
        return list(self.line.seen)

    def nth(self, number, act):
        self.line.reset(lambda request: act if request.number == number else wire.passed_on)

    def kill_at(self, number, child):
        """The request takes effect, and the plugin dies before it hears of it."""
        def act(line, connection, request):
            line.ask(request)
            plugin.kill(child[0])
            return False
        self.nth(number, act)

    def assert_clean_after_del(self, pod, what):
        with self.subTest(f"after {what}"):
            self.line.reset()
            answer = pod("DEL", self.direct)
            self.assertEqual(answer.status, 0, answer.stdout + answer.stderr)
            self.assertEqual(verify.problems(self.store, claims_may_be_unfinished=True), [])
            self.assert_nothing_allocated()
            self.assertEqual(plugin.host_links(), [])
            self.assertIsNone(self.store.endpoint(pod.name))
            # A claim that a kill has cut short is finished by the node's next ADD.
            said = plugin.ipam_tool(self.direct, "-check")
            self.assertEqual([line for line in said.splitlines()
                              if line != "no findings" and not line.startswith("affinity-")], [])


class Matrix:
    """Every request of a verb, disturbed in every way."""

    ipam = {"type": "calico-ipam"}

    def test_add_survives_every_fault_of_every_request(self):
        pod = self.pod()
        through = {**self.through, "ipam": self.ipam}
        self.settle(pod)
        count = len(self.requests_of("ADD", pod, through))
        self.succeeds(pod("DEL", self.direct))
        for number in range(count):
            for name, act in FAULTS.items():
                what = f"{name} for request {number}"
                self.nth(number, act)
                answer = pod("ADD", through)
                with self.subTest(what):
                    if answer.status != 0:
                        self.fails(answer)
                        self.assertEqual(plugin.host_links(), [])
                    self.assertLess(answer.seconds, 25)
                self.assert_clean_after_del(pod, what)

    def test_del_survives_every_fault_of_every_request(self):
        pod = self.pod()
        self.settle(pod)
        self.succeeds(pod("ADD", self.direct))
        count = len(self.requests_of("DEL", pod, self.through))
        for number in range(count):
            for name, act in FAULTS.items():
                what = f"{name} for request {number}"
                self.succeeds(pod("ADD", self.direct))
                self.nth(number, act)
                answer = pod("DEL", self.through)
                with self.subTest(what):
                    if answer.status != 0:
                        self.fails(answer)
                    self.assertLess(answer.seconds, 25)
                self.assert_clean_after_del(pod, what)

    def test_add_killed_after_every_request_is_cleaned_by_del(self):
        for first in (True, False):  # the node's first block, and a block that is there
            self.store.clear()
            self.store.pool("lab-v4", V4)
            pod = self.pod(f"first-{first}".lower())
            if not first:
                self.settle(pod)
            self.killed_everywhere(pod, "ADD", {**self.through, "ipam": self.ipam}, first)

    def test_del_killed_after_every_request_is_finished_by_del(self):
        pod = self.pod()
        self.settle(pod)
        self.killed_everywhere(pod, "DEL", self.through, False)

    def killed_everywhere(self, pod, verb, conf, afresh):
        for number in range(60):
            if afresh:
                self.store.clear()
                self.store.pool("lab-v4", V4)
                if self.store.has_pods:
                    self.store.pod(pod.name)
            if verb == "DEL":
                self.succeeds(pod("ADD", self.direct))
            child = []
            self.kill_at(number, child)
            env = pod.env(verb)
            child.append(plugin.start("calico", conf, env))
            answer = plugin.finish(child[0], time.monotonic())
            if answer.status == 0:
                self.assertGreaterEqual(number, 3)
                return self.succeeds(pod("DEL", self.direct))
            self.assertEqual(answer.status, -9, answer.stdout + answer.stderr)
            self.assert_clean_after_del(pod, f"killed at request {number}")
            self.settle(pod)
            self.assertEqual(verify.problems(self.store), [])
        self.fail("it never ended by itself")

    def settle(self, pod):
        """The node has its block, the configuration is there."""
        self.succeeds(pod("ADD", self.direct))
        self.succeeds(pod("DEL", self.direct))


class Outages:
    """A datastore that cannot be used."""

    def test_an_unreachable_server_is_an_error_to_be_tried_again(self):
        self.line.reset(lambda request: wire.closed)

        self.fails(self.pod()("ADD", self.conf(**self.store.conf(port=1))), code=_TRY_AGAIN)

    def test_a_server_that_takes_no_connection_is_given_up_when_that_was_asked_for(self):
        pod = self.pod()

        # Packets to it go to the neighbour, which drops them.
        answer = pod("ADD", self.conf(**self.store.conf_of("203.0.113.77"),
                                      datastore_connect_timeout_seconds=1))

        self.fails(answer, code=_TRY_AGAIN)
        self.assertLess(answer.seconds, 3)

    def test_a_silent_server_is_given_up_within_the_deadline(self):
        self.line.reset(lambda request: wire.silence)
        pod = self.pod()

        answer = pod("ADD", {**self.through, "datastore_timeout_seconds": 2})

        self.fails(answer, code=_TRY_AGAIN)
        self.assertLess(answer.seconds, 5)

    def test_del_without_the_store_takes_the_node_down_and_queues_the_rest(self):
        pod, answer = self.added()
        away = self.conf(**self.store.conf(port=1))

        self.succeeds(pod("DEL", away))

        self.assertEqual(plugin.host_links(), [])
        self.assertEqual(list(pod.links()), ["lo"])
        self.assertIsNotNone(self.holder(answer.addresses[0]))
        self.assertNotEqual(self.queued(), [])

    def test_the_next_add_makes_up_for_the_queue(self):
        pod, answer = self.added(conf=self.through)
        self.del_while_away(pod)

        self.added("next", conf=self.through)

        self.assertEqual(self.queued(), [])
        self.assertIsNone(self.holder(answer.addresses[0]))

    def test_gc_makes_up_for_the_queue(self):
        pod, _ = self.added(conf=self.through)
        self.del_while_away(pod)

        self.succeeds(pod("GC", {**self.through, "cniVersion": "1.1.0",
                                 "cni.dev/valid-attachments": []}))

        self.assertEqual(self.queued(), [])
        self.assert_nothing_allocated()

    def test_the_second_family_failing_gives_the_first_back(self):
        self.store.pool("six", V6, blockSize=122, nodeSelector="zone ==")
        ipam = {"type": "calico-ipam", "assign_ipv4": "true", "assign_ipv6": "true"}

        self.fails(self.pod()("ADD", self.conf(ipam=ipam)))

        self.assert_nothing_allocated()

    def del_while_away(self, pod):
        """The same datastore before and after: a release goes to no other."""
        self.line.reset(lambda request: wire.closed)
        self.succeeds(pod("DEL", self.through))
        self.line.reset()
        self.assertNotEqual(self.queued(), [])

    @staticmethod
    def queued():
        return [path.name for path in pathlib.Path("/var/lib/tortie/queue").glob("*.release")]

    def tearDown(self):
        # What a failed test has queued is not the next one's.
        for path in pathlib.Path("/var/lib/tortie/queue").glob("*"):
            path.unlink()


class Tokens:
    """Rights of the plugin's user."""

    def test_an_expired_token_is_named_without_being_shown(self):
        stale = self.store.cluster.plugin_kubeconfig("stale", token="expired-secret-token")
        pod = self.pod()

        answer = pod("ADD", self.conf(kubernetes={"kubeconfig": str(stale)}))

        self.fails(answer, "connection is unauthorized", str(stale), code=_TRY_AGAIN)
        self.assertNotIn("expired-secret-token", answer.stdout + answer.stderr)

    def test_a_token_replaced_meanwhile_is_read_again(self):
        path = self.store.cluster.plugin_kubeconfig("turning", "127.0.0.1", self.line.port,
                                                    "old-token")
        good = self.store.cluster.plugin_kubeconfig("turned", "127.0.0.1", self.line.port)

        def refuse_and_replace(line, connection, request):
            path.write_text(good.read_text())
            return wire.passed_on(line, connection, request)

        self.nth(0, refuse_and_replace)
        pod = self.pod()

        self.succeeds(pod("ADD", self.conf(kubernetes={"kubeconfig": str(path)})))

    def test_a_missing_kubeconfig_fails(self):
        missing = self.conf(kubernetes={"kubeconfig": "/nonexistent"})

        self.fails(self.pod()("ADD", missing), "/nonexistent", code=_TRY_AGAIN)

    def test_without_a_kubeconfig_del_takes_the_node_down_and_queues_the_rest(self):
        kubeconfig = self.store.cluster.plugin_kubeconfig("uninstalled")
        pod, answer = self.added(conf=self.conf(kubernetes={"kubeconfig": str(kubeconfig)}))
        text = kubeconfig.read_text()
        kubeconfig.unlink()

        self.succeeds(pod("DEL"))

        self.assertEqual(plugin.host_links(), [])
        self.assertIsNotNone(self.holder(answer.addresses[0]))
        kubeconfig.write_text(text)
        self.added("next", conf=pod.conf)
        self.assertIsNone(self.holder(answer.addresses[0]))

    def test_a_server_of_another_authority_is_not_trusted(self):
        other = pki.Authority(self.store.cluster.ca.parent / "other").ca
        text = self.store.cluster.kubeconfig.read_text().replace(
            str(self.store.cluster.ca), str(other))
        path = self.store.cluster.kubeconfig.with_name("untrusting")
        path.write_text(text)

        self.fails(self.pod()("ADD", self.conf(kubernetes={"kubeconfig": str(path)})))


class KubernetesFaults(FaultCase):
    version = "v1"

    @classmethod
    def make_store(cls):
        case.definitions(cls.version)
        return stores.Kubernetes(case.cluster(), cls.version)


class EtcdFaults(FaultCase):
    @classmethod
    def make_store(cls):
        return stores.EtcdV3(case.cluster())


class KubernetesV1Matrix(Matrix, KubernetesFaults):
    pass


class KubernetesV3Kills(Matrix, KubernetesFaults):
    version = "v3"
    test_add_survives_every_fault_of_every_request = None
    test_del_survives_every_fault_of_every_request = None


class KubernetesOutages(Outages, KubernetesFaults):
    pass


class KubernetesTokens(Tokens, KubernetesFaults):
    pass


class EtcdMatrix(Matrix, EtcdFaults):
    pass


class EtcdOutages(Outages, EtcdFaults):
    pass


if __name__ == "__main__":
    case.main()
