# SPDX-License-Identifier: LGPL-2.1-or-later
"""Measure what pehealth says of flicker and of a hunting focus, at full frame rate.

usage: python3 evaluate_rhythm.py --pictures FOLDER --plugins FOLDER [--coded HOURS]
                                  [--plain HOURS] [--rounds N] [--out FILE.json]

Cameras are stills with all of alive.KINDS before them. Each is in order for a
while, then has one of alive.FAULTS, which has to be found within ten seconds;
these go through H.264. Then hours of cameras in order count false events: some
through H.264, others, smaller and without an encoder, of whose work they have the
loss of sharpness from key frame to key frame. All goes through the element.
"""

from __future__ import annotations

import argparse
import collections
import json
import math
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import alive
import codec
import real
from exam import SEED

LABELS = ("flicker", "hunting")
EVENT = re.compile(r"event=\(string\)start.*?label=\(string\)\"?(.*?)\"?, start=\(\w+\)(\d+)")
CODED, PLAIN = (180, 320), (90, 160)
FPS = 12
AT, WITHIN = 9, 10  # seconds: when a fault begins, and until when it is to be found
# Rates, kbit/s: below the first, quick changes of light do not get through, so that
# faults are not asked for; cameras in order have to come down to the second.
FAIR, POOR = 40, 16
PUMPING = 0.9  # the most that was measured behind x264enc, at 20 kbit/s
CAMERA = 300  # seconds of a camera in order


def encoder(fps: int, least: float, rng: np.random.Generator) -> str:
    """H.264: a quality, or a rate of at least so many kbit/s; key frames every 1 to 4 seconds."""
    key = rng.integers(fps, 4 * fps)
    how = f"pass=quant quantizer={rng.integers(20, 36)}"
    if rng.random() < 0.5:
        how = f"pass=cbr bitrate={round(math.exp(rng.uniform(math.log(least), math.log(300))))}"
    return (
        f"videoconvert ! video/x-raw,format=I420 ! x264enc {how} key-int-max={key} "
        "speed-preset=veryfast bframes=0 threads=1 ! h264parse ! avdec_h264 max-threads=1"
    )


def watch(frames: Iterator[np.ndarray], size: tuple[int, int], fps: int, between: str, line: str):
    """Labels and starts, in seconds, of what a line with a pehealth says of these frames."""
    height, width = size
    line = (
        f"fdsrc blocksize={height * width} ! rawvideoparse format=gray8 width={width} "
        f"height={height} framerate={fps}/1 ! {between} ! {line} ! fakesink"
    )
    with tempfile.TemporaryFile("w+") as out:
        command = ["gst-launch-1.0", "-m", *line.split()]
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=out)
        for frame in frames:
            child.stdin.write(frame.tobytes())
        child.stdin.close()
        if child.wait() != 0:
            raise SystemExit(f"{line}: ended with {child.returncode}")
        out.seek(0)
        found = EVENT.findall(out.read())
    return [(label.replace("\\", ""), int(start) / 1e9) for label, start in found]


def find_faults(pictures: list[np.ndarray], rounds: int, seed: int) -> dict:
    """Of each fault: the share that was found in time, and how often before it or another."""
    found = {}
    for number, (name, (make, label)) in enumerate(alive.FAULTS.items()):
        hits, early, missed = 0, 0, []
        for k, scene in enumerate(pictures * rounds):
            rng = np.random.default_rng([seed, number, k])
            fps = int(rng.choice([12, 12, 25]))
            camera = alive.Camera(scene, CODED, fps, rng)
            fault = make(*CODED, rng)
            frames = camera.frames(AT + WITHIN + 1, False, fault, AT)
            told = watch(frames, CODED, fps, encoder(fps, FAIR, rng), "pehealth")
            told = [(l, s) for l, s in told if l in LABELS and s <= AT + WITHIN]
            hit = any(l == label and s >= AT for l, s in told)
            hits += hit
            missed += [] if hit else [k]
            early += any(l != label or s < AT for l, s in told)
        n = len(pictures) * rounds
        found[name] = dict(found_within_10_s=round(hits / max(1, n), 4), else_told=early, of=n)
        print(name, found[name], missed, flush=True)
    return found


def count_false(
    pictures: list[np.ndarray], hours: float, coded: bool, seed: int
) -> dict:
    told, happened = collections.Counter(), collections.Counter()
    size = CODED if coded else PLAIN
    for k in range(math.ceil(hours * 3600 / CAMERA)):
        rng = np.random.default_rng([seed, coded, k])  # so that each can be looked at again
        camera = alive.Camera(pictures[k % len(pictures)], size, FPS, rng)
        if not coded:
            camera.pump(rng.uniform(0, PUMPING))
        between = encoder(FPS, POOR, rng) if coded else "identity"
        events = watch(camera.frames(CAMERA, True), size, FPS, between, "pehealth")
        events = [(l, s) for l, s in events if l in LABELS]
        told.update(l for l, _ in events)
        happened.update(went.name for went in camera.went)
        for label, at in events:
            near = [f"{g.name} {g.begin:.0f}+{g.length:.0f}" for g in camera.near(at)]
            print(k, "coded" if coded else "plain", label, at, near, flush=True)
    return dict(
        hours=hours,
        false={label: told[label] for label in LABELS},
        false_in_a_day={label: round(told[label] * 24 / hours, 2) for label in LABELS},
        happened=dict(happened),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pictures", type=Path, required=True)
    parser.add_argument("--plugins", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=1, help="of each fault on each scene")
    parser.add_argument("--coded", type=float, default=2, help="hours through H.264")
    parser.add_argument("--plain", type=float, default=24, help="hours without an encoder")
    parser.add_argument("--seed", type=int, default=SEED + 400)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    os.environ["GST_PLUGIN_PATH"] = str(args.plugins)
    pictures = real.load(args.pictures)
    found = dict(faults=find_faults(pictures, args.rounds, args.seed))
    for name, hours in ("coded", args.coded), ("plain", args.plain):
        if hours > 0:
            found[name] = count_false(pictures, hours, name == "coded", args.seed)
    print(json.dumps(found))
    if args.out:
        args.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
