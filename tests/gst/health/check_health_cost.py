#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""bench/health_cost.py on few small pictures, as a TAP test:
check_health_cost.py HEALTH_COST BUILD

How much time is taken is nothing that a test can know, but some is.
"""

import pathlib
import subprocess
import sys

sys.path.append(str(pathlib.Path(__file__).parents[2] / "support"))
from tap import run_tests, skip  # noqa: E402

try:
    import gi  # noqa: F401
except ImportError:
    gi = None


def run(*arguments):
    return subprocess.run([sys.executable, *sys.argv[1:], *arguments],
                          check=False, capture_output=True, text=True)


def measures_every_format():
    if not gi:
        skip("there is no PyGObject")
    done = run("--size", "320x180", "--rounds", "1", "--seconds", "5")
    assert done.returncode == 0, done.stderr
    assert "CRITICAL" not in done.stderr, done.stderr
    rows = [[cell.strip() for cell in line.strip("|").split("|")]
            for line in done.stdout.splitlines() if line.startswith("|")]
    assert [row[0] for row in rows[2:]] == ["I420", "NV12", "P010_10LE", "RGB"], \
        done.stdout
    for row in rows[2:]:
        assert all(float(cell) > 0 for cell in row[1:]), done.stdout


def names_the_format_that_it_does_not_know():
    if not gi:
        skip("there is no PyGObject")
    done = run("--formats", "I420,I421")
    assert done.returncode == 2, done
    assert "I421 is none of I420, NV12" in done.stderr, done.stderr


if __name__ == "__main__":
    sys.exit(run_tests([measures_every_format,
                        names_the_format_that_it_does_not_know]))
