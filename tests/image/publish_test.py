#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The image in a real registry: under each name that an operator can ask for stands the image that
was built, to the byte."""
import hashlib
import pathlib
import shutil
import socket
import subprocess
import sys
import time
import unittest
import urllib.error
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from deploy.images import names
from tests.harness import tap
from tests.image import built

_INDEX = "application/vnd.oci.image.index.v1+json"
_CONFIGURATION = """version: 0.1
log: {{level: error}}
storage: {{filesystem: {{rootdirectory: {folder}}}}}
http: {{addr: "{address}"}}
"""


class Registry:
    """Debian's docker-registry on a free port of the loopback."""

    def __init__(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{probe.getsockname()[1]}"
        configuration = built.folder() / "registry.yml"
        configuration.write_text(_CONFIGURATION.format(folder=built.folder() / "registry",
                                                       address=self.address))
        with open(built.folder() / "registry.log", "wb") as log:
            self._process = subprocess.Popen(["docker-registry", "serve", configuration],
                                             stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + 10
        while not self._answers():
            if time.monotonic() > deadline:
                raise AssertionError("docker-registry does not answer")
            time.sleep(0.05)

    def _answers(self):
        try:
            return urllib.request.urlopen(f"http://{self.address}/v2/").status == 200
        except (urllib.error.URLError, ConnectionError):
            return False

    def manifest(self, reference):
        """(digest, text)"""
        repository, _, tag = reference.removeprefix(self.address + "/").rpartition(":")
        request = urllib.request.Request(
            f"http://{self.address}/v2/{repository}/manifests/{tag}", headers={"Accept": _INDEX})
        with urllib.request.urlopen(request) as answer:
            content = answer.read()
        return hashlib.sha256(content).hexdigest(), content.decode()

    def stop(self):
        self._process.terminate()
        self._process.wait()


class Publish(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if reason := built.missing():
            raise unittest.SkipTest(reason)
        if not shutil.which("docker-registry"):
            raise unittest.SkipTest("docker-registry is not installed (scripts/deps image)")
        cls.image = built.image()
        cls.registry = Registry()
        cls.addClassCleanup(cls.registry.stop)
        cls.printed = built.image_tool(
            "push", f"{cls.registry.address}/team", "--plain-http", "--output",
            built.folder() / "one").split()

    def test_what_the_operator_asks_for_is_the_image(self):
        for prefix in ("calico-", "dhi-calico-", "dhi-", ""):
            with self.subTest(prefix):
                _, index = self.registry.manifest(
                    names.reference(f"{self.registry.address}/", "team", prefix))

                self.assertIn(self.image.digest, index)

    def test_every_name_is_one_and_the_same(self):
        digests = {self.registry.manifest(reference)[0] for reference in self.printed}

        self.assertEqual(len(self.printed), 40)
        self.assertEqual(len(digests), 1)

    def test_what_was_not_built_cannot_be_published(self):
        said = built.image_tool("push", f"{self.registry.address}/team", "runtime", "--output",
                                built.folder() / "nothing", status=1)

        self.assertIn("run scripts/image build runtime first", said)


if __name__ == "__main__":
    tap.main()
