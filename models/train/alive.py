# SPDX-License-Identifier: LGPL-2.1-or-later
"""Cameras at full frame rate: a still, and all that goes on before a camera in
order, and flicker and a hunting focus. Used by evaluate_rhythm.py.

Everything works on linear light [h, w]. What happens is a function of light, of
the time since it began, in seconds, and of the share of its length that is over.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator

import cv2
import numpy as np

import faults
import real
from conditions import soft_noise

Rng = np.random.Generator
Light = np.ndarray
Change = Callable[[Light, float, float], Light]
NOISES = 32  # fields of noise that are shifted about


def patch(h: int, w: int, share: float, rng: Rng) -> tuple[slice, slice]:
    """A rectangle of this share of the picture, somewhere."""
    rows = min(h, max(2, round(h * math.sqrt(share) * rng.uniform(0.7, 1.4))))
    cols = min(w, max(2, round(share * h * w / rows)))
    y, x = rng.integers(h - rows + 1), rng.integers(w - cols + 1)
    return slice(y, y + rows), slice(x, x + cols)


# ---- What is in order


def cloud(h: int, w: int, rng: Rng) -> Change:
    depth, shape = rng.uniform(0.1, 0.6), soft_noise(h, w, 4, rng)
    return lambda light, s, part: light * (1 - depth * math.sin(math.pi * part) * shape)


def lamp(h: int, w: int, rng: Rng) -> Change:
    """Switched on, and off at the end."""
    more = rng.uniform(0.2, 2) * (soft_noise(h, w, 3, rng) if rng.random() < 0.6 else 1)
    return lambda light, s, part: light * (1 + more)


def exposure(h: int, w: int, rng: Rng) -> Change:
    """The control sets another gain, and settles within some seconds."""
    factor, speed = math.exp(rng.uniform(-1, 1)), rng.uniform(0.5, 2)
    return lambda light, s, part: light * factor ** math.exp(-s * speed)


def car(h: int, w: int, rng: Rng) -> Change:
    rows, cols = round(h * rng.uniform(0.1, 0.5)), round(w * rng.uniform(0.1, 0.6))
    top, level, way = rng.integers(h - rows), rng.uniform(0.01, 0.6), rng.choice([-1, 1])

    def pass_by(light: Light, s: float, part: float) -> Light:
        part = part if way > 0 else 1 - part
        left = round(part * (w + cols)) - cols
        out = light.copy()
        out[top : top + rows, max(0, left) : max(0, left + cols)] = level
        return out

    return pass_by


def headlights(h: int, w: int, rng: Rng) -> Change:
    y, radius, more = rng.uniform(0.3, 0.9) * h, rng.uniform(0.1, 0.5) * w, rng.uniform(0.3, 3)
    rows = np.exp(-(((np.arange(h) - y) / radius) ** 2))[:, None].astype(np.float32)
    way = rng.choice([-1, 1])

    def sweep(light: Light, s: float, part: float) -> Light:
        x = (part if way > 0 else 1 - part) * (w + 2 * radius) - radius
        glow = rows * np.exp(-(((np.arange(w) - x) / radius) ** 2)).astype(np.float32)
        return light * (1 + more * glow) + 0.05 * more * glow**4

    return sweep


def blinker(h: int, w: int, rng: Rng) -> Change:
    place, rate = patch(h, w, rng.uniform(0.005, 0.06), rng), rng.uniform(0.8, 4)

    def blink(light: Light, s: float, part: float) -> Light:
        out = light.copy()
        out[place] += 0.5 * (s * rate % 1 < 0.5)
        return out

    return blink


def screen(h: int, w: int, rng: Rng) -> Change:
    """A television: cuts, and what moves between them; a little of it lights the room."""
    place, seed = patch(h, w, rng.uniform(0.03, 0.2), rng), int(rng.integers(1 << 30))
    rate, glow = rng.uniform(0.3, 3), rng.uniform(0, 0.03)

    def show(light: Light, s: float, part: float) -> Light:
        shot = np.random.default_rng(seed + int(s * rate))
        level, detail = shot.uniform(0.02, 0.8), shot.random((3, 4)).astype(np.float32)
        out = light * (1 + glow * level)
        rows, cols = out[place].shape
        detail = np.roll(cv2.resize(detail, (cols, rows)), int(s * 20), 1)
        out[place] = level * (0.3 + detail)
        return out

    return show


def lightning(h: int, w: int, rng: Rng) -> Change:
    strokes = rng.uniform(0, 1, rng.integers(1, 5))
    more = rng.uniform(0.5, 6)
    return lambda light, s, part: light * (
        1 + more * sum(math.exp(-12 * (s - at)) for at in strokes if s >= at)
    )


def people(h: int, w: int, rng: Rng) -> Change:
    n = rng.integers(1, 9)
    size = rng.uniform(0.1, 0.7, n) * h
    x, y, speed = rng.uniform(0, w, n), rng.uniform(0.2, 1, n) * h, rng.normal(0, 0.12, n) * w
    clothes = [soft_noise(16, 8, 4, rng) * rng.uniform(0.02, 0.7) for _ in range(n)]

    def walk(light: Light, s: float, part: float) -> Light:
        out = light.copy()
        for k in range(n):
            high, wide = int(size[k]) + 2, int(size[k] * 0.35) + 2
            left = int(x[k] + speed[k] * s) % (w + wide) - wide
            top = int(y[k] - size[k] * 0.7 + 1.5 * math.sin(9 * s + k))
            place = slice(max(0, top), max(0, top + high)), slice(max(0, left), left + wide)
            rows, cols = out[place].shape if left + wide > 0 else (0, 0)
            if rows and cols:
                out[place] = cv2.resize(clothes[k], (wide, high))[:rows, -cols:]
        return out

    return walk


def rain(h: int, w: int, rng: Rng) -> Change:
    n, long, bright = rng.integers(20, 150), rng.integers(3, 2 + h // 10), rng.uniform(0.02, 0.2)
    seed = np.random.default_rng(int(rng.integers(1 << 30)))

    def fall(light: Light, s: float, part: float) -> Light:
        out = light.copy()
        y, x = seed.integers(h - long, size=n), seed.integers(w, size=n)
        for k in range(long):
            out[y + k, x] += bright
        return out

    return fall


def pan(h: int, w: int, rng: Rng) -> Change:
    """Away and back, once; or, as on patrol, to and fro, with a rest at each end."""
    turns = 1 if rng.random() < 0.8 else rng.integers(2, 5)
    reach, rest = rng.uniform(0.2, 0.9) * w, rng.uniform(0.1, 0.8)

    def turn(light: Light, s: float, part: float) -> Light:
        phase = part * turns % 1
        swing = float(np.clip((0.5 - abs(phase - 0.5)) * 2 / (1 - rest), 0, 1))
        return np.roll(light, round(reach * swing), 1)

    return turn


def drift(h: int, w: int, rng: Rng) -> Change:
    """Focus that is lost over minutes, as by warmth."""
    radius = h * rng.uniform(0.01, 0.04)
    return lambda light, s, part: defocus(light, radius * math.sin(math.pi * part))


def refocus(h: int, w: int, rng: Rng) -> Change:
    """A focus that searches once."""
    radius = h * rng.uniform(0.02, 0.06)
    return lambda light, s, part: defocus(light, radius * math.sin(math.pi * part))


def gust(h: int, w: int, rng: Rng) -> Change:
    """Wind shakes the mast."""
    seed, far = np.random.default_rng(int(rng.integers(1 << 30))), rng.uniform(0.2, 1) * w / 160

    def shake(light: Light, s: float, part: float) -> Light:
        dy, dx = seed.normal(0, far * math.sin(math.pi * part), 2)
        moved = np.roll(light, (round(dy), round(dx)), (0, 1))
        blur = max(1, round(abs(dx))) | 1
        return cv2.blur(moved, (blur, 1)) if blur > 1 else moved

    return shake


@dataclasses.dataclass
class Kind:
    make: Callable[[int, int, Rng], Change]
    every: float  # seconds between two, in the mean
    shortest: float
    longest: float
    rest: float = 0  # seconds between two, at least


KINDS = {
    "cloud": Kind(cloud, 60, 4, 60),
    "lamp": Kind(lamp, 120, 1, 200),
    "exposure": Kind(exposure, 120, 5, 8),
    "car": Kind(car, 8, 0.6, 4),
    "headlights": Kind(headlights, 20, 0.8, 4),
    "blinker": Kind(blinker, 120, 5, 60),
    "screen": Kind(screen, 300, 30, 200),
    "lightning": Kind(lightning, 300, 2, 2),
    "people": Kind(people, 20, 3, 20),
    "rain": Kind(rain, 600, 30, 200),
    "pan": Kind(pan, 240, 4, 40),
    "drift": Kind(drift, 600, 60, 400),
    "refocus": Kind(refocus, 240, 0.6, 3, 15),  # what searches again soon, hunts
    "gust": Kind(gust, 300, 5, 30),
}


# ---- What is not


def bands(h: int, w: int, rng: Rng) -> Change:
    """Lamps on the mains before a sensor that reads row after row."""
    depth, count, rate = rng.uniform(0.12, 0.5), rng.uniform(0.5, 3), rng.uniform(0.5, 6)
    rows = 2 * math.pi * count * np.arange(h, dtype=np.float32)[:, None] / h
    return lambda light, s, part: light * (1 + depth * np.sin(rows + 2 * math.pi * rate * s))


def hunting_exposure(h: int, w: int, rng: Rng) -> Change:
    factor, period = rng.uniform(0.15, 0.6), rng.uniform(0.3, 2)
    return lambda light, s, part: light * math.exp(factor * math.sin(2 * math.pi * s / period))


def failing_lamp(h: int, w: int, rng: Rng) -> Change:
    """On and off without order, and never quite off."""
    times = np.cumsum(rng.exponential(rng.uniform(0.1, 0.4), 4000))
    low = rng.uniform(0.3, 0.8)
    return lambda light, s, part: light * (low if np.searchsorted(times, s) % 2 else 1)


def hunting_focus(h: int, w: int, rng: Rng) -> Change:
    radius = h * rng.uniform(0.028, 0.07)  # faults.defocus() from a quarter to all
    period = math.exp(rng.uniform(math.log(0.5), math.log(6)))
    return lambda light, s, part: defocus(
        light, radius * (1 - math.cos(2 * math.pi * s / period)) / 2
    )


FAULTS = {
    "bands": (bands, "flicker"),
    "exposure": (hunting_exposure, "flicker"),
    "failing lamp": (failing_lamp, "flicker"),
    "focus": (hunting_focus, "hunting"),
}


def defocus(light: Light, radius: float) -> Light:
    return faults.defocused(light, radius) if radius > 0.3 else light


# ---- Cameras


@dataclasses.dataclass
class Going:
    name: str
    change: Change
    begin: float
    length: float

    def on(self, light: Light, now: float) -> Light:
        return self.change(light, now - self.begin, (now - self.begin) / self.length)


class Camera:
    """A still of [h, w] at `fps` frames a second, with what happens before it."""

    def __init__(self, scene: np.ndarray, size: tuple[int, int], fps: int, rng: Rng) -> None:
        h, w = self.size = size
        crop = real.crop([scene], h, w, rng)
        self.light = faults.to_light(crop).mean(axis=2, dtype=np.float32)
        self.fps, self.rng = fps, rng
        self.start = rng.uniform(0, 86_400)
        sigma = rng.uniform(1, 5)
        self.noise = rng.normal(0, sigma, (NOISES, h, w)).astype(np.float32)
        # Of an encoder, for frames that go through none.
        self.key, self.lost, self.gains = rng.integers(fps, 4 * fps), 0.0, rng.random() < 0.5
        self.going: list[Going] = []
        self.went: list[Going] = []
        self.next = {name: rng.exponential(kind.every) for name, kind in KINDS.items()}

    def begin(self, now: float) -> None:
        self.going = [g for g in self.going if now < g.begin + g.length]
        for name, at in self.next.items():
            if now < at:
                continue
            kind = KINDS[name]
            length = math.exp(self.rng.uniform(math.log(kind.shortest), math.log(kind.longest)))
            going = Going(name, kind.make(*self.size, self.rng), now, length)
            self.going.append(going)
            self.went.append(going)
            self.next[name] = now + length + kind.rest + self.rng.exponential(kind.every)

    def near(self, now: float) -> list[Going]:
        """What went on in the 14 seconds before."""
        return [g for g in self.went if g.begin < now and g.begin + g.length > now - 14]

    def pump(self, swing: float) -> None:
        """From now on, sharpness goes up or down by this from a key frame to the next.

        swing: of the logarithm of the mean square difference of neighbours
        """
        frame = faults.from_light(self.light).astype(np.float32)
        blurred = cv2.GaussianBlur(frame, (0, 0), 1.5)
        shares = np.linspace(0, 1, 65)
        squares = [(np.diff(frame + s * (blurred - frame)) ** 2).mean() for s in shares]
        swings = np.log((squares[0] + 8) / (np.array(squares) + 8))
        self.lost = float(shares[min(np.searchsorted(swings, swing), 64)])

    def encode(self, frame: np.ndarray, number: int) -> np.ndarray:
        part = number % self.key / self.key
        lost = self.lost * (1 - part if self.gains else part)
        return frame + lost * (cv2.GaussianBlur(frame, (0, 0), 1.5) - frame) if lost else frame

    def frames(
        self, seconds: float, busy: bool, fault: Change | None = None, at: float = 0
    ) -> Iterator[np.ndarray]:
        for number in range(round(seconds * self.fps)):
            now = number / self.fps
            if busy:
                self.begin(now)
            day = 0.55 + 0.45 * math.sin(2 * math.pi * (self.start + now) / 86_400)
            light = self.light * np.float32(0.15 + 0.9 * day)
            for going in self.going:
                light = going.on(light, now)
            if fault and now >= at:
                light = fault(light, now - at, 0)
            frame = faults.from_light(light).astype(np.float32)
            noise = self.noise[self.rng.integers(NOISES)]
            frame += np.roll(noise, int(self.rng.integers(self.size[0])), 0)
            yield np.clip(self.encode(frame, number) + 0.5, 0, 255).astype(np.uint8)
