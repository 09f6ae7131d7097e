# SPDX-License-Identifier: LGPL-2.1-or-later
"""Draw the demo clip: scenes that change every two seconds, and their truth.

usage: python3 make_demo.py --out FOLDER [--seed N]

Writes demo.mp4 (H.264, 320x240), demo.json (what is seen when) and
labels/demo.json (the label set that the demo asks for).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

import codec
import conditions
import lexicon as lx
from places import draw_place
from shapes import draw_shape, ground_image, vary

HEIGHT, WIDTH, FPS, SECONDS = 240, 320, 10, 2
PAN = 24  # pixels that the view wanders in a scene

Rng = np.random.Generator


def still(image: np.ndarray) -> np.ndarray:
    return np.stack([image] * (FPS * SECONDS))


def pan(place: int, rng: Rng, effect: str | None = None) -> np.ndarray:
    """A slow pan over a place; the effect moves with it."""
    image, _ = draw_place(HEIGHT, WIDTH + PAN, rng, place)
    if effect:
        image = conditions.EFFECTS[effect](image, rng)
    steps = np.linspace(0, PAN, FPS * SECONDS).round().astype(int)
    return np.stack([image[:, x : x + WIDTH] for x in steps])


def moving(shape: str, colour: str, ground: str, count: int, rng: Rng) -> np.ndarray:
    """Shapes that cross the picture side by side."""
    base = ground_image(HEIGHT, WIDTH, lx.GROUND_RGB[lx.canonical(lx.GROUNDS).index(ground)], rng)
    rgb = vary(lx.RGB[lx.canonical(lx.COLOURS).index(colour)], rng, 4)
    radius = 52 if count == 1 else 34
    frames = []
    for t in np.linspace(0, 1, FPS * SECONDS):
        image, same = base.copy(), np.random.default_rng(5)  # the same outline in every frame
        for k in range(count):
            x = (k + 0.5) / count * WIDTH + (t - 0.5) * (80 if count == 1 else 24)
            draw_shape(
                image, shape, (x, HEIGHT * (0.5 + 0.1 * (-1) ** k * (count > 1))), radius, rgb, same
            )
        frames.append(image)
    return np.stack(frames)


def scenes(rng: Rng) -> list[tuple[str, np.ndarray]]:
    """(label, frames) in the order of the clip."""
    place = {names[0]: k + 1 for k, names in enumerate(lx.PLACE)}
    return [
        ("colour bars", still(conditions.bars(HEIGHT, WIDTH, rng))),
        ("a house in a meadow", pan(place["a house in a meadow"], rng)),
        ("a boat at sea", pan(place["a boat at sea"], rng)),
        ("a red circle", moving("circle", "red", "white", 1, rng)),
        ("three white stars", moving("star", "white", "blue", 3, rng)),
        ("an upside-down picture", pan(place["a railway track"], rng, "upside-down")),
        ("fog", pan(place["a forest"], rng, "fog")),
        ("a view at night", pan(place["a city skyline"], rng, "night")),
        ("an out of focus picture", pan(place["a bridge over a river"], rng, "blurred")),
        ("a black screen", still(np.full((HEIGHT, WIDTH, 3), 4, np.uint8))),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=11)
    args = parser.parse_args()
    parts = scenes(np.random.default_rng(args.seed))
    frames = np.concatenate([part for _, part in parts])
    codec.write_mp4(args.out / "demo.mp4", frames, FPS, quantizer=24, key_int=FPS * SECONDS)
    truth = [
        {"start": k * SECONDS, "end": (k + 1) * SECONDS, "label": label}
        for k, (label, _) in enumerate(parts)
    ]
    (args.out / "demo.json").write_text(
        "[\n" + ",\n".join("  " + json.dumps(row) for row in truth) + "\n]\n"
    )
    labels = [label for label, _ in parts] + ["a blue square", "a road with cars", "static noise"]
    text = json.dumps(
        {"labels": labels, "templates": ["{}", "a video of {}."]}, indent=2
    )
    (args.out / "labels" / "demo.json").write_text(text + "\n")
    print(f"{len(frames)} frames, {(args.out / 'demo.mp4').stat().st_size} bytes")


if __name__ == "__main__":
    main()
