#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""How much longer inference takes beside busy processes: bench/cpu_busy.py BUILD

In each of --rounds, pe-bench runs alone and then beside --busy processes that do
nothing but count, as many as there are cores. A scheduler that is fair gives it half
of them, so that 2 is what the processes take; more is lost by threads that wait for
others that do not run. Prints the median of the ratios of the times of a batch.
Weights are random.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys

BUSY = "while True: pass"


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("build")
    parser.add_argument("--config", default="PE-Core-B16-224")
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--busy", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--seconds", type=float, default=5, help="of a measurement")
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


def measure(options):
    """Seconds of an image."""
    bench = pathlib.Path(options.build) / "tools" / "pe-bench"
    done = subprocess.run(
        [bench, "--device", "cpu", "--config", options.config, "--precision",
         options.precision, "--batch", str(options.batch), "--seconds",
         str(options.seconds), "--json"], check=True, capture_output=True, text=True)
    return 1 / json.loads(done.stdout.splitlines()[-1])["images_per_s"]


def main():
    options = parse()
    ratios = []
    for number in range(1, options.rounds + 1):
        alone = measure(options)
        busy = [subprocess.Popen([sys.executable, "-c", BUSY])
                for _ in range(options.busy)]
        try:
            beside = measure(options)
        finally:
            for process in busy:
                process.kill()
                process.wait()
        ratios.append(beside / alone)
        print(f"round {number}: alone {alone * 1e3:.0f} ms, beside {options.busy} "
              f"{beside * 1e3:.0f} ms, {ratios[-1]:.2f}", flush=True)
    print(f"beside {options.busy} busy processes / alone, median of {len(ratios)}: "
          f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to "
          f"{max(ratios):.2f}), wanted 2.2")


if __name__ == "__main__":
    main()
