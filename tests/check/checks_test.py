#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Every rule of this folder is seen failing on a tree that breaks it, and content with one that
does not: a rule that cannot fail is worth nothing."""
import os
import pathlib
import stat
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tests.check import calls, elf, elf_file, layers, words
from tests.check.source_test import RULES, code_is_formatted
from tests.check.tree import ROOT, Tree
from tests.harness import tap

SPDX = "// SPDX-License-Identifier: Apache-2.0\n"
LAYERS = "base:\nsys: base\ncni: base\n"

# rule: (files that break it, files that keep it)
EXAMPLES = {
    layers.layers_include_only_what_the_table_allows: (
        [{"userspace/base/a.cc": '#include "sys/link.h"\n'},
         {"userspace/cni/a.h": '#  include "sys/link.h"\n'},
         {"userspace/new/a.h": "\n"},
         {"userspace/layers.txt": "base: none\n"}],
        {"userspace/sys/a.cc": '#include "sys/a.h"\n#include "base/b.h"\n#include <new>\n'}),
    layers.layers_have_an_order: (
        [{"userspace/layers.txt": "base: sys\nsys: base\n"}], {}),
    layers.plugins_include_no_other_plugin: (
        [{"plugins/tuning/a.cc": '#include "portmap/config.h"\n'}],
        {"plugins/tuning/a.cc": '#include "tuning/a.h"\n#include "cni/skel.h"\n'}),
    layers.libraries_are_included_by_their_owner_only: (
        [{"plugins/tuning/a.cc": "#include <nlohmann/json.hpp>\n"},
         {"userspace/base/b.h": "#include <gtest/gtest.h>\n"},
         {"userspace/cni/b.h": "#include <gmock/gmock.h>\n"}],
        {"userspace/cni/json.cc": "#include <nlohmann/json.hpp>\n",
         "userspace/base/result.h": "#include <tl/expected.hpp>\n"}),
    layers.costly_headers_are_not_included: (
        [{"plugins/a/a.cc": "#include <iostream>\n"}, {"userspace/sys/a.h": "#include <netdb.h>\n"}],
        {"userspace/sys/a.h": "#include <iosfwd>\n"}),
    layers.sources_are_listed: (
        [{"userspace/base/b.cc": "\n", "userspace/base/CMakeLists.txt": "SOURCES ab.cc b.cc.in\n"},
         {"tests/unit/b.cc": "\n"}],
        {"userspace/base/b.cc": "\n", "userspace/base/CMakeLists.txt": "SOURCES a.cc b.cc)\n",
         "plugins/x/main.cc": "\n"}),
    calls.banned_calls_are_not_made: (
        [{"userspace/base/a.cc": "int r = system(x);\n"},
         {"plugins/a/a.cc": "::setns(1, 2);\n"},
         {"plugins/a/a.cc": "std::exit (1);\n"}],
        {"userspace/sys/netns.cc": "::setns(1, 2);\n",
         "userspace/base/a.cc": '// system()\n_exit(1);\nauto s = "exit(1)"; x.system(1);\n'}),
    calls.stdout_has_one_writer: (
        [{"plugins/a/a.cc": "std::cout << 1;\n"}, {"userspace/sys/a.cc": 'printf("x");\n'}],
        {"userspace/cni/skel.cc": "write(STDOUT_FILENO, x, 1);\n",
         "userspace/base/a.cc": "std::snprintf(a, 1, b);\n"}),
    calls.nothing_is_thrown: (
        [{"userspace/cni/a.cc": "throw 1;\n"}, {"plugins/a/a.cc": "try { f(); }\n"}],
        {"userspace/cni/a.cc": "try { f(); } // throw\n"}),
    calls.no_environment_is_read_in_passing: (
        [{"plugins/a/a.cc": 'getenv("X");\n'}], {"userspace/cni/a.cc": 'getenv("X");\n'}),
    words.licence_line_comes_first: (
        [{"userspace/base/a.h": "#pragma once\n"}, {"scripts/x": "#!/bin/sh\n\n# SPDX\n"}],
        {"userspace/base/a.h": SPDX, "scripts/x": "#!/bin/sh\n# SPDX-License-Identifier: X\n"}),
    words.words_are_meant: (
        [{"userspace/base/a.h": "// Keep in sync with b.h.\n"},
         {"tests/x.py": "# a hack\n"}, {"plugins/a/a.cc": "// For now it is one.\n"}],
        {"userspace/base/a.h": "// A temporary file, synchronised.\n"}),
    words.open_work_has_a_number: (
        [{"userspace/base/a.h": "// TODO: x\n"}, {"userspace/base/a.h": "// FIXME(#1): x\n"}],
        {"userspace/base/a.h": "// TODO(#12): x\n", "scripts/x": "#!/bin/sh\nmktemp a.XXXXXX\n"}),
    words.suppressions_have_a_reason: (
        [{"userspace/base/a.h": "int a;  // NOLINT\n"},
         {"userspace/base/a.h": "int a;  // NOLINT(bugprone-x)\n"}],
        {"userspace/base/a.h": "int a;  // NOLINT(bugprone-x): because\n"
                               "// NOLINTNEXTLINE(bugprone-x): because\n// NOLINTEND(bugprone-x)\n"}),
    words.no_path_of_a_machine: (
        [{"docs/a.md": "see /home/me/x\n"}, {"CMakeLists.txt": "set(A /root/a)\n"},
         {"tests/a.py": "'../shared/spec'\n"}],
        {"docs/a.md": "/etc/cni/net.d, ${dir}/root/a, /var/lib/cni\n"}),
    words.no_download_host: (
        [{"scripts/x": "#!/bin/sh\ncurl https://packages.evil.org/x\n"}],
        {"docs/a.md": "https://github.com/a/b and http://10.0.0.1:80/ and http://a.example/\n"}),
    words.lines_are_clean: (
        [{"docs/a.md": "a \n"}, {"userspace/base/a.h": "\tint a;\n"}, {"docs/a.md": "a"}],
        {"docs/a.md": "a\n"}),
    words.files_are_short: (
        [{"userspace/base/a.h": "// x\n" * 601}], {"userspace/base/a.h": "// x\n" * 600}),
    code_is_formatted: (
        [{"userspace/base/a.h": "int  a ;\n"}], {"userspace/base/a.h": "int a;\n"}),
}


class Rules(unittest.TestCase):
    def problems(self, rule, files):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            everything = {"userspace/layers.txt": LAYERS,
                          ".clang-format": (ROOT / ".clang-format").read_text(), **files}
            for name, text in everything.items():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(text)
            return list(rule(Tree(root)))

    def test_each_complains_about_what_breaks_it(self):
        for rule, (broken, _) in EXAMPLES.items():
            for files in broken:
                with self.subTest(rule.__name__ + str(list(files))):
                    self.assertNotEqual(self.problems(rule, files), [])

    def test_each_is_content_with_what_keeps_it(self):
        for rule, (_, kept) in EXAMPLES.items():
            with self.subTest(rule.__name__):
                self.assertEqual(self.problems(rule, kept), [])

    def test_each_has_an_example(self):
        self.assertEqual(set(EXAMPLES), set(RULES))


class Executables(unittest.TestCase):
    """What elf.py says about programs that are linked the wrong way."""

    def link(self, *flags):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        path = pathlib.Path(folder.name, "program")
        subprocess.run(["g++-12", "-x", "c++", "-", "-o", path, *flags], check=True, text=True,
                       input="int main() { return 0; }")
        return path

    def failing(self, path):
        file = elf_file.ElfFile(path)
        return {rule for rule in elf.RULES if list(rule(file, path))}

    def test_a_hardened_one_is_accepted(self):
        path = self.link("-fPIE", "-static-pie", "-s", "-Wl,-z,relro,-z,now")
        self.assertEqual(self.failing(path), set())

    def test_a_dynamic_one_with_symbols_and_a_search_path_is_refused(self):
        path = self.link("-Wl,-rpath,/opt/lib")
        self.assertLessEqual({elf.is_static_pie, elf.nothing_is_left_to_find,
                              elf.is_stripped_of_the_build}, self.failing(path))

    def test_a_fixed_address_is_refused(self):
        path = self.link("-static", "-no-pie", "-s")
        self.assertLessEqual({elf.is_static_pie, elf.relocations_become_read_only},
                             self.failing(path))

    def test_an_executable_stack_is_refused(self):
        path = self.link("-fPIE", "-static-pie", "-s", "-Wl,-z,execstack,-z,norelro")
        self.assertEqual(self.failing(path), {elf.nothing_is_writable_and_executable,
                                              elf.relocations_become_read_only})

    def test_one_that_names_its_build_folder_is_refused(self):
        path = self.link("-fPIE", "-static-pie", "-s", "-Wl,-z,relro,-z,now")
        with open(path, "ab") as file:
            file.write(str(ROOT).encode())
        self.assertEqual(self.failing(path), {elf.is_stripped_of_the_build})

    def test_set_user_id_is_refused(self):
        path = self.link("-fPIE", "-static-pie", "-s", "-Wl,-z,relro,-z,now")
        path.chmod(0o755 | stat.S_ISUID)
        self.assertEqual(self.failing(path), {elf.runs_with_no_borrowed_rights})

    def test_a_big_one_is_refused(self):
        path = self.link("-fPIE", "-static-pie", "-s", "-Wl,-z,relro,-z,now")
        os.truncate(path, 1_500_001)
        self.assertEqual(self.failing(path), {elf.is_small})

    def test_every_linker_warning_is_noticed(self):
        warning = ("libx.a(a.o): in function `{}':\n(.text+0x1): warning: Using '{}' in statically "
                   "linked applications requires at runtime the shared libraries\n")
        self.assertEqual(list(elf.linker_warnings(warning.format("ours", "getaddrinfo"))),
                         ["ours calls getaddrinfo"])
        self.assertEqual(len(list(elf.linker_warnings("ld: warning: x has an executable stack"))),
                         1)


if __name__ == "__main__":
    tap.main()
