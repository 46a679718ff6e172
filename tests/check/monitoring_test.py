#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""deploy/monitoring: the alerts and the dashboard use metrics that its README promises, and events
that BPF counts; Prometheus' own tool reads the rules where it is installed."""
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tests.check.tree import ROOT
from tests.harness import tap

_FOLDER = ROOT / "deploy/monitoring"
_COUNTERS = ROOT / "bpf/shared/portmap_counters.h"


def promised():
    """Metrics of the README's table."""
    return set(re.findall(r"^\| `(tortie_\w+)` \|", (_FOLDER / "README.md").read_text(), re.M))


def alert_rules():
    """[(name, expression)]"""
    return re.findall(r"- alert: (\w+)\n +expr: (.+)\n", (_FOLDER / "alerts.yaml").read_text())


def panels():
    """[(title, expression)] of the dashboard."""
    board = json.loads((_FOLDER / "dashboard.json").read_text())
    return [(panel["title"], target["expr"]) for panel in board["panels"]
            for target in panel.get("targets", ())]


class Monitoring(unittest.TestCase):
    def test_every_metric_in_use_is_promised(self):
        for name, expression in alert_rules() + panels():
            with self.subTest(name):
                self.assertLessEqual(set(re.findall(r"tortie_\w+", expression)), promised())

    def test_every_promised_metric_is_shown_or_watched(self):
        used = {metric for _, expression in alert_rules() + panels()
                for metric in re.findall(r"tortie_\w+", expression)}

        self.assertEqual(promised() - used, set())

    def test_events_are_those_that_are_counted(self):
        counted = {name.lower() for name in re.findall(r"^ +X\((\w+), ", _COUNTERS.read_text(),
                                                       re.M)}

        for name, expression in alert_rules() + panels():
            for events in re.findall(r'event!?=~?"([^"]+)"', expression):
                with self.subTest(name):
                    self.assertLessEqual(set(events.split("|")), counted)

    def test_each_alert_says_how_bad_it_is_and_what_to_do(self):
        text = (_FOLDER / "alerts.yaml").read_text()

        count = len(alert_rules())
        self.assertGreater(count, 5)
        for line in (r"severity: (?:warning|critical)", "summary: .+", "description: .+"):
            self.assertEqual(len(re.findall(rf"^ +{line}$", text, re.M)), count, line)

    def test_prometheus_reads_the_rules_and_the_dashboards_expressions(self):
        if not shutil.which("promtool"):
            self.skipTest("promtool is not installed (Debian package prometheus)")
        rules = [{"record": f"panel:{number}", "expr": expression.replace("$instance", "node1")}
                 for number, (_, expression) in enumerate(panels())]
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            json.dump({"groups": [{"name": "panels", "rules": rules}]}, file)
            file.flush()
            done = subprocess.run(["promtool", "check", "rules", _FOLDER / "alerts.yaml",
                                   file.name], capture_output=True, text=True, check=False)

        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


if __name__ == "__main__":
    tap.main()
