#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The command of README's section `peoverlay`, run on the demo video without a
display, as a TAP test: check_overlay_readme.py README DEMO

DEMO is the folder of the demo model. Nothing else of the command is changed.
"""

import os
import pathlib
import re
import shlex
import subprocess
import sys


def find_command(readme):
    section = readme.split("### `peoverlay`")[1]
    command = re.search(r"^    (gst-launch-1\.0(?:.*\\\n)*.*)$", section,
                        re.MULTILINE)[1]
    return shlex.split(command.replace("\\\n", " "))


def main():
    readme, demo = map(pathlib.Path, sys.argv[1:])
    needed = ("qtdemux", "avdec_h264", "videoconvert")
    if any(subprocess.run(["gst-inspect-1.0", "--exists", name]).returncode
           for name in needed):
        print(f"1..0 # SKIP without one of {needed}")
        return 0
    swaps = {"location=holiday.mp4": f"location={demo / 'demo.mp4'}",
             "model=PE-Core-B16-224.pt": f"model={demo / 'pe-demo.safetensors'}",
             "autovideosink": "fakesink"}
    command = find_command(readme.read_text())
    known = swaps.keys() <= set(command)
    run = subprocess.run(
        [swaps.get(word, word) for word in command], capture_output=True,
        text=True, env=dict(os.environ, GST_DEBUG="peoverlay:5",
                            GST_DEBUG_NO_COLOR="1"))
    drawn = "drawing on" in run.stderr
    print(f"1..1\n# {' '.join(command)}\n# rc {run.returncode}, drawn: {drawn}")
    ok = known and drawn and run.returncode == 0
    if not ok:
        for line in (run.stdout + run.stderr).splitlines()[-10:]:
            print(f"# {line}")
    print(f"{'ok' if ok else 'not ok'} 1 - runs_as_the_readme_says")
    return not ok


if __name__ == "__main__":
    sys.exit(main())
