# SPDX-License-Identifier: LGPL-2.1-or-later
"""Measure pehealth on cameras made of real stills, through H.264.

usage: python3 evaluate_health.py --pictures FOLDER --plugins FOLDER [--streams N] [--key N]
                                  [--out FILE.json]

A camera is a held-out still with the noise of a sensor, a light that comes and
goes, clouds, and in half of them a clock, at one frame a second. N streams of a
quarter of an hour count false events; then each scene is frozen once and turned
away once, and has to be found within ten seconds.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import subprocess
import tempfile
from pathlib import Path

import cv2
import numpy as np

import codec
import faults
import real
from conditions import soft_noise
from exam import SEED

SIZE = (180, 320)
QUARTER = 900  # seconds, and frames
SHORT, AT = 90, 60  # a fault's stream, and when it begins
WITHIN = 10  # seconds
EVENT = re.compile(r"event=\(string\)start.*?label=\(string\)\"(.*?)\", start=\(\w+\)(\d+)")


def draw_clock(image: np.ndarray, second: int) -> None:
    text = f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"
    cv2.putText(image, text, (4, 12), cv2.FONT_HERSHEY_SIMPLEX, 0.35, (235, 235, 235), 1)


class Camera:
    """A still, and what is different about it at each second."""

    def __init__(self, scene: np.ndarray, rng: np.random.Generator) -> None:
        h, w = SIZE
        self.rng, self.light = rng, faults.to_light(real.crop([scene], h, w, rng))
        self.noise = rng.uniform(1.5, 5)
        self.clock = rng.random() < 0.5
        self.start = int(rng.integers(86_400))
        self.clouds = soft_noise(h, 3 * w, 6, rng)

    def frame(self, second: int, light: np.ndarray) -> np.ndarray:
        now = self.start + second
        day = 0.55 + 0.45 * math.sin(2 * math.pi * now / 86_400)
        drift = (now * 2) % (2 * SIZE[1])
        shade = 0.75 + 0.5 * self.clouds[:, drift : drift + SIZE[1], None]
        return faults.from_light(light * np.float32(0.25 + 0.9 * day) * shade)

    def frames(self, n: int, fault: str = "", other: np.ndarray | None = None) -> np.ndarray:
        out, frozen = [], self.light
        for second in range(n):
            light = other if fault == "moved" and second >= AT else self.light
            image = faults.sensor_noise(self.frame(second, light), self.noise, self.rng)
            if fault == "frozen" and second >= AT:
                image = frozen.copy()
            if second == AT - 1:
                frozen = image.copy()
            if self.clock:
                draw_clock(image, self.start + second)
            out.append(image)
        return np.stack(out)


def events(frames: np.ndarray, key: int, work: Path) -> list[tuple[str, float]]:
    """Labels and starts, in seconds, of what pehealth says of these frames."""
    clip = work / "clip.mp4"
    codec.write_mp4(clip, frames, fps=1, key_int=key)
    line = f"filesrc location={clip} ! qtdemux ! h264parse ! avdec_h264 ! pehealth ! fakesink"
    command = ["gst-launch-1.0", "-m", *line.split()]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = EVENT.findall(done.stdout)
    return [(label.replace("\\", ""), int(start) / 1e9) for label, start in found]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pictures", type=Path, required=True)
    parser.add_argument("--plugins", type=Path, required=True)
    parser.add_argument("--streams", type=int, default=96)
    parser.add_argument("--key", type=int, default=4, help="seconds between key frames")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    os.environ["GST_PLUGIN_PATH"] = str(args.plugins)
    pictures, rng = real.load(args.pictures), np.random.default_rng(SEED + 200)
    names = {"frozen": "frozen picture", "moved": "camera moved"}
    false, hits = dict.fromkeys(names, 0), dict.fromkeys(names, 0)
    with tempfile.TemporaryDirectory() as folder:
        for k, scene in enumerate(pictures):
            for fault, label in names.items():
                camera = Camera(scene, rng)
                other = Camera(pictures[k - 1], rng).light
                told = events(camera.frames(SHORT, fault, other), args.key, Path(folder))
                hits[fault] += any(l == label and AT - 1 <= s <= AT + WITHIN for l, s in told)
        for k in range(args.streams):
            camera = Camera(pictures[k % len(pictures)], rng)
            told = events(camera.frames(QUARTER), args.key, Path(folder))
            for fault, label in names.items():
                false[fault] += sum(l == label for l, _ in told)
    found = {
        fault: dict(
            found_within_10_s=round(hits[fault] / len(pictures), 4),
            false_in_a_day=round(false[fault] * 96 / max(1, args.streams), 2),
        )
        for fault in names
    }
    found |= dict(hours=args.streams / 4, seconds_between_key_frames=args.key)
    print(json.dumps(found))
    if args.out:
        args.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
