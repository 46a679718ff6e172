# SPDX-License-Identifier: Apache-2.0
"""Images by buildah, with no daemon and in a store of our own."""
import json
import os
import pathlib
import shutil
import subprocess


class Failed(Exception):
    pass


def missing():
    """Why no image can be built here; "" when one can."""
    return "" if shutil.which("buildah") else "buildah is not installed (scripts/deps image)"


class Store:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder).resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        # vfs needs nothing of the kernel and may lie on any file system, an overlay among them.
        self._options = ["--root", self.folder / "graph", "--runroot", self.folder / "run",
                         "--storage-driver", "vfs"]

    def run(self, command, *arguments, cwd=None):
        done = subprocess.run(
            ["buildah", *self._options, *([command] if isinstance(command, str) else command),
             *arguments], capture_output=True, text=True, check=False, cwd=cwd,
            stdin=subprocess.DEVNULL, env={**os.environ, "LC_ALL": "C.UTF-8", "TZ": "UTC"})
        if done.returncode != 0:
            raise Failed(f"buildah {command}: {done.stderr.strip()[-1500:]}")
        return done.stdout

    def build(self, containerfile, context, name, arch, epoch, arguments):
        """One image; nothing of when, where and with which buildah it was built gets into it."""
        self.run("bud", "--quiet", "--isolation", "chroot", "--timestamp", str(epoch),
                 "--identity-label=false", "--omit-history", "--layers=false", "--no-cache",
                 "--platform", f"linux/{arch}", "--format", "oci",
                 *(f"--build-arg={key}={value}" for key, value in sorted(arguments.items())),
                 "--tag", name, "--file", containerfile, context)

    def push(self, name, layout, tag):
        """Into a folder in OCI layout, under the tag; returns the manifest's digest."""
        self.run("push", "--quiet", "--format", "oci", name, f"oci:{layout}:{tag}")
        return digest(layout, tag)

    def push_index(self, layouts, reference, plain_http=False):
        """One image for several architectures, to a registry."""
        listed = "localhost/tortie-index"
        self.run(("manifest", "create"), listed)
        try:
            for layout in layouts:
                self.run(("manifest", "add"), listed, layout)
            self.run(("manifest", "push"), "--all", "--quiet", "--format", "oci",
                     f"--tls-verify={str(not plain_http).lower()}", listed,
                     f"docker://{reference}")
        finally:
            self.run(("manifest", "rm"), listed)

    def remove(self, name):
        self.run("rmi", "--force", name)


def digest(layout, tag):
    index = json.loads(pathlib.Path(layout, "index.json").read_text())
    found = [each["digest"] for each in index["manifests"]
             if each.get("annotations", {}).get("org.opencontainers.image.ref.name") == tag]
    if not found:
        raise Failed(f"{layout} has no image {tag}")
    return found[-1]


def blob(layout, name):
    """A JSON document of a layout, by digest."""
    return json.loads(pathlib.Path(layout, "blobs", *name.split(":")).read_text())
