# SPDX-License-Identifier: LGPL-2.1-or-later
"""Draws twelve kinds of places: landscapes, roads, a room. Not photographs, but
with a sky, a horizon, a ground and things standing on it, so that fog, rain or a
picture turned over can be seen.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

import lexicon as lx
from shapes import disc, polygon, vary

Rng = np.random.Generator


class Pad:
    """A picture that is drawn in units of [0, 1] in x and y."""

    def __init__(self, height: int, width: int, rng: Rng) -> None:
        self.h, self.w, self.rng = height, width, rng
        self.image = np.zeros((height, width, 3), np.uint8)

    def poly(self, points, colour) -> None:
        polygon(self.image, np.asarray(points, float) * [self.w, self.h], colour)

    def rect(self, x0, y0, x1, y1, colour) -> None:
        self.poly([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], colour)

    def disc(self, x, y, r, colour) -> None:
        disc(self.image, (x * self.w, y * self.h), r * self.h, colour)

    def line(self, x0, y0, x1, y1, colour, thick=0.01) -> None:
        a, b = np.array([x0 * self.w, y0 * self.h]), np.array([x1 * self.w, y1 * self.h])
        n = (
            np.array([b[1] - a[1], a[0] - b[0]])
            / (np.linalg.norm(b - a) + 1e-6)
            * thick
            * self.h
            / 2
        )
        polygon(self.image, np.array([a + n, b + n, b - n, a - n]), colour)

    def ramp(self, y0: float, y1: float, top, bottom) -> None:
        """A vertical gradient between two heights."""
        a, b = round(max(y0, 0) * self.h), round(min(y1, 1) * self.h)
        if b > a:
            t = np.linspace(0, 1, b - a)[:, None]
            rows = np.asarray(top) * (1 - t) + np.asarray(bottom) * t
            self.image[a:b] = np.clip(rows, 0, 255)[:, None].astype(np.uint8)

    def texture(self, y0: float, y1: float, strength: float, stretch: float = 1) -> None:
        a, b = round(y0 * self.h), round(y1 * self.h)
        if b - a < 2:
            return
        cells = self.rng.normal(
            0, strength, (max(2, int((b - a) / 3)), max(2, int(self.w / 3 / stretch)))
        )
        noise = cv2.resize(
            cells.astype(np.float32), (self.w, b - a), interpolation=cv2.INTER_LINEAR
        )
        self.image[a:b] = np.clip(self.image[a:b] + noise[..., None], 0, 255).astype(np.uint8)

    def sky(self, horizon: float, sunset: bool) -> None:
        rng = self.rng
        if sunset:
            self.ramp(0, horizon, vary((70, 60, 120), rng), vary((250, 140, 60), rng))
            self.disc(
                rng.uniform(0.15, 0.85),
                horizon - rng.uniform(0, 0.08),
                rng.uniform(0.04, 0.08),
                (255, 225, 150),
            )
            return
        grey = rng.random() < 0.25
        self.ramp(
            0,
            horizon,
            vary((150, 160, 175) if grey else (80, 140, 220), rng),
            vary((190, 200, 210) if grey else (180, 210, 240), rng),
        )
        if not grey and rng.random() < 0.4:
            self.disc(
                rng.uniform(0.1, 0.9),
                rng.uniform(0.06, 0.2),
                rng.uniform(0.03, 0.06),
                (255, 245, 190),
            )
        for _ in range(rng.integers(0, 4)):
            x, y = rng.uniform(0, 1), rng.uniform(0.05, max(0.1, horizon - 0.15))
            for _ in range(4):
                self.disc(
                    x + rng.uniform(-0.06, 0.06),
                    y + rng.uniform(-0.015, 0.015),
                    rng.uniform(0.02, 0.04),
                    vary((240, 243, 247), rng, 4),
                )

    def ground(self, horizon: float, near, far=None) -> None:
        near = vary(near, self.rng)
        self.ramp(horizon, 1, near * 1.12 if far is None else far, near)
        self.texture(horizon, 1, 9, 2)

    def tree(self, x: float, y: float, s: float, fir: bool) -> None:
        """A tree that stands at (x, y), s high."""
        rng = self.rng
        wide = s * self.h / self.w
        self.rect(x - 0.05 * wide, y - 0.35 * s, x + 0.05 * wide, y, vary((90, 60, 35), rng))
        green = vary((35, 95, 40) if fir else (50, 125, 45), rng)
        if fir:
            for k in range(3):
                top = y - s + k * 0.22 * s
                self.poly(
                    [
                        (x, top),
                        (x + (0.16 + 0.07 * k) * wide, top + 0.36 * s),
                        (x - (0.16 + 0.07 * k) * wide, top + 0.36 * s),
                    ],
                    green * (0.9 + 0.08 * k),
                )
        else:
            for _ in range(4):
                self.disc(
                    x + rng.uniform(-0.15, 0.15) * wide,
                    y - s * rng.uniform(0.55, 0.85),
                    s * rng.uniform(0.18, 0.26),
                    green * rng.uniform(0.85, 1.15),
                )

    def house(self, x: float, y: float, s: float) -> None:
        rng = self.rng
        w = s * self.h / self.w * rng.uniform(1.0, 1.5)
        wall = vary(
            rng.choice([(225, 210, 180), (200, 120, 90), (235, 235, 230), (190, 170, 130)]), rng
        )
        self.rect(x - w / 2, y - 0.6 * s, x + w / 2, y, wall)
        self.poly(
            [(x - 0.6 * w, y - 0.6 * s), (x, y - s), (x + 0.6 * w, y - 0.6 * s)],
            vary((150, 60, 45), rng),
        )
        self.rect(x - 0.07 * w, y - 0.32 * s, x + 0.09 * w, y, vary((90, 60, 40), rng))
        for dx in (-0.32, 0.22):
            self.rect(
                x + dx * w,
                y - 0.45 * s,
                x + (dx + 0.14) * w,
                y - 0.25 * s,
                vary((90, 120, 160), rng),
            )


def meadow(p: Pad, sunset: bool) -> None:
    rng = p.rng
    horizon = rng.uniform(0.42, 0.58)
    p.sky(horizon, sunset)
    hill = rng.uniform(-0.5, 1.2)
    p.poly(
        [(-0.2, horizon + 0.02), (hill, horizon - 0.1), (hill + 0.8, horizon + 0.02)],
        vary((85, 130, 85), rng),
    )
    p.ground(horizon, (85, 150, 55))
    for _ in range(rng.integers(1, 4)):
        y = rng.uniform(horizon + 0.03, horizon + 0.2)
        p.tree(rng.uniform(0, 1), y, rng.uniform(0.15, 0.28), rng.random() < 0.3)
    p.house(rng.uniform(0.2, 0.8), horizon + rng.uniform(0.12, 0.28), rng.uniform(0.3, 0.46))


def city(p: Pad, sunset: bool) -> None:
    rng = p.rng
    horizon = rng.uniform(0.72, 0.85)
    p.sky(horizon, sunset)
    x = -0.05
    while x < 1:
        w, top = rng.uniform(0.07, 0.16), horizon - rng.uniform(0.2, 0.6)
        wall = vary(
            rng.choice([(110, 120, 135), (150, 140, 130), (85, 95, 115), (170, 165, 160)]), rng
        )
        p.rect(x, top, x + w, horizon + 0.02, wall)
        lit = wall * 0.6 if rng.random() < 0.6 else np.array((225, 220, 170))
        for wy in np.arange(top + 0.03, horizon - 0.04, 0.06):
            for wx in np.arange(x + 0.015, x + w - 0.02, 0.035):
                p.rect(wx, wy, wx + 0.016, wy + 0.03, lit)
        x += w + rng.uniform(-0.01, 0.02)
    p.ground(horizon, (95, 95, 95))


def road(p: Pad, sunset: bool) -> None:
    rng = p.rng
    horizon = rng.uniform(0.35, 0.5)
    p.sky(horizon, sunset)
    p.ground(horizon, rng.choice([(100, 140, 70), (150, 140, 100), (120, 125, 115)]))
    vanish = rng.uniform(0.35, 0.65)
    p.poly(
        [(vanish - 0.02, horizon), (vanish + 0.02, horizon), (vanish + 0.6, 1), (vanish - 0.6, 1)],
        vary((75, 75, 80), rng, 6),
    )
    for k in range(5):
        a, b = (k / 5) ** 1.6, ((k + 0.5) / 5) ** 1.6
        y0, y1 = horizon + a * (1 - horizon), horizon + b * (1 - horizon)
        p.poly(
            [
                (vanish - 0.015 * a, y0),
                (vanish + 0.015 * a, y0),
                (vanish + 0.015 * b, y1),
                (vanish - 0.015 * b, y1),
            ],
            (235, 235, 225),
        )
    for side, depth in (
        (-1, rng.uniform(0.15, 0.4)),
        (1, rng.uniform(0.35, 0.75)),
        (-1, rng.uniform(0.5, 0.8)),
    )[: rng.integers(1, 4)]:
        y, x, s = horizon + depth * (1 - horizon), vanish + side * 0.28 * depth, 0.34 * depth
        body = vary(
            rng.choice(
                [(200, 40, 40), (40, 70, 180), (230, 230, 230), (40, 40, 45), (210, 180, 40)]
            ),
            rng,
        )
        w = s * 1.25 * p.h / p.w
        p.rect(x - w / 2, y - 0.5 * s, x + w / 2, y - 0.08 * s, body)
        p.poly(
            [
                (x - 0.36 * w, y - 0.5 * s),
                (x - 0.26 * w, y - 0.85 * s),
                (x + 0.26 * w, y - 0.85 * s),
                (x + 0.36 * w, y - 0.5 * s),
            ],
            body * 0.75,
        )
        p.poly(
            [
                (x - 0.28 * w, y - 0.52 * s),
                (x - 0.21 * w, y - 0.78 * s),
                (x + 0.21 * w, y - 0.78 * s),
                (x + 0.28 * w, y - 0.52 * s),
            ],
            (70, 90, 110),
        )
        for dx in (-0.36, 0.24):
            p.rect(x + dx * w, y - 0.14 * s, x + (dx + 0.14) * w, y + 0.05 * s, (20, 20, 20))


def forest(p: Pad, sunset: bool) -> None:
    rng = p.rng
    horizon = rng.uniform(0.4, 0.55)
    p.sky(horizon, sunset)
    p.ground(horizon, (70, 95, 45))
    fir = rng.random() < 0.6
    for y in np.sort(rng.uniform(horizon + 0.02, 0.95, rng.integers(14, 26))):
        p.tree(rng.uniform(-0.05, 1.05), y, 0.25 + 0.45 * (y - horizon), fir)


def beach(p: Pad, sunset: bool) -> None:
    rng = p.rng
    horizon, shore = rng.uniform(0.35, 0.45), rng.uniform(0.58, 0.7)
    p.sky(horizon, sunset)
    p.ramp(horizon, 1, vary((40, 100, 170), rng), vary((70, 160, 190), rng))
    p.texture(horizon, shore, 8, 4)
    slope = rng.uniform(-0.1, 0.1)
    p.poly([(0, shore + slope), (1, shore - slope), (1, 1), (0, 1)], vary((225, 200, 145), rng))
    p.line(0, shore + slope, 1, shore - slope, (245, 248, 250), 0.025)
    p.texture(min(shore + 0.1, 0.9), 1, 7)
    if rng.random() < 0.6:
        x, y, s = rng.uniform(0.15, 0.85), rng.uniform(0.78, 0.92), rng.uniform(0.14, 0.22)
        w = s * p.h / p.w
        p.line(x, y, x, y - s, (240, 240, 240), 0.012)
        p.poly(
            [
                (x - 0.7 * w, y - s),
                (x - 0.35 * w, y - 1.35 * s),
                (x, y - 1.45 * s),
                (x + 0.35 * w, y - 1.35 * s),
                (x + 0.7 * w, y - s),
            ],
            vary((215, 50, 50), rng, 30),
        )


def mountains(p: Pad, sunset: bool) -> None:
    rng = p.rng
    horizon = rng.uniform(0.6, 0.72)
    p.sky(horizon, sunset)
    for _ in range(rng.integers(3, 6)):
        x, top, w = rng.uniform(0, 1), horizon - rng.uniform(0.28, 0.5), rng.uniform(0.25, 0.45)
        rock = vary((105, 105, 120), rng)
        p.poly([(x - w, horizon), (x, top), (x + w, horizon)], rock)
        p.poly([(x, top), (x + w, horizon), (x + 0.1 * w, horizon)], rock * 0.8)
        t = rng.uniform(0.25, 0.4)
        edge = [
            (x + w * t * k, top + (horizon - top) * t * (1 + 0.35 * (i % 2)))
            for i, k in enumerate((0.8, 0.35, -0.05, -0.45, -0.8))
        ]
        p.poly([(x, top)] + edge, (245, 247, 250))
    p.ground(horizon, rng.choice([(75, 115, 65), (60, 90, 120), (110, 110, 85)]))


def desert(p: Pad, sunset: bool) -> None:
    rng = p.rng
    horizon = rng.uniform(0.4, 0.52)
    p.sky(horizon, sunset)
    p.ground(horizon, (215, 165, 95))
    for _ in range(3):
        x, y, w = rng.uniform(0, 1), rng.uniform(horizon + 0.02, 0.85), rng.uniform(0.3, 0.6)
        p.poly([(x - w, y + 0.08), (x, y - 0.1), (x + w, y + 0.1)], vary((225, 180, 110), rng, 8))
        p.poly(
            [(x, y - 0.1), (x + w, y + 0.1), (x + 0.1 * w, y + 0.1)], vary((180, 130, 75), rng, 8)
        )
    for _ in range(rng.integers(1, 4)):
        x, y, s = (
            rng.uniform(0.08, 0.92),
            rng.uniform(horizon + 0.15, 0.92),
            rng.uniform(0.18, 0.34),
        )
        w, green = s * p.h / p.w, vary((50, 120, 55), rng)
        p.line(x, y, x, y - s, green, 0.2 * s)
        for side, lift in ((-1, 0.45), (1, 0.6)):
            p.line(x, y - lift * s, x + side * 0.3 * w, y - lift * s, green, 0.13 * s)
            p.line(
                x + side * 0.3 * w,
                y - (lift - 0.06) * s,
                x + side * 0.3 * w,
                y - (lift + 0.25) * s,
                green,
                0.13 * s,
            )


def boat(p: Pad, sunset: bool) -> None:
    rng = p.rng
    horizon = rng.uniform(0.4, 0.55)
    p.sky(horizon, sunset)
    p.ramp(horizon, 1, vary((60, 110, 165), rng), vary((25, 70, 125), rng))
    p.texture(horizon, 1, 12, 5)
    x, y, s = rng.uniform(0.25, 0.75), horizon + rng.uniform(0.08, 0.3), rng.uniform(0.35, 0.55)
    w = s * p.h / p.w
    hull = vary(rng.choice([(150, 50, 40), (60, 45, 35), (235, 235, 235), (40, 60, 110)]), rng)
    p.line(x, y, x, y - s, (90, 65, 45), 0.018)
    sail = vary(rng.choice([(245, 245, 240), (235, 220, 190), (215, 70, 55)]), rng, 8)
    p.poly(
        [(x + 0.03 * w, y - 0.95 * s), (x + 0.5 * w, y - 0.22 * s), (x + 0.03 * w, y - 0.22 * s)],
        sail,
    )
    p.poly(
        [(x - 0.03 * w, y - 0.85 * s), (x - 0.38 * w, y - 0.22 * s), (x - 0.03 * w, y - 0.22 * s)],
        sail * 0.93,
    )
    p.poly(
        [
            (x - 0.55 * w, y - 0.16 * s),
            (x + 0.6 * w, y - 0.16 * s),
            (x + 0.42 * w, y + 0.06 * s),
            (x - 0.4 * w, y + 0.06 * s),
        ],
        hull,
    )


def room(p: Pad, sunset: bool) -> None:
    rng = p.rng
    floor = rng.uniform(0.66, 0.78)
    wall = vary(
        rng.choice([(225, 215, 195), (190, 205, 210), (215, 195, 185), (200, 210, 185)]), rng
    )
    p.ramp(0, floor, wall * 0.95, wall)
    p.ramp(floor, 1, vary((140, 95, 60), rng), vary((165, 115, 75), rng))
    p.rect(0, floor - 0.02, 1, floor, (240, 238, 230))
    x = rng.uniform(0.08, 0.55)
    p.rect(x, 0.15, x + 0.3, 0.48, (240, 240, 235))
    glass = (240, 150, 90) if sunset else (165, 205, 240)
    p.rect(x + 0.015, 0.17, x + 0.142, 0.46, glass)
    p.rect(x + 0.158, 0.17, x + 0.285, 0.46, glass)
    p.line(rng.uniform(0.4, 0.6), 0, rng.uniform(0.4, 0.6), 0.1, (60, 60, 60), 0.01)
    x, y, wood = rng.uniform(0.12, 0.45), rng.uniform(0.62, 0.7), vary((110, 70, 40), rng)
    p.rect(x, y, x + 0.38, y + 0.035, wood)
    for dx in (0.02, 0.33):
        p.rect(x + dx, y, x + dx + 0.03, 0.93, wood * 0.85)
    x, cloth = (
        rng.uniform(0.6, 0.7),
        vary(rng.choice([(60, 90, 140), (150, 50, 50), (80, 120, 80)]), rng),
    )
    p.rect(x, 0.52, x + 0.28, 0.86, cloth)
    p.rect(x - 0.03, 0.66, x + 0.31, 0.88, cloth * 0.8)


def pitch(p: Pad, sunset: bool) -> None:
    rng = p.rng
    horizon = rng.uniform(0.28, 0.38)
    p.sky(horizon * 0.6, sunset)
    p.ramp(horizon * 0.55, horizon, vary((110, 110, 125), rng), vary((80, 80, 100), rng))
    p.texture(horizon * 0.55, horizon, 45)
    bands = 8
    for k in range(bands):
        green = np.array((50, 145, 55)) * (1.12 if k % 2 else 0.95)
        p.rect(k / bands, horizon, (k + 1) / bands, 1, vary(green, rng, 3))
    white, mid = (240, 245, 240), rng.uniform(0.4, 0.6)
    p.rect(0, horizon + 0.04, 1, horizon + 0.055, white)
    p.line(mid, horizon + 0.05, mid + rng.uniform(-0.08, 0.08), 1, white, 0.018)
    cv2.ellipse(
        p.image,
        (round(mid * p.w), round((horizon + 0.4) * p.h)),
        (round(0.17 * p.w), round(0.14 * p.h)),
        0,
        0,
        360,
        white,
        1,
        cv2.LINE_AA,
    )
    for x in (0.06, 0.82):
        g = x + rng.uniform(-0.03, 0.03)
        p.line(g, horizon + 0.16, g, horizon, white, 0.018)
        p.line(g + 0.12, horizon + 0.16, g + 0.12, horizon, white, 0.018)
        p.line(g, horizon, g + 0.12, horizon, white, 0.018)


def railway(p: Pad, sunset: bool) -> None:
    rng = p.rng
    horizon, vanish = rng.uniform(0.32, 0.46), rng.uniform(0.4, 0.6)
    p.sky(horizon, sunset)
    p.ground(horizon, rng.choice([(110, 130, 75), (135, 120, 95), (95, 110, 80)]))
    p.poly(
        [
            (vanish - 0.015, horizon),
            (vanish + 0.015, horizon),
            (vanish + 0.5, 1),
            (vanish - 0.5, 1),
        ],
        vary((130, 122, 115), rng, 6),
    )
    for k in range(12):
        t = ((k + 1) / 12) ** 1.9
        y = horizon + t * (1 - horizon)
        p.rect(vanish - 0.38 * t, y - 0.035 * t, vanish + 0.38 * t, y, vary((85, 60, 45), rng, 4))
    for side in (-1, 1):
        p.poly(
            [
                (vanish + side * 0.005, horizon),
                (vanish + side * 0.3, 1),
                (vanish + side * 0.255, 1),
            ],
            (205, 210, 215),
        )
    x = vanish + rng.choice([-1, 1]) * rng.uniform(0.25, 0.38)
    p.line(x, horizon + 0.3, x, horizon - 0.25, (70, 70, 75), 0.015)
    p.line(x, horizon - 0.22, vanish, horizon - 0.2, (70, 70, 75), 0.012)


def bridge(p: Pad, sunset: bool) -> None:
    rng = p.rng
    horizon, deck = rng.uniform(0.42, 0.5), rng.uniform(0.36, 0.44)
    p.sky(horizon, sunset)
    p.ground(horizon, (80, 130, 70))
    water = rng.uniform(0.66, 0.72)
    p.poly([(0.2, horizon), (0.8, horizon), (1.15, 1), (-0.15, 1)], vary((60, 115, 150), rng))
    p.texture(water, 1, 8, 4)
    stone = vary(rng.choice([(165, 155, 140), (140, 135, 130), (170, 125, 100)]), rng)
    p.rect(0, deck, 1, water, stone)
    p.rect(0, deck - 0.035, 1, deck + 0.01, stone * 0.75)
    arches = int(rng.integers(2, 5))
    hole = vary((70, 110, 130), rng, 6)
    for k in range(arches):
        x, r = (k + 0.5) / arches, 0.4 / arches
        t = np.linspace(math.pi, 2 * math.pi, 20)
        top = np.stack([x + r * np.cos(t), water + (water - deck - 0.05) * np.sin(t)], 1)
        p.poly(top, hole)
    p.rect(0, water, 1, water + 0.02, hole * 0.8)


DRAW = [meadow, city, road, forest, beach, mountains, desert, boat, room, pitch, railway, bridge]


def draw_place(
    height: int, width: int, rng: Rng, place: int, sunset: bool = False
) -> tuple[np.ndarray, dict]:
    """One place (1-based index), and what is true of it."""
    pad = Pad(height, width, rng)
    DRAW[place - 1](pad, sunset)
    if rng.random() < 0.5:
        pad.image = np.ascontiguousarray(pad.image[:, ::-1])
    gain = rng.uniform(0.85, 1.12)
    image = np.clip(pad.image * gain, 0, 255).astype(np.uint8)
    return image, dict(group=lx.PLACES, place=place, time=lx.SUNSET if sunset else 0)
