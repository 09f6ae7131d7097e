#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Is what is there found, and what is not, not? bench/archive_decision.py PE_EMBED

Pictures that models/train draws, of which all is known, make small archives; the
demo model's words are looked for in them. One half of pictures and words is for
choosing (--half 0), the other for reporting (--half 1). Prints a table in Markdown.
Needs NumPy, Pillow and OpenCV.
"""

import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile

import numpy as np
from PIL import Image

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "models" / "train"), str(ROOT / "bench"),
                str(ROOT / "tests" / "archive")]
import archive_truth  # noqa: E402
import captions  # noqa: E402
import lexicon  # noqa: E402
import sampler  # noqa: E402

N_PICTURES, N_ARCHIVES = 600, 100
SIZES = (3, 8, 20)  # pictures of an archive
N_NULL = 36  # of the everyday texts; the others are rivals alone
SCALE = 29.5  # of the demo model
CLEAR, COND = lexicon.COND["clear"], lexicon.INDEX["cond"]


def draw(folder, rng):
    """[n, attributes]; every second picture has no defect"""
    rows = []
    for i in range(N_PICTURES):
        size = sampler.SIZES[rng.integers(len(sampler.SIZES))]
        if i % 2:
            image, row = sampler.sample(rng, size)
        else:
            image, known = (sampler.sample_place(*size, rng, "clear")
                            if rng.random() < .65 else
                            sampler.sample_objects(*size, rng))
            row = captions.claim(**known)
        Image.fromarray(np.ascontiguousarray(image)).save(
            f"{folder}/{i:04}.png")
        rows.append([int(value) for value in row])
    return np.array(rows)


def make_queries():
    """(half, text, claim; None: nothing that the model has seen)"""
    rows = []

    def add(half, text, **known):
        rows.append((half % 2, text, captions.claim(**known)))
    for i, ways in enumerate(lexicon.PLACE, 1):
        for text in [*ways, captions.article(lexicon.PLACE_NOUN[i - 1])]:
            add(i, text, place=i)
        add(i, ways[0] + " at sunset", place=i, time=lexicon.SUNSET)
        for name in "rain", "night", "fog":
            add(i, lexicon.WITH_PLACE[name][0].format(ways[0]), place=i,
                cond=lexicon.COND[name])
    for name, ways in lexicon.CONDITIONS.items():
        for text in ways[:5]:
            add(lexicon.COND[name], text, cond=lexicon.COND[name])
    n = 0
    for i, (shape, *_) in enumerate(lexicon.SHAPES, 1):
        for k, (colour, *_) in enumerate(lexicon.COLOURS, 1):
            n += 1
            add(n, captions.article(f"{colour} {shape}"), shape=i, colour=k,
                count=1)
            if n % 3 == 0:
                add(n, f"two {colour} {captions.plural(shape)}", shape=i,
                    colour=k, count=2)
        for text in lexicon.SHAPES[i - 1]:
            add(i, captions.article(text), shape=i)
    for group, ways in lexicon.GROUP_PHRASES.items():
        for text in ways:
            add(group, text, group=group)
    unknown = archive_truth.UNKNOWN + archive_truth.UNKNOWN_HELD_OUT
    return rows + [(i % 2, text, None) for i, text in enumerate(unknown)]


def embed(program, option, items):
    rows = []
    for i in range(0, len(items), 100):
        args = [arg for item in items[i:i + 100] for arg in (option, item)]
        done = subprocess.run([program, "--json", *args], check=True,
                              capture_output=True, text=True)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        rows += [line["embedding"] for line in lines if "embedding" in line]
    rows = np.array(rows)
    assert len(rows) == len(items)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


# ---- Ways to decide: [queries, frames] scores, and from which on it is there --

def make_null(best):
    """Of the best value of each everyday text, as null.c does."""
    best = np.sort(best)
    middle, low = best[len(best) // 2], best[:len(best) // 2]
    return middle, max(np.sqrt(((middle - low) ** 2).mean()), .02)


def by_null(texts, every, frames):
    middle, spread = make_null((every[:N_NULL] @ frames.T).max(axis=1))
    return (texts @ frames.T - middle) / spread


def by_rivals(texts, every, frames):
    cosines, rivals = texts @ frames.T, every @ frames.T
    odds = np.empty_like(cosines)
    for i, same in enumerate(texts @ every.T >= .9):
        values = SCALE * rivals[~same]
        most = values.max(axis=0)
        odds[i] = SCALE * cosines[i] - most - np.log(
            np.exp(values - most).sum(axis=0))
    return by_null(texts, every, frames) + (np.minimum(odds, 2) + 1) / 2


def by_corrected(texts, every, frames, with_deviation=True):
    """Each frame's cosines from their mean, in deviations, over the texts."""
    values = every[:N_NULL] @ frames.T
    mean = values.mean(axis=0)
    deviation = values.std(axis=0) if with_deviation else 1
    middle, spread = make_null(((values - mean) / deviation).max(axis=1))
    return ((texts @ frames.T - mean) / deviation - middle) / spread


