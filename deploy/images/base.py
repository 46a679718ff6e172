# SPDX-License-Identifier: Apache-2.0
"""The system below the image `dev`: Debian with a shell and apt, made by mmdebstrap from the archive
that the machine's own apt uses. Kept in build/apt; remove it there to have newer packages."""
import os
import shutil
import subprocess
import tarfile

from deploy.images import apt, packages
from deploy.images.rootfs import RELEASE, ROOT, SUITE

_INCLUDED = "ca-certificates,tzdata"
_NONROOT = ('echo "nonroot:x:65532:65532:nonroot:/nonexistent:/usr/sbin/nologin" >>"$1/etc/passwd"'
            ' && echo "nonroot:x:65532:" >>"$1/etc/group"')


# Decides what a system's files say of a date; the layer's own time stamps are the image's.
_EPOCH = "86400"


def make(arch):
    """Path of the archive. Raises apt.Unavailable."""
    path = ROOT / "build/apt" / f"{SUITE}-{arch}.tar"
    if path.exists():
        return path
    if not shutil.which("mmdebstrap"):
        raise apt.Unavailable("mmdebstrap is not installed (scripts/deps image)")
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name("new-" + path.name)
    done = subprocess.run(
        ["mmdebstrap", "--quiet", "--mode=root", "--variant=apt", f"--include={_INCLUDED}",
         f"--architectures={arch}", "--dpkgopt=force-unsafe-io",
         "--dpkgopt=path-exclude=/usr/share/man/*", '--aptopt=Acquire::Languages "none"',
         f"--customize-hook={_NONROOT}", SUITE, fresh, "-"],
        input=apt.Archive(ROOT / "build/apt", SUITE, arch).sources(), capture_output=True,
        text=True, check=False, env={**os.environ, "SOURCE_DATE_EPOCH": _EPOCH})
    if done.returncode != 0:
        raise apt.Unavailable(f"mmdebstrap: {done.stderr.strip()[-800:]}")
    fresh.rename(path)
    return path


def installed(path):
    """The packages in the archive. Their licences are in its /usr/share/doc, not in our table."""
    with tarfile.open(path) as archive:
        status = archive.extractfile("./var/lib/dpkg/status").read().decode()
    found = []
    for paragraph in status.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in paragraph.splitlines()
                      if ": " in line and not line.startswith(" "))
        if fields.get("Status", "").endswith(" installed"):
            found.append(packages.of_fields(fields, RELEASE, of_system=True))
    return found
