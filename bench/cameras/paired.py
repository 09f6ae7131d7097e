# SPDX-License-Identifier: LGPL-2.1-or-later
"""Scores beside one that they should beat: differences over the same draws of
cameras, so that what is hard for all of them does not count.
"""

from __future__ import annotations

import numpy as np

REFERENCE = "3 user negatives"
BANK = "3 user negatives and the bank"
KEYS = {
    "recall_at_0.1%": "recall at 0.1 % false alarms",
    "events_that_pass": "events ≥ 0.5",
}

Differences = dict[str, dict[str, list[float]]]


def differences(
    values: dict[str, dict[str, list[float]]], samples: dict[str, dict[str, np.ndarray]]
) -> Differences:
    """Each score less the reference, with its 90 % interval.

    values   name -> key -> [value, ...]
    samples  name -> key -> [rounds], from the same cameras for every name
    """
    found: Differences = {}
    for name in values:
        if name in (REFERENCE, "similarity"):
            continue
        found[name] = {}
        for key in KEYS:
            paired = samples[name][key] - samples[REFERENCE][key]
            low, high = np.quantile(paired, [0.05, 0.95])
            value = values[name][key][0] - values[REFERENCE][key][0]
            found[name][key] = [value, float(low), float(high)]
    return found


def judge_bank(found: Differences) -> tuple[bool, str]:
    """A bank is used by default only if the interval of the recall is above 0 and
    not fewer events pass."""
    recall, events = (found[BANK][key] for key in KEYS)
    better = recall[1] > 0
    kept = events[0] >= 0
    return better and kept, (
        f"The bank {'earns' if better and kept else 'does not earn'} its place: the "
        f"interval of its recall {'is' if better else 'is not'} above 0, and "
        f"{'not fewer' if kept else 'fewer'} events pass."
    )


def table(found: Differences) -> str:
    lines = [f"| less \"{REFERENCE}\" | " + " | ".join(KEYS.values()) + " |",
             "|---" * (1 + len(KEYS)) + "|"]
    for name, numbers in found.items():
        cells = ["{:+.3f} [{:+.3f}, {:+.3f}]".format(*numbers[key]) for key in KEYS]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)
