# SPDX-License-Identifier: LGPL-2.1-or-later
"""Data sets for pe-eval, drawn from a seed, and the metrics computed anew.

Needs Python alone: the vectors come from pe-embed, and the rest is sums.
"""

import json
import math
import random
import struct
import subprocess
import zlib

COLOURS = {"red": (220, 30, 30), "green": (30, 180, 40),
           "blue": (30, 60, 220), "yellow": (240, 220, 30)}
SHAPES = {
    "circle": lambda x, y, r: x * x + y * y <= r * r,
    "square": lambda x, y, r: max(abs(x), abs(y)) <= r,
    "triangle": lambda x, y, r: -r <= y <= r and 2 * abs(x) <= y + r,
}
NAMES = [f"{colour} {shape}" for shape in SHAPES for colour in COLOURS]


# ---- Pictures --------------------------------------------------------------

def draw(name, rng, side=48):
    """The bytes [side, side, 3] of "red circle", somewhere."""
    colour, shape = name.split()
    back = rng.choice([(255, 255, 255), (0, 0, 0), (128, 128, 128)])
    r = rng.randint(side // 8, side // 3)
    cx, cy = rng.randint(r, side - r), rng.randint(r, side - r)
    inside, fore = SHAPES[shape], COLOURS[colour]
    return b"".join(bytes(fore if inside(x - cx, y - cy, r) else back)
                    for y in range(side) for x in range(side))


def write_png(path, pixels, side=48):
    def chunk(kind, data):
        return (struct.pack(">I", len(data)) + kind + data
                + struct.pack(">I", zlib.crc32(kind + data)))
    rows = b"".join(b"\0" + pixels[y * side * 3:(y + 1) * side * 3]
                    for y in range(side))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(rows, 1)) + chunk(b"IEND", b""))


def write_avi(path, frames, side=48):
    """Without compression, which every demuxer knows."""
    def chunk(kind, data):
        return kind + struct.pack("<I", len(data)) + data + b"\0" * (
            len(data) % 2)

    def listing(kind, data):
        return chunk(b"LIST", kind + data)

    def turn(pixels):  # to BGR, the lowest row first
        rows = (pixels[y * side * 3:(y + 1) * side * 3]
                for y in reversed(range(side)))
        return b"".join(row[i + c:i + c + 1] for row in rows
                        for i in range(0, len(row), 3) for c in (2, 1, 0))
    size, n = side * side * 3, len(frames)
    avih = struct.pack("<14I", 100000, size * 10, 0, 0x10, n, 0, 1, size, side,
                       side, 0, 0, 0, 0)
    strh = b"vidsDIB " + struct.pack("<IHHIIIIIIIIHHHH", 0, 0, 0, 0, 1, 10, 0,
                                     n, size, 0xffffffff, 0, 0, 0, side, side)
    strf = struct.pack("<IiiHHIIiiII", 40, side, side, 1, 24, 0, size, 0, 0, 0,
                       0)
    movi = b"".join(chunk(b"00db", turn(f)) for f in frames)
    index = b"".join(b"00db" + struct.pack("<III", 0x10, 4 + i * (size + 8),
                                           size) for i in range(n))
    body = (b"AVI " + listing(b"hdrl", chunk(b"avih", avih) + listing(
        b"strl", chunk(b"strh", strh) + chunk(b"strf", strf)))
        + listing(b"movi", movi) + chunk(b"idx1", index))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)


# ---- Vectors ---------------------------------------------------------------

def to_f32(values):
    """Nine digits are enough for an f32, once they are one again."""
    return struct.unpack(f"<{len(values)}f", struct.pack(f"<{len(values)}f",
                                                         *values))


def embed(program, texts=(), images=(), videos=()):
    """(kind, text or path) -> unit vector, by pe-embed."""
    args = [a for t in texts for a in ("-t", t)]
    args += [a for p in images for a in ("-i", str(p))]
    args += [a for p in videos for a in ("-v", str(p))]
    out = subprocess.run([program, *args], capture_output=True, text=True,
                         check=True).stdout
    lines = map(json.loads, out.splitlines())
    return {(o["type"], o.get("text", o.get("path"))): to_f32(o["embedding"])
            for o in lines}


