# SPDX-License-Identifier: Apache-2.0
"""A root file system for the kernel's initramfs, written without root: device nodes and owners are
only numbers in an archive. The same content gives the same bytes. Source: the kernel's
Documentation/driver-api/early-userspace/buffer-format.rst (newc)."""
import os
import stat


def _pad(data):
    return data + b"\0" * (-len(data) % 4)


class Archive:
    """Folders are made as they are needed. The first one of a name wins."""

    def __init__(self):
        self._parts = []
        self._names = set()

    def __contains__(self, name):
        return name in self._names

    def _member(self, name, mode, data=b"", device=(0, 0)):
        encoded = name.encode() + b"\0"
        numbers = (len(self._names), mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(encoded), 0)
        header = "070701" + "".join(f"{number:08X}" for number in numbers)
        self._parts += [_pad(header.encode() + encoded), _pad(data)]

    def folder(self, name, mode=0o755):
        if not name or name in self._names:
            return
        self.folder(os.path.dirname(name))
        self._names.add(name)
        self._member(name, stat.S_IFDIR | mode)

    def _add(self, name, mode, data=b"", device=(0, 0)):
        name = name.strip("/")
        if name in self._names:
            return
        self.folder(os.path.dirname(name))
        self._names.add(name)
        self._member(name, mode, data, device)

    def file(self, name, data, mode=0o644):
        self._add(name, stat.S_IFREG | mode, data)

    def link(self, name, to):
        self._add(name, stat.S_IFLNK | 0o777, to.encode())

    def device(self, name, major, minor):
        self._add(name, stat.S_IFCHR | 0o600, device=(major, minor))

    def packed(self):
        """The archive, padded so that another one may follow."""
        end = Archive()
        end._member("TRAILER!!!", 0)
        data = b"".join(self._parts + end._parts)
        return data + b"\0" * (-len(data) % 512)
