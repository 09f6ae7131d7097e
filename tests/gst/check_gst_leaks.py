#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Nothing outlives the pipelines, by GStreamer's own leaks tracer, as a TAP
test: check_gst_leaks.py PROGRAM...

Each program runs once with the tracer. Skipped without it.
"""

import os
import pathlib
import shutil
import subprocess
import sys


def has_tracer():
    return shutil.which("gst-inspect-1.0") and subprocess.run(
        ["gst-inspect-1.0", "coretracers"], capture_output=True,
        check=False).returncode == 0


def find_leaks(program):
    """What was alive at the end, or how the program failed."""
    env = dict(os.environ, GST_TRACERS="leaks", GST_DEBUG="GST_TRACER:7",
               GST_DEBUG_NO_COLOR="1")
    run = subprocess.run([program], capture_output=True, text=True, env=env,
                         check=False)
    if run.returncode != 0:
        lines = (run.stdout + run.stderr).splitlines()
        told = [line for line in lines if "ERROR" in line or "not ok" in line]
        return [f"exit status {run.returncode}", *(told or lines)[-9:]]
    # The tracer announces the format of its records in the same words.
    return [line for line in run.stderr.split("\n")
            if "object-alive," in line and "format string" not in line]


def main():
    programs = sys.argv[1:]
    if not has_tracer():
        print("1..0 # SKIP no leaks tracer")
        return 0
    print(f"1..{len(programs)}")
    failed = False
    for number, program in enumerate(programs, 1):
        leaks = find_leaks(program)
        for line in leaks[:10]:
            print(f"# {line}")
        ok = not leaks
        failed |= not ok
        print(f"{'ok' if ok else 'not ok'} {number} - "
              f"{pathlib.Path(program).name}")
    return failed


if __name__ == "__main__":
    sys.exit(main())