def dot(a, b):
    return math.fsum(x * y for x, y in zip(a, b))


def mean_unit(vectors):
    mean = [math.fsum(column) / len(vectors) for column in zip(*vectors)]
    length = math.sqrt(dot(mean, mean))
    return [x / length for x in mean]


def mean_units(vectors):
    """Of unit vectors, and not made one, as in the reference's retrieval."""
    return to_f32([math.fsum(column) / len(vectors)
                   for column in zip(*vectors)])


# ---- Metrics ---------------------------------------------------------------

def softmax(scores, scale):
    top = max(scores)
    powers = [math.exp(scale * (s - top)) for s in scores]
    return [p / math.fsum(powers) for p in powers]


def order(scores):
    """The numbers of the scores, the best first, ties as they stand."""
    return sorted(range(len(scores)), key=lambda i: -scores[i])


def auroc(positives, negatives):
    won = sum((p > n) + (p == n) / 2 for p in positives for n in negatives)
    return won / (len(positives) * len(negatives))


def bins_of(confidences, right, n_bins=15):
    """(n, mean confidence, accuracy) of each bin."""
    found = [[] for _ in range(n_bins)]
    for confidence, ok in zip(confidences, right):
        at = min(max(math.ceil(confidence * n_bins) - 1, 0), n_bins - 1)
        found[at].append((confidence, ok))
    return [(len(b), math.fsum(c for c, _ in b) / len(b),
             sum(ok for _, ok in b) / len(b)) if b else (0, None, None)
            for b in found]


def classify(vectors, truth, classes, scale):
    """The figures of a report, from unit vectors and numbers of classes."""
    scale, = to_f32([scale])
    scores = [[dot(v, c) for c in classes] for v in vectors]
    orders = [order(s) for s in scores]
    chances = [softmax(s, scale) for s in scores]
    n, numbers = len(truth), range(len(classes))
    right = [o[0] == t for o, t in zip(orders, truth)]
    bins = bins_of([max(p) for p in chances], right)
    each = []
    for c in numbers:
        mine = [ok for ok, t in zip(right, truth) if t == c]
        positives = [p[c] for p, t in zip(chances, truth) if t == c]
        others = [p[c] for p, t in zip(chances, truth) if t != c]
        each.append((len(mine), sum(mine) / len(mine) if mine else None,
                     auroc(positives, others) if mine and others else None))
    recalls = [r for _, r, _ in each if r is not None]
    areas = [a for _, _, a in each if a is not None]
    return {
        "top1": sum(right) / n,
        "top5": sum(t in o[:5] for o, t in zip(orders, truth)) / n,
        "mean-per-class-recall": sum(recalls) / len(recalls),
        "auroc-macro": math.fsum(areas) / len(areas),
        "auroc-micro": auroc(
            [p[t] for p, t in zip(chances, truth)],
            [p[c] for p, t in zip(chances, truth) for c in numbers if c != t]),
        "ece": math.fsum(abs(a - c) * k for k, c, a in bins if k) / n,
        "reliability": bins,
        "per-class": each,
        "confusion": sorted([t, o[0], sum(
            u == t and p[0] == o[0] for p, u in zip(orders, truth))]
            for t, o in {(t, o[0]): (t, o)
                         for o, t in zip(orders, truth)}.values()),
    }


def retrieve(items, texts, owners):
    """Shares of right answers among the first k, both ways.

    owners has the number of its item for each text.
    """
    scores = [[dot(t, i) for i in items] for t in texts]
    by_text = [order(s) for s in scores]
    by_item = [order([s[i] for s in scores]) for i in range(len(items))]
    found = {}
    for k in (1, 5, 10):
        found["text-to-item", f"recall-{k}"] = sum(
            own in o[:k] for o, own in zip(by_text, owners)) / len(texts)
        found["item-to-text", f"recall-{k}"] = sum(
            any(owners[t] == i for t in o[:k])
            for i, o in enumerate(by_item)) / len(items)
    return found


def same(found, expected):
    """Are they equal to the last digit that is printed?"""
    if found is None or expected is None:
        return found is expected
    return f"{found:.9g}" == f"{expected:.9g}"


def new_rng(seed):
    return random.Random(seed)
