#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Does a camera keep its budget of alarms? Twenty-four drawn cameras, each for days
of simulated time:

    camera_days.py --pe-embed build/tools/pe-embed \\
        --library build/core/libpe-core-0.so.0 --out bench/results/camera_days

A third of the cameras sees something that is asked for now and then ("now and
then"), a third sees one condition come and go all day ("restless"), and on a third
one condition is there by a part that wanders slowly ("borderline"). Every clip of
four seconds shows a drawn frame, whose evidence is that of its vector with default
negatives, by the formulas of MODEL.md, and as much noise as is among the camera's
ordinary frames: a few hundred pictures, seen again and again, would have the same
few peaks, between which there is no threshold. Events and thresholds are those of
the library (core/peevents.h), which is called for every clip. The first day is only
looked at; alarms are counted from then on. Needs NumPy and OpenCV.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path += [str(ROOT / "models/train"), str(Path(__file__).parent)]

import conditions  # noqa: E402
import lexicon as lx  # noqa: E402
import words  # noqa: E402
from cameras import (  # noqa: E402
    ASKED,
    HEIGHT,
    OTHERS,
    WIDTH,
    Texts,
    embed,
    log_odds,
    read_logit_scale,
)
from places import draw_place  # noqa: E402

SEED = 920_000_000  # no seed of training, of the exam or of cameras.py
KINDS = ("now and then", "restless", "borderline")
STEP = 4  # s, a clip
DAY = 86400 // STEP  # clips
ORDINARY, SHOWN, PARTS = 30, 6, 60  # frames of a camera: of each kind of picture
NOW_AND_THEN = 2  # episodes of what is asked for in a day
OTHER = 10  # and of what is not
MINUTES = 3  # of an episode, on average
WANDER = 900  # s that the part remembers


# ---- The library


class Params(ctypes.Structure):
    """PeEventParams."""

    _fields_ = [
        ("threshold_on", ctypes.c_double),
        ("threshold_off", ctypes.c_double),
        ("step", ctypes.c_uint64),
        ("smoothing", ctypes.c_uint64),
        ("min_duration", ctypes.c_uint64),
        ("merge_gap", ctypes.c_uint64),
        ("cooldown", ctypes.c_uint64),
        ("update_interval", ctypes.c_uint64),
        ("alarms_per_day", ctypes.c_double),
        ("history", ctypes.c_bool),
    ]


class Event(ctypes.Structure):
    """PeEvent, as far as it is read here; the size is that of all of it."""

    _fields_ = [
        ("phase", ctypes.c_int),
        ("id", ctypes.c_uint64),
        ("label", ctypes.c_int),
        ("name", ctypes.c_char_p),
        ("start", ctypes.c_uint64),
        ("end", ctypes.c_uint64),
        ("peak", ctypes.c_uint64),
        ("peak_score", ctypes.c_float),
        ("threshold", ctypes.c_float),
        ("p_value", ctypes.c_double),
        ("embedding", ctypes.c_void_p),
        ("n_clips", ctypes.c_uint32),
    ]


class Events:
    """PeEvents, with the rules that peinference has by default and a threshold of
    0.5."""

    def __init__(self, library: ctypes.CDLL, names: list[str], budget: float) -> None:
        self.library, self.now = library, 0
        library.pe_events_new.restype = ctypes.c_void_p
        second = 10**9
        params = Params(0.5, 0.25, STEP * second, 2 * second, 0, 5 * second, 0, 0,
                        budget, True)
        array = (ctypes.c_char_p * len(names))(*[n.encode() for n in names])
        self.events = ctypes.c_void_p(
            library.pe_events_new(ctypes.byref(params), array, len(names), 0, None))
        assert self.events, "the library refuses the parameters"

    def run(self, evidence: np.ndarray) -> int:
        """How many events begin. evidence [clips, labels]"""
        told = ctypes.POINTER(Event)()
        push, began = self.library.pe_events_push, 0
        evidence = np.ascontiguousarray(evidence, np.float32)
        address, row = evidence.ctypes.data, evidence.strides[0]
        for i in range(len(evidence)):
            start = self.now * STEP * 10**9
            n = push(self.events, ctypes.c_uint64(start),
                     ctypes.c_uint64(start + STEP * 10**9),
                     ctypes.c_void_p(address + i * row), None, ctypes.byref(told))
            began += sum(told[k].phase == 0 for k in range(n))
            self.now += 1
        return began

    def __del__(self) -> None:
        self.library.pe_events_free(self.events)


# ---- Cameras


def draw_camera(number: int) -> tuple[list[np.ndarray], dict[str, np.ndarray]]:
    """Frames, and the numbers of those of each kind of picture. "parts" goes from
    what is ordinary to what is all of the camera's own condition."""
    rng = np.random.default_rng([SEED, number])
    place = number % len(lx.PLACE) + 1
    still, _ = draw_place(HEIGHT, WIDTH, np.random.default_rng([SEED, number, 1]), place)
    own = list(ASKED.values())[number % len(ASKED)]
    frames: list[np.ndarray] = []
    kinds: dict[str, np.ndarray] = {}

    def draw(what: str, share: float = 1) -> np.ndarray:
        image = conditions.to_u8(still.astype(np.float32) * rng.uniform(0.85, 1.1))
        if what != "clear":
            changed = conditions.EFFECTS[what](image, rng).astype(np.float32)
            image = conditions.to_u8((1 - share) * image + share * changed)
        return conditions.add_grain(image, rng.uniform(0, 5), rng)

    def add(kind: str, drawn: list[np.ndarray]) -> None:
        kinds[kind] = np.arange(len(frames), len(frames) + len(drawn))
        frames.extend(drawn)

    add("clear", [draw("clear") for _ in range(ORDINARY)])
    for what in [*ASKED.values(), *OTHERS]:
        add(what, [draw(what) for _ in range(SHOWN)])
    add("parts", [draw(own, i / (PARTS - 1)) for i in range(PARTS)])
    return frames, kinds


def add_episodes(shown: np.ndarray, which: np.ndarray, per_day: float,
                 rng: np.random.Generator, strengths: int = 0) -> None:
    """Let frames of `which` be shown, at random times for random durations. With
    `strengths`, each time as many neighbours, from a random place on."""
    for _ in range(rng.poisson(per_day * len(shown) / DAY)):
        start = rng.integers(len(shown))
        length = max(5, int(rng.exponential(MINUTES * 60 / STEP)))
        part = shown[start : start + length]
        first = rng.integers(len(which) - strengths) if strengths else 0
        part[:] = rng.choice(which[first : first + strengths] if strengths else which,
                             len(part))


def simulate(kind: str, kinds: dict[str, np.ndarray], days: int,
             rng: np.random.Generator) -> np.ndarray:
    """The number of the frame that each clip shows, [days * DAY]."""
    shown = rng.choice(kinds["clear"], days * DAY)
    if kind == "borderline":
        keep = np.exp(-STEP / WANDER)
        steps = rng.normal(size=len(shown)) * np.sqrt(1 - keep**2)
        level, at = np.empty(len(shown)), rng.normal()
        for i, step in enumerate(steps):
            at = keep * at + step
            level[i] = at
        # The middle of the parts differs from camera to camera.
        part = rng.uniform(0.2, 0.5) + 0.12 * level + rng.normal(0, 0.03, len(shown))
        shown = kinds["parts"][np.clip(part * PARTS, 0, PARTS - 1).astype(int)]
    for what in OTHERS:
        add_episodes(shown, kinds[what], OTHER / len(OTHERS), rng)
    for what in ASKED.values():
        add_episodes(shown, kinds[what], NOW_AND_THEN / len(ASKED), rng)
    if kind == "restless":
        per_day = np.exp(rng.uniform(np.log(20), np.log(120)))
        add_episodes(shown, kinds["parts"][PARTS // 3 :], per_day, rng, 6)
    return shown


# ---- All of it


def weigh(args: argparse.Namespace, texts: Texts, frames: list[np.ndarray]) -> np.ndarray:
    """The evidence of every label for every frame, with default negatives."""
    labels = json.loads((ROOT / "models/demo/labels/conditions.json").read_text())
    prompts = {entry["name"]: entry["prompts"] for entry in labels["labels"]}
    asked = texts.vectors([prompts[name] for name in ASKED])
    others = texts.vectors([[text] for text in words.default_negatives(ROOT)])
    with tempfile.TemporaryDirectory() as folder:
        paths = [f"{folder}/{i:04}.png" for i in range(len(frames))]
        for path, frame in zip(paths, frames):
            cv2.imwrite(path, frame[..., ::-1])
        images = embed(args.pe_embed, args.model, "--image", paths)
    scale = read_logit_scale(args.model)
    return log_odds(scale * images @ asked.T, scale * images @ others.T)


def measure(library: ctypes.CDLL, evidence: np.ndarray, budget: float) -> dict[str, float]:
    """Events a day without the budget; alarms over it on day 2 and later.
    evidence [clips, labels]"""
    free = Events(library, list(ASKED), 0)
    kept = Events(library, list(ASKED), budget)
    days = len(evidence) // DAY
    counts = []
    for day in range(days):
        part = evidence[day * DAY : (day + 1) * DAY]
        counts.append((free.run(part), kept.run(part)))
    without, alarms = np.array(counts).T
    return {"without": float(without[1:].mean()),
            "second": float(alarms[1] / budget),
            "later": float(alarms[2:].mean() / budget)}


def table(rows: list[dict], budget: float) -> str:
    lines = ["| cameras | events a day without a budget | alarms / budget on day 2 "
             "| on the days after | cameras within 0.5 to 1.5 after |",
             "|---|---|---|---|---|"]
    busy = [r for r in rows if r["without"] > budget]
    parts = [(f"{kind}, {len(some)}", some) for kind in KINDS
             if (some := [r for r in rows if r["kind"] == kind])]
    parts.append((f"all that exceed the budget, {len(busy)}", busy))

    def show(values: list[float]) -> str:
        return f"{np.mean(values):.2f} ({min(values):.2f} to {max(values):.2f})"

    for name, some in parts:
        if not some:
            continue
        within = sum(0.5 <= r["later"] <= 1.5 for r in some)
        lines.append(f"| {name} | {np.median([r['without'] for r in some]):.1f} | "
                     f"{show([r['second'] for r in some])} | "
                     f"{show([r['later'] for r in some])} | {within} of {len(some)} |")
    return "\n".join(lines)


INTRODUCTION = """# Does a camera keep its budget of alarms?

Made by `bench/cameras/camera_days.py`, which says how: {cameras} drawn cameras for
{days} simulated days each and a budget of {budget:g} alarms a day. Day 1 is only
looked at. The first number is a median over cameras, the others are means with the
least and the greatest. A camera that has fewer events than its budget has them all,
so that it stays below it. The pictures are drawn and the model is the demo's.

"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pe-embed", default="pe-embed")
    parser.add_argument("--library", default="libpe-core-0.so.0")
    parser.add_argument("--model", default=str(ROOT / "models/demo/pe-demo.safetensors"))
    parser.add_argument("--cameras", type=int, default=24)
    parser.add_argument("--days", type=int, default=7)
    parser.add_argument("--budget", type=float, default=5)
    parser.add_argument("--out", type=Path, help="OUT.json and OUT.md")
    args = parser.parse_args()
    if args.days < 3:
        parser.error("--days must be 3 or more")
    library, texts, rows = ctypes.CDLL(args.library), Texts(args), []
    for number in range(args.cameras):
        frames, kinds = draw_camera(number)
        evidence = weigh(args, texts, frames)
        kind = KINDS[number % len(KINDS)]
        rng = np.random.default_rng([SEED, number, 2])
        shown = simulate(kind, kinds, args.days, rng)
        noise = evidence[kinds["clear"]].std(0) * rng.normal(size=(len(shown), len(ASKED)))
        row = {"kind": kind, **measure(library, evidence[shown] + noise, args.budget)}
        rows.append(row)
        print(f"camera {number}: {row}", file=sys.stderr)
    text = table(rows, args.budget)
    print(text)
    if args.out:
        about = {"cameras": args.cameras, "days": args.days, "budget": args.budget}
        args.out.with_suffix(".json").write_text(
            json.dumps({"about": about, "cameras": rows}, indent=1) + "\n")
        args.out.with_suffix(".md").write_text(INTRODUCTION.format(**about) + text + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
