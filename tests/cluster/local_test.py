#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""calico and calico-ipam on the embedded store: one node, no server."""
import json
import pathlib
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tests.cluster import behaviours, case, inside, plugin, stores, verify, workloads
from tests.cluster.case import V4


class LocalCase(case.Case):
    sample = "etcd"

    @classmethod
    def missing(cls):
        return ""

    @classmethod
    def make_store(cls):
        return stores.Local()


class LocalAddresses(behaviours.Addresses, LocalCase):
    def samples(self):
        """Without the endpoint: it has labels and an account of the pod, which nobody knows here."""
        return {key: sample for key, sample in super().samples().items()
                if "/workloadendpoints/" not in key}

    def documents(self):
        return self.store.raw("/calico/")


class LocalAnnotations(behaviours.Annotations, LocalCase):
    pass


class LocalLife(behaviours.Life, LocalCase):
    pass


class LocalWorkloads(workloads.Workloads, LocalCase):
    pass


class LocalContainers(workloads.Containers, LocalCase):
    pass


class LocalReboot(LocalCase):
    """The datastore outlives a reboot, the pods do not. The boot is known by a file beside it."""

    def setUp(self):
        super().setUp()
        self.store.pool("lab-v4", V4)
        self.boot = pathlib.Path(f"{self.store.path}.boot")
        self.before, self.address = self.added("before")

    def addresses_after(self):
        _, answer = self.added("after")
        return self.holder(self.address.addresses[0]), self.holder(answer.addresses[0])

    def test_what_pods_of_an_earlier_boot_had_is_released(self):
        self.boot.write_text("00000000-0000-4000-8000-000000000000\n")

        self.assertEqual(self.addresses_after(), (None, f"{plugin.NETWORK}.c-after"))

        self.assertIsNone(self.store.endpoint("before"))
        self.assertEqual(self.boot.read_text(),
                         pathlib.Path("/proc/sys/kernel/random/boot_id").read_text())
        self.succeeds(self.before("DEL"))

    def test_nothing_is_released_in_the_same_boot_or_when_nobody_knows(self):
        self.boot.unlink()

        self.assertEqual(self.addresses_after(),
                         (f"{plugin.NETWORK}.c-before", f"{plugin.NETWORK}.c-after"))

        self.assertIsNotNone(self.store.endpoint("before"))


class LocalCrowd(LocalCase):
    def test_thirty_adds_and_dels_at_once(self):
        self.store.pool("lab-v4", "10.80.0.0/24")
        pods = [self.pod(f"web{number}") for number in range(30)]

        answers = self.at_once(pods, "ADD")

        given = {self.succeeds(answer).addresses[0] for answer in answers}
        self.assertEqual(len(given), 30)
        self.assertEqual(verify.problems(self.store), [])
        for answer in self.at_once(pods, "DEL"):
            self.succeeds(answer)
        self.assert_nothing_allocated()

    @staticmethod
    def at_once(pods, verb):
        started = time.monotonic()
        children = [pod.start(verb) for pod in pods]
        return [plugin.finish(child, started) for child in children]

    def test_a_killed_call_is_cleaned_by_del(self):
        """At fixed moments of its life; that of every system call is in tests/fault."""
        self.store.pool("lab-v4", V4)
        pod, answer = self.added()
        whole = answer.seconds
        self.succeeds(pod("DEL"))
        for verb in ("ADD", "DEL"):
            for step in range(40):
                if verb == "DEL":
                    self.succeeds(pod("ADD"))
                child = pod.start(verb)
                time.sleep(whole * step / 30)
                if child.poll() is None:
                    child.send_signal(signal.SIGKILL)
                plugin.finish(child, 0)

                with self.subTest(f"{verb} killed at {step}/30"):
                    self.succeeds(pod("DEL"))
                    self.assertEqual(verify.problems(self.store), [])
                    self.assert_nothing_allocated()
                    self.assertEqual(plugin.host_links(), [])


class LocalOperator(LocalCase):
    """What an operator asks calico-ipam."""

    def setUp(self):
        super().setUp()
        self.needs_ipam_program()

    def run_ipam(self, *options, check=True):
        path = pathlib.Path("/run/10-calico.conf")
        path.write_text(json.dumps(self.conf()))
        return inside.tool(inside.bin_dir() / "calico-ipam", "-conf", path, *options, check=check)

    def test_show_tells_who_has_which_address(self):
        self.store.pool("lab-v4", V4)
        _, answer = self.added("web")

        shown = self.run_ipam("-show")

        for text in ("lab-v4", answer.addresses[0].split("/")[0], "shop", "web"):
            self.assertIn(text, shown)

    def test_check_finds_nothing_on_a_sound_node(self):
        self.store.pool("lab-v4", V4)
        self.added("web")

        self.run_ipam("-check")

    def test_check_finds_an_address_that_no_endpoint_has_and_a_handle_without_addresses(self):
        self.store.pool("lab-v4", V4)
        pod, answer = self.added("web")
        self.store.delete("/calico/resources/v3/projectcalico.org/workloadendpoints/")
        self.store.put("/calico/ipam/v2/handle/lost", {"block": {"10.80.3.0/26": 1},
                                                       "deleted": False})

        shown = self.run_ipam("-check", check=False)

        self.assertIn(answer.addresses[0].split("/")[0], shown)
        self.assertIn("lost", shown)
        self.run_ipam("-repair", check=False)
        self.assertNotIn("lost", self.store.handles())
        self.succeeds(pod("DEL"))

    def test_a_file_with_a_mistake_changes_nothing(self):
        before = self.store.texts("/calico/")
        path = pathlib.Path("/run/wrong.yaml")
        for text in ("kind: [", "kind: IPPool\n", "apiVersion: projectcalico.org/v3\nkind: IPPool\n"
                     "metadata: {name: x}\nspec: {cidr: 10.0.0.0/99}\n", "a: &a [*a, *a]\n"):
            with self.subTest(text):
                path.write_text(text)

                with self.assertRaises(RuntimeError):
                    self.run_ipam("-apply", path)

                self.assertEqual(self.store.texts("/calico/").keys() - before.keys(), set())


if __name__ == "__main__":
    case.main()
