# SPDX-License-Identifier: Apache-2.0
"""Debian packages of another release or architecture, beside the machine's own: apt with a
configuration, lists and cache of its own. Nothing is installed; the archive's signature is checked."""
import json
import os
import pathlib
import subprocess

_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
_CONFIGURATION = """APT::Architecture "{arch}";
APT::Architectures {{ "{arch}"; }};
APT::Sandbox::User "";
Dir "{folder}";
Dir::Etc "{folder}";
Dir::Etc::sourcelist "{folder}/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::State "{folder}/state";
Dir::State::status "{folder}/status";
Dir::Cache "{folder}/cache";
Acquire::Languages "none";
Acquire::Retries "3";
"""


class Unavailable(Exception):
    """The archive cannot be reached, or does not have what is wanted."""


def _machine_archives():
    """(archive, security archive): those that the machine's own apt uses."""
    listed = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI) $(ORIGIN) $(LABEL)",
         "Created-By: Packages"], capture_output=True, text=True, check=False).stdout
    main = security = None
    for line in listed.splitlines():
        uri, _, label = line.partition(" ")
        if label == "Debian Debian":
            main = main or uri
        elif label == "Debian Debian-Security":
            security = security or uri
    if not main:
        raise Unavailable("apt on this machine knows no Debian archive: run apt-get update")
    return main, security


class Archive:
    """The packages of one release for one architecture, kept in `folder`."""

    def __init__(self, folder, suite, arch):
        self.suite, self.arch = suite, arch
        self.folder = pathlib.Path(folder).resolve() / f"{suite}-{arch}"
        self._updated = False

    def sources(self):
        main, security = _machine_archives()
        suites = [(main, self.suite), (main, f"{self.suite}-updates")]
        if security:
            suites.append((security, f"{self.suite}-security"))
        return "".join(f"deb [signed-by={_KEYRING}] {uri} {suite} main\n" for uri, suite in suites)

    def fetch(self, names, dependencies=False):
        """Paths of the .deb files. What has been fetched once is not asked for again."""
        key = " ".join(sorted(names)) + (" and dependencies" if dependencies else "")
        record = self.folder / "fetched.json"
        fetched = json.loads(record.read_text()) if record.exists() else {}
        paths = [self.folder / "debs" / name for name in fetched.get(key, [])]
        if paths and all(path.exists() for path in paths):
            return paths
        self._update()
        paths = self._download(names, dependencies)
        fetched[key] = [path.name for path in paths]
        record.write_text(json.dumps(fetched, indent=1))
        return paths

    def _apt(self, *arguments):
        done = subprocess.run(
            ["apt-get", "-qq", *arguments], capture_output=True, text=True, check=False,
            cwd=self.folder / "debs", stdin=subprocess.DEVNULL,
            env={**os.environ, "APT_CONFIG": str(self.folder / "apt.conf"), "LC_ALL": "C.UTF-8"})
        if done.returncode != 0:
            raise Unavailable(f"{self.suite} {self.arch}: {done.stderr.strip()[-500:]}")
        return done.stdout

    def _update(self):
        if self._updated:
            return
        for name in ("debs", "state/lists/partial", "cache/archives/partial"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        (self.folder / "status").touch()
        (self.folder / "sources.list").write_text(self.sources())
        (self.folder / "apt.conf").write_text(
            _CONFIGURATION.format(arch=self.arch, folder=self.folder))
        self._apt("update")
        self._updated = True

    def _download(self, names, dependencies):
        if dependencies:
            planned = self._apt("install", "--print-uris", "--no-install-recommends", "-y", *names)
            names = [f"{part[0]}={part[1]}".replace("%3a", ":") for part in (
                line.split()[1].split("_") for line in planned.splitlines())]
        before = {path: path.stat().st_mtime_ns for path in (self.folder / "debs").iterdir()}
        self._apt("download", *names)
        wanted = {name.split("=")[0] for name in names}
        found = {}
        for path in sorted((self.folder / "debs").glob("*.deb"),
                           key=lambda path: (path in before, path.stat().st_mtime_ns)):
            found.setdefault(path.name.split("_")[0], path)
        if missing := wanted - set(found):
            raise Unavailable(f"{self.suite} {self.arch} has no {' '.join(sorted(missing))}")
        return sorted(found[name] for name in wanted)


def unpack(deb, into):
    subprocess.run(["dpkg-deb", "-x", deb, into], check=True)


def contents(deb):
    """Absolute paths of the files and links that a package holds."""
    listed = subprocess.run(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE, check=True)
    names = subprocess.run(["tar", "-t"], input=listed.stdout, stdout=subprocess.PIPE, check=True)
    return ["/" + name.removeprefix("./") for name in names.stdout.decode().splitlines()
            if not name.endswith("/")]
