# SPDX-License-Identifier: Apache-2.0
"""What the executables of a release build are made of, as the linker and the compiler say it: the
map that the linker wrote for each of them, and the headers that ninja recorded."""
import os
import pathlib
import re
import subprocess

# `archive(member)` at the start of a line of the map's first section, and what was loaded whole.
_ARCHIVE = re.compile(r"^(/[^\s(]+\.a)\([^)]+\)", re.MULTILINE)
_OBJECT = re.compile(r"^LOAD (/\S+\.o)$", re.MULTILINE)


class Build:
    """A build folder of the preset `release`. `packages` owns the files of its libraries."""

    def __init__(self, folder, packages):
        self.folder = pathlib.Path(folder).resolve()
        self.packages = packages

    @property
    def bin(self):
        return self.folder / "bin"

    def _inside(self, path):
        """As the packages name it: without the sysroot, with /usr."""
        path = os.path.normpath(path)
        root = str(self.packages.root).rstrip("/")
        return re.sub(r"^/lib/", "/usr/lib/", path.removeprefix(root))

    def files_of_map(self, program):
        """Archives a member of which is in the program, and objects of the C library's start."""
        text = (self.folder / "map" / f"{program}.map").read_text(errors="replace")
        members = text.split("\nMemory Configuration\n")[0].split("\nDiscarded input sections\n")[0]
        ours = str(self.folder)
        return {path for path in _ARCHIVE.findall(members) + _OBJECT.findall(text)
                if not path.startswith(ours)}

    def headers(self):
        """Every header of a package that a source file of the build included."""
        listed = subprocess.run(["ninja", "-C", self.folder, "-t", "deps"], capture_output=True,
                                text=True, check=True).stdout
        root = re.escape(str(self.packages.root).rstrip("/"))
        return set(re.findall(rf"^ +((?:{root})?/usr/\S+)", listed, re.MULTILINE))

    def libraries(self, programs):
        """({program: {package: [archives]}}, {package: number of its headers}). Raises Unknown."""
        maps = {program: self.files_of_map(program) for program in programs}
        headers = self.headers()
        names = {path: self._inside(path) for path in headers.union(*maps.values())}
        owners = self.packages.owners(set(names.values()))
        linked = {program: {} for program in programs}
        for program, paths in maps.items():
            for path in sorted(paths):
                package = owners[names[path]]
                linked[program].setdefault(package, []).append(os.path.basename(names[path]))
        included = {}
        for path in headers:
            package = owners[names[path]]
            included[package] = included.get(package, 0) + 1
        return linked, included
