# SPDX-License-Identifier: LGPL-2.1-or-later
"""Faults of a real camera's picture, each at a strength from 0 (just visible)
to 1 (nothing else to see), made as optics, weather, sensor and codec make them.

Every function takes a picture, uint8 [h, w, 3], a strength and a generator, and
returns a new picture. Lengths are fractions of the height. clean() is what a
healthy camera does to a scene. Used by real.py; conditions.py has the drawn
faults.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

import conditions
from conditions import Image, Rng, soft_noise, to_u8

GAMMA = 2.2  # of a display; near enough to sRGB to bring light back


def between(low: float, high: float, strength: float) -> float:
    return low + (high - low) * strength


SHOT = np.sqrt(0.3 + 0.7 * np.arange(256, dtype=np.float32) / 255)  # noise by level
LIGHT = (np.arange(256, dtype=np.float32) / 255) ** GAMMA
STEPS = 1 << 14  # of light in the table back; fine enough for one level in the dark
LEVELS = (255 * (np.arange(STEPS + 1) / STEPS) ** (1 / GAMMA) + 0.5).astype(np.uint8)


def to_light(image: Image) -> np.ndarray:
    """Linear light [h, w, 3], 1 at white."""
    return LIGHT[image]


def from_light(light: np.ndarray) -> Image:
    return LEVELS[(np.clip(light, 0, 1) * np.float32(STEPS)).astype(np.uint16)]


def disc_kernel(radius: float) -> np.ndarray:
    """Point spread of a lens out of focus: a disc with a soft rim, sum 1."""
    n = math.ceil(radius)
    y, x = np.mgrid[-n : n + 1, -n : n + 1]
    disc = np.clip(radius + 0.5 - np.hypot(x, y), 0, 1).astype(np.float32)
    return disc / disc.sum()


def defocused(light: np.ndarray, radius: float) -> np.ndarray:
    return cv2.filter2D(light, -1, disc_kernel(radius), borderType=cv2.BORDER_REFLECT)


# ---- optics


def defocus(image: Image, strength: float, rng: Rng) -> Image:
    return from_light(defocused(to_light(image), len(image) * between(0.014, 0.07, strength)))


def motion_blur(image: Image, strength: float, rng: Rng) -> Image:
    """A camera that swings: every point becomes a line."""
    n = max(3, round(len(image) * between(0.05, 0.2, strength))) | 1
    kernel = np.zeros((n, n), np.float32)
    angle, half = rng.uniform(0, math.pi), n / 2
    tip = np.array([math.cos(angle), math.sin(angle)]) * half
    a, b = np.round(half - tip).astype(int), np.round(half + tip).astype(int)
    cv2.line(kernel, tuple(map(int, a)), tuple(map(int, b)), 1, 1, cv2.LINE_AA)
    kernel /= kernel.sum()
    return from_light(cv2.filter2D(to_light(image), -1, kernel, borderType=cv2.BORDER_REFLECT))


def over_exposed(image: Image, strength: float, rng: Rng) -> Image:
    light = to_light(image) * 2 ** between(1.6, 4.5, strength)
    bloom = cv2.GaussianBlur(np.clip(light - 1, 0, 3), (0, 0), len(image) * 0.02)
    return from_light(light + 0.3 * bloom)


def under_exposed(image: Image, strength: float, rng: Rng) -> Image:
    light = to_light(image) * 2 ** -between(2.8, 6.5, strength)
    return sensor_noise(from_light(light), rng.uniform(0, 4), rng)


def texture(h: int, w: int, rng: Rng) -> np.ndarray:
    """Cloth, skin, leaf or plastic, near the lens: float [h, w, 3] about 0."""
    fine = sum(
        gain * (soft_noise(h, w, cells, rng) - 0.5)
        for cells, gain in ((3, 60), (9, 30), (40, rng.uniform(0, 30)))
    )
    return fine[..., None] * rng.uniform(0.2, 1.2)


def edge_mask(h: int, w: int, share: float, soft: float, rng: Rng) -> np.ndarray:
    """[h, w, 1] in [0, 1]: about `share` of the picture, from a side or a middle."""
    y, x = np.mgrid[0:h, 0:w].astype(np.float32)
    bumps = (soft_noise(h, w, 4, rng) - 0.5) * rng.uniform(0.1, 0.5)
    if rng.random() < 0.3:
        centre = rng.uniform(0.3, 0.7, 2)
        field = 1 - np.hypot(x / w - centre[0], y / h - centre[1]) + bumps
    else:
        angle = rng.uniform(0, 2 * math.pi)
        field = math.cos(angle) * x / w + math.sin(angle) * y / h + bumps
    level = np.quantile(field[::4, ::4], 1 - share)
    return np.clip((field - level) / soft + 0.5, 0, 1)[..., None]


def covered(image: Image, strength: float, rng: Rng) -> Image:
    """A hand, bag, leaf or web near the lens, or paint sprayed on it; up to all of it."""
    h, w = image.shape[:2]
    paint = rng.random() < 0.25
    share = between(0.35, 0.9, strength)
    if paint:
        colour = rng.uniform(0, 255, 3)
        field = sum(soft_noise(h, w, c, rng) * g for c, g in ((5, 1), (14, 0.4), (50, 0.2)))
        level = np.quantile(field[::4, ::4], 1 - share)
        mask = np.clip((field - level) / rng.uniform(0.03, 0.2) + 0.5, 0, 1)[..., None]
    else:
        grey = rng.uniform(5, 60) if rng.random() < 0.6 else rng.uniform(60, 190)
        colour = np.clip(grey * rng.uniform(0.7, 1.3, 3), 0, 255)
        mask = edge_mask(h, w, share, rng.uniform(0.02, 0.25), rng)
        if strength > 0.8 and rng.random() < 0.6:
            mask = np.maximum(mask, rng.uniform(0.9, 1))
    blob = to_light(to_u8(colour + texture(h, w, rng)))
    return from_light(to_light(image) * (1 - mask) + blob * mask)


def dirty_lens(image: Image, strength: float, rng: Rng) -> Image:
    """Dust, or drops that show the scene turned over and out of focus."""
    h, w = image.shape[:2]
    drops = rng.random() < 0.5
    mask = np.zeros((h, w), np.float32)
    for _ in range(round(between(8, 40, strength) * rng.uniform(0.7, 1.3))):
        size = h * (rng.uniform(0.025, 0.09) if drops else rng.uniform(0.012, 0.06))
        centre = (int(rng.uniform(0, w)), int(rng.uniform(0, h)))
        axes = (max(1, int(size)), max(1, int(size * rng.uniform(0.6, 1.3))))
        cv2.ellipse(mask, centre, axes, rng.uniform(0, 180), 0, 360, rng.uniform(0.6, 1), -1)
    mask = cv2.GaussianBlur(mask, (0, 0), h * rng.uniform(0.004, 0.02))[..., None]
    light = to_light(image)
    if drops:
        turned = defocused(light[::-1, ::-1], h * 0.04)
        other = turned * rng.uniform(0.7, 1.2) + rng.uniform(0, 0.15)
    else:
        other = light * rng.uniform(0.1, 0.35) + rng.uniform(0, 0.05)
        mask = mask * between(0.6, 1, strength)
    return from_light(light * (1 - mask) + other * mask)


def glare(image: Image, strength: float, rng: Rng) -> Image:
    """A low sun or a headlight in the lens: core, halo, veil and rays."""
    h, w = image.shape[:2]
    y, x = np.mgrid[0:h, 0:w].astype(np.float32)
    cx, cy = rng.uniform(0.05, 0.95) * w, rng.uniform(0.05, 0.8) * h
    r = np.hypot(x - cx, y - cy) / h
    angle = np.arctan2(y - cy, x - cx)
    rays = 1 + 0.5 * np.cos(angle * rng.integers(3, 9) + rng.uniform(0, 6))
    core = np.exp(-((r / between(0.06, 0.2, strength)) ** 2)) * 6
    halo = between(0.3, 1.2, strength) * np.exp(-r / between(0.2, 0.5, strength)) * rays
    warm = np.array((1, rng.uniform(0.85, 1), rng.uniform(0.65, 1)), np.float32)
    veil = between(0.03, 0.2, strength)
    return from_light(to_light(image) * (1 - veil) + (core + halo)[..., None] * warm + veil)


# ---- weather


def fog(image: Image, strength: float, rng: Rng) -> Image:
    """Koschmieder's law with a depth that grows upwards and wanders."""
    h, w = image.shape[:2]
    up = np.linspace(1, rng.uniform(0.25, 0.7), h, dtype=np.float32)[:, None]
    depth = up * (0.75 + 0.5 * soft_noise(h, w, 4, rng))
    through = np.exp(-between(1.3, 4.5, strength) * depth)[..., None]
    air = rng.uniform(0.35, 0.8) * rng.uniform(0.95, 1.05, 3).astype(np.float32)
    soft = cv2.GaussianBlur(to_light(image), (0, 0), len(image) * 0.004)
    return from_light(soft * through + air * (1 - through))


