# SPDX-License-Identifier: LGPL-2.1-or-later
"""Count false alarms of a day of cameras in order, by labels and by pehealth.

usage: python3 evaluate_days.py --pictures FOLDER --plugins FOLDER --model FILE --vocab FILE
                                [--labels FILE.json] [--quarters N] [--out FILE.json]

The day has 96 quarters of an hour, each of another camera, as evaluate_health.py
makes them of held-out stills, and at its own time of the day. All goes through
H.264 and, one result a second, through pehealth and peinference, whose labels are
smoothed over 2 seconds. pescore elements behind it try other smoothing, so that
one pass measures all of RULES. Any event is a false one.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import tempfile
from pathlib import Path

import numpy as np

import codec
import real
from evaluate_health import QUARTER, Camera
from exam import SEED, product_parser

QUARTERS = 96
# event-threshold, event-smoothing (ms), event-min-duration (ms)
RULES = {
    "usual": (0.5, 2000, 0),
    "smooth": (0.5, 10000, 0),
    "smooth-lasting": (0.5, 10000, 10000),
    "strict": (0.7, 10000, 10000),
}


def scorer(factory: str, name: str, labels: Path) -> str:
    threshold, smoothing, duration = RULES[name]
    return (
        f"{factory} name={name} labels-file={labels} event-threshold={threshold} "
        f"event-smoothing={smoothing} event-min-duration={duration}"
    )


def watch(frames: np.ndarray, args: argparse.Namespace, work: Path) -> list[tuple[str, str]]:
    """Elements and labels of the events of a camera."""
    clip, out = work / "clip.mp4", work / "out.jsonl"
    codec.write_mp4(clip, frames, fps=1, key_int=args.key)
    first, *others = RULES
    inference = (
        f"{scorer('peinference', first, args.labels)} model={args.model} vocab={args.vocab} "
        "device=cpu mode=exact frame-rate=0/1 clip-length=1"
    )
    scores = [scorer("pescore", name, args.labels) + " clip-length=1" for name in others]
    line = ["pehealth name=pehealth", inference, *scores, "pemetaconvert"]
    codec.launch(
        f"filesrc location={clip} ! qtdemux ! h264parse ! avdec_h264 ! {' ! '.join(line)} ! "
        f"filesink location={out}"
    )
    lines = [json.loads(text) for text in out.read_text().splitlines()]
    clips = [l for l in lines if l["type"] == "clip" and l["element"] == first]
    if len(clips) != len(frames):
        raise SystemExit(f"{len(clips)} results for {len(frames)} frames")
    return [
        (l["element"], l["label"])
        for l in lines
        if l["type"] == "event" and l["event"] == "start"
    ]


def main() -> None:
    parser = product_parser(__doc__.split("\n")[0])
    parser.add_argument("--quarters", type=int, default=QUARTERS)
    parser.add_argument("--key", type=int, default=4, help="seconds between key frames")
    args = parser.parse_args()
    os.environ["GST_PLUGIN_PATH"] = str(args.plugins)
    pictures, rng = real.load(args.pictures), np.random.default_rng(SEED + 300)
    told: dict[str, collections.Counter] = {name: collections.Counter() for name in RULES}
    told["pehealth"] = collections.Counter()
    cameras = collections.Counter()
    with tempfile.TemporaryDirectory() as folder:
        for k in range(args.quarters):
            camera = Camera(pictures[k % len(pictures)], rng)
            camera.start = k * QUARTERS // args.quarters * QUARTER
            events = watch(camera.frames(QUARTER), args, Path(folder))
            for element, label in events:
                told[element][label] += 1
            cameras.update({element for element, _ in events})
            print(k, events, flush=True)
    scale = QUARTERS / args.quarters
    found = {
        name: dict(
            false_in_a_day=round(sum(labels.values()) * scale, 2),
            cameras_with_any=cameras[name],
            labels=dict(labels.most_common()),
        )
        for name, labels in told.items()
    }
    found |= dict(hours=args.quarters / 4, rules=RULES)
    print(json.dumps(found))
    if args.out:
        args.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
