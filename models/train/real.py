# SPDX-License-Identifier: LGPL-2.1-or-later
"""Draws one labelled picture of a real scene: a crop of a photograph as a camera
would see it, in order or with one of faults.FAULTS. Used by make_data.py.

What the scene shows is not known: the attribute `place` stays 0, and captions of
places are neither true nor false of such a picture.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

import faults
import lexicon as lx
import sampler
from captions import claim

Rng = np.random.Generator

# Source sizes (height, width) of cameras, small ones.
SIZES = [(180, 320), (192, 256), (192, 256), (240, 320)]

CLEAN_SHARE = 0.33
DRAWN_SHARE = 0.12  # drawn places with the faults of real cameras
SIGNAL_SHARE = 0.08
SLIGHT_BELOW, STRONG_ABOVE = 0.35, 0.55  # strengths; neither is said in between

# Twice as often: what is hard to learn.
NAMES = [*faults.FAULTS, "upside-down", "upside-down", "mosaic", "torn", "rolling", "rain"]
LEAST_CONTRAST = 18  # levels of standard deviation; below it a crop shows nothing


def load(folder: Path) -> list[np.ndarray]:
    """All pictures of a folder, RGB [h, w, 3]."""
    paths = sorted(folder.glob("*.jpg"))
    if not paths:
        raise SystemExit(f"{folder}: no pictures; make them with pictures.py")
    return [cv2.imread(str(path))[..., ::-1] for path in paths]


def crop(pictures: list[np.ndarray], h: int, w: int, rng: Rng) -> np.ndarray:
    """A random part of a random picture, [h, w, 3], with something in it."""
    for _ in range(5):
        whole = pictures[rng.integers(len(pictures))]
        height, width = whole.shape[:2]
        largest = min(height, width * h / w)
        rows = largest * rng.uniform(0.4, 1)
        cols = min(width, rows * w / h * rng.uniform(0.9, 1.1))
        y, x = rng.uniform(0, height - rows), rng.uniform(0, width - cols)
        part = whole[int(y) : int(y + rows), int(x) : int(x + cols)]
        if part[::4, ::4, 1].std() >= LEAST_CONTRAST:
            break
    shrinks = part.shape[0] > h
    part = cv2.resize(part, (w, h), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
    return np.ascontiguousarray(part[:, ::-1] if rng.random() < 0.5 else part)


def degree_of(name: str, strength: float) -> int:
    if name in faults.WITHOUT_DEGREE or SLIGHT_BELOW <= strength <= STRONG_ABOVE:
        return 0
    return lx.SLIGHT if strength < SLIGHT_BELOW else lx.STRONG


def sample(
    rng: Rng, pictures: list[np.ndarray], size: tuple[int, int]
) -> tuple[np.ndarray, list[int]]:
    """A random picture [h, w, 3] and its attributes."""
    h, w = size
    if rng.random() < SIGNAL_SHARE:
        image, known = sampler.sample_signal(h, w, rng)
        image = faults.sensor_noise(image, 8 * rng.random() ** 2, rng)
    else:
        known = dict(group=lx.PLACES, cond=lx.COND["clear"])
        if rng.random() < DRAWN_SHARE:
            image, known = sampler.sample_place(h, w, rng, "clear")
        else:
            image = crop(pictures, h, w, rng)
        image = faults.clean(image, rng)
        if rng.random() > CLEAN_SHARE:
            name, strength = NAMES[rng.integers(len(NAMES))], rng.random()
            image = faults.FAULTS[name](image, strength, rng)
            known |= dict(cond=lx.COND[name], degree=degree_of(name, strength))
            if rng.random() < 0.5:
                image = faults.sensor_noise(image, 6 * rng.random() ** 2, rng)
    if rng.random() < 0.25:
        image = np.ascontiguousarray(image)
        sampler.overlay_text(image, rng)
    return np.ascontiguousarray(image), claim(**known)
