#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What the image says it is made of, against what the linker wrote; names and provenance."""
import hashlib
import json
import pathlib
import re
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from deploy.images import linked, names, packages
from tests.harness import tap
from tests.image import built

_SBOM = "opt/docker/sbom/calico-cni"


class BillOfMaterials(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if reason := built.missing():
            raise unittest.SkipTest(reason)
        cls.image = built.image()
        cls.root = built.root()
        cls.spdx = json.loads((cls.root / _SBOM / ".spdx.calico-cni.json").read_text())
        cls.cdx = json.loads((cls.root / _SBOM / ".cdx.calico-cni.json").read_text())
        cls.packages = {each["name"]: each for each in cls.spdx["packages"]}

    def archives(self, program):
        """Names of the archives that the linker took something from."""
        text = (built.RELEASE / "map" / f"{program}.map").read_text(errors="replace")
        return {path.rsplit("/", 1)[1] for path in re.findall(r"^(/usr/[^\s(]+\.a)\(", text, re.M)}

    def linked_into(self, program):
        """Names of archives by the SPDX document."""
        ids = {each["SPDXID"]: each for each in self.spdx["packages"]}
        found = [ids[each["relatedSpdxElement"]] for each in self.spdx["relationships"]
                 if each["relationshipType"] == "STATIC_LINK"
                 and each["spdxElementId"] == f"SPDXRef-File-{program}"]
        return set(re.findall(r"[\w+.-]+\.a\b", " ".join(each["comment"] for each in found)))

    def test_each_archive_in_the_linker_map_is_named(self):
        programs = [each["fileName"].rsplit("/", 1)[1] for each in self.spdx["files"]]

        self.assertIn("calico", programs)
        for program in programs:
            with self.subTest(program):
                found = self.archives(program)
                self.assertIn("libc.a", found)
                self.assertLessEqual(found, self.linked_into(program))

    def test_the_libraries_that_matter_are_known_by_name(self):
        for name in ("libssl-dev", "libc6-dev", "libsqlite3-dev", "libc-ares-dev", "libyaml-dev",
                     "libstdc++-12-dev", "nlohmann-json3-dev", "libboost1.74-dev", "tzdata",
                     "ca-certificates"):
            self.assertIn(name, self.packages)

    def test_every_package_has_version_licence_and_address(self):
        for name, each in self.packages.items():
            if each["SPDXID"] == "SPDXRef-Image":
                continue
            with self.subTest(name):
                self.assertRegex(each["versionInfo"], r"^[\w.:+~-]+$")
                self.assertRegex(each["licenseDeclared"], r"^[A-Za-z0-9.+ -]+$")
                self.assertTrue(each["externalRefs"][0]["referenceLocator"].startswith(
                    "pkg:deb/debian/"))
                self.assertTrue((self.root / "licenses" / name / "copyright").exists())

    def test_each_executable_stands_with_its_digest(self):
        for each in self.spdx["files"]:
            data = (self.root / each["fileName"]).read_bytes()
            self.assertEqual(each["checksums"][0]["checksumValue"],
                             hashlib.sha256(data).hexdigest())

    def test_relations_name_what_the_document_holds(self):
        known = {"SPDXRef-DOCUMENT"} | {
            each["SPDXID"] for each in self.spdx["packages"] + self.spdx["files"]}

        for each in self.spdx["relationships"]:
            self.assertLessEqual({each["spdxElementId"], each["relatedSpdxElement"]}, known)

    def test_both_documents_name_the_same_things(self):
        of_spdx = {(each["name"], each["versionInfo"]) for each in self.spdx["packages"]
                   if each["SPDXID"] != "SPDXRef-Image"}
        of_cdx = {(each["name"], each["version"]) for each in self.cdx["components"]
                  if each["type"] == "library"}

        self.assertEqual(of_spdx, of_cdx)
        known = {each["bom-ref"] for each in self.cdx["components"]}
        for each in self.cdx["dependencies"]:
            self.assertLessEqual(set(each["dependsOn"]), known)

    def test_provenance_is_about_this_image(self):
        statement = json.loads((built.folder() / "one/runtime-amd64/provenance.json").read_text())

        self.assertEqual(statement["subject"][0]["digest"]["sha256"],
                         self.image.digest.split(":")[1])
        inputs = [each["uri"] for each in statement["predicate"]["buildDefinition"][
            "resolvedDependencies"]]
        self.assertTrue(any("libssl-dev" in each for each in inputs))


class Materials(unittest.TestCase):
    """Without an image."""

    def test_a_library_without_a_licence_in_the_table_stops_the_build(self):
        package = packages.Package("libx-dev", "1-1", "amd64", "x", "12")

        with self.assertRaisesRegex(packages.Unknown, "name the licence of x"):
            print(package.licence)

    def test_a_library_of_no_package_stops_the_build(self):
        with tempfile.NamedTemporaryFile(suffix=".a") as file:
            with self.assertRaisesRegex(packages.Unknown, "no package of this machine owns"):
                packages.Machine().owners({file.name})

    def test_a_map_gives_archives_and_start_files_but_nothing_that_was_only_looked_at(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "map/p.map")
            path.parent.mkdir()
            path.write_text("Archive member included to satisfy reference by file (symbol)\n\n"
                            "/usr/lib/libused.a(a.o)\n      main.o (f)\n"
                            "layers/libours.a(b.o)\n      main.o (g)\n"
                            f"{folder}/x/libours.a(b.o)\n      main.o (g)\n\n"
                            "Memory Configuration\n\n"
                            "LOAD /usr/lib/rcrt1.o\nLOAD main.o\n"
                            "LOAD /usr/lib/libseen.a\n")

            found = linked.Build(folder, packages.Machine()).files_of_map("p")

        self.assertEqual(found, {"/usr/lib/libused.a", "/usr/lib/rcrt1.o"})


class Names(unittest.TestCase):
    def test_what_the_operator_asks_for_is_published(self):
        published = set(names.references("dhi.io/team", "runtime"))

        for prefix in ("calico-", "dhi-calico-", "dhi-", ""):
            with self.subTest(prefix):
                self.assertIn(names.reference("dhi.io/", "team", prefix), published)

    def test_references_follow_the_operators_rule(self):
        self.assertEqual(names.reference(), "quay.io/calico/cni:v3.32.1")
        self.assertEqual(names.reference("UseDefault", "", "UseDefault"),
                         "quay.io/calico/cni:v3.32.1")
        self.assertEqual(names.reference("dhi.io/", "org", "dhi-"), "dhi.io/org/dhi-cni:v3.32.1")
        self.assertEqual(names.reference("registry.example/", "/a/b/", "calico-"),
                         "registry.example/a/b/calico-cni:v3.32.1")

    def test_tags_are_those_of_the_hardened_image(self):
        self.assertEqual(set(names.tags("runtime")), {
            "3", "3.32", "3.32.1", "v3.32.1", "3-debian", "3-debian13", "3.32-debian",
            "3.32-debian13", "3.32.1-debian", "3.32.1-debian13"})
        self.assertLessEqual({"3-dev", "3.32-dev", "3.32.1-dev", "3.32.1-debian13-dev"},
                             set(names.tags("dev")))
        self.assertIn("v3.32.1-fips", names.tags("fips"))

    def test_no_two_variants_share_a_tag(self):
        every = [tag for variant in names.VARIANTS for tag in names.tags(variant)]

        self.assertEqual(len(every), len(set(every)))


if __name__ == "__main__":
    tap.main()
