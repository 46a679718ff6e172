# SPDX-License-Identifier: Apache-2.0
"""What every test of the plugins with real servers stands on: a control plane for the whole
program, an empty datastore for each case, and the promise that nothing is left in the end."""
import contextlib
import os
import unittest

from tests.cluster import inside, plugin, servers, verify
from tests.harness import tap

V4, V6 = "10.80.3.0/24", "fd00:80::/112"
_shared = {}


def cluster():
    """The control plane of this program, started when the first test wants it."""
    if "cluster" not in _shared:
        _shared["cluster"] = servers.Cluster()
    return _shared["cluster"]


def definitions(version, originals=False, with_kubevirt=False):
    """Puts the custom resource definitions of one group into place; those that are there already
    stay. Calico's own files instead of ours with `originals`."""
    wanted = (version, originals, with_kubevirt)
    if _shared.get("definitions") != wanted:
        cluster().undefine()
        cluster().define((servers.original_definitions if originals else
                          servers.own_definitions)(version))
        if with_kubevirt:
            cluster().define(servers.own_definitions("kubevirt"))
        _shared["definitions"] = wanted


class StoreCase(unittest.TestCase):
    """One datastore: `make_store` says which."""

    maxDiff = 2000

    @classmethod
    def setUpClass(cls):
        if os.geteuid() != 0:
            raise unittest.SkipTest("needs root for namespaces")
        if reason := cls.missing():
            raise unittest.SkipTest(reason)
        cls.store = cls.make_store()
        if cls.store.has_pods and "objects" not in _shared:
            cls.store.node()
            cls.store.namespace("shop")
            _shared["objects"] = True

    @classmethod
    def missing(cls):
        return servers.missing()

    @classmethod
    def make_store(cls):
        raise NotImplementedError


class Case(StoreCase):
    """The plugins on a datastore."""

    # A Go program has written into the same blocks.
    go_wrote = False

    @classmethod
    def setUpClass(cls):
        absent = [name for name in ("calico", "calico-ipam")
                  if not (inside.bin_dir() / name).exists()]
        if absent:
            raise AssertionError(f"not built: see TORTIE_BIN_DIR, now {inside.bin_dir()}")
        super().setUpClass()
        status = plugin.call("calico", plugin.configuration(cls.store, version="1.1.0"), {
            "CNI_COMMAND": "STATUS", "CNI_PATH": str(inside.bin_dir())})
        if "this build reaches" in status.stdout:
            raise unittest.SkipTest(f"calico: {status.error[1]}")

    def setUp(self):
        self.pods = []
        self.store.clear()
        self.store.ready(True)
        self.addCleanup(self._end)

    def _end(self):
        """What the runtime would do, and then there must be nothing."""
        left = []
        for pod in self.pods:
            answer = pod("DEL", pod.conf)
            if answer.status != 0:
                left.append(f"DEL of {pod.name}: {answer.stdout}{answer.stderr}")
            pod.remove_namespace()
        # The links of namespaces go when the kernel has time to take those apart.
        with contextlib.suppress(AssertionError):
            inside.until(lambda: not plugin.host_links(), seconds=5)
        left += [f"link {name}" for name in plugin.host_links()]
        left += verify.problems(self.store, own_sequences=not self.go_wrote)
        left += [f"{address} is held by {handle}" for address, handle in
                 verify.allocated(self.store).items() if handle in self.handles()]
        left += [f"handle {handle} stays" for handle in self.store.handles()
                 if handle in self.handles()]
        self.assertEqual(left, [])

    def needs_ipam_program(self):
        """calico-ipam as a program of its own."""
        said = plugin.call("calico-ipam", {}, {"CNI_COMMAND": "VERSION"})
        if "Unknown binary name" in said.stderr:
            self.skipTest("calico does not answer to the name calico-ipam yet")

    def handles(self):
        return {f"{plugin.NETWORK}.{pod.container}" for pod in self.pods}

    # --- making things ---

    def conf(self, **keys):
        return plugin.configuration(self.store, **keys)

    def pod(self, name="web", conf=None, annotations=None, container=None, namespace="shop",
            more="", **keys):
        """A pod of the API server, if there is one, and its sandbox."""
        conf = {**(conf or self.conf()), **keys}
        if self.store.has_pods:
            if not self.store.kube.find(f"/api/v1/namespaces/{namespace}/pods/{name}"):
                self.store.pod(name, namespace, annotations=annotations)
        elif annotations:
            conf["runtimeConfig"] = {"io.kubernetes.cri.pod-annotations": annotations}
        pod = plugin.Pod(name, conf, namespace, container, more)
        self.pods.append(pod)
        return pod

    def added(self, name="web", **options):
        """(pod, answer) of an ADD that succeeded."""
        pod = self.pod(name, **options)
        return pod, self.succeeds(pod("ADD"))

    # --- asserting things ---

    def succeeds(self, answer):
        self.assertEqual(answer.status, 0, answer.stdout + answer.stderr)
        return answer

    def fails(self, answer, *texts, code=None):
        """A CNI error that says all of the texts."""
        self.assertEqual(answer.status, 1, answer.stdout + answer.stderr)
        given, said = answer.error
        for text in texts:
            self.assertIn(text, f"{said} {answer.result.get('details', '')}")
        if code is not None:
            self.assertEqual(given, code, said)
        return said

    def assert_nothing_allocated(self):
        self.assertEqual(verify.allocated(self.store), {})
        self.assertEqual(self.store.handles(), {})

    def holder(self, address):
        return verify.allocated(self.store).get(address.split("/")[0])


def main():
    """tap.main() in the sandbox."""
    if os.geteuid() == 0:
        inside.enter()
    tap.main()
