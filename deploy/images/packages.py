# SPDX-License-Identifier: Apache-2.0
"""Which Debian package a file is from, at which version, under which licence."""
import functools
import hashlib
import json
import os
import pathlib
import subprocess
from dataclasses import dataclass

from deploy.images import apt

_FIELDS = ("Package", "Version", "Architecture", "Source")
# Of a source package: the licences of what of it gets into an image. Source: the package's own
# copyright file, which goes into the image, too.
LICENCES = json.loads(pathlib.Path(__file__).with_name("licences.json").read_text())


class Unknown(Exception):
    """A file that no package owns, or a package whose licence is not in licences.json."""


@dataclass(frozen=True)
class Package:
    name: str
    version: str
    arch: str
    source: str  # name of the source package
    release: str  # 12, 13: of Debian
    sha256: str = ""  # of the .deb, when it was seen
    of_system: bool = False  # of a whole system, which says its licences itself

    @property
    def licence(self):
        """An SPDX expression; NOASSERTION for a package of a whole system."""
        if self.of_system:
            return "NOASSERTION"
        try:
            return LICENCES[self.source]
        except KeyError:
            raise Unknown(f"{self.name} {self.version}: name the licence of {self.source} in "
                          "deploy/images/licences.json") from None

    @property
    def purl(self):
        version = self.version.replace(":", "%3A").replace("+", "%2B")
        return (f"pkg:deb/debian/{self.name.replace('+', '%2B')}@{version}"
                f"?arch={self.arch}&distro=debian-{self.release}&upstream={self.source}")


def of_fields(fields, release, sha256="", of_system=False):
    """From the fields of a control file."""
    return Package(fields["Package"], fields["Version"], fields["Architecture"],
                   fields["Source"].split()[0] if fields.get("Source") else fields["Package"],
                   release, sha256, of_system)


def of_deb(deb, release):
    """The package in a .deb file."""
    output = subprocess.run(["dpkg-deb", "-f", deb, *_FIELDS], capture_output=True, text=True,
                            check=True).stdout
    fields = dict(line.split(": ", 1) for line in output.splitlines())
    return of_fields(fields, release, hashlib.sha256(pathlib.Path(deb).read_bytes()).hexdigest())


class Machine:
    """The packages that are installed here."""

    release = "12"
    root = pathlib.Path("/")

    def owners(self, paths):
        """{path: Package}. Raises Unknown for a file of nobody."""
        done = subprocess.run(["dpkg", "-S", "--", *sorted(paths)], capture_output=True, text=True,
                              check=False, env={**os.environ, "LC_ALL": "C.UTF-8"})
        names = {}
        for line in done.stdout.splitlines():
            name, _, path = line.partition(": ")
            names.setdefault(path, name.split(", ")[0])
        found = {}
        for path in paths:
            if path not in names:
                raise Unknown(f"no package of this machine owns {path}")
            found[path] = self._installed(names[path])
        return found

    @functools.cache
    def _installed(self, name):
        output = subprocess.run(
            ["dpkg-query", "-W", "-f", "${Package}\n${Version}\n${Architecture}\n"
             "${source:Package}\n", name], capture_output=True, text=True, check=True).stdout
        return of_fields(dict(zip(_FIELDS, output.splitlines())), self.release)

    def copyright(self, package):
        return pathlib.Path("/usr/share/doc", package.name, "copyright")


class Sysroot:
    """Packages of another architecture, unpacked in a folder (deploy/images/sysroot.py)."""

    release = "12"

    def __init__(self, root):
        self.root = pathlib.Path(root)
        self._packages = [Package(**fields) for fields in json.loads(
            (self.root / "packages.json").read_text())]
        self._files = json.loads((self.root / "files.json").read_text())

    def owners(self, paths):
        """The compiler and its own libraries are the machine's."""
        ours = {path: self._packages[self._files[path]] for path in paths if path in self._files}
        return {**Machine().owners(set(paths) - set(ours)), **ours}

    def copyright(self, package):
        inside = self.root / "usr/share/doc" / package.name / "copyright"
        return inside if inside.exists() else Machine().copyright(package)


def unpack_sysroot(debs, root):
    """Makes `root` a Sysroot of these .deb files."""
    root = pathlib.Path(root)
    packages, files = [], {}
    for deb in debs:
        apt.unpack(deb, root)
        for path in apt.contents(deb):
            files[path] = len(packages)
        packages.append(vars(of_deb(deb, Sysroot.release)))
    for link in [path for path in root.rglob("*") if path.is_symlink()]:
        target = os.readlink(link)
        if target.startswith("/"):  # it means the root that it will be in
            link.unlink()
            link.symlink_to(os.path.relpath(root / target[1:], link.parent))
    (root / "files.json").write_text(json.dumps(files))
    (root / "packages.json").write_text(json.dumps(packages))
