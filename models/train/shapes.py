# SPDX-License-Identifier: LGPL-2.1-or-later
"""Draws coloured shapes on plain grounds. Knows nothing about captions.

All drawing works on uint8 RGB arrays [h, w, 3]; positions are in units of the
picture's height, so a circle is round whatever the aspect ratio.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

import lexicon as lx

SUBPIXEL = 4  # bits of cv2's fixed-point coordinates
Rng = np.random.Generator


def polygon(image: np.ndarray, points: np.ndarray, colour) -> None:
    """Fill a polygon [n, 2] given in pixels."""
    fixed = np.round(np.asarray(points) * (1 << SUBPIXEL)).astype(np.int32)
    cv2.fillPoly(image, [fixed], tuple(int(c) for c in colour), cv2.LINE_AA, SUBPIXEL)


def disc(image: np.ndarray, centre, radius: float, colour, thickness: float = -1) -> None:
    scale = 1 << SUBPIXEL
    at = (round(centre[0] * scale), round(centre[1] * scale))
    thick = -1 if thickness < 0 else max(1, round(thickness))
    cv2.circle(
        image,
        at,
        max(1, round(radius * scale)),
        tuple(int(c) for c in colour),
        thick,
        cv2.LINE_AA,
        SUBPIXEL,
    )


def corners(n: int, radii: list[float], start: float) -> np.ndarray:
    """n points [n, 2] around the origin, their distances taken in turn from radii."""
    angle = start + 2 * math.pi * np.arange(n) / n
    radius = np.resize(radii, n)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)


def cross_outline(arm: float) -> np.ndarray:
    """A plus sign whose arms are 2 * arm wide."""
    corner = np.array([(arm, -1), (arm, -arm), (1, -arm)])
    quarter = np.array([(0, -1), (1, 0)])  # turns by 90 degrees
    return np.concatenate([corner @ np.linalg.matrix_power(quarter.T, k) for k in range(4)])


def heart_outline() -> np.ndarray:
    t = np.linspace(0, 2 * math.pi, 48, endpoint=False)
    x = 16 * np.sin(t) ** 3
    y = 5 * np.cos(2 * t) + 2 * np.cos(3 * t) + np.cos(4 * t) - 13 * np.cos(t)
    return np.stack([x, y + 2.5], 1) / 15.5


def crescent_outline(middle: float) -> np.ndarray:
    """A disc less another one whose centre is `middle` to the right."""
    tip = np.array([math.cos(0.3 * math.pi), math.sin(0.3 * math.pi)])
    bite = math.hypot(tip[1], tip[0] - middle)
    start = math.atan2(tip[1], tip[0] - middle)
    outer = np.linspace(0.3 * math.pi, 1.7 * math.pi, 40)
    inner = np.linspace(2 * math.pi - start, start, 40)
    x = np.concatenate([np.cos(outer), middle + bite * np.cos(inner)])
    y = np.concatenate([np.sin(outer), bite * np.sin(inner)])
    return np.stack([x + 0.2, y], 1)


def unit_outline(shape: str, rng: Rng) -> np.ndarray:
    """The outline [n, 2] of a shape in the unit disc, y down."""
    if shape == "square":
        return corners(4, [1.1], math.pi / 4)
    if shape == "triangle":
        return corners(3, [1.15], -math.pi / 2)
    if shape == "star":
        return corners(10, [1.15, rng.uniform(0.42, 0.52)], -math.pi / 2)
    if shape == "cross":
        return cross_outline(rng.uniform(0.28, 0.38))
    if shape == "heart":
        return heart_outline()
    if shape == "crescent":
        return crescent_outline(rng.uniform(0.38, 0.55))
    return corners(64, [1.0], 0)


def draw_shape(image: np.ndarray, shape: str, centre, radius: float, colour, rng: Rng) -> None:
    """One shape, centre and radius in pixels, turned a little."""
    angle = rng.uniform(-0.22, 0.22)
    if shape == "ring":
        disc(image, centre, radius * 0.85, colour, thickness=radius * rng.uniform(0.3, 0.42))
        return
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    outline = unit_outline(shape, rng)
    if shape == "crescent" and rng.random() < 0.5:
        outline = outline * [-1, 1]
    polygon(image, outline @ turn * radius + np.asarray(centre), colour)


def vary(rgb, rng: Rng, spread: float = 14) -> np.ndarray:
    return np.clip(np.asarray(rgb) + rng.normal(0, spread, 3), 0, 255)


def ground_image(height: int, width: int, rgb, rng: Rng) -> np.ndarray:
    """A plain ground: flat, shaded, or with a soft texture."""
    base = np.empty((height, width, 3), np.float32)
    base[:] = vary(rgb, rng, 9)
    kind = rng.integers(3)
    if kind == 1:
        ramp = np.linspace(-1, 1, width if rng.random() < 0.5 else height) * rng.uniform(-18, 18)
        base += ramp[None, :, None] if len(ramp) == width else ramp[:, None, None]
    elif kind == 2:
        cells = rng.normal(0, 8, (rng.integers(3, 12), rng.integers(3, 12))).astype(np.float32)
        base += cv2.resize(cells, (width, height), interpolation=cv2.INTER_LINEAR)[..., None]
    return np.clip(base, 0, 255).astype(np.uint8)


def spot_of(x: float, y: float) -> int:
    """The named position of a centre in [0, 1]^2, 0 when none fits."""
    dx, dy = x - 0.5, y - 0.5
    if max(abs(dx), abs(dy)) < 0.08:
        return lx.MIDDLE
    if abs(dx) > 0.2 and abs(dy) < 0.14:
        return lx.LEFT if dx < 0 else lx.RIGHT
    if abs(dy) > 0.2 and abs(dx) < 0.14:
        return lx.TOP if dy < 0 else lx.BOTTOM
    return 0


def place_centres(count: int, radius: float, aspect: float, rng: Rng) -> np.ndarray:
    """Centres [n, 2] in units of the height that do not touch."""
    centres: list[tuple[float, float]] = []
    for _ in range(400):
        if len(centres) == count:
            break
        at = (rng.uniform(radius, aspect - radius), rng.uniform(radius, 1 - radius))
        if all(math.dist(at, other) > 2.2 * radius for other in centres):
            centres.append(at)
    return np.array(centres)


def draw_objects(
    height: int, width: int, rng: Rng, shape: int, colour: int, count: int = 0
) -> tuple[np.ndarray, dict]:
    """Shapes of one kind (1-based indices) on a plain ground, and what is true of them."""
    name = lx.COLOURS[colour - 1][0]
    grounds = [i for i, g in enumerate(lx.GROUNDS) if (name, g[0]) not in lx.CLASH]
    ground = int(rng.choice(grounds))
    count = count or int(rng.choice(4, p=[0.55, 0.17, 0.15, 0.13])) + 1
    aspect = width / height
    size = 0
    if count > 1:
        radius = rng.uniform(0.1, 0.19)
    else:
        radius = rng.uniform(0.1, 0.42)
        size = 1 if radius < 0.17 else 2 if radius > 0.29 else 0
    image = ground_image(height, width, lx.GROUND_RGB[ground], rng)
    centres = place_centres(count, radius * 1.1, aspect, rng)
    rgb = vary(lx.RGB[colour - 1], rng, 10)
    for centre in centres:
        draw_shape(image, lx.SHAPES[shape - 1][0], centre * height, radius * height, rgb, rng)
    spot = spot_of(centres[0][0] / aspect, centres[0][1]) if len(centres) == 1 else 0
    return image, dict(
        group=lx.OBJECTS,
        shape=shape,
        colour=colour,
        count=len(centres),
        size=size,
        ground=ground + 1,
        place_at=spot,
    )
