#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The examples that the documents show, run on the demo video, as a TAP test:
check_examples.py DEMO C_PROGRAM PYTHON_EXAMPLE

DEMO is the folder of the demo model.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

QUERY = "a boat at sea"


def read_lines(data, *command):
    """The fields of each line, with DEMO as the installed data."""
    env = dict(os.environ, GST_PE_DATA_PATH=data)
    run = subprocess.run(command, env=env, capture_output=True, text=True)
    for line in (run.stdout + run.stderr).splitlines():
        print(f"# {line}")
    if run.returncode != 0:
        return None
    return [line.split(maxsplit=3) for line in run.stdout.splitlines()]


def labels_at(scenes, lines, names):
    """What the lines say of those scenes, and what is right."""
    said = {float(line[0]): line[3] for line in lines or []}
    return [(said.get(scene["start"]), scene["label"]) for scene in scenes
            if scene["label"] in names]


def find_best(lines):
    """When the query fits best, in seconds."""
    best = max(lines or [["-1", "s", "-1"]], key=lambda line: float(line[2]))
    return float(best[0])


def can_import_gi(python):
    return subprocess.run(
        [python, "-c", "import gi; gi.require_version('GstPeMeta', '1.0')"],
        capture_output=True).returncode == 0


def main():
    demo, program, script = map(pathlib.Path, sys.argv[1:])
    needed = ("qtdemux", "avdec_h264")
    if any(subprocess.run(["gst-inspect-1.0", "--exists", name]).returncode
           for name in needed):
        print(f"1..0 # SKIP without {needed}")
        return 0
    video = str(demo / "demo.mp4")
    scenes = json.loads((demo / "demo.json").read_text())
    with tempfile.TemporaryDirectory() as data:
        (pathlib.Path(data) / "gst-perception-encoder").symlink_to(demo)
        labels = read_lines(data, program, video)
        python = can_import_gi("/usr/bin/python3")
        similar = (read_lines(data, "/usr/bin/python3", script, video, QUERY)
                   if python else None)
    found = labels_at(scenes, labels,
                      ("colour bars", "a house in a meadow", "fog"))
    when = next(s["start"] for s in scenes if s["label"] == QUERY)
    print("1..2")
    in_c = len(found) == 3 and all(said == right for said, right in found)
    print(f"{'ok' if in_c else 'not ok'} 1 - reads_results_in_c")
    if not python:
        print("ok 2 - finds_a_query_in_python # SKIP no GObject introspection")
        return not in_c
    in_python = find_best(similar) == when
    print(f"{'ok' if in_python else 'not ok'} 2 - finds_a_query_in_python")
    return not (in_c and in_python)


if __name__ == "__main__":
    sys.exit(main())
