#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What bad cameras cost the others, as a TAP test:
check_pe_live_faults.py PE_LIVE LIVE_AB

The short form of bench/live_ab.py, which is LIVE_AB: eight cameras, less than two
minutes. That faults are noticed and mended is asked for, and that the others go on;
how fast they do says as much about the machine as about cameras, and is only printed.
"""

import importlib.util
import pathlib
import sys

sys.path.append(str(pathlib.Path(__file__).parents[1] / "support"))
from tap import run_tests  # noqa: E402

spec = importlib.util.spec_from_file_location("live_ab", sys.argv[2])
live_ab = importlib.util.module_from_spec(spec)
spec.loader.exec_module(live_ab)


def bad_cameras_cost_the_others_nothing():
    options = live_ab.parse([sys.argv[1], "--streams", "8", "--minutes", "1.2",
                             "--size", "160x120"])
    report = live_ab.run(options)
    for what, value, limit in live_ab.list_bars(report):
        print(f"# {what}: {value}, limit of the bench {limit}")
    assert report["rate"]["faulty"] > 0, report["rate"]
    # What was to happen did happen.
    assert report["restarts"] > report["not-back"], report
    assert report["noticed-max"] is not None, report
    assert 0 < report["attempts-a-minute"] <= live_ab.MAX_ATTEMPTS, report


if __name__ == "__main__":
    sys.exit(run_tests([bad_cameras_cost_the_others_nothing]))
