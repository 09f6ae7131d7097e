#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What pe-live keeps of streams that are gone, as a TAP test:
check_pe_live_soak.py PE_LIVE

Adds and removes PE_LIVE_STREAMS (default 1000) test streams, in ten rounds, after
one round to warm up. Threads and file descriptors must be as before. Resident memory
must not rise by as much as 4 KiB a stream, which is far less than anything that a
pipeline is made of. It goes up and down by a megabyte from round to round with what
the allocator has in pieces, so its slope is the median of those between any two.
"""

import itertools
import os
import pathlib
import statistics
import sys
import time

from live import PATIENCE, live

sys.path.append(str(pathlib.Path(__file__).parents[1] / "support"))
from tap import run_tests  # noqa: E402

PROGRAM = sys.argv[1]
N = int(os.environ.get("PE_LIVE_STREAMS", "1000"))
ROUNDS = 10
AT_A_TIME = 4
MAX_GROWTH = 4096 * N


def wait_idle(program):
    """What the process uses when no pipeline but that of `stays` is left."""
    limit = time.monotonic() + PATIENCE
    while True:
        stats = program.ask({"command": "stats"})
        if stats["totals"]["pipelines"] == 1:
            break
        assert time.monotonic() < limit, stats["totals"]
        time.sleep(0.05)
    time.sleep(2)  # threads of pools end, and free memory is given back
    return program.ask({"command": "stats"})["process"]


def add_and_remove(program, n):
    for first in range(0, n, AT_A_TIME):
        names = [f"s{i}" for i in range(first, min(first + AT_A_TIME, n))]
        mark = program.mark()
        for name in names:
            assert program.ask({"command": "add", "name": name,
                                "uri": "test:"})["ok"]
        for name in names:
            program.wait_status(name, "running", mark)
        for name in names:
            assert program.ask({"command": "remove", "name": name})["ok"]
        with program.changed:  # nobody needs the old lines
            program.lines[:mark] = [{"type": "old"}] * mark
            program.text.clear()
    return wait_idle(program)


def settle(program, before):
    """The last numbers: what a busy machine has not ended yet is given time."""
    limit = time.monotonic() + PATIENCE
    while True:
        use = program.ask({"command": "stats"})["process"]
        if time.monotonic() > limit or all(
                use[name] <= before[name]
                for name in ("threads", "file-descriptors")):
            return use
        time.sleep(0.5)


def keeps_nothing_of_streams_that_are_gone():
    with live(PROGRAM, "stays=test:") as program:
        program.wait_result("stays")
        uses = [add_and_remove(program, N // ROUNDS)
                for _ in range(ROUNDS + 1)]
        before, after = uses[0], settle(program, uses[0])
        assert program.end()[0] == 0
    bytes_used = [use["resident-bytes"] for use in uses]
    growth = ROUNDS * statistics.median(
        (b - a) / (j - i) for (i, a), (j, b)
        in itertools.combinations(enumerate(bytes_used), 2))
    print(f"# {N} streams: {growth / 1024:.0f} kB more by the median slope, "
          f"limit {MAX_GROWTH / 1024:.0f}; in all "
          f"{(bytes_used[-1] - bytes_used[0]) / 1024:.0f} kB")
    print(f"# {before['threads']} threads before and {after['threads']} after, "
          f"{before['file-descriptors']} file descriptors before and "
          f"{after['file-descriptors']} after")
    assert after["threads"] <= before["threads"], (before, after)
    assert after["file-descriptors"] <= before["file-descriptors"]
    assert growth < MAX_GROWTH, bytes_used


if __name__ == "__main__":
    sys.exit(run_tests([keeps_nothing_of_streams_that_are_gone]))
