# SPDX-License-Identifier: Apache-2.0
"""Rules about text: licence line, words, paths, length."""
import pathlib
import re

from tests.check.tree import CODE, ROOT, SOURCE

# The rules' own files and their tests hold what they look for.
_OWN = "tests/check/"
# Words of a thing that its author did not believe in, or of a fact with two homes.
_BANNED = (r"\bke(?:ep|pt) in sync\b|\bmust be in sync\b|\bhack(?:s|y|ish)?\b|\bkludge\b|\bfor now\b"
           r"|\btemporarily\b|\btemporary (?:fix|solution|workaround)\b|\bquick fix\b")
_HOSTS = {"github.com", "www.apache.org", "www.cni.dev", "www.kernel.org", "spdx.org",
          "www.debian.org", "in-toto.io", "slsa.dev"}
_STANDARD_FOLDERS = {"usr", "etc", "var", "run", "opt", "srv", "tmp", "dev", "proc", "sys", "lib",
                     "bin", "sbin", "mnt", "build"}
_WARN_LINES, _MOST_LINES = 400, 600


def _sources(tree):
    return [name for name in tree.select(endings=SOURCE)
            if tree.text(name) and (pathlib.PurePath(name).suffix or tree.text(name)[:2] == "#!")]


def _others(tree, names):
    return [name for name in names if not name.startswith(_OWN)]


def licence_line_comes_first(tree):
    """every source file starts with its SPDX line, after #! if there is one"""
    for name in _sources(tree):
        lines = tree.text(name).splitlines()
        first = lines[1:2] if lines[0].startswith("#!") else lines[:1]
        if not first or "SPDX-License-Identifier: " not in first[0]:
            yield f"{name}:1: no SPDX-License-Identifier"


def words_are_meant(tree):
    """no word in a source file that says it is not finished, or that a fact has two homes"""
    for name, number, found in tree.grep(_others(tree, _sources(tree)), f"(?i){_BANNED}"):
        yield f"{name}:{number}: \"{found.group()}\""


def open_work_has_a_number(tree):
    """TODO(#12): with the number of an issue; no other mark"""
    for name, number, found in tree.grep(_others(tree, _sources(tree)),
                                         r"\bTODO\b(?!\(#\d+\): )|\b(?:FIXME|XXX)\b"):
        yield f"{name}:{number}: {found.group()} without an issue"


def suppressions_have_a_reason(tree):
    """NOLINT names its check and says why"""
    for name, number, _ in tree.grep(_others(tree, tree.code()),
                                     r"NOLINT(?!END)(?:NEXTLINE|BEGIN)?(?!\w)(?!\([\w.,* -]+\): \S)"):
        yield f"{name}:{number}: NOLINT(check): reason"


def no_path_of_a_machine(tree):
    """no home folder, no folder of the build machine in any file"""
    places = [r"/home/\w", r"/root/", r"\.\./shared\b"]
    if ROOT.parts[1] not in _STANDARD_FOLDERS:
        places.append(rf"/{re.escape(ROOT.parts[1])}/")
    pattern = r"(?<![\w.}])(?:" + "|".join(places) + ")"
    for name, number, found in tree.grep(_others(tree, tree.files), pattern):
        yield f"{name}:{number}: {found.group()}"


def no_download_host(tree):
    """no address of a server but of documentation and examples; packages come from Debian"""
    for name, number, found in tree.grep(_others(tree, tree.files), r"https?://([\w.-]+)"):
        host = found.group(1)
        if host not in _HOSTS and not re.search(r"(^|\.)example(\.\w+)?$|^[\d.]+$|^localhost$",
                                                host):
            yield f"{name}:{number}: {host}"


def lines_are_clean(tree):
    """no tab in code, no space at the end, a newline at the end of a file"""
    for name in tree.select(endings=CODE + (".py", ".md", ".cmake", ".txt", ".sh")):
        text = tree.text(name)
        if text and not text.endswith("\n"):
            yield f"{name}: no newline at the end"
        for number, line in enumerate(text.splitlines(), 1):
            if line != line.rstrip() or ("\t" in line and name.endswith(CODE)):
                yield f"{name}:{number}: tab, or space at the end"


def files_are_short(tree):
    """no source file above 600 lines"""
    for name in _sources(tree):
        if (count := len(tree.text(name).splitlines())) > _MOST_LINES:
            yield f"{name}: {count} lines"


def long_files(tree):
    """Not a rule: what to look at before it becomes one."""
    for name in _sources(tree):
        if (count := len(tree.text(name).splitlines())) > _WARN_LINES:
            yield f"{name}: {count} lines, {_WARN_LINES} are the aim"