def rain(image: Image, strength: float, rng: Rng) -> Image:
    light = to_light(image) * rng.uniform(0.4, 0.8)
    light = 0.7 * light + 0.3 * light.mean(axis=2, keepdims=True)
    slant = rng.uniform(-0.35, 0.35)
    count = round(between(60, 260, strength))
    near = conditions.streaks(image, rng, count // 3, (0.15, 0.35), 0.01, slant)
    far = conditions.streaks(image, rng, count, (0.05, 0.14), 0.005, slant)
    near = cv2.GaussianBlur(near, (0, 0), len(image) * 0.004)[..., None]
    mask = np.clip(near * 0.6 + far * 0.7, 0, 1) * between(0.55, 0.9, strength)
    return from_light(light * (1 - mask) + rng.uniform(0.45, 0.75) * mask)


def snowfall(image: Image, strength: float, rng: Rng) -> Image:
    """Flakes at all distances, near ones large, soft and drawn out."""
    h, w = image.shape[:2]
    light = to_light(image) * rng.uniform(0.5, 0.9) + between(0.02, 0.12, strength)
    for radius, blur, count in ((0.005, 0.002, 160), (0.011, 0.005, 60), (0.025, 0.014, 14)):
        mask = np.zeros((h, w), np.float32)
        for _ in range(round(count * between(0.5, 2, strength))):
            at = (int(rng.uniform(0, w)), int(rng.uniform(0, h)))
            size = h * radius * rng.uniform(0.6, 1.4)
            axes = (max(1, round(size)), max(1, round(size * rng.uniform(1, 1.8))))
            cv2.ellipse(mask, at, axes, rng.uniform(-30, 30), 0, 360, rng.uniform(0.6, 1), -1)
        mask = cv2.GaussianBlur(mask, (0, 0), h * blur)[..., None]
        light = light * (1 - mask) + 0.9 * mask
    return from_light(light)


# ---- sensor


def sensor_noise(image: Image, sigma: float, rng: Rng) -> Image:
    """Grain of a sensor: more in the light than in the dark, a part of it coloured."""
    h, w = image.shape[:2]
    luma = rng.standard_normal((h, w, 1), dtype=np.float32)
    chroma = rng.standard_normal((h, w, 3), dtype=np.float32)
    return to_u8(image + sigma * SHOT[image] * (0.8 * luma + 0.6 * chroma) + 0.5)


def noisy(image: Image, strength: float, rng: Rng) -> Image:
    """Too much gain: grain that stays visible when the picture is made small."""
    h, w = image.shape[:2]
    cells = rng.uniform(0.25, 0.6)
    size = (max(8, int(w * cells)), max(8, int(h * cells)))
    grain = rng.standard_normal((size[1], size[0], 3), dtype=np.float32)
    grain = 0.7 * grain[..., :1] + rng.uniform(0, 0.7) * grain
    grain = cv2.resize(grain, (w, h), interpolation=cv2.INTER_LINEAR)
    dark = image * rng.uniform(0.45, 1)
    return to_u8(dark + between(35, 100, strength) * grain)


def monochrome(image: Image, strength: float, rng: Rng) -> Image:
    """A camera without colour, by day or with its infrared lamp at night."""
    h, w = image.shape[:2]
    light = to_light(image) @ np.array((0.5, 0.35, 0.15), np.float32)
    if rng.random() < 0.5:
        y, x = np.mgrid[0:h, 0:w].astype(np.float32)
        r2 = ((x / w - rng.uniform(0.4, 0.6)) ** 2 + (y / h - rng.uniform(0.4, 0.7)) ** 2) * 4
        light = light * rng.uniform(0.5, 1.3) * np.exp(-r2 * rng.uniform(0.3, 1.3))
    grey = from_light(np.repeat(light[..., None], 3, axis=2))
    tint = rng.uniform(0.97, 1.03, 3) if rng.random() < 0.3 else 1
    out = to_u8(grey.astype(np.float32) + rng.normal(0, rng.uniform(0, 6), (h, w, 1)))
    return to_u8(out * tint)


# ---- position and transmission


def upside_down(image: Image, strength: float, rng: Rng) -> Image:
    return np.ascontiguousarray(image[::-1, ::-1])


def rolling(image: Image, strength: float, rng: Rng) -> Image:
    """Lost vertical sync, with the bar between two pictures or without."""
    h = len(image)
    shift = round(h * rng.uniform(0.2, 0.8))
    out = np.roll(image, shift, axis=0)
    bar = round(h * rng.uniform(0.03, between(0.06, 0.14, strength)))
    top = max(0, shift - bar // 2)
    out[top : top + bar] = rng.integers(0, 40)
    return out


def torn(image: Image, strength: float, rng: Rng) -> Image:
    """Bands of lines that are shifted, some more with every line."""
    h, w = image.shape[:2]
    out = image.copy()
    cuts = np.sort(rng.uniform(0.05, 0.95, rng.integers(2, round(between(4, 9, strength)))))
    edges = [0, *(cuts * h).astype(int), h]
    still = rng.integers(2)
    for k, (a, b) in enumerate(zip(edges, edges[1:])):
        if k % 2 == still:
            continue
        shift = rng.choice([-1, 1]) * rng.uniform(0.08, between(0.2, 0.5, strength))
        skew = rng.uniform(-0.6, 0.6) if rng.random() < 0.4 else 0
        for y in range(a, b):
            out[y] = np.roll(image[y], round(w * (shift + skew * (y - a) / h)), axis=0)
    return out


def lost_macroblocks(image: Image, strength: float, rng: Rng) -> Image:
    """Runs of macroblocks that a decoder had to invent: grey, green, shifted, smeared."""
    h, w = image.shape[:2]
    side = 16 if h <= 300 else 24
    rows, cols = h // side, w // side
    out = image.copy()
    for _ in range(round(between(0.35, 1.4, strength) * rows)):
        y, x = rng.integers(rows) * side, rng.integers(cols) * side
        run = rng.integers(max(1, cols // 4), cols + 1) * side
        part = out[y : y + side, x : x + run]
        n = part.shape[1]
        how = rng.random()
        if how < 0.2:
            part[:] = (0, 135, 0) if rng.random() < 0.4 else 128
        elif how < 0.55:  # from elsewhere, as with a wrong vector
            dy, dx = rng.integers(0, h - side + 1), rng.integers(0, w - n + 1)
            part[:] = image[dy : dy + side, dx : dx + n]
        elif how < 0.8:  # the blocks' means only
            for k in range(0, n, side):
                block = part[:, k : k + side]
                block[:] = np.clip(block.mean(axis=(0, 1)) + rng.normal(0, 25), 0, 255)
        else:  # the line above, drawn down
            part[:] = part[:1]
            rest = out[y : min(h, y + side * int(rng.integers(1, 5))), x : x + n]
            rest[:] = part[:1]
    return out


def mosaic(image: Image, strength: float, rng: Rng) -> Image:
    """A starved or broken stream: coarse blocks everywhere, or lost ones in places."""
    if rng.random() < 0.6:
        return lost_macroblocks(image, strength, rng)
    h, w = image.shape[:2]
    rows = round(between(34, 10, strength))
    coarse = cv2.resize(image, (max(2, rows * w // h), rows), interpolation=cv2.INTER_AREA)
    return cv2.resize(coarse, (w, h), interpolation=cv2.INTER_NEAREST)


def night(image: Image, strength: float, rng: Rng) -> Image:
    return conditions.night(image, rng)


FAULTS = {
    "rolling": rolling,
    "torn": torn,
    "blurred": defocus,
    "motion blur": motion_blur,
    "over-exposed": over_exposed,
    "under-exposed": under_exposed,
    "covered lens": covered,
    "dirty lens": dirty_lens,
    "glare": glare,
    "rain": rain,
    "snowfall": snowfall,
    "fog": fog,
    "night": night,
    "upside-down": upside_down,
    "mosaic": mosaic,
    "noisy": noisy,
    "monochrome": monochrome,
}

# What has no degree: it is there or it is not.
WITHOUT_DEGREE = {"rolling", "night", "upside-down", "monochrome"}


# ---- a healthy camera


def demosaiced(image: Image, rng: Rng) -> Image:
    """Through a Bayer pattern and back: what is lost is colour detail."""
    y, x = np.mgrid[0 : image.shape[0], 0 : image.shape[1]]
    channel = np.where((y + x) % 2 == 1, 1, np.where(y % 2 == 0, 0, 2))
    raw = np.take_along_axis(image, channel[..., None], axis=2)[..., 0]
    return cv2.cvtColor(np.ascontiguousarray(raw), cv2.COLOR_BayerBG2RGB)


def clean(image: Image, rng: Rng) -> Image:
    """What a camera in order makes of a scene: less than anybody would call a fault."""
    balance = 2 ** rng.uniform(-0.9, 0.6) * rng.uniform(0.88, 1.12, 3)
    light = to_light(image) * balance.astype(np.float32)
    if rng.random() < 0.3:  # a lens that is merely cheap
        light = defocused(light, max(0.6, len(image) * rng.uniform(0.002, 0.006)))
    out = from_light(light)
    if rng.random() < 0.3:
        out = demosaiced(out, rng)
    if rng.random() < 0.3:
        soft = cv2.GaussianBlur(out, (0, 0), 1.2).astype(np.float32)
        out = to_u8(out + rng.uniform(0.2, 1.0) * (out - soft))
    if rng.random() < 0.2:
        mean = out.mean()
        out = to_u8((out - mean) * rng.uniform(0.65, 1.15) + mean)
    return sensor_noise(out, 7 * rng.random() ** 2, rng)
