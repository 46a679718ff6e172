#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""tests/check/objects.py BUILD_DIR

Banned functions must not stand among the undefined symbols of our object files either."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tests.check import elf_file as elf
from tests.check.calls import BANNED
from tests.harness import tap


def banned_symbols(build_dir):
    """("object file: symbol") of every object of userspace/, plugins/ and install/ below build_dir."""
    build_dir = pathlib.Path(build_dir)
    for folder in ("userspace", "plugins", "install"):
        for path in sorted((build_dir / folder).rglob("*.o")):
            # userspace/sys/CMakeFiles/sys.dir/netns.cc.o is made from userspace/sys/netns.cc
            parts = path.relative_to(build_dir).parts
            at = parts.index("CMakeFiles")
            source = "/".join(parts[:at] + parts[at + 2:]).removesuffix(".o")
            for name in sorted(elf.ElfFile(path).undefined(elf.SHT_SYMTAB) & BANNED.keys()):
                if not source.startswith(BANNED[name][0] or "\0"):
                    yield f"{source}: {name}"


def main(build_dir):
    report = tap.Report()
    problems = list(banned_symbols(build_dir))
    if problems:
        report.not_ok("object files call nothing that is banned", *problems)
    elif not any(pathlib.Path(build_dir).glob("userspace/**/*.o")):
        report.not_ok("object files call nothing that is banned", "there is no object file")
    else:
        report.ok("object files call nothing that is banned")
    return report.done()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1]))
