# SPDX-License-Identifier: LGPL-2.1-or-later
"""Draw the training set into two memory-mapped arrays.

usage: python3 make_data.py --out FOLDER [--count N] [--workers N] [--seed N]
                            [--pictures FOLDER [--real SHARE]]

Writes images.npy, uint8 [n, size, size, 3], and attrs.npy, uint8 [n, attributes].
Two fifths of the pictures went through JPEG, a fifth through real H.264. With
--pictures (see pictures.py), a SHARE of the pictures are real scenes, in order
and with faults.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

import codec
import lexicon as lx
import real
import sampler
from captions import claim

SIZE = 96
GROUP = 64  # pictures of one source size, encoded together

# Patterns of videotestsrc and what they are; extra properties after the name.
PATTERNS: list[tuple[str, str, dict]] = [
    *[
        (p, "", dict(group=lx.CARDS, cond=lx.COND["colour bars"]))
        for p in ("smpte", "smpte75", "smpte100", "smpte-rp-219")
    ],
    ("circular", "", dict(group=lx.CARDS, cond=lx.COND["rings"])),
    ("zone-plate", "kx2=12 ky2=12 kt=2", dict(group=lx.CARDS, cond=lx.COND["rings"])),
    ("pinwheel", "", dict(group=lx.CARDS, cond=lx.COND["spokes"])),
    ("spokes", "", dict(group=lx.CARDS, cond=lx.COND["spokes"])),
    ("gradient", "", dict(group=lx.CARDS, cond=lx.COND["gradient"])),
    ("snow", "", dict(group=lx.STATIC, cond=lx.COND["static noise"])),
    ("black", "", dict(group=lx.BLANK, cond=lx.COND["black"])),
    ("white", "", dict(group=lx.BLANK, cond=lx.COND["white"])),
    ("red", "", dict(group=lx.BLANK, cond=lx.COND["flat colour"], flat=1)),
    ("green", "", dict(group=lx.BLANK, cond=lx.COND["flat colour"], flat=2)),
    ("blue", "", dict(group=lx.BLANK, cond=lx.COND["flat colour"], flat=3)),
]
PATTERN_SIZES = [(240, 320), (360, 640)]
PATTERN_FRAMES = 12


def squash(image: np.ndarray, size: int = SIZE) -> np.ndarray:
    """The product's preprocessing: to a square, antialiased bilinear."""
    return np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR))


def jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    ok, data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert ok
    return cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1]


PICTURES: list[np.ndarray] = []  # of the real scenes, in every worker


def use_pictures(folder: Path | None) -> None:
    cv2.setNumThreads(1)
    PICTURES.extend(real.load(folder) if folder else [])


def draw_group(job: tuple[int, float]) -> tuple[np.ndarray, np.ndarray]:
    """GROUP pictures of a seed and their attributes, after their codec; real
    scenes with the chance of the job."""
    seed, share = job
    rng = np.random.default_rng(seed)
    if share and rng.random() < share:
        size = real.SIZES[rng.integers(len(real.SIZES))]
        pairs = [real.sample(rng, PICTURES, size) for _ in range(GROUP)]
    else:
        size = sampler.SIZES[rng.integers(len(sampler.SIZES))]
        pairs = [sampler.sample(rng, size) for _ in range(GROUP)]
    images = np.stack([image for image, _ in pairs])
    if rng.random() < 0.2:
        colour = (codec.LIMITED_601, codec.FULL_601, codec.LIMITED_709)[rng.integers(3)]
        images = codec.round_trip(
            images, int(rng.integers(18, 36)), int(rng.integers(1, 5)), colour
        )
    else:
        images = [jpeg(i, int(rng.integers(25, 92))) if rng.random() < 0.5 else i for i in images]
    small = np.stack([squash(np.ascontiguousarray(image)) for image in images])
    return small, np.array([attrs for _, attrs in pairs], np.uint8)


def draw_patterns() -> tuple[np.ndarray, np.ndarray]:
    images, attrs = [], []
    for name, extra, known in PATTERNS:
        for height, width in PATTERN_SIZES:
            frames = codec.test_pattern(name, height, width, PATTERN_FRAMES, extra)
            images += [squash(np.ascontiguousarray(frame)) for frame in frames]
            attrs += [claim(**known)] * len(frames)
    return np.stack(images), np.array(attrs, np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=160_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pictures", type=Path, help="folder with real ones to train on")
    parser.add_argument("--real", type=float, default=0.6, help="share of real scenes")
    args = parser.parse_args()
    share = args.real if args.pictures else 0
    args.out.mkdir(parents=True, exist_ok=True)
    cards, card_attrs = draw_patterns()
    groups = args.count // GROUP
    total = groups * GROUP + len(cards)
    images = np.lib.format.open_memmap(
        args.out / "images.npy", "w+", np.uint8, (total, SIZE, SIZE, 3)
    )
    attrs = np.lib.format.open_memmap(
        args.out / "attrs.npy", "w+", np.uint8, (total, len(lx.ATTRS))
    )
    images[groups * GROUP :], attrs[groups * GROUP :] = cards, card_attrs
    start = time.monotonic()
    jobs = [(args.seed * 1_000_000 + k, share) for k in range(groups)]
    with multiprocessing.Pool(args.workers, use_pictures, (args.pictures,)) as pool:
        for k, (some, known) in enumerate(pool.imap(draw_group, jobs)):
            images[k * GROUP : (k + 1) * GROUP], attrs[k * GROUP : (k + 1) * GROUP] = some, known
            if k % 100 == 99:
                rate = (k + 1) * GROUP / (time.monotonic() - start)
                print(
                    f"{(k + 1) * GROUP}/{total} pictures, {rate:.0f}/s, "
                    f"{(groups - k) * GROUP / rate:.0f} s left",
                    flush=True,
                )
    images.flush()
    attrs.flush()


if __name__ == "__main__":
    main()
