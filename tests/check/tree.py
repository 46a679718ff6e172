# SPDX-License-Identifier: Apache-2.0
"""The source tree as the rules see it: which files there are, and their text."""
import functools
import os
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
CODE = (".h", ".cc", ".c")
SOURCE = CODE + (".py", ".sh", "")  # "": scripts without an ending


class Tree:
    """Files that are tracked or would be, as paths relative to `root`."""

    def __init__(self, root=ROOT):
        self.root = pathlib.Path(root)

    @functools.cached_property
    def files(self):
        listed = subprocess.run(
            ["git", "-c", f"safe.directory={self.root}", "-C", self.root, "ls-files", "-z",
             "--cached", "--others", "--exclude-standard"], capture_output=True, text=True)
        if listed.returncode == 0:
            names = [name for name in listed.stdout.split("\0") if name]
        else:  # an unpacked archive
            names = [os.path.relpath(os.path.join(folder, name), self.root)
                     for folder, _, found in os.walk(self.root) for name in found]
            names = [name for name in names if not name.startswith(("build/", ".git/"))]
        return sorted(name for name in names if (self.root / name).is_file())

    @functools.cache
    def text(self, name):
        """"" for what is not text: a fuzzing corpus, a picture."""
        data = (self.root / name).read_bytes()
        if b"\0" in data or name.startswith("tests/fuzz/corpus/"):
            return ""
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError:
            return ""

    def select(self, folders=("",), endings=None):
        """Names below one of the folders ("" is the root) with one of the endings."""
        for name in self.files:
            if not name.startswith(tuple(f + "/" if f else "" for f in folders)):
                continue
            if endings is None or pathlib.PurePath(name).suffix in endings:
                yield name

    def code(self, *folders):
        return self.select(folders or ("bpf", "userspace", "plugins", "install", "tests", "cmake"), CODE)

    def grep(self, names, pattern, of=None):
        """(name, line number, match) of every line that the pattern is found in. `of` turns a
        file's name into the text to search, its own text by default."""
        pattern = re.compile(pattern)
        for name in names:
            for number, line in enumerate((of or self.text)(name).splitlines(), 1):
                if found := pattern.search(line):
                    yield name, number, found

    @functools.cache
    def bare(self, name):
        """Text of a C++ file without comments and with empty literals, line by line as it was."""
        def blank(found):
            token = found.group()
            lines = "\n" * token.count("\n")
            return '""' + lines if token[0] in "\"'R" else " " + lines

        return re.sub(r'R"(\w*)\((?:.|\n)*?\)\1"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\''
                      r"|//[^\n]*|/\*(?:.|\n)*?\*/", blank, self.text(name))
