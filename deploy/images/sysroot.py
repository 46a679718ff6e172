# SPDX-License-Identifier: Apache-2.0
"""The libraries of another architecture, for a cross build: Debian 12's packages with their security
updates, unpacked in build/sysroot/ARCH. cmake/toolchains/ARCH.cmake builds with them."""
import shutil

from deploy.images import apt, packages
from deploy.images.rootfs import ROOT

# What scripts/deps installs for the machine's own architecture, as far as headers and archives go.
_PACKAGES = ("libc6-dev", "linux-libc-dev", "libexpected-dev", "nlohmann-json3-dev",
             "libboost1.74-dev", "libssl-dev", "libc-ares-dev", "libyaml-dev", "libsqlite3-dev",
             "libbpf-dev", "libelf-dev", "zlib1g-dev")
SUITE = "bookworm"


def make(arch):
    """Returns the folder; it is made again when other packages are wanted."""
    debs = apt.Archive(ROOT / "build/apt", SUITE, arch).fetch(_PACKAGES)
    root = ROOT / "build/sysroot" / arch
    wanted = "\n".join(deb.name for deb in debs)
    stamp = root / "debs.txt"
    if not stamp.exists() or stamp.read_text() != wanted:
        fresh = root.with_suffix(".new")
        for folder in (fresh, root):
            shutil.rmtree(folder, ignore_errors=True)
        fresh.mkdir(parents=True)
        packages.unpack_sysroot(debs, fresh)
        (fresh / "debs.txt").write_text(wanted)
        fresh.rename(root)
    return root
