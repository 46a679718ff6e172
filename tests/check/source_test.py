#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Rules of the tree that no compiler knows. Each is one function of its docstring's meaning."""
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tests.check import calls, layers, words
from tests.check.tree import Tree
from tests.harness import tap


def code_is_formatted(tree):
    """clang-format 14 would change nothing (scripts/format does)"""
    names = list(tree.code())
    checked = subprocess.run(["clang-format-14", "--dry-run", "-Werror", *names], cwd=tree.root,
                             capture_output=True, text=True)
    return [line for line in checked.stderr.splitlines() if "error:" in line]


RULES = (
    layers.layers_include_only_what_the_table_allows,
    layers.layers_have_an_order,
    layers.plugins_include_no_other_plugin,
    layers.libraries_are_included_by_their_owner_only,
    layers.costly_headers_are_not_included,
    layers.sources_are_listed,
    calls.banned_calls_are_not_made,
    calls.stdout_has_one_writer,
    calls.nothing_is_thrown,
    calls.no_environment_is_read_in_passing,
    words.licence_line_comes_first,
    words.words_are_meant,
    words.open_work_has_a_number,
    words.suppressions_have_a_reason,
    words.no_path_of_a_machine,
    words.no_download_host,
    words.lines_are_clean,
    words.files_are_short,
    code_is_formatted,
)


def main():
    tree, report = Tree(), tap.Report()
    for rule in RULES:
        problems = list(rule(tree))
        if problems:
            report.not_ok(rule.__name__, rule.__doc__, *problems)
        else:
            report.ok(rule.__name__)
    tap.say(*words.long_files(tree))
    return report.done()


if __name__ == "__main__":
    sys.exit(main())