WAYS = {
    "null alone": (by_null, (2, 2.5)),
    "null and rivals": (by_rivals, (2.5,)),
    "corrected by mean": (lambda *x: by_corrected(*x, False), (2, 2.5)),
    "corrected by mean and deviation": (by_corrected, (2, 2.5)),
}


def find_kinds(claims, attrs):
    """Per query: "there", "in a defective picture", "absent" or "unknown" """
    true = (claims[:, None] == 0) | (claims[:, None] == attrs[None])
    true = true.all(axis=2)
    good = true & ((attrs[:, COND] == CLEAR)[None] | (claims[:, COND] > 0)[
        :, None] | (attrs[:, 0] > lexicon.PLACES)[None])
    return true, np.select(
        [claims[:, 0] < 0, good.any(axis=1), true.any(axis=1)],
        ["unknown", "there", "in a defective picture"], "absent")


KINDS = "there", "in a defective picture", "absent", "unknown"


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("pe_embed")
    parser.add_argument("--half", type=int, default=1)
    parser.add_argument("--seed", type=int, default=77)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    source = (ROOT / "pipelines" / "search" / "null.c").read_text()
    every = re.findall(r'^    "(.*)",$', source, re.MULTILINE)
    queries = [q for q in make_queries() if q[0] == options.half]
    with tempfile.TemporaryDirectory() as folder:
        attrs = draw(folder, rng)
        frames = embed(options.pe_embed, "--image",
                       sorted(map(str, pathlib.Path(folder).iterdir())))
    texts = embed(options.pe_embed, "--text", [q[1] for q in queries])
    every = embed(options.pe_embed, "--text", every)
    claims = np.array([q[2] or [-1] * attrs.shape[1] for q in queries])
    pool = np.flatnonzero(np.arange(N_PICTURES) % 4 // 2 == options.half)
    counts = {}  # way, limit, kind -> found, of; "first" -> right, of
    for _ in range(N_ARCHIVES):
        rows = rng.choice(pool, rng.choice(SIZES), replace=False)
        true, kinds = find_kinds(claims, attrs[rows])
        for name, (way, limits) in WAYS.items():
            scores = way(texts, every, frames[rows])
            for limit in limits:
                found = scores.max(axis=1) >= limit
                first = true[np.arange(len(true)), scores.argmax(axis=1)]
                for kind in KINDS:
                    count = counts.setdefault((name, limit, kind), [0, 0])
                    count[0] += found[kinds == kind].sum()
                    count[1] += (kinds == kind).sum()
                count = counts.setdefault((name, limit, "first"), [0, 0])
                count[0] += first[kinds == "there"].sum()
                count[1] += (kinds == "there").sum()
    print("| found, in % | from | " + " | ".join(KINDS)
          + " | first is right |\n|---|--:|" + "--:|" * (len(KINDS) + 1))
    for name, (_, limits) in WAYS.items():
        for limit in limits:
            print(f"| {name} | {limit} | " + " | ".join(
                f"{100 * n / of:.1f}" for n, of in (
                    counts[name, limit, kind] for kind in (*KINDS, "first")))
                + " |")
    print("\nQueries: " + ", ".join(
        f"{counts['null alone', 2, kind][1]} {kind}" for kind in KINDS) + ".")


if __name__ == "__main__":
    main()
