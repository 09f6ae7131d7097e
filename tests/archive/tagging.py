# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the tests of pe-tag and pe-search share."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from tap import need_elements, run_tests, skip
import make_archive

PATIENCE = 240  # s; only what hangs waits as long

LABELS = make_archive.ROOT / "models" / "demo" / "labels" / "demo.json"
SHARED = {}  # what several tests read and none changes


def scenes():
    if "scenes" not in SHARED:
        need_elements("decodebin", "qtdemux", "x264enc", "mp4mux", "avdec_h264")
        SHARED["scenes"] = make_archive.read_scenes()
    return SHARED["scenes"]


def folder():
    """An empty one, in memory where that is possible: it is synchronised."""
    where = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    return tempfile.TemporaryDirectory(dir=where)


def run(program, *args, status=0, **kwargs):
    """(standard output, standard error) of a program that ends so."""
    done = subprocess.run([program, *map(str, args)], capture_output=True,
                          check=False, timeout=PATIENCE, **kwargs)
    out, err = (text.decode(errors="replace")
                for text in (done.stdout, done.stderr))
    assert done.returncode == status, (
        f"{args}: exit status {done.returncode}, expected {status}\n{err}")
    return out, err


def tag(program, out, *args, status=0, **kwargs):
    """The lines of files by their names, and the summary."""
    text, _ = run(program, *args, "--out", out, "--json", status=status,
                  **kwargs)
    lines = [json.loads(line) for line in text.splitlines()]
    files = {line["name"]: line for line in lines if line["type"] == "file"}
    return files, lines[-1]


def dump(program, out):
    return run(program, "export", "--format", "dump", "--out", out)[0]


def read_errors(out):
    lines = pathlib.Path(out, "errors.jsonl").read_text().splitlines()
    return {row["name"]: row for row in map(json.loads, lines)}


def example_videos():
    """(folder, truth) of videos of several kinds."""
    if "videos" not in SHARED:
        scenes()
        keep = folder()
        kinds = ["h264.mp4", "bframes.mkv", "vp8.webm", "mjpeg.avi"]
        SHARED["keep"] = keep
        SHARED["videos"] = (pathlib.Path(keep.name),
                            make_archive.make(keep.name, 4, 3, kinds))
    return SHARED["videos"]
