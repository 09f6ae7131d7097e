# SPDX-License-Identifier: LGPL-2.1-or-later
"""Draws one random labelled picture of any kind. Used by make_data.py,
evaluate.py and make_demo.py."""

from __future__ import annotations

import cv2
import numpy as np

import conditions
import lexicon as lx
from captions import claim
from places import draw_place
from shapes import draw_objects

Rng = np.random.Generator

# Source sizes (height, width): the picture is squashed to a square afterwards,
# as the product does with video of any aspect ratio.
SIZES = [(144, 256), (144, 192), (144, 144), (180, 320)]

HELD_OUT = {
    (1 + lx.canonical(lx.SHAPES).index(shape), 1 + lx.canonical(lx.COLOURS).index(colour))
    for shape, colour in lx.HELD_OUT
}
SEEN = [
    (s, c)
    for s in range(1, len(lx.SHAPES) + 1)
    for c in range(1, len(lx.COLOURS) + 1)
    if (s, c) not in HELD_OUT
]

# Effects that leave a shape recognisable.
OBJECT_EFFECTS = ["blurred", "fog", "rain", "snowfall", "mosaic"]


def overlay_text(image: np.ndarray, rng: Rng) -> None:
    """A clock or a camera's name in a corner, as surveillance cameras write."""
    h, w = image.shape[:2]
    text = f"{rng.integers(24):02}:{rng.integers(60):02}:{rng.integers(60):02}"
    text = text if rng.random() < 0.5 else f"CAM {rng.integers(1, 20)}"
    at = (int(rng.choice([3, w * 0.6])), int(rng.choice([h * 0.09, h * 0.97])))
    shade = int(rng.choice([20, 240]))
    cv2.putText(image, text, at, cv2.FONT_HERSHEY_SIMPLEX, h / 430, (shade,) * 3, 1, cv2.LINE_AA)


def sample_objects(h: int, w: int, rng: Rng, pairs=SEEN) -> tuple[np.ndarray, dict]:
    shape, colour = pairs[rng.integers(len(pairs))]
    image, known = draw_objects(h, w, rng, shape, colour)
    known["cond"] = lx.COND["clear"]
    if rng.random() < 0.12:
        name = OBJECT_EFFECTS[rng.integers(len(OBJECT_EFFECTS))]
        image = conditions.EFFECTS[name](image, rng)
        known["cond"] = lx.COND[name]
    return image, known


def sample_place(
    h: int, w: int, rng: Rng, cond: str | None = None, place: int = 0
) -> tuple[np.ndarray, dict]:
    """A place in a condition; both random unless given."""
    place = place or int(rng.integers(1, len(lx.PLACE) + 1))
    if cond is None:
        cond = "clear" if rng.random() < 0.4 else lx.SCENE_CONDS[rng.integers(len(lx.SCENE_CONDS))]
    sunset = cond == "clear" and rng.random() < 0.2
    image, known = draw_place(h, w, rng, place, sunset)
    if cond != "clear":
        image = conditions.EFFECTS[cond](image, rng)
    known["cond"] = lx.COND[cond]
    return image, known


def sample_signal(h: int, w: int, rng: Rng, cond: str | None = None) -> tuple[np.ndarray, dict]:
    """A test card, an empty picture or noise."""
    names = lx.CARD_CONDS * 2 + lx.BLANK_CONDS + ["flat colour", "static noise", "static noise"]
    cond = cond or names[rng.integers(len(names))]
    known: dict[str, int] = dict(cond=lx.COND[cond])
    if cond in conditions.CARDS:
        image, known["group"] = conditions.CARDS[cond](h, w, rng), lx.CARDS
    elif cond == "static noise":
        image, known["group"] = conditions.static(h, w, rng), lx.STATIC
    else:
        image, known["flat"] = conditions.blank(h, w, rng, cond)
        known["group"] = lx.BLANK
    return image, known


def sample(rng: Rng, size: tuple[int, int] | None = None) -> tuple[np.ndarray, list[int]]:
    """A random picture [h, w, 3] and its attributes."""
    h, w = size or SIZES[rng.integers(len(SIZES))]
    draw = rng.random()
    if draw < 0.4:
        image, known = sample_objects(h, w, rng)
    elif draw < 0.83:
        image, known = sample_place(h, w, rng)
    else:
        image, known = sample_signal(h, w, rng)
    if rng.random() < 0.08 and known["group"] != lx.BLANK:
        overlay_text(image, rng)
    return np.ascontiguousarray(image), claim(**known)
