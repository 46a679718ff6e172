# SPDX-License-Identifier: Apache-2.0
"""One screen: at most 40 lines of 100 columns."""
import textwrap

WIDTH, HEIGHT = 100, 40


def _table(rows):
    """Rows of cells as lines with aligned columns."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))] if rows else []
    return ["  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip()
            for row in rows]


def _section(title, hint, lines):
    return ["", f"{title:<{WIDTH - len(hint)}}{hint}".rstrip(), *lines]


def _asked(pod):
    """What the pod's author wanted, in a cell."""
    return [" ".join(f"{key.rpartition('/')[2]}={value}"
                     for key, value in pod.annotations.items())]


def render(title, pods, reservations, mappings, proofs, add_times, stored):
    lines = [title]
    lines += _section("PODS", "", _table(
        [(pod.name, pod.runtime, f"network {pod.network}", pod.id[:12],
          " ".join(pod.addresses), *_asked(pod)) for pod in pods]))
    lines += _section("RESERVATIONS", "found in", _table(
        [(held.address, held.pod, held.where) for held in reservations]))
    lines += _section("HOST PORTS, AND WHAT CARRIES THEM", "found by", _table(
        [(f"{mapping.port}/{mapping.protocol}", f"{mapping.pod} {mapping.target}",
          mapping.carrier, mapping.shown_by) for mapping in mappings]))
    lines += _section("PROVEN FROM ANOTHER NETWORK NAMESPACE", "pod that answered, whom it saw",
                      _table([(f"$ {proof.command}", proof.answer) for proof in proofs]))
    plugins = list(dict.fromkeys(plugin for times in add_times.values() for plugin in times))
    lines += _section("TIME OF EACH ADD", "milliseconds from start to exit", _table(
        [("", *plugins)]
        + [(pod, *(f"{times[plugin]:.1f}" if plugin in times else "-" for plugin in plugins))
           for pod, times in add_times.items()]))
    lines += _section("AS STORED, IN CALICO'S FORM", "calico-ipam -show", [
        line for text in stored for line in textwrap.wrap(
            text, WIDTH - 4, initial_indent="  ", subsequent_indent="    ")])
    if len(lines) > HEIGHT:
        lines = [*lines[:HEIGHT - 1], f"  ... {len(lines) - HEIGHT + 1} more lines"]
    return "\n".join(line[:WIDTH] for line in lines)
