# SPDX-License-Identifier: Apache-2.0
"""What is to be run on which kernel: matrix.json and expected/, as values."""
import json
import pathlib
from dataclasses import dataclass, field

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / "vmtest"


class Wrong(Exception):
    """A wrong call or a wrong file of ours; the text is for the user."""


@dataclass(frozen=True)
class Kernel:
    name: str
    suites: tuple   # of Debian
    package: str    # regular expression; the highest version that matches is taken


@dataclass(frozen=True)
class Expected:
    """What a row must show. A pattern is fnmatch's, over the names of cases."""
    facts: dict = field(default_factory=dict)    # of guest/facts.sh: name: value
    decision: dict = field(default_factory=dict)  # of the prober's report: key: value
    findings: dict = field(default_factory=dict)  # of the same: capability: "yes" or "no"
    denied: dict = field(default_factory=dict)   # pattern: why it is not run
    skips: dict = field(default_factory=dict)    # pattern: why it may skip itself
    console: dict = field(default_factory=dict)  # pattern of a console line: why it is no splat


@dataclass(frozen=True)
class Row:
    name: str
    kernel: Kernel
    expected: Expected
    whole: bool = False         # every test in an ordinary run, too
    without_modules: str = ""   # regular expression of modules that the image lacks
    without_mounts: tuple = ()  # mount points that stay empty
    hide: tuple = ()            # folders that an empty one is put over
    lockdown: str = ""          # "", "integrity" or "confidentiality"
    iptables: str = "nft"       # what `iptables` is: "nft" or "legacy"


def _checked(what, values, of):
    unknown = values.keys() - {f for f in of.__dataclass_fields__} - {"kernel", "name"}
    if unknown:
        raise Wrong(f"{what}: no such key: {' '.join(sorted(unknown))}")
    return {key: tuple(value) if isinstance(value, list) else value
            for key, value in values.items()}


class Matrix:
    """Raises Wrong for a file that cannot be meant."""

    def __init__(self, folder=FOLDER):
        document = json.loads((folder / "matrix.json").read_text(encoding="utf-8"))
        self.kernels = {name: Kernel(name, **_checked(f"kernel {name}", values, Kernel))
                        for name, values in document["kernels"].items()}
        self.subset = document["subset"]  # program: filter of GoogleTest
        self.rows = {name: self._row(folder, name, values)
                     for name, values in document["rows"].items()}
        for path in (folder / "expected").glob("*.json"):
            if path.stem not in self.rows:
                raise Wrong(f"{path.name}: there is no such row")

    def _row(self, folder, name, values):
        values = _checked(f"row {name}", values, Row)
        kernel = self.kernels.get(values.pop("kernel"))
        if kernel is None:
            raise Wrong(f"row {name}: no such kernel")
        path = folder / "expected" / f"{name}.json"
        expected = json.loads(path.read_text(encoding="utf-8"))
        return Row(name, kernel, Expected(**_checked(path.name, expected, Expected)), **values)

    def row(self, name):
        if name not in self.rows:
            raise Wrong(f"no row '{name}', there are: {' '.join(self.rows)}")
        return self.rows[name]
