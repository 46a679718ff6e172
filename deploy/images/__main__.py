# SPDX-License-Identifier: Apache-2.0
"""The command line of scripts/image, which describes it."""
import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import time

from deploy.images import apt, base, buildah, linked, names, packages, provenance, rootfs, sysroot
from deploy.images.rootfs import ROOT

PRESETS = {("runtime", "amd64"): "release", ("runtime", "arm64"): "release-arm64",
           ("dev", "amd64"): "release-symbols"}
CONTAINERFILES = {"runtime": "Containerfile", "dev": "Containerfile.dev"}
ARCHITECTURES = ("amd64", "arm64")
_DEFAULT_OUTPUT = ROOT / "build/image"


def version():
    """Of this tree, from CMakeLists.txt."""
    for word in (ROOT / "CMakeLists.txt").read_text().split("project(tortie VERSION ")[1].split():
        return word


def _git(*arguments):
    done = subprocess.run(["git", "-c", f"safe.directory={ROOT}", "-C", ROOT, *arguments],
                          capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def epoch():
    """SOURCE_DATE_EPOCH, or when the commit was made."""
    given = os.environ.get("SOURCE_DATE_EPOCH") or _git("log", "-1", "--format=%ct")
    if not given.isdecimal():
        sys.exit("scripts/image: set SOURCE_DATE_EPOCH: this is not a git repository")
    return int(given)


def revision():
    return _git("rev-parse", "HEAD") or "unknown"


class Image:
    """One variant for one architecture."""

    def __init__(self, variant, arch, output, build=None):
        self.variant, self.arch = variant, arch
        self.output = pathlib.Path(output).resolve()
        self.work = self.output / f"{variant}-{arch}"
        self.layout = self.work / "oci"
        self.tag = names.tags(variant)[-1]
        self.preset = PRESETS.get((variant, arch))
        self.build = pathlib.Path(build or ROOT / "build" / (self.preset or "none"))

    def _sources(self):
        if not self.preset:
            raise FileNotFoundError(f"there is no image {self.variant} for {self.arch}")
        if not (self.build / "bin").exists():
            raise FileNotFoundError(f"{self.build / 'bin'}: build the preset {self.preset} first")
        owners = packages.Machine()
        if self.arch != "amd64":
            owners = packages.Sysroot(ROOT / "build/sysroot" / self.arch)
        return linked.Build(self.build, owners)

    def _assemble(self, when):
        """The folder `root` and what else its Containerfile wants; returns the Materials."""
        if self.variant != "dev":
            archive = apt.Archive(ROOT / "build/apt", rootfs.SUITE, self.arch)
            return rootfs.assemble(self.work / "root", self._sources(), archive, version(), when)
        system = base.make(self.arch)
        about = rootfs.assemble_over(base.installed(system), self.work / "root", self._sources(),
                                     version(), self.arch, when)
        shutil.copyfile(system, self.work / "base.tar")
        return about

    def make(self):
        """Builds it; returns the digest."""
        when = epoch()
        about = self._assemble(when)
        store = buildah.Store(self.output / "store")
        name = f"localhost/tortie-{self.variant}-{self.arch}"
        store.build(ROOT / "deploy/images" / CONTAINERFILES[self.variant], self.work, name, self.arch, when, {
            "VERSION": version(), "REVISION": revision(), "VARIANT": self.variant,
            "CREATED": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(when))})
        shutil.rmtree(self.layout, ignore_errors=True)
        found = store.push(name, self.layout, self.tag)
        store.remove(name)
        self._beside(about, found)
        return found

    def _beside(self, about, found):
        """What belongs to the image and is not in it."""
        for name in ("spdx", "cdx"):
            shutil.copyfile(
                self.work / f"root/opt/docker/sbom/{rootfs.IMAGE}/.{name}.{rootfs.IMAGE}.json",
                self.work / f"{name}.json")
        (self.work / "provenance.json").write_text(
            provenance.statement(self, about, found, revision(), epoch()))


def push(registry, variant, output, plain_http):
    """Publishes what is built of a variant, all architectures under one name, under every name."""
    images = [Image(variant, arch, output) for arch in ARCHITECTURES]
    layouts = [f"oci:{image.layout}:{image.tag}" for image in images if image.layout.exists()]
    if not layouts:
        raise FileNotFoundError(f"{images[0].layout}: run scripts/image build {variant} first")
    store = buildah.Store(pathlib.Path(output) / "store")
    for reference in names.references(registry, variant):
        store.push_index(layouts, reference, plain_http)
        print(reference, flush=True)


def _parse(argv):
    parser = argparse.ArgumentParser(prog="scripts/image", add_help=False)
    commands = parser.add_subparsers(dest="command", required=True)
    every = {name: commands.add_parser(name, add_help=False) for name in ("build", "names", "push")}
    for name in ("names", "push"):
        every[name].add_argument("registry")
    commands.add_parser("sysroot", add_help=False)
    for command in every.values():
        command.add_argument("variant", nargs="?", default="runtime", choices=names.VARIANTS)
    for name in ("build", "push"):
        every[name].add_argument("--output", default=_DEFAULT_OUTPUT)
    every["build"].add_argument("--arch", default="amd64", choices=ARCHITECTURES)
    every["build"].add_argument("--build")
    every["push"].add_argument("--plain-http", action="store_true")
    return parser.parse_args(argv)


def main(argv):
    arguments = _parse(argv)
    if arguments.command == "sysroot":
        return _reported(lambda: print(sysroot.make("arm64")))
    if arguments.command == "names":
        print("\n".join(names.references(arguments.registry, arguments.variant)))
        return 0
    if reason := buildah.missing():
        print(f"scripts/image: {reason}", file=sys.stderr)
        return 3
    if arguments.command == "push":
        return _reported(lambda: push(arguments.registry, arguments.variant, arguments.output,
                                      arguments.plain_http))
    image = Image(arguments.variant, arguments.arch, arguments.output, arguments.build)
    return _reported(lambda: print(f"{image.layout}:{image.tag} {image.make()}"))


def _reported(work):
    """Exit status."""
    try:
        work()
    except (apt.Unavailable, buildah.Failed, packages.Unknown, OSError) as error:
        print(f"scripts/image: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
