# SPDX-License-Identifier: LGPL-2.1-or-later
"""Draw the curves of a training log.

usage: python3 plot.py log.csv curves.png
"""

from __future__ import annotations

import csv
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt


def smooth(values: list[float], keep: float = 0.8) -> list[float]:
    out: list[float] = []
    for value in values:
        out.append(value if not out else keep * out[-1] + (1 - keep) * value)
    return out


def main() -> None:
    source, target = sys.argv[1:]
    with open(source, newline="") as file:
        rows = list(csv.DictReader(file))
    x = [int(row["pictures"]) / 1000 for row in rows]
    figure, axes = plt.subplots(1, 3, figsize=(12, 3.2))
    for axis, (title, names) in zip(
        axes,
        (
            ("loss", ["contrastive", "attributes"]),
            ("a true caption ranks first in its batch", ["precision_at_1"]),
            ("logit scale", ["scale"]),
        ),
    ):
        for name in names:
            axis.plot(x, smooth([float(row[name]) for row in rows]), label=name)
        axis.set_title(title, fontsize=10)
        axis.set_xlabel("thousand pictures seen")
        axis.grid(alpha=0.3)
        axis.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(target, dpi=90)


if __name__ == "__main__":
    main()
