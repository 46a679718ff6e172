#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The contract of a datastore (tests/store) on a real kube-apiserver, with both groups."""
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tests.cluster import case, inside, servers, stores

# Of the preset that builds tests, whichever the executables under test are of.
_PROGRAM = pathlib.Path(__file__).resolve().parents[2] / "build/dev/tests/store/store_kubernetes"


class Contract:
    version, group = "v1", "crd.projectcalico.org/v1"

    @classmethod
    def missing(cls):
        return servers.missing() or ("" if _PROGRAM.exists() else f"{_PROGRAM} is not built")

    @classmethod
    def make_store(cls):
        case.definitions(cls.version)
        return stores.Kubernetes(case.cluster(), cls.version)

    def test_every_case_of_the_contract_holds(self):
        cluster = case.cluster()
        certificate, key = cluster.admin
        config = servers.kubeconfig(
            servers.FOLDER / "admin-kubeconfig",
            f"https://{inside.NODE_IP}:{servers.KUBE_PORT}", cluster.ca,
            {"client-certificate": str(certificate), "client-key": str(key)})

        done = subprocess.run([_PROGRAM], capture_output=True, text=True, env={
            **os.environ, "TORTIE_CLUSTER_KUBECONFIG": str(config),
            "TORTIE_CLUSTER_GROUP": self.group})

        self.assertEqual(done.returncode, 0, done.stdout[-4000:])
        self.assertIn("PASSED", done.stdout)


class ContractV1(Contract, case.StoreCase):
    pass


class ContractV3(Contract, case.StoreCase):
    version, group = "v3", "projectcalico.org/v3"


if __name__ == "__main__":
    case.main()
