#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""README's pipeline with pescore, run on the demo video, as a TAP test:
check_score_readme.py README DEMO

DEMO is the folder of the demo model.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

COMMAND = re.compile(r"^### `pescore`$.*?^(    gst-launch-1\.0.*?)\n\n",
                     re.MULTILINE | re.DOTALL)
ELEMENTS = ("qtdemux", "avdec_h264", "decodebin", "videoconvert")


def count_results(path):
    """(element, window) -> number of its results"""
    counts = {}
    for line in path.read_text().splitlines():
        result = json.loads(line)
        key = result.get("element"), result.get("window")
        counts[key] = counts.get(key, 0) + 1
    return counts


def main():
    readme, demo = map(pathlib.Path, sys.argv[1:])
    if any(subprocess.run(["gst-inspect-1.0", "--exists", name]).returncode
           for name in ELEMENTS):
        print(f"1..0 # SKIP without {ELEMENTS}")
        return 0
    command = COMMAND.search(readme.read_text())[1]
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        (work / "holiday.mp4").symlink_to(demo / "demo.mp4")
        (work / "gst-perception-encoder").symlink_to(demo)
        run = subprocess.run(command, shell=True, cwd=work, text=True,
                             capture_output=True,
                             env=dict(os.environ, GST_PE_DATA_PATH=folder))
        for line in (run.stdout + run.stderr).splitlines():
            print(f"# {line}")
        counts = count_results(work / "holiday.jsonl")
    print(f"# {counts}")
    # 20 seconds at two samples a second.
    ok = (run.returncode == 0 and counts.get(("what", "8-frames")) == 5
          and counts.get(("where", "10s")) == 3)
    print("1..1")
    print(f"{'ok' if ok else 'not ok'} 1 - the_pipeline_of_the_readme_runs")
    return not ok


if __name__ == "__main__":
    sys.exit(main())
