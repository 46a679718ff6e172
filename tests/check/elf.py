#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""tests/check/elf.py BIN_DIR [LINK_LOG]

What must be true of every executable that ships (docs/building.md), and that linking them warned
of nothing. LINK_LOG is what the build printed when it linked them."""
import os
import pathlib
import re
import stat
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tests.check import elf_file as elf
from tests.check.tree import ROOT
from tests.harness import tap

_MB = 1_000_000
_MOST_BYTES = {"portmap": 3.2 * _MB, "calico": 11 * _MB, "calico-ipam": 11 * _MB,
               "install": 9 * _MB, "tortie-probe": 1.8 * _MB}
_MOST_BYTES_OTHERS = 1.5 * _MB

# Calls that would load the node's NSS or libraries, each inside a function of a library that
# nothing of ours calls (docs/dependencies.md): sockets and names are our own.
_KNOWN_WARNINGS = {
    "unixDlOpen calls dlopen",  # SQLite's extensions
    "dlfcn_globallookup calls dlopen",  # OpenSSL's engines
    "BIO_lookup_ex calls getaddrinfo",
    "BIO_gethostbyname calls gethostbyname",
    "ares_getaddrinfo calls getservbyname",
    "lookup_service calls getservbyport_r",
}


def is_static_pie(file, _):
    """position independent, and no interpreter or library of the node is loaded"""
    if file.type != elf.ET_DYN:
        yield f"ELF type {file.type}"
    if file.segment(elf.PT_INTERP):
        yield "asks for an interpreter"
    if file.dynamic().get(elf.DT_NEEDED):
        yield "needs shared libraries"
    if not file.dynamic().get(elf.DT_FLAGS_1, [0])[0] & elf.DF_1_PIE:
        yield "not marked PIE"


def relocations_become_read_only(file, _):
    """RELRO, and everything is bound at start"""
    tags = file.dynamic()
    if not file.segment(elf.PT_GNU_RELRO):
        yield "no RELRO"
    if not (elf.DT_BIND_NOW in tags or tags.get(elf.DT_FLAGS, [0])[0] & elf.DF_BIND_NOW
            or tags.get(elf.DT_FLAGS_1, [0])[0] & elf.DF_1_NOW):
        yield "not BIND_NOW"


def nothing_is_writable_and_executable(file, _):
    """no executable stack, no segment that is both, no relocation in the text"""
    stack = file.segment(elf.PT_GNU_STACK)
    if not stack or stack.flags & elf.PF_X:
        yield "executable stack"
    for segment in file.segments:
        if segment.type == elf.PT_LOAD and segment.flags & elf.PF_X and segment.flags & elf.PF_W:
            yield f"writable and executable at {segment.address:#x}"
    tags = file.dynamic()
    if elf.DT_TEXTREL in tags or tags.get(elf.DT_FLAGS, [0])[0] & elf.DF_TEXTREL:
        yield "TEXTREL"


def nothing_is_left_to_find(file, _):
    """no search path, no undefined symbol"""
    for tag, name in ((elf.DT_RPATH, "RPATH"), (elf.DT_RUNPATH, "RUNPATH")):
        if tag in file.dynamic():
            yield name
    for name in sorted(file.undefined(elf.SHT_DYNSYM)):
        yield f"undefined {name}"


def is_stripped_of_the_build(file, _):
    """no symbol table, no path of the build machine"""
    if file.symbols(elf.SHT_SYMTAB):
        yield "not stripped"
    if str(ROOT).encode() in file.data:
        yield "names the folder it was built in"


def is_small(file, path):
    """at most 1.5 MB, tortie-probe 1.8, portmap 3.2, install 9, calico 11 MB"""
    most = _MOST_BYTES.get(path.name, _MOST_BYTES_OTHERS)
    if len(file.data) > most:
        yield f"{len(file.data)} bytes, at most {most:.0f}"


def runs_with_no_borrowed_rights(_, path):
    """never set-user-ID or set-group-ID, executable by everybody, writable by the owner alone"""
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & ~0o755 or mode & 0o111 != 0o111:
        yield f"mode {mode:o}"


RULES = (is_static_pie, relocations_become_read_only, nothing_is_writable_and_executable,
         nothing_is_left_to_find, is_stripped_of_the_build, is_small, runs_with_no_borrowed_rights)


def linker_warnings(log):
    """Every warning in a linker's output, by function and call where it names them."""
    function = ""
    for line in log.splitlines():
        if found := re.search(r"in function `([^']+)'", line):
            function = found.group(1).split(".")[0]
        if found := re.search(r"Using '(\w+)' in statically linked applications", line):
            yield f"{function} calls {found.group(1)}"
        elif "warning:" in line:
            yield line.strip()


def main(bin_dir, link_log=None):
    report = tap.Report()
    paths = sorted(path for path in pathlib.Path(bin_dir).glob("*") if os.access(path, os.X_OK))
    if not paths:
        report.not_ok("there are executables", f"none in {bin_dir}")
    for path in paths:
        file = elf.ElfFile(path)
        for rule in RULES:
            problems = list(rule(file, path))
            if problems:
                report.not_ok(f"{path.name} {rule.__name__}", rule.__doc__, *problems)
            else:
                report.ok(f"{path.name} {rule.__name__}")
        tap.say(f"{path.name}: {len(file.data)} bytes")
    if link_log:
        text = pathlib.Path(link_log).read_text(encoding="utf-8")
        if problems := sorted(set(linker_warnings(text)) - _KNOWN_WARNINGS):
            report.not_ok("linker warns of nothing new", *problems)
        else:
            report.ok("linker warns of nothing new")
    return report.done()


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
