# SPDX-License-Identifier: Apache-2.0
"""Debian's kernels, kept unpacked in a folder outside the tree. apt downloads them with sources,
lists and state of its own: the machine's stay as they are, and the archive is the machine's."""
import contextlib
import fcntl
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

from vmtest.runner.matrix import Wrong

_APT_DEADLINE_S = 600
_PARTS = ("linux-modules-", "linux-binary-", "linux-base-")  # of packages since Linux 6.19


def cache():
    """Where kernels and images are kept: TORTIE_CACHE, or the usual place of a user's caches."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return pathlib.Path(os.environ.get("TORTIE_CACHE") or f"{home}/tortie") / "vm"


def version_key(text):
    """Sorts versions of one package name pattern: every number in it counts."""
    return [int(number) for number in re.findall(r"\d+", text)]


def candidates(names, pattern):
    """Package names that match, the highest version first."""
    return sorted((name for name in names if re.fullmatch(pattern, name)), key=version_key,
                  reverse=True)


class Installed:
    """A kernel in the cache. `record` says what it is: package, sha256 of each archive."""

    def __init__(self, folder):
        self.folder = folder
        self.record = json.loads((folder / "kernel.json").read_text(encoding="utf-8"))
        self.image = folder / self.record["image"]
        self.modules = folder / self.record["modules"]  # .../lib/modules/RELEASE/kernel
        self.release = self.modules.parent.name


def installed(kernel):
    """None when it is not in the cache."""
    folder = cache() / "kernels" / kernel.name
    return Installed(folder) if (folder / "kernel.json").exists() else None


@contextlib.contextmanager
def _locked():
    """Two runs do not download the same kernel at a time."""
    cache().mkdir(parents=True, exist_ok=True)
    with open(cache() / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def get(kernels, again=False, say=print):
    """Puts into the cache what is not there (everything with `again`). Raises Wrong when a kernel
    is not to be had; the others are there then."""
    with _locked():
        wanted = [kernel for kernel in kernels if again or installed(kernel) is None]
        if not wanted:
            return
        apt = Apt(cache() / "apt")
        apt.update([suite for kernel in wanted for suite in kernel.suites])
        names = apt.packages("linux-image-")
        missing = []
        for kernel in wanted:
            try:
                _get_one(apt, kernel, names)
                say(f"{kernel.name}: {installed(kernel).record['package']}")
            except (Wrong, subprocess.SubprocessError, OSError) as error:
                missing.append(f"{kernel.name} ({error})")
        if missing:
            raise Wrong(f"cannot get kernel {', '.join(missing)}")


def _get_one(apt, kernel, names):
    found = candidates(names, kernel.package)
    if not found:
        raise Wrong(f"no package matches {kernel.package}")
    folder = cache() / "kernels" / kernel.name
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as work:
        # An index may name a version that the archive no longer has: the next one then.
        for package in found[:3]:
            archives = apt.download([package, *apt.parts_of(package)], f"{work}/debs")
            if archives:
                break
        else:
            raise Wrong(f"cannot download {found[0]}")
        tree = pathlib.Path(work, "tree")
        _unpack(archives, tree, package)
        shutil.rmtree(folder, ignore_errors=True)
        os.rename(tree, folder)


def _unpack(archives, tree, package):
    for archive in archives:
        subprocess.run(["dpkg-deb", "-x", archive, tree], check=True)
    image = next(path for path in tree.rglob("vmlinu*") if path.is_file())
    modules = next(path for path in tree.rglob("lib/modules/*/kernel"))
    record = {
        "package": package,
        "archives": {archive.name: sha256(archive) for archive in archives},
        "image": str(image.relative_to(tree)),
        "modules": str(modules.relative_to(tree)),
    }
    (tree / "kernel.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Apt:
    """apt with a private root: other suites than the machine's, and nothing is installed."""

    def __init__(self, folder):
        self.folder = folder
        for name in ("lists/partial", "cache/archives/partial"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / "status").touch()

    def _run(self, *argv, cwd=None):
        done = subprocess.run(argv, env={**os.environ, "APT_CONFIG": str(self.folder / "apt.conf"),
                                         "LC_ALL": "C.UTF-8"}, cwd=cwd or self.folder,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=_APT_DEADLINE_S)
        return done

    def update(self, suites):
        """Errors of one suite leave the others usable: a package is looked for, not a suite."""
        # Sorted, so that two rows of one suite read it once.
        (self.folder / "sources.list").write_text("".join(
            f"deb {archive_of(suite)} {suite} main\n" for suite in sorted(set(suites))),
            encoding="utf-8")
        (self.folder / "apt.conf").write_text(f'''
Dir::Etc::sourcelist "{self.folder}/sources.list";
Dir::Etc::sourceparts "/dev/null"; Dir::Etc::preferencesparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::State::lists "{self.folder}/lists"; Dir::State::status "{self.folder}/status";
Dir::Cache "{self.folder}/cache"; APT::Sandbox::User ""; Acquire::Languages "none";
APT::Architecture "amd64"; APT::Architectures {{ "amd64"; }};
Acquire::Check-Valid-Until "false"; Acquire::Retries "3";
Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false";
''', encoding="utf-8")
        self._run("apt-get", "-q", "update")

    def packages(self, start):
        return self._run("apt-cache", "pkgnames", start).stdout.split()

    def parts_of(self, package):
        """The packages that hold the kernel where `package` only depends on them."""
        depends = self._run("apt-cache", "depends", package).stdout
        return [name for name in re.findall(r"^\s+Depends: (\S+)", depends, re.M)
                if name.startswith(_PARTS) and any(c.isdigit() for c in name)]

    def download(self, packages, folder):
        """The archives; [] when one of them cannot be had. apt has checked them against the
        signed index."""
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        if self._run("apt-get", "-q", "download", *packages, cwd=folder).returncode != 0:
            return []
        return sorted(pathlib.Path(folder).glob("*.deb"))


def archive_of(suite):
    """The address that this machine's own apt has for Debian's main or security archive."""
    wanted = "debian-security" if suite.endswith("-security") else "debian"
    listed = subprocess.run(["apt-get", "indextargets", "--format", "$(REPO_URI)",
                             "Created-By: Packages"], capture_output=True, text=True)
    for address in listed.stdout.split():
        if address.rstrip("/").endswith("/" + wanted):
            return address
    raise Wrong(f"this machine's apt has no archive that ends in /{wanted}")
