#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""bench/live_ramp.py with few small streams, as a TAP test:
check_live_ramp.py PE_LIVE BENCH
"""

import json
import pathlib
import subprocess
import sys
import tempfile

sys.path.append(str(pathlib.Path(__file__).parents[1] / "support"))
from tap import run_tests, skip  # noqa: E402

PROGRAM, BENCH = sys.argv[1:]


def measures_each_step():
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "ramp.json")
        done = subprocess.run(
            [sys.executable, BENCH, PROGRAM, "--streams", "1,2", "--chunks",
             "3", "--chunk", "2", "--frames", "2", "--size", "160x120",
             "--rate", "10", "--limit", "60", "--json", path],
            capture_output=True, text=True, check=False, timeout=200)
        if done.returncode == 77:
            skip(done.stdout.strip())
        assert done.returncode == 0, done.stderr
        steps = json.loads(path.read_text(encoding="utf-8"))["steps"]
    assert [step["streams"] for step in steps] == [1, 2], done.stdout
    for step in steps:
        assert step["running"] == step["streams"], step
        assert step["chunks"] > 0 and step["expected"] == 3 * step["streams"]
        assert 0 < step["p50"] <= step["p95"] <= step["max"] < 60, step
        assert 0 < step["batch-fill"] <= 1 and step["device"], step


if __name__ == "__main__":
    sys.exit(run_tests([measures_each_step]))
