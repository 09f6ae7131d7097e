# SPDX-License-Identifier: LGPL-2.1-or-later
"""What can go wrong with a camera's picture, and the test cards of a studio.

EFFECTS change a picture of a place; CARDS, blank() and static() draw one from
nothing. Lengths are fractions of the picture, so the effect looks the same in
every resolution.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

import lexicon as lx
from shapes import disc, polygon, vary

Rng = np.random.Generator
Image = np.ndarray  # uint8 [h, w, 3]


def to_u8(x: np.ndarray) -> Image:
    return np.clip(x, 0, 255).astype(np.uint8)


def soft_noise(height: int, width: int, cells: int, rng: Rng) -> np.ndarray:
    """Smooth noise in [0, 1], about `cells` bumps across."""
    small = rng.random((cells, cells)).astype(np.float32)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)


def add_grain(image: Image, sigma: float, rng: Rng) -> Image:
    return to_u8(image + rng.normal(0, sigma, image.shape).astype(np.float32))


# ---- effects on a picture


def rolling(image: Image, rng: Rng) -> Image:
    h = len(image)
    bar = max(2, round(h * rng.uniform(0.05, 0.12)))
    shift = round(h * rng.uniform(0.2, 0.75))
    out = np.roll(image, shift, axis=0)
    out[max(0, shift - bar // 2) : shift - bar // 2 + bar] = rng.integers(0, 25)
    return out


def torn(image: Image, rng: Rng) -> Image:
    h, w = image.shape[:2]
    out = image.copy()
    cuts = [rng.uniform(0.4, 0.7), *rng.uniform(0.08, 0.92, rng.integers(2, 5))]
    edges = [0, *np.sort((np.array(cuts) * h).astype(int)), h]
    skew = rng.uniform(-0.5, 0.5) if rng.random() < 0.4 else 0
    still = rng.integers(2)
    for k, (a, b) in enumerate(zip(edges, edges[1:])):
        shift = 0 if k % 2 == still else rng.choice([-1, 1]) * rng.uniform(0.12, 0.45)
        for y in range(a, b):
            offset = round(w * (shift + (skew * (y - a) / h if shift else 0)))
            out[y] = np.roll(image[y], offset, axis=0)
    return out


def blurred(image: Image, rng: Rng) -> Image:
    sigma = image.shape[0] * rng.uniform(0.035, 0.085)
    return cv2.GaussianBlur(image, (0, 0), sigma * rng.uniform(0.9, 1.1), sigmaY=sigma)


def over_exposed(image: Image, rng: Rng) -> Image:
    out = image.astype(np.float32) * rng.uniform(1.6, 2.3) + rng.uniform(10, 40)
    bloom = cv2.GaussianBlur(np.clip(out, 0, 400), (0, 0), image.shape[0] * 0.03)
    return to_u8(np.maximum(out, 0.5 * out + 0.55 * bloom))


def under_exposed(image: Image, rng: Rng) -> Image:
    out = image.astype(np.float32) * rng.uniform(0.1, 0.26)
    return add_grain(to_u8(out), rng.uniform(0, 5), rng)


def covered(image: Image, rng: Rng) -> Image:
    """A hand, a cloth or a leaf: a dark soft blob from one side."""
    h, w = image.shape[:2]
    mask = np.zeros((h, w, 3), np.uint8)
    side, share = rng.integers(4), rng.uniform(0.38, 0.75)
    t = np.linspace(-0.1, 1.1, 9)
    edge = share + rng.normal(0, 0.06, 9)
    points = np.concatenate([np.stack([t, edge], 1), [[1.2, -0.2], [-0.2, -0.2]]])
    if side % 2:
        points = points[:, ::-1]
    if side >= 2:
        points = 1 - points
    if rng.random() < 0.3:
        centre = rng.uniform(0.35, 0.65, 2) * [w, h]
        disc(mask, centre, h * rng.uniform(0.36, 0.5), (255, 255, 255))
    else:
        polygon(mask, points * [w, h], (255, 255, 255))
    mask = cv2.GaussianBlur(mask, (0, 0), h * rng.uniform(0.01, 0.06)).astype(np.float32) / 255
    cloth = [(20, 18, 18), (60, 40, 30), (150, 95, 75), (45, 45, 50), (35, 60, 30)][rng.integers(5)]
    blob = vary(cloth, rng, 8) + 25 * (soft_noise(h, w, 3, rng)[..., None] - 0.5)
    return to_u8(image * (1 - mask) + blob * mask)


def streaks(image: Image, rng: Rng, count: int, length, thick: float, slant: float) -> np.ndarray:
    """Mask [h, w, 1] in [0, 1] of slanted lines."""
    h, w = image.shape[:2]
    mask = np.zeros((h, w), np.uint8)
    scale = 1 << 4
    for _ in range(count):
        x, y = rng.uniform(-0.1, 1.1) * w, rng.uniform(-0.2, 1) * h
        n = rng.uniform(*length) * h
        a = (round(x * scale), round(y * scale))
        b = (round((x + slant * n) * scale), round((y + n) * scale))
        cv2.line(mask, a, b, int(rng.uniform(120, 255)), max(1, round(thick * h)), cv2.LINE_AA, 4)
    return mask[..., None].astype(np.float32) / 255


def rain(image: Image, rng: Rng) -> Image:
    dull = image.astype(np.float32) * rng.uniform(0.55, 0.8)
    grey = dull.mean(axis=2, keepdims=True)
    dull = 0.6 * dull + 0.4 * grey
    mask = streaks(
        image, rng, int(rng.integers(70, 170)), (0.08, 0.2), 0.007, rng.uniform(-0.35, 0.35)
    )
    alpha = rng.uniform(0.5, 0.85)
    return to_u8(dull * (1 - alpha * mask) + alpha * mask * np.array((205, 215, 225)))


def snowfall(image: Image, rng: Rng) -> Image:
    h, w = image.shape[:2]
    dull = 0.75 * image.astype(np.float32) + rng.uniform(15, 45)
    flakes = np.zeros((h, w, 3), np.uint8)
    for _ in range(rng.integers(60, 170)):
        disc(
            flakes,
            (rng.uniform(0, w), rng.uniform(0, h)),
            h * rng.uniform(0.006, 0.022),
            [int(rng.uniform(170, 255))] * 3,
        )
    mask = cv2.GaussianBlur(flakes, (0, 0), h * 0.004).astype(np.float32) / 255
    return to_u8(dull * (1 - mask) + 252 * mask)


def fog(image: Image, rng: Rng) -> Image:
    h, w = image.shape[:2]
    haze = vary((200, 205, 208), rng, 8) * rng.uniform(0.85, 1.08)
    depth = np.linspace(1, rng.uniform(0.7, 0.95), h, dtype=np.float32)[:, None]
    alpha = rng.uniform(0.68, 0.88) * depth * (0.9 + 0.16 * soft_noise(h, w, 3, rng))
    alpha = np.clip(alpha, 0, 0.93)[..., None]
    soft = cv2.GaussianBlur(image, (0, 0), h * 0.008)
    return to_u8(soft * (1 - alpha) + haze * alpha)


def night(image: Image, rng: Rng) -> Image:
    h, w = image.shape[:2]
    grey = image.astype(np.float32).mean(axis=2, keepdims=True)
    dark = (0.5 * image + 0.5 * grey) * rng.uniform(0.1, 0.22) * np.array((0.75, 0.85, 1.25))
    glow = np.zeros((h, w, 3), np.float32)
    lamps = np.zeros((h, w, 3), np.uint8)
    for _ in range(rng.integers(5, 18)):
        colour = [(255, 220, 150), (255, 245, 225), (255, 170, 90), (220, 235, 255)][
            rng.integers(4)
        ]
        disc(
            lamps,
            (rng.uniform(0, w), rng.uniform(0.2, 0.95) * h),
            h * rng.uniform(0.008, 0.022),
            colour,
        )
    for sigma, gain in ((0.008, 1.0), (0.03, 1.6), (0.07, 1.6)):
        glow += gain * cv2.GaussianBlur(lamps, (0, 0), h * sigma)
    return add_grain(to_u8(dark + glow + lamps), rng.uniform(0, 4), rng)


def upside_down(image: Image, rng: Rng) -> Image:
    out = image[::-1]
    return np.ascontiguousarray(out[:, ::-1] if rng.random() < 0.7 else out)


def mosaic(image: Image, rng: Rng) -> Image:
    """Blocks of a stream that lost data: coarse everywhere, or broken in places."""
    h, w = image.shape[:2]
    rows = int(rng.integers(9, 22))
    cols = max(2, round(rows * w / h))
    coarse = cv2.resize(image, (cols, rows), interpolation=cv2.INTER_AREA)
    blocks = cv2.resize(coarse, (w, h), interpolation=cv2.INTER_NEAREST)
    if rng.random() < 0.5:
        return blocks
    out = image.copy()
    ys, xs = np.linspace(0, h, rows + 1).astype(int), np.linspace(0, w, cols + 1).astype(int)
    share = rng.uniform(0.4, 0.8)
    for i in range(rows):
        for j in range(cols):
            if rng.random() > share:
                continue
            a, b, c, d = ys[i], ys[i + 1], xs[j], xs[j + 1]
            if rng.random() < 0.6:
                out[a:b, c:d] = blocks[a:b, c:d]
            else:
                y, x = rng.integers(0, h - (b - a) + 1), rng.integers(0, w - (d - c) + 1)
                out[a:b, c:d] = np.clip(
                    image[y : y + b - a, x : x + d - c].astype(int) + rng.integers(-40, 40), 0, 255
                )
    return out


def monochrome(image: Image, rng: Rng) -> Image:
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    grey = (grey - 128) * rng.uniform(0.9, 1.25) + 128
    return to_u8(np.repeat(grey[..., None], 3, axis=2))


EFFECTS = {
    "rolling": rolling,
    "torn": torn,
    "blurred": blurred,
    "over-exposed": over_exposed,
    "under-exposed": under_exposed,
    "covered lens": covered,
    "rain": rain,
    "snowfall": snowfall,
    "fog": fog,
    "night": night,
    "upside-down": upside_down,
    "mosaic": mosaic,
    "monochrome": monochrome,
}

# ---- pictures of nothing


def bars(h: int, w: int, rng: Rng) -> Image:
    level = int(rng.choice([255, 191, 180]))
    rows = [(1, 1, 1), (1, 1, 0), (0, 1, 1), (0, 1, 0), (1, 0, 1), (1, 0, 0), (0, 0, 1)]
    if rng.random() < 0.5:
        rows = rows + [(0, 0, 0)]
    image = np.zeros((h, w, 3), np.uint8)
    xs = np.linspace(0, w, len(rows) + 1).round().astype(int)
    for k, row in enumerate(rows):
        image[:, xs[k] : xs[k + 1]] = np.array(row) * level
    if rng.random() < 0.6:  # SMPTE: a strip of reversed bars, then the PLUGE
        a, b = round(h * 0.67), round(h * 0.75)
        for k, row in enumerate(rows[:7][::-1]):
            image[a:b, xs[k] : xs[k + 1]] = np.array(row if k % 2 == 0 else (0, 0, 0)) * level
        image[b:] = 16
        for k, rgb in enumerate([(0, 33, 76), (255, 255, 255), (50, 0, 106)]):
            image[b:, round(w * k / 6) : round(w * (k + 1) / 6)] = rgb
    return image


def checkerboard(h: int, w: int, rng: Rng) -> Image:
    cell = h * rng.uniform(0.032, 0.22)
    y, x = np.arange(h)[:, None] // cell, np.arange(w)[None] // cell
    even = ((y + x + rng.integers(2)) % 2).astype(bool)[..., None]
    a, b = ((16, 16, 16), (240, 240, 240)) if rng.random() < 0.7 else ((20, 150, 20), (200, 30, 30))
    return np.where(even, np.array(a, np.uint8), np.array(b, np.uint8))


def polar(h: int, w: int, rng: Rng, wander: float) -> tuple[np.ndarray, np.ndarray]:
    cx, cy = (0.5 + rng.uniform(-wander, wander)) * w, (0.5 + rng.uniform(-wander, wander)) * h
    y, x = np.mgrid[0:h, 0:w]
    return np.hypot(x - cx, y - cy) / h, np.arctan2(y - cy, x - cx)


def rings(h: int, w: int, rng: Rng) -> Image:
    r, _ = polar(h, w, rng, 0.08)
    phase = 2 * math.pi * rng.uniform(4, 14) * (r * r if rng.random() < 0.6 else r) + rng.uniform(
        0, 6.28
    )
    wave = np.sin(phase)
    if rng.random() < 0.3:
        wave = np.sign(wave)
    return to_u8(np.repeat((127 + 120 * wave)[..., None], 3, axis=2))


def spokes(h: int, w: int, rng: Rng) -> Image:
    r, angle = polar(h, w, rng, 0.08)
    wave = np.sin(
        angle * rng.integers(6, 20) + rng.uniform(0, 6.28) + r * rng.choice([0, 0, 4, -4])
    )
    if rng.random() < 0.5:
        wave = np.sign(wave)
    return to_u8(np.repeat((127 + 122 * wave)[..., None], 3, axis=2))


def gradient(h: int, w: int, rng: Rng) -> Image:
    ramp = np.linspace(0, 255, w if rng.random() < 0.5 else h)
    if rng.random() < 0.5:
        ramp = ramp[::-1]
    if rng.random() < 0.3:
        ramp = np.floor(ramp / 256 * 10) * 28.3
    plane = np.broadcast_to(ramp[None] if len(ramp) == w else ramp[:, None], (h, w))
    return to_u8(np.repeat(plane[..., None], 3, axis=2))


def grid(h: int, w: int, rng: Rng) -> Image:
    dark = rng.random() < 0.7
    ground, ink = ((10, 10, 10), (235, 235, 235)) if dark else ((235, 235, 235), (20, 20, 20))
    image = np.empty((h, w, 3), np.uint8)
    image[:] = ground
    step, thick = h * rng.uniform(0.08, 0.2), max(1, round(h * rng.uniform(0.007, 0.016)))
    for k in np.arange(step * rng.uniform(0.2, 0.9), max(h, w), step):
        cv2.line(image, (0, round(k)), (w, round(k)), ink, thick)
        cv2.line(image, (round(k), 0), (round(k), h), ink, thick)
    return image


CARDS = {
    "colour bars": bars,
    "checkerboard": checkerboard,
    "rings": rings,
    "spokes": spokes,
    "gradient": gradient,
    "grid": grid,
}


def blank(h: int, w: int, rng: Rng, name: str) -> tuple[Image, int]:
    """An empty picture and its colour (1-based index, 0 for one without a name)."""
    image = np.empty((h, w, 3), np.uint8)
    colour = 0
    if name == "black":
        image[:] = rng.integers(0, 14)
    elif name == "white":
        image[:] = rng.integers(243, 256)
    else:
        colour = int(rng.integers(0, 8))
        image[:] = (
            to_u8(vary(lx.RGB[colour - 1], rng, 12))
            if colour
            else to_u8(vary((125, 125, 125), rng, 25))
        )
    return add_grain(image, rng.choice([0, 1.5, 3]), rng), colour


def static(h: int, w: int, rng: Rng) -> Image:
    """Noise of an empty channel, grain from fine to coarse."""
    scale = math.exp(rng.uniform(math.log(0.3), math.log(3)))
    size = (max(8, int(h / scale)), max(8, int(w / scale)))
    colour = rng.random() < 0.25
    noise = rng.integers(0, 256, (*size, 3 if colour else 1), dtype=np.uint8)
    noise = noise if colour else np.repeat(noise, 3, axis=2)
    if scale < 1:
        how = cv2.INTER_AREA
    else:
        how = cv2.INTER_NEAREST if rng.random() < 0.5 else cv2.INTER_LINEAR
    return cv2.resize(noise, (w, h), interpolation=how)
