# SPDX-License-Identifier: Apache-2.0
"""The files of an image, in a folder: the executables, and around them what a program without a
system expects: certificates, time zones, two users, licences, bills of materials. Nothing is taken
from the machine's own configuration."""
import hashlib
import os
import pathlib
import shutil
import tempfile

from deploy.images import apt, packages, sbom

ROOT = pathlib.Path(__file__).resolve().parents[2]
IMAGE = "calico-cni"
BIN = "opt/cni/bin"
PROGRAMS = ("calico", "host-local", "install", "loopback", "portmap", "tuning")
LINKS = {"calico-ipam": "./calico"}
SUITE, RELEASE = "trixie", "13"
_AROUND = ("base-files", "ca-certificates", "tzdata")
_COMMON_LICENCES = ("Apache-2.0", "BSD", "GPL-2", "GPL-3", "LGPL-2.1", "LGPL-3", "MPL-2.0")
# Packages whose files go into the image in another form than they have.
_PASSWD = ("root:x:0:0:root:/:/sbin/nologin\n"
           "nonroot:x:65532:65532:nonroot:/nonexistent:/sbin/nologin\n")
_GROUP = "root:x:0:\nnonroot:x:65532:\n"
_OS_RELEASE = """PRETTY_NAME="tortie {version} on Debian GNU/Linux {release} ({suite})"
NAME="Debian GNU/Linux"
VERSION_ID="{release}"
VERSION_CODENAME={suite}
ID=debian
VARIANT="tortie Calico CNI image"
VARIANT_ID=tortie
IMAGE_ID=calico-cni
IMAGE_VERSION="{version}"
"""


class Rootfs:
    """Files below a folder, each with a mode of its own and no owner but root."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.folder.chmod(0o755)

    def _place(self, name):
        path = self.folder / name
        missing = [parent for parent in path.parents if not parent.exists()]
        for parent in reversed(missing):
            parent.mkdir()
            parent.chmod(0o755)
        return path

    def write(self, name, content, mode=0o644):
        path = self._place(name)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        path.chmod(mode)

    def copy(self, name, source, mode=0o644):
        self.write(name, pathlib.Path(source).read_bytes(), mode)

    def link(self, name, target):
        self._place(name).symlink_to(target)

    def copy_tree(self, name, source):
        """Folders, plain files and links, whatever modes they had."""
        for folder, folders, files in os.walk(source):
            inside = pathlib.Path(name, os.path.relpath(folder, source))
            for each in files + [each for each in folders if os.path.islink(f"{folder}/{each}")]:
                path = pathlib.Path(folder, each)
                if path.is_symlink():
                    self.link(inside / each, os.readlink(path))
                else:
                    self.copy(inside / each, path)


def _digests(path):
    data = pathlib.Path(path).read_bytes()
    return hashlib.sha256(data).hexdigest(), hashlib.sha1(data, usedforsecurity=False).hexdigest()


def certificates(unpacked):
    """The authorities of Mozilla's list as one text, from the package's own files: a machine's
    bundle may hold authorities that are of that machine alone."""
    files = sorted((unpacked / "usr/share/ca-certificates/mozilla").glob("*.crt"))
    if len(files) < 100:
        raise apt.Unavailable(f"ca-certificates holds {len(files)} certificates only")
    return b"".join(file.read_bytes().rstrip(b"\n") + b"\n" for file in files)


def _around(root, debs, version):
    """What comes from Debian as it is."""
    with tempfile.TemporaryDirectory() as folder:
        unpacked = pathlib.Path(folder)
        for deb in debs:
            apt.unpack(deb, unpacked)
        root.write("etc/ssl/certs/ca-certificates.crt", certificates(unpacked))
        root.copy_tree("usr/share/zoneinfo", unpacked / "usr/share/zoneinfo")
        for name in _COMMON_LICENCES:
            root.copy(f"licenses/common/{name}", unpacked / "usr/share/common-licenses" / name)
        for name in _AROUND:
            root.copy(f"licenses/{name}/copyright", unpacked / f"usr/share/doc/{name}/copyright")
    root.write("etc/passwd", _PASSWD)
    root.write("etc/group", _GROUP)
    root.write("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n")
    root.write("usr/lib/os-release",
               _OS_RELEASE.format(version=version, release=RELEASE, suite=SUITE))
    root.link("etc/os-release", "../usr/lib/os-release")


def _programs(root, build):
    for name in PROGRAMS:
        root.copy(f"{BIN}/{name}", build.bin / name, 0o755)
    for name, target in LINKS.items():
        root.link(f"{BIN}/{name}", target)


def materials(build, version, arch, epoch, files_of):
    """What an image of this build is made of."""
    linked, headers = build.libraries(PROGRAMS)
    return sbom.Materials(
        name=IMAGE, version=version, arch=arch, epoch=epoch,
        executables={name: _digests(build.bin / name) for name in PROGRAMS},
        linked=linked, headers=headers, files_of=files_of)


def _documents(root, build, about):
    for package in about.packages:
        if not package.of_system and not (root.folder / f"licenses/{package.name}").exists():
            root.copy(f"licenses/{package.name}/copyright", build.packages.copyright(package))
    root.copy("licenses/LICENSE", ROOT / "LICENSE")
    root.write(f"opt/docker/sbom/{IMAGE}/.spdx.{IMAGE}.json", sbom.spdx(about))
    root.write(f"opt/docker/sbom/{IMAGE}/.cdx.{IMAGE}.json", sbom.cyclonedx(about))


def assemble(folder, build, archive, version, epoch):
    """Makes the folder the root of the runtime image; returns its Materials. Raises apt.Unavailable,
    packages.Unknown, OSError."""
    root = Rootfs(folder)
    debs = archive.fetch(_AROUND)
    about = materials(build, version, archive.arch, epoch,
                      [packages.of_deb(deb, RELEASE) for deb in debs])
    _programs(root, build)
    _around(root, debs, version)
    _documents(root, build, about)
    return about


def assemble_over(system, folder, build, version, arch, epoch):
    """What goes over a system with these packages; returns Materials of both."""
    root = Rootfs(folder)
    about = materials(build, version, arch, epoch, system)
    _programs(root, build)
    _documents(root, build, about)
    return about
