#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What deploy/manifests holds, against a real API server: kustomize's result is Calico's manifest
with the image and uid 0 and nothing else changed, and every document is taken whole."""
import json
import pathlib
import re
import shutil
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from deploy.images import names
from tests.cluster import case, servers
from tests.cluster.inside import NODE_IP, ROOT, SHARED, tool
from tests.cluster.servers import FOLDER, KUBE_PORT, documents

_MANIFESTS = ROOT / "deploy/manifests"
_ORIGINALS = SHARED / "calico-manifests"
_DEFINITION = SHARED / "calico-crds/operator/operator.tigera.io_installations.yaml"
_INSTALLATION = "/apis/operator.tigera.io/v1/installations"
_IMAGE = "registry.example/team/calico-cni:v3.32.1"


def _kustomize():
    """A kubectl whose kustomize reads `patches`; "" when there is none."""
    kubectl = shutil.which("kubectl")
    said = subprocess.run([kubectl, "version", "--client"], capture_output=True, text=True,
                          check=False).stdout if kubectl else ""
    found = re.search(r"Kustomize Version: v(\d+)", said)
    return kubectl if found and int(found.group(1)) >= 4 else ""


class Manifests(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        if reason := servers.missing():
            raise unittest.SkipTest(reason)
        cls.cluster = case.cluster()
        cls.kube = cls.cluster.kube
        certificate, key = cls.cluster.admin
        cls.kubeconfig = servers.kubeconfig(
            FOLDER / "admin.kubeconfig", f"https://{NODE_IP}:{KUBE_PORT}", cls.cluster.ca,
            {"client-certificate": str(certificate), "client-key": str(key)})

    def kubectl(self, *arguments, text=None):
        """What it printed; an error with what it said on stderr."""
        done = subprocess.run(
            [self.cluster.programs / "kubectl", f"--kubeconfig={self.kubeconfig}",
             f"--cache-dir={FOLDER / 'kubectl'}", *arguments], input=text, capture_output=True,
            text=True, check=False, timeout=60)
        if done.returncode != 0:
            raise AssertionError(f"kubectl {arguments}: {done.stderr}")
        return done.stdout

    def wait_until_served(self, definition):
        """`kubectl wait` ends with an error where the server has not written a status yet."""
        deadline = time.monotonic() + 20
        while True:
            shown = json.loads(self.kubectl("get", "crd", definition, "-o", "json"))
            status = shown.get("status") or {}
            if any(each["type"] == "Established" and each["status"] == "True"
                   for each in status.get("conditions") or ()):
                return
            self.assertLess(time.monotonic(), deadline, f"{definition} is not established")
            time.sleep(0.1)

    def may(self, account, verb, *what):
        """The server's word on an account of kube-system."""
        return subprocess.run(
            [self.cluster.programs / "kubectl", f"--kubeconfig={self.kubeconfig}",
             f"--as=system:serviceaccount:kube-system:{account}", "--namespace=kube-system", "auth",
             "can-i", verb, *what], capture_output=True, text=True, check=False).stdout.strip()

    def checked(self, text, verb="apply"):
        """Every document as the server would store it; unknown fields and wrong types are errors.
        Nothing is created."""
        stored = json.loads(self.kubectl(
            verb, "--dry-run=server", "--validate=true", "-o", "json", "-f", "-", text=text))
        return stored.get("items", [stored])

    def built(self, name):
        """What `kubectl apply -k` would send, without resource definitions."""
        if not (_ORIGINALS / f"{name}.yaml").exists():
            self.skipTest(f"{_ORIGINALS / name}.yaml is missing")
        if not _kustomize():
            self.skipTest("no kubectl with kustomize v4 or newer")
        folder = FOLDER / "kustomize" / name
        shutil.copytree(_MANIFESTS / name, folder, dirs_exist_ok=True)
        shutil.copy(_ORIGINALS / f"{name}.yaml", folder)
        return self.without_definitions(tool(_kustomize(), "kustomize", folder))

    @staticmethod
    def without_definitions(text):
        """Nor what is newer than the server."""
        return "---".join(each for each in documents(text)
                          if "\nkind: CustomResourceDefinition\n" not in each
                          and "\napiVersion: policy/v1\n" not in each
                          and re.search(r"^kind: ", each, re.M))

    def assert_only_the_image_and_the_user_change(self, name, init_containers):
        original = self.checked(self.without_definitions(
            (_ORIGINALS / f"{name}.yaml").read_text()))
        ours = self.checked(self.built(name))

        for document in original:
            if document["kind"] != "DaemonSet":
                continue
            for container in document["spec"]["template"]["spec"]["initContainers"]:
                if container["name"] in init_containers:
                    container["image"] = _IMAGE
                    container["securityContext"]["runAsUser"] = 0
        self.assertEqual(self.by_name(ours), self.by_name(original))

    @staticmethod
    def by_name(found):
        for document in found:
            for key in ("uid", "creationTimestamp", "managedFields", "annotations"):
                document["metadata"].pop(key, None)
        return {(each["kind"], each["metadata"]["name"]): each for each in found}

    # --- cases ---

    def test_calico_changes_in_image_and_user_only(self):
        self.assert_only_the_image_and_the_user_change("calico", ("upgrade-ipam", "install-cni"))

    def test_canal_changes_in_image_and_user_only(self):
        self.assert_only_the_image_and_the_user_change("canal", ("install-cni",))

    def test_rights_of_plugins_and_installer_are_taken(self):
        found = {document["kind"] for name in ("calico-cni-plugin", "install") for document in
                 self.checked((_MANIFESTS / "rbac" / f"{name}.yaml").read_text())}

        self.assertEqual(found, {"ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role",
                                 "RoleBinding"})

    def test_the_installer_may_ask_for_the_token_of_the_plugins_and_no_other(self):
        self.kubectl("apply", "-f", _MANIFESTS / "rbac/install.yaml")
        self.addCleanup(self.kubectl, "delete", "-f", _MANIFESTS / "rbac/install.yaml")

        token = ("create", "serviceaccounts/calico-cni-plugin", "--subresource=token")
        self.assertEqual(self.may("calico-node", *token), "yes")
        self.assertEqual(self.may("calico-node", "create", "serviceaccounts/default",
                                  "--subresource=token"), "no")
        self.assertEqual(self.may("calico-cni-plugin", *token), "no")

    def test_plugins_may_not_do_what_they_do_not_need(self):
        for verb, what in (("list", "pods"), ("get", "secrets"), ("patch", "pods"),
                           ("update", "ippools.crd.projectcalico.org"),
                           ("delete", "ipamconfigs.crd.projectcalico.org")):
            with self.subTest(f"{verb} {what}"):
                self.assertEqual(self.may("calico-cni-plugin", verb, what), "no")

    def test_the_uninstall_job_is_for_one_named_node_with_the_rights_it_needs(self):
        job, = self.checked((_MANIFESTS / "uninstall.yaml").read_text(), "create")

        pod = job["spec"]["template"]["spec"]
        self.assertEqual(pod["nodeName"], "node1")
        self.assertEqual(pod["containers"][0]["image"], _IMAGE)
        self.assertEqual(pod["containers"][0]["securityContext"],
                         {"privileged": True, "runAsUser": 0})

    def test_the_installation_is_what_the_operators_definition_knows(self):
        if not _DEFINITION.exists():
            self.skipTest(f"{_DEFINITION} is missing")
        # 1.20 takes an empty default for none, and does not know rules of later releases.
        definition = _DEFINITION.read_text().replace('default: ""\n', 'default: "-"\n')
        self.kubectl("create", "--validate=false", "-f", "-", text=definition)
        self.addCleanup(self.kubectl, "delete", "crd", "installations.operator.tigera.io")
        self.wait_until_served("installations.operator.tigera.io")
        text = (_MANIFESTS / "operator/installation.yaml").read_text()
        sent = json.loads(self.kubectl("create", "--dry-run=client", "--validate=false", "-o",
                                       "json", "-f", "-", text=text))

        code, stored = self.kube.request("POST", f"{_INSTALLATION}?dryRun=All", sent)

        self.assertEqual(code, 201, stored)
        for key, value in sent["spec"].items():  # the server drops what it does not know
            if isinstance(value, dict):
                self.assertLessEqual(value.items(), stored["spec"][key].items(), key)
            else:
                self.assertEqual(stored["spec"][key], value, key)
        spec = stored["spec"]
        self.assertIn(
            names.reference(spec["registry"], spec["imagePath"], spec["imagePrefix"]),
            names.references("registry.example/team", "runtime"))


if __name__ == "__main__":
    case.main()
