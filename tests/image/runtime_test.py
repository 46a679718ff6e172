#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The image of production, as scripts/image builds it from build/release: what is in it, what is
not, who may do what with it, how it starts, and that it can be built again to the byte."""
import pathlib
import re
import stat
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from deploy.images import rootfs
from tests.check import elf, elf_file
from tests.harness import tap
from tests.image import built

_BIN = "/opt/cni/bin"
_PROGRAMS = ("calico", "host-local", "install", "loopback", "portmap", "tuning")
_MOST_BYTES = 40_000_000
# Everything outside zoneinfo, licenses and the bills of materials, with its mode.
_FILES = {
    f"{_BIN}/calico": 0o755, f"{_BIN}/host-local": 0o755, f"{_BIN}/install": 0o755,
    f"{_BIN}/loopback": 0o755, f"{_BIN}/portmap": 0o755, f"{_BIN}/tuning": 0o755,
    "/etc/passwd": 0o644, "/etc/group": 0o644, "/etc/nsswitch.conf": 0o644,
    "/usr/lib/os-release": 0o644, "/etc/ssl/certs/ca-certificates.crt": 0o644}
_SETS = ("/usr/share/zoneinfo/", "/licenses/", "/opt/docker/sbom/calico-cni/")
_SHELLS = {"sh", "bash", "dash", "ash", "busybox", "apt", "apt-get", "dpkg", "apk", "perl",
           "python3"}


class RuntimeImage(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if reason := built.missing():
            raise unittest.SkipTest(reason)
        cls.image = built.image()
        cls.entries = cls.image.entries()

    # --- files ---

    def test_holds_the_files_that_are_listed_and_no_other(self):
        found = {path: stat.S_IMODE(entry.mode) for path, entry in self.entries.items()
                 if entry.isfile() and not path.startswith(_SETS)}

        self.assertEqual(found, _FILES)

    def test_links_are_those_of_the_release(self):
        found = {path: entry.linkname for path, entry in self.entries.items()
                 if entry.issym() and not path.startswith(_SETS)}

        self.assertEqual(found, {f"{_BIN}/calico-ipam": "./calico",
                                 "/etc/os-release": "../usr/lib/os-release"})

    def test_holds_no_shell_and_no_package_manager(self):
        names = {path.rsplit("/", 1)[-1] for path in self.entries}

        self.assertEqual(names & _SHELLS, set())

    def test_nothing_runs_with_borrowed_rights_or_is_writable_by_others(self):
        for path, entry in self.entries.items():
            with self.subTest(path):
                self.assertEqual((entry.uid, entry.gid), (0, 0))
                self.assertNotIn("SCHILY.xattr.security.capability", entry.pax_headers)
                if not entry.issym():
                    self.assertEqual(entry.mode & (stat.S_ISUID | stat.S_ISGID | 0o022), 0)

    def test_everything_is_readable_by_nonroot(self):
        for path, entry in self.entries.items():
            needed = 0o555 if entry.isdir() or path.startswith(_BIN) else 0o444
            with self.subTest(path):
                self.assertTrue(entry.issym() or entry.mode & needed == needed, oct(entry.mode))

    def test_holds_nothing_but_files_folders_and_links(self):
        self.assertEqual([path for path, entry in self.entries.items()
                          if not (entry.isfile() or entry.isdir() or entry.issym())], [])

    def test_is_at_most_forty_megabytes_unpacked(self):
        size = sum(entry.size for entry in self.entries.values())

        tap.say(f"{size / 1e6:.1f} MB unpacked, "
                f"{sum(each['size'] for each in self.image.manifest['layers']) / 1e6:.1f} packed")
        self.assertLessEqual(size, _MOST_BYTES)

    def test_executables_are_those_of_the_release_build(self):
        for name in _PROGRAMS:
            path = built.root() / f"opt/cni/bin/{name}"
            file = elf_file.ElfFile(path)
            with self.subTest(name):
                self.assertEqual(path.read_bytes(), (built.RELEASE / "bin" / name).read_bytes())
                self.assertEqual([problem for rule in elf.RULES for problem in rule(file, path)],
                                 [])

    def test_an_executable_of_the_build_that_is_not_shipped_is_noticed(self):
        built_names = {path.name for path in (built.RELEASE / "bin").iterdir()}

        # tortie-probe is for nodes without install, whose command probe is the same.
        self.assertEqual(built_names - {*rootfs.PROGRAMS, *rootfs.LINKS}, {"tortie-probe"})

    def test_certificates_are_of_the_package_and_complete(self):
        text = (built.root() / "etc/ssl/certs/ca-certificates.crt").read_text()

        self.assertGreater(text.count("-----BEGIN CERTIFICATE-----\n"), 100)
        self.assertEqual(text.count("BEGIN CERTIFICATE"), text.count("END CERTIFICATE"))

    def test_time_zones_are_there(self):
        zone = (built.root() / "usr/share/zoneinfo/Europe/Berlin").read_bytes()

        self.assertEqual(zone[:4], b"TZif")

    def test_users_are_root_and_nonroot_without_a_shell(self):
        lines = (built.root() / "etc/passwd").read_text().splitlines()

        self.assertEqual([(line.split(":")[0], line.split(":")[2], line.split(":")[6])
                          for line in lines],
                         [("root", "0", "/sbin/nologin"), ("nonroot", "65532", "/sbin/nologin")])

    # --- configuration ---

    def test_starts_as_the_release_does_but_as_nonroot(self):
        config = self.image.config

        self.assertEqual(config["Cmd"], ["/opt/cni/bin/install"])
        self.assertNotIn("Entrypoint", config)
        self.assertEqual(config["User"], "65532:65532")
        self.assertEqual(config["WorkingDir"], "/opt/cni/bin")
        self.assertIn("PATH=/opt/cni/bin:", config["Env"][0])
        self.assertEqual(config.get("ExposedPorts", {}), {})
        self.assertEqual(config.get("Volumes", {}), {})

    def test_says_what_it_is(self):
        labels = self.image.config["Labels"]

        self.assertEqual(labels["org.opencontainers.image.title"], "calico-cni")
        self.assertEqual(labels["org.opencontainers.image.licenses"], "Apache-2.0")
        self.assertRegex(labels["org.opencontainers.image.version"], r"^\d+\.\d+\.\d+$")
        self.assertEqual(labels["tortie.variant"], "runtime")
        self.assertNotIn("io.buildah.version", labels)
        self.assertEqual((self.image.about["architecture"], self.image.about["os"]),
                         ("amd64", "linux"))

    # --- use ---

    def test_its_executables_start_as_nonroot_in_its_own_root(self):
        for name, argument in (("calico", "-v"), ("calico-ipam", "-v"), ("install", "--version")):
            with self.subTest(name):
                done = subprocess.run(
                    ["/usr/sbin/chroot", "--userspec=65532:65532", built.root(), f"{_BIN}/{name}", argument],
                    capture_output=True, text=True, check=False, env={})

                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertTrue(re.search(r"\d", done.stdout), done.stdout)

    def test_install_as_nonroot_says_what_the_manifest_lacks_and_does_nothing(self):
        done = subprocess.run(["/usr/sbin/chroot", "--userspec=65532:65532", built.root(),
                               f"{_BIN}/install"], capture_output=True, text=True, check=False,
                              env={})

        self.assertEqual(done.returncode, 1)
        self.assertIn("runAsUser: 0", done.stdout + done.stderr)
        self.assertFalse((built.root() / "host").exists())

    def test_install_from_the_image_alone_makes_a_node(self):
        root = built.folder() / "node"
        self.image.unpack(root)
        plugins, network = root / "host/opt/cni/bin", root / "host/etc/cni/net.d"
        plugins.mkdir(parents=True)
        network.mkdir(parents=True)

        done = subprocess.run(
            ["/usr/sbin/chroot", root, f"{_BIN}/install"], capture_output=True, text=True,
            check=False, env={"SLEEP": "false", "CNI_CONF_NAME": "10-calico.conflist",
                              "CNI_NETWORK_CONFIG": '{"name": "net", "plugins": []}'})

        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        for name in (*_PROGRAMS, "calico-ipam"):
            if name == "install":
                self.assertFalse((plugins / name).exists())
                continue
            mode = (plugins / name).lstat().st_mode
            self.assertEqual((stat.S_ISREG(mode), stat.S_IMODE(mode)), (True, 0o755), name)
            self.assertEqual((plugins / name).read_bytes(),
                             (root / "opt/cni/bin" / name).read_bytes(), name)
        self.assertEqual(stat.S_IMODE((network / "10-calico.conflist").stat().st_mode), 0o600)

    # --- reproducible ---

    def test_two_builds_give_one_digest(self):
        other = built.image(output="two", TZ="Asia/Tokyo", LC_ALL="C")

        self.assertEqual(other.digest, self.image.digest)

    def test_the_date_decides_what_the_digest_is(self):
        other = built.image(output="three", SOURCE_DATE_EPOCH="1700000000")

        self.assertNotEqual(other.digest, self.image.digest)
        self.assertEqual({entry.mtime for entry in other.entries().values()}, {1700000000})
        self.assertEqual(other.about["created"], "2023-11-14T22:13:20Z")


if __name__ == "__main__":
    tap.main()
