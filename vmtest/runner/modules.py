# SPDX-License-Identifier: Apache-2.0
"""The modules of a kernel as a part of the initramfs. Nothing is loaded up front: the kernel asks
/sbin/modprobe by alias, as it does on a node, so what depends on what is all that must be known.
It stands in each module's section .modinfo; neither kmod nor depmod is needed."""
import hashlib
import lzma
import os
import pathlib
import re

from vmtest.runner.cpio import Archive
from vmtest.runner.kernels import cache

# Folders of a kernel whose modules a node with containers may ask for; dependencies follow.
_WANTED = re.compile(
    r"net/(netfilter|ipv4|ipv6|sched|bridge|8021q|802|llc|core|sctp)/"
    r"|drivers/net/(veth|dummy|ifb|tun|macvlan|netkit|bonding|vxlan|ipvlan|vrf)"
    r"|fs/overlayfs/|crypto/(crc32c|sha|hmac)")


class Module:
    """One .ko, unpacked: its signature stays at its end."""

    def __init__(self, path):
        data = pathlib.Path(path).read_bytes()
        self.data = lzma.decompress(data) if path.endswith(".xz") else data
        info = self.data
        depends = re.search(rb"\0depends=([^\0]*)\0", info)
        names = depends[1].decode().split(",") if depends else []
        self.depends = [name.replace("-", "_") for name in names if name]
        self.aliases = [alias.decode() for alias in
                        re.findall(rb"(?<=\0)alias=([^\0]+)(?=\0)", info)]


def index(folder):
    """{name: path} of every module below it."""
    found = {}
    for place, _, names in os.walk(folder):
        for name in names:
            if match := re.fullmatch(r"(.+)\.ko(?:\.xz)?", name):
                found[match[1].replace("-", "_")] = os.path.join(place, name)
    return found


def closure(paths, wanted, read=Module):
    """{name: Module} of the wanted ones and all that they depend on, dependencies first; without
    those that need a module that is not among `paths`."""
    chosen, refused = {}, set(wanted) - paths.keys()

    def add(name):
        if name in chosen:
            return True
        if name in refused or name not in paths:
            return False
        module = read(paths[name])
        if not all([add(lower) for lower in module.depends]):
            refused.add(name)
            return False
        chosen[name] = module
        return True

    for name in wanted:
        add(name)
    return chosen


def dependencies(chosen, name):
    """What `name` needs, the last one to be loaded first: the order of modules.dep."""
    order = []

    def visit(current):
        for lower in chosen[current].depends:
            if lower not in order:
                visit(lower)
        order.append(current)

    visit(name)
    return order[-2::-1]


def archive(folder, release, without):
    """The modules below `folder` but those that the expression `without` matches, or that cannot
    do without one of those."""
    paths = {name: path for name, path in index(folder).items()
             if not (without and re.fullmatch(without, name))}
    wanted = sorted(name for name, path in paths.items()
                    if _WANTED.match(os.path.relpath(path, folder)))
    chosen = closure(paths, wanted)
    packed = Archive()
    place = f"usr/lib/modules/{release}"
    depends, aliases = [], []
    for name, module in chosen.items():
        packed.file(f"{place}/{name}.ko", module.data)
        lower = " ".join(f"{other}.ko" for other in dependencies(chosen, name))
        depends.append(f"{name}.ko: {lower}".rstrip())
        aliases += [f"alias {alias} {name}" for alias in module.aliases]
    packed.file(f"{place}/modules.dep", ("\n".join(depends) + "\n").encode())
    packed.file(f"{place}/modules.alias", ("\n".join(aliases) + "\n").encode())
    return packed.packed()


def segment(kernel, without):
    """The path of the packed modules of an Installed kernel, made when the kernel, what is left
    out or this file has changed."""
    content = hashlib.sha256()
    for part in (repr(sorted(kernel.record["archives"].items())), without):
        content.update(part.encode())
    content.update(pathlib.Path(__file__).read_bytes())
    path = cache() / "modules" / f"{kernel.release}-{content.hexdigest()[:16]}.cpio"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(f".{os.getpid()}")
        unfinished.write_bytes(archive(kernel.modules, kernel.release, without))
        unfinished.rename(path)
    return path
