#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs this tree's tests on other kernels: vmtest/README.md."""
import pathlib
import sys

# Not this file's folder: `vmtest` is a package of the tree, not this file.
sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from vmtest.runner import cli

if __name__ == "__main__":
    sys.exit(cli.main(sys.argv[1:]))
