# SPDX-License-Identifier: Apache-2.0
"""The guest's root file system: programs of this machine and of the build."""
import os
import re
import stat
import subprocess
import tempfile

from vmtest.runner.cpio import Archive


def unmerged(name):
    """Debian's /bin, /sbin and /lib are links into /usr."""
    return re.sub(r"^/(bin|sbin|lib|lib64)/", r"/usr/\1/", name)


class Root(Archive):
    """What runs in the guest: programs of this machine with the libraries that they need."""

    def __init__(self):
        super().__init__()
        for name in ("bin", "sbin", "lib", "lib64"):
            self.folder(f"usr/{name}")
            self.link(name, f"usr/{name}")
        self.device("dev/console", 5, 1)
        self.device("dev/null", 1, 3)

    def program(self, path, name=None, strip=False):
        """A file of this machine under its own path or another, through its links, and its
        libraries. Only for programs that may be trusted: asking for libraries runs the loader."""
        path = str(path)
        name = unmerged(name or path)
        if os.path.islink(path) and not strip:
            to = os.path.realpath(path)
            self.link(name, unmerged(to))
            path, name = to, unmerged(to)
        if name.strip("/") in self:
            return
        self.file(name, _stripped(path) if strip else _read(path),
                  stat.S_IMODE(os.stat(path).st_mode))
        for library in libraries(path):
            self.file(unmerged(library), _read(library), 0o755)

    def tree(self, path, name=None):
        """A file or a folder with all that is in it."""
        if os.path.isdir(path):
            for entry in sorted(os.listdir(path)):
                self.tree(f"{path}/{entry}", f"{name or path}/{entry}")
        else:
            self.program(path, name)


def _read(path):
    with open(path, "rb") as file:
        return file.read()


def _stripped(path):
    """Debug information is most of a test program, and the guest's memory is small."""
    with tempfile.NamedTemporaryFile() as file:
        subprocess.run(["objcopy", "--strip-debug", path, file.name], check=True)
        return _read(file.name)


def libraries(path):
    """Paths of the shared libraries and the loader of an executable; [] for anything else."""
    with open(path, "rb") as file:
        if file.read(4) != b"\x7fELF":
            return []
    listed = subprocess.run(["ldd", path], capture_output=True, text=True)
    return re.findall(r"(/\S+) \(0x", listed.stdout)
