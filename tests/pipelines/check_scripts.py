#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The ready pipelines, as a user runs them: check_scripts.py SCRIPTS DEMO

Speaks TAP.
"""

import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

sys.path.append(str(pathlib.Path(__file__).parents[1] / "support"))
from tap import need_elements, run_tests  # noqa: E402

SCRIPTS, DEMO = map(pathlib.Path, sys.argv[1:3])
LABELS = "colour bars|a house in a meadow|fog"
PATIENCE = 120  # s, for what is waited for
NEEDED = {
    "tag-file": ("decodebin", "peinference", "pemetaconvert"),
    "watch-camera": ("videotestsrc", "peinference"),
    "record-events": ("videotestsrc", "x264enc", "splitmuxsink", "matroskamux",
                      "h264parse", "peinference"),
}


def need(script):
    need_elements(*NEEDED[script])
    return SCRIPTS / script


def interrupt(process):
    """As Ctrl-C does: the whole group."""
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(PATIENCE) == 0, process.returncode


def tags_a_file():
    script = need("tag-file")
    need_elements("avdec_h264")
    done = subprocess.run([script, DEMO / "demo.mp4", LABELS], check=True,
                          capture_output=True, timeout=PATIENCE)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    best = [(line["clip"]["stream-start"] // 10**9,
             line["labels"][0]["label"]) for line in lines]
    assert best[:2] == [(0, "colour bars"), (2, "a house in a meadow")], best
    scenes = json.loads((DEMO / "demo.json").read_text())
    assert len(lines) == len(scenes), best


def watches_a_camera():
    script = need("watch-camera")
    with subprocess.Popen([script, "test", LABELS], stdout=subprocess.PIPE,
                          start_new_session=True) as process:
        try:
            line = json.loads(process.stdout.readline())
            interrupt(process)
        finally:
            process.kill()
    assert line["labels"][0]["label"] == "colour bars", line


def records_events():
    script = need("record-events")
    with tempfile.TemporaryDirectory() as out:
        folder = pathlib.Path(out, "a folder")
        events = folder / "events.jsonl"
        with subprocess.Popen([script, "test", LABELS, folder],
                              env=os.environ | {"PART": "1"},
                              start_new_session=True) as process:
            try:
                limit = time.monotonic() + PATIENCE
                while not (events.exists() and events.read_text()
                           and len([*folder.glob("*.mkv")]) > 2):
                    assert time.monotonic() < limit and process.poll() is None
                    time.sleep(.05)
                interrupt(process)
            finally:
                process.kill()
        lines = [json.loads(line) for line in
                 events.read_text().splitlines()]
        assert lines[0]["event"] == "start", lines
        assert lines[-1]["event"] == "end", lines
        assert {line["label"] for line in lines} == {"colour bars"}, lines
        for part in sorted(folder.glob("part-*.mkv"))[:-1]:
            assert part.read_bytes()[:4] == b"\x1a\x45\xdf\xa3", part


def says_what_it_wants():
    for script, args in (("tag-file", []), ("watch-camera", ["test"]),
                         ("record-events", ["test", "fog"]),
                         ("tag-file", ["/nowhere.mp4", "fog"])):
        done = subprocess.run([SCRIPTS / script, *args], capture_output=True,
                              text=True, check=False)
        assert done.returncode == 2 and done.stderr, script


TESTS = [tags_a_file, watches_a_camera, records_events, says_what_it_wants]


if __name__ == "__main__":
    sys.exit(run_tests(TESTS))
