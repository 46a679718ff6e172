#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The resource definitions of tests/crds on a real kube-apiserver: what Calico writes is taken and
kept whole, what is impossible is refused, as by Calico's own definitions."""
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tests.cluster import case, samples, servers, stores

_BLOCK = {"cidr": "10.80.3.8/30", "allocations": [None, 0, None, None], "unallocated": [0, 2, 3],
          "attributes": [{}], "strictAffinity": False}


class Definitions:
    version, originals = "v1", False

    @classmethod
    def missing(cls):
        if cls.originals and not servers.original_definitions(cls.version):
            return f"{servers.SHARED / 'calico-crds' / cls.version} is missing"
        return servers.missing()

    @classmethod
    def make_store(cls):
        case.definitions(cls.version, cls.originals)
        return stores.Kubernetes(case.cluster(), cls.version)

    def setUp(self):
        self.store.clear()

    def create(self, plural, document):
        return self.store.kube.request("POST", f"/apis/{self.store.group}/{plural}", document)

    def test_documents_of_calico_are_kept_whole(self):
        number = 1787393472000000000
        text = json.dumps(samples.load(f"kubernetes-{self.version}"))
        for mark, value in (('"<before>"', str(number)), ('"<after>"', str(number + 1)),
                            ("<seconds>", "2026-08-22T10:11:12Z"),
                            ("<go time>", "2026-08-22 10:15:01.204518 +0000 UTC")):
            text = text.replace(mark, value)
        for name, document in json.loads(text).items():
            with self.subTest(name):
                code, stored = self.create(name.split("/")[0], document)

                self.assertEqual(code, 201, stored)
                found = samples.without_servers(stored)
                # A default of Calico's newer definitions, not a loss.
                found["spec"].pop("maxBlocksPerHost", None)
                self.assertEqual(found, document)

    def test_impossible_blocks_are_refused(self):
        for wrong in ({"allocations": None}, {"unallocated": None}, {"attributes": None},
                      {"allocations": ["0"]}, {"strictAffinity": None},
                      {"sequenceNumber": "12"}):
            with self.subTest(wrong):
                spec = {key: value for key, value in {**_BLOCK, **wrong}.items()
                        if value is not None}

                code, _ = self.create("ipamblocks", {
                    "apiVersion": self.store.group, "kind": "IPAMBlock",
                    "metadata": {"name": "10-80-3-8-30"}, "spec": spec})

                self.assertEqual(code, 422)

    def test_fields_of_later_releases_are_dropped(self):
        self.store.put_block({**_BLOCK, "attributes": [{"releasedAt": "2026-08-22T10:16:40Z"}]})

        [block] = self.store.blocks().values()

        self.assertEqual(block["attributes"], [{}])


class DefinitionsV1(Definitions, case.StoreCase):
    pass


class DefinitionsV1Originals(Definitions, case.StoreCase):
    originals = True


class DefinitionsV3(Definitions, case.StoreCase):
    version = "v3"


class DefinitionsV3Originals(Definitions, case.StoreCase):
    version, originals = "v3", True


if __name__ == "__main__":
    case.main()
