# SPDX-License-Identifier: Apache-2.0
"""Images that the tests look at, built once a program by scripts/image."""
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

from deploy.images import buildah, names
from tests.check.tree import ROOT
from tests.image.layers import OciImage

RELEASE = ROOT / "build/release"
_built = {}


def image_tool(*arguments, status=0, **environment):
    """scripts/image; what it printed. Fails the test that calls when it ends otherwise."""
    done = subprocess.run([ROOT / "scripts/image", *arguments], capture_output=True, text=True,
                          check=False, stdin=subprocess.DEVNULL,
                          env={**os.environ, **environment})
    if done.returncode != status:
        raise AssertionError(f"scripts/image {' '.join(map(str, arguments))} ended with "
                             f"{done.returncode}: {done.stderr or done.stdout}")
    return done.stdout if status == 0 else done.stderr


def folder():
    """Where this program's images are; removed with the program."""
    if "folder" not in _built:
        (ROOT / "build/test").mkdir(parents=True, exist_ok=True)
        _built["folder"] = pathlib.Path(tempfile.mkdtemp(prefix="image-", dir=ROOT / "build/test"))
        unittest.addModuleCleanup(shutil.rmtree, _built["folder"], ignore_errors=True)
    return _built["folder"]


def missing():
    """Why no image can be built here."""
    if os.geteuid() != 0:
        return "needs root: buildah gives files to root"
    return buildah.missing()


def image(variant="runtime", arch="amd64", output="one", **environment):
    """OciImage of the variant; built when it is asked for the first time."""
    key = (variant, arch, output)
    if key not in _built:
        image_tool("build", variant, "--arch", arch, "--output", folder() / output, **environment)
        _built[key] = OciImage(folder() / output / f"{variant}-{arch}" / "oci",
                               names.tags(variant)[-1])
    return _built[key]


def root(variant="runtime", arch="amd64"):
    """The folder that holds the files of the image."""
    found = folder() / f"root-{variant}-{arch}"
    if not found.exists():
        image(variant, arch).unpack(found)
    return found
