#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The tables of docs/capacity.md from what is measured: bench/capacity_tables.py

Put your own figures in the place of these to plan for other machines.
"""

DECODE = 0.135      # core seconds for one of 1080p, H.264, 25 pictures, 4 Mbit/s
OVERHEAD = 1.16     # what pe-tag takes besides the tower / decoding
RATE = 2            # samples a second
LOAD = 0.7          # of a core or card, for live cameras
BITS = 4e6          # a second, of a camera
STORED = 0.1        # samples that differ from the one before (--dedup)
FRAME = 2320        # bytes of the archive for each of them
SCAN = 0.062 * 2 / 1048576  # core seconds for each frame that a search reads
TOWERS = (          # core seconds for each sample
    ("demo model", 1 / 1090),
    ("B/16, int8", 2 / 19.5),
    ("B/16, bf16", 2 / 10.9),
    ("B/16, fp32", 2 / 5.4),
    ("L/14, bf16", 2 / 1.05),
)
CARDS = (("B/16", 13391), ("L/14", 1361), ("G/14", 151))  # samples a second, a model


def show(value):
    """Two digits that count."""
    if value >= 100:
        digits = len(str(int(value))) - 2
        return f"{round(value / 10**digits) * 10**digits:,}"
    return f"{value:.2g}" if value < 10 else f"{value:.0f}"


def table(head, rows):
    print("| " + " | ".join(head) + " |\n|---|" + "--:|" * (len(head) - 1))
    for row in rows:
        print("| " + " | ".join(cell if isinstance(cell, str) else show(cell)
                                for cell in row) + " |")
    print()


def cost(tower):
    """Core seconds for each second of video."""
    return OVERHEAD * DECODE + RATE * tower


def main():
    table(("tower", "core s a second of video", "cameras a core",
           "archive hours a core and day"),
          [(name, cost(tower), LOAD / cost(tower), 24 / cost(tower))
           for name, tower in TOWERS])
    table(("tower", "cameras a card", "archive hours a card and day",
           "cores that decode for it"),
          [(name, LOAD * rate / RATE, 24 * rate / RATE, OVERHEAD * DECODE * rate / RATE)
           for name, rate in CARDS])
    int8, cards = cost(TOWERS[1][1]), CARDS[1][1]
    table(("cameras", "cores, B/16 int8", "or cards, L/14", "with cores that decode",
           "network, Gbit/s", "video a day, TB", "archive a day, GB"),
          [(f"{n:,}", n * int8 / LOAD, n * RATE / cards / LOAD,
            n * OVERHEAD * DECODE / LOAD, n * BITS / 1e9, n * BITS / 8 * 86400 / 1e12,
            n * RATE * STORED * 86400 * FRAME / 1e9) for n in
           (1, 10, 100, 1000, 10000)])
    table(("hours", "core hours, B/16 int8", "days on 64 cores", "or card hours, L/14",
           "with core hours that decode", "video, TB", "archive, GB",
           "exact search, core s"),
          [(f"{h:,}", h * int8, h * int8 / 64 / 24, h * RATE / cards,
            h * OVERHEAD * DECODE, h * 3600 * BITS / 8 / 1e12,
            h * 3600 * RATE * STORED * FRAME / 1e9, h * 3600 * RATE * STORED * SCAN)
           for h in (1000, 10000, 100000, 1000000, 10000000)])


if __name__ == "__main__":
    main()
