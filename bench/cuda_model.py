#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""How fast the CUDA module should be: a prediction from counted operations, bytes and
instructions, with every assumption printed beside it, as Markdown.

    bench/cuda_model.py                            the table
    bench/cuda_model.py --module attention.o       with attention's instructions
                                                   counted by cuobjdump -sass, which
                                                   needs nvdisasm, too

where attention.o is build/cuda's, or made for another card by "nvcc -arch=sm_90a -cubin
-std=c++17 -O3 -I. $(pkg-config --cflags glib-2.0) -o attention.o cuda/attention.cu".

Shapes are those of core/model/config.c. A card's numbers are of public data sheets and,
where they say so, measured; a prediction is good to 15 %, and a difference between
two rows to 30 % of itself. tests/gpu/run is what replaces it.
"""

import argparse
import collections
import math
import pathlib
import re
import shutil
import subprocess
import sys
import textwrap
from dataclasses import dataclass

ROOT = pathlib.Path(__file__).resolve().parents[1]
MODELS = {"B/16": "PE-Core-B16-224", "L/14": "PE-Core-L14-336",
          "G/14": "PE-Core-G14-448"}
MOST_IMAGES, MOST_ROWS = 64, 23000  # of a batch, as cuda/bucket.c


@dataclass(frozen=True)
class Card:
    """`flops` is of 16 bits a clock and multiprocessor, dense, with f32 sums, and
    `int8` of integers of 8 bits; the share of both that large products reach is
    `sustained`."""

    name: str
    sm: int  # compute capability, 75 for 7.5
    sms: int
    ghz: float
    flops: int
    int8: int
    sustained: float
    mma: float  # mma.sync's share of what the library's products reach
    memory: float  # bytes a second, a copy's, reads and writes
    cache: float  # bytes of L2 that count, of what the data sheet has
    source: str

    @property
    def word(self):
        """That of its name which no other card has."""
        return next(w for w in self.name.split() if any(c.isdigit() for c in w))

    @property
    def precisions(self):
        """What the module has there."""
        if self.sm < 80:
            return ["fp16", "int8"]
        return ["bf16", "fp8", "int8"] if self.sm >= 89 else ["bf16", "int8"]

    @property
    def rate(self):
        return self.sms * self.ghz * 1e9 * self.flops * self.sustained

    @property
    def cache_rate(self):
        return max(self.memory, CACHE_BYTES * self.sms * self.ghz * 1e9)


CARDS = [
    Card("H200", 90, 132, 1.755, 4096, 8192, 0.88, 0.62, 4.3e12, 48e6,
         "NVIDIA H200 data sheet (989 TFLOP/s, 1979 TOP/s, 4.8 TB/s); measured "
         "elsewhere: 790 TFLOP/s at 8192^3, 4.3 TB/s for a copy"),
    Card("H100 SXM", 90, 132, 1.755, 4096, 8192, 0.88, 0.62, 3.0e12, 40e6,
         "NVIDIA H100 data sheet (989 TFLOP/s, 1979 TOP/s, 3.35 TB/s); shares as for "
         "the H200"),
    Card("A100 80GB", 80, 108, 1.41, 2048, 4096, 0.88, 1.0, 1.75e12, 32e6,
         "NVIDIA A100 data sheet (312 TFLOP/s, 624 TOP/s, 2.0 TB/s); the share as for "
         "the H200"),
    Card("L4", 89, 58, 1.60, 1024, 2048, 1.0, 1.0, 0.27e12, 38e6,
         "NVIDIA L4 data sheet (121 TFLOP/s and 242 TOP/s at 2.04 GHz, 300 GB/s, 72 "
         "W): a clock that 72 W may hold is a guess"),
    Card("RTX 4090", 89, 128, 2.52, 512, 2048, 0.97, 1.0, 0.92e12, 58e6,
         "NVIDIA Ada white paper (165 TFLOP/s with f32 sums, 660 TOP/s, 1008 GB/s)"),
    Card("A10", 86, 72, 1.30, 1024, 2048, 1.0, 1.0, 0.54e12, 4.8e6,
         "NVIDIA A10 data sheet (125 TFLOP/s and 250 TOP/s at 1.70 GHz, 600 GB/s, 150 "
         "W): a clock that 150 W may hold is a guess"),
    Card("T4", 75, 40, 1.00, 1024, 2048, 1.0, 1.0, 0.24e12, 3.2e6,
         "NVIDIA T4 data sheet (65 TFLOP/s and 130 TOP/s at 1.59 GHz, 320 GB/s, 70 "
         "W): a clock that 70 W may hold is a guess"),
]


def find_card(name):
    """That of the table which a device calls itself, or None."""
    words = name.replace("-", " ").split()
    return next((card for card in CARDS if card.word in words), None)


# Each with the reason; printed with the table.
CACHE_BYTES = 20
LAUNCH_S = 1.3e-6
DEPENDENT_S = 0.65e-6
HOST_S = 70e-6
START_S = 2e-6
EPILOGUE_S = {2: 2e-6, 8: 5e-6}
GELU_S = 0.6e-6
FP8 = 1.75
OVERLAP = 0.75
INT8_SLICE = 8 << 20
INT8_SLICE_HOPPER = 32 << 20
INT8_REACHED = 0.85
TURN_CLOCKS = 54
ASSUMPTIONS = [
    "A product is cut into the tile of 128x256, 256x128, 128x128 or 64x128 (the last "
    "two at 0.93 and 0.80 of the rate) that ends first; a multiprocessor computes one "
    "at a time, all wait for the last.",
    f"A tile's end is not hidden: {EPILOGUE_S[2] * 1e6:.0f} us for 128x256 results in "
    f"16 bits, {EPILOGUE_S[8] * 1e6:.0f} us where f32 is read and written, on an H200; "
    f"elsewhere by the ratio of bandwidths a multiprocessor. A product takes "
    f"{START_S * 1e6:.0f} us to start.",
    f"GELU is the faster one of the library's ({GELU_S * 1e6:.1f} us more a tile) and "
    "a pass of ours, as the module chooses. Rotation is a pass of its own; the module "
    "takes another way where that is faster.",
    "A pass moves its bytes at 0.9 of a copy's rate; what fits into the cache with "
    f"its input moves at {CACHE_BYTES} bytes a clock and multiprocessor.",
    "Attention: what a warp's tile needs of tensor cores, of shared memory and of the "
    f"larger of issue and exp2 is added up; two warps hide {1 - OVERLAP:.0%} of it, "
    "which fits FlashAttention-2's published 318 TFLOP/s (2048 tokens of 64 channels "
    "on H100).",
    f"{LAUNCH_S * 1e6:.1f} us between two kernels of a recording, {HOST_S * 1e6:.0f} "
    "us a batch on the host, which a second batch hides; batch 1 pays it.",
    f"{DEPENDENT_S * 1e6:.2f} us instead before a kernel of ours that begins before "
    "another of ours has ended: the middle of what is told of others' (0.5 to 0.8). "
    "Behind a library's kernel, which may not let it begin, nothing is saved; and "
    "weights that a product fetches meanwhile are not counted.",
    f"fp8: the four products at {FP8} of the rate, a byte an element of their inputs, "
    "nothing for quantising.",
    "int8: the four products are the module's own, by mma.sync, in tiles of 128x128 "
    "(eight warps of 64x32) or 64x64 (four of 32x32), whichever ends first. A step "
    "of 32 columns takes the larger of what tensor cores need and what shared memory "
    "needs to take the tile's rows in and give each warp its own, at 128 bytes a "
    f"clock; {INT8_REACHED} of that is reached, which is a guess. Bias, scales, GELU "
    "and the residual are in the tile's end, which takes as long as above.",
    f"int8: before each product a pass turns rows and rounds them, {TURN_CLOCKS} "
    "clocks of a multiprocessor's path to its L1 for 256 columns of a row: 40 "
    "shuffles for five of a transform's eight steps, 14 for rows and scales. It "
    "reads two bytes a column and writes one, in slices of what fits into "
    f"{INT8_SLICE >> 20} MiB, on Hopper {INT8_SLICE_HOPPER >> 20} MiB, each with two "
    "launches. Norms, rotation and attention are those of 16 bits.",
    "Before Ampere, attention has tiles of 32 keys and instructions of half the "
    "size.",
]


# ---- Shapes and their operations ----------------------------------------------

@dataclass(frozen=True)
class Shape:
    side: int
    patch: int
    width: int
    layers: int
    heads: int
    mlp: int
    out: int
    cls: bool

    @property
    def patches(self):
        return (self.side // self.patch) ** 2

    @property
    def tokens(self):
        return self.patches + self.cls

    @property
    def head_dim(self):
        return self.width // self.heads

    def flops(self):
        """Of one image, 2 for a multiply-accumulate: products and attention."""
        n, d = self.tokens, self.width
        layer = 4 * n * d * d + 2 * n * d * self.mlp + 2 * n * n * d
        pool = 2 * n * d * d + 10 * d * d + 2 * n * d
        macs = (self.patches * d * 3 * self.patch ** 2 + self.layers * layer
                + pool + d * self.out)
        return 2 * macs


def read_shapes():
    """name -> Shape, from the table of published models."""
    text = (ROOT / "core/model/config.c").read_text()
    row = re.compile(r'\{"(PE-[\w-]+)",\s*\{(\d+), (\d+), (\d+), (\d+), (\d+), '
                     r'(\d+), (\d+), \d+, (true|false)')
    return {m[1]: Shape(*(int(m[i]) for i in range(2, 9)), cls=m[9] == "true")
            for m in row.finditer(text)}


# ---- Instructions -------------------------------------------------------------

SHORT = 16  # keys of attention's last tile, if few are left
PER_SCORE = 6.7  # other instructions for each exp2, where none were counted


def flash_variant(shape, batch, sms, sm=80):
    """(keys a tile, fragments of 16 queries a warp), as choose_flash()."""
    if sm < 80:
        return 32, 1
    blocks = math.ceil(shape.tokens / 128) * shape.heads * batch
    wide = shape.tokens > 64 and blocks >= 2 * sms
    return (64 if shape.head_dim == 64 else 32), (2 if wide else 1)


def tile_counts(dim, keys, m):
    """Of one warp and one whole tile: what its loops add up to."""
    exp2 = m * 16 * keys / 32
    mma = 2 * m * (keys / 8) * (dim / 16)
    return {"HMMA": mma, "MUFU": exp2, "LDSM": 2 * (keys / 16) * (dim / 16),
            "issued": mma + PER_SCORE * exp2}


def parse_sass(text):
    """function -> [(address, opcode)]"""
    functions, current = {}, None
    for line in text.splitlines():
        name = re.search(r"Function : (\S+)", line)
        if name:
            current = functions.setdefault(name[1], [])
        found = re.match(r"\s+/\*([0-9a-f]{4,5})\*/\s+(?:@!?U?P\w+ )?(\w+)[^;]*?"
                         r"(0x[0-9a-f]+)? ?;", line)
        if found and current is not None:
            target = int(found[3], 16) if found[3] and found[2] == "BRA" else None
            current.append((int(found[1], 16), found[2], target))
    return functions


def loop_counts(code):
    """Opcodes of the longest loop."""
    best = collections.Counter()
    for address, _, target in code:
        if target is not None and target < address:
            body = collections.Counter(op for a, op, _ in code
                                       if target <= a <= address)
            best = max(best, body, key=lambda c: sum(c.values()))
    return best


PORTABLE = r"flash_kernelI\w*Bf16Li(\d+)ELi(\d+)ELi(\d+)ELi\d+E(?!Lb1E|Lb0E6PeE4m3)"


def counted_tiles(text):
    """(head dim, keys, m) -> counts of one warp and one whole tile, of the kernels in
    a listing of cuobjdump -sass that read and write bf16 and rotate nothing."""
    found = {}
    for name, code in parse_sass(text).items():
        m = re.search(PORTABLE, name)
        loop = loop_counts(code) if m else None
        if not loop:
            continue
        key = tuple(map(int, m.groups()))
        # The loop also has the path for a short tile, and masks and rescales what
        # most tiles need not.
        share = key[1] / (key[1] + SHORT)
        rare = loop["FSEL"] + loop["FMUL"] + loop["ISETP"]
        found[key] = {op: loop[op] * share for op in ("HMMA", "MUFU", "LDSM")}
        found[key]["issued"] = (sum(loop.values()) - rare) * share
    return found


def disassemble(path):
    """The listing, or None where there is no cuobjdump."""
    tool = shutil.which("cuobjdump")
    if not tool:
        return None
    run = subprocess.run([tool, "-sass", path], capture_output=True, text=True)
    return run.stdout if run.returncode == 0 else None


# ---- Times --------------------------------------------------------------------

TILES = [(128, 256, 1), (256, 128, 1), (128, 128, 0.93), (64, 128, 0.8)]
INT8_TILES = [(128, 128, 64, 32), (64, 64, 32, 32)]  # and a warp's part of it


def int8_step(card, tile):
    """Clocks of a multiprocessor for 32 columns of both sides of a tile."""
    rows, columns, warp_rows, warp_columns = tile
    warps = rows // warp_rows * (columns // warp_columns)
    tensor = 2 * rows * columns * 32 / (card.int8 * card.sustained * card.mma)
    read = warps * (warp_rows + warp_columns) * 32
    return max(tensor, (read + (rows + columns) * 32) / 128) / INT8_REACHED


class Model:
    """Times of one model on one card, in seconds."""

    def __init__(self, card, shape, precision="bf16", tiles=None):
        self.card, self.shape, self.tiles = card, shape, tiles or {}
        self.precision = precision
        self.fp8, self.int8 = precision == "fp8", precision == "int8"

    def moving(self, size, used):
        fits = used < self.card.cache
        return size / (0.9 * (self.card.cache_rate if fits else self.card.memory))

    def main_loops(self, k):
        """(rows, columns, seconds of its sums) of each tile there is."""
        card = self.card
        if self.int8:
            return [(*tile[:2], k / 32 * int8_step(card, tile) / (card.ghz * 1e9))
                    for tile in INT8_TILES]
        rate = card.rate * (FP8 if self.fp8 else 1) / card.sms
        return [(rows, columns, 2 * rows * columns * k / (rate * share))
                for rows, columns, share in TILES]

    def product(self, m, n, k, out, gelu=False):
        """Of [m, k] x [k, n], `out` bytes a result that are written or read."""
        card, in_size = self.card, 1 if self.fp8 or self.int8 else 2
        h200 = CARDS[0]
        slower = (h200.memory / h200.sms) / (card.memory / card.sms)
        fits = m * (in_size * k + out * n) < card.cache
        if fits:
            slower = min(slower, 1)
        end = EPILOGUE_S[out] * slower + (GELU_S if gelu else 0)
        best = math.inf
        for rows, columns, sums in self.main_loops(k):
            waves = math.ceil(math.ceil(m / rows) * math.ceil(n / columns) / card.sms)
            part = rows * columns / (128 * 256)
            best = min(best, waves * (sums + end * part))
        data = m * (in_size * k + out * n)
        moved = in_size * n * k / card.memory + self.moving(data, data)
        return max(best + START_S, moved)

    def slices(self, m, k):
        """Rows of each slice that an int8 linear turns and multiplies."""
        room = INT8_SLICE_HOPPER if self.card.sm == 90 else INT8_SLICE
        fit = room // (k + 4)
        rows = m if m <= fit else fit // 128 * 128
        return [min(rows, m - first) for first in range(0, m, rows)]

    def turning(self, m, k):
        """Of rows [m, k] into integers, in slices."""
        card, total = self.card, 0
        for rows in self.slices(m, k):
            clocks = TURN_CLOCKS * math.ceil(rows * k / 256 / card.sms)
            moved = (self.moving(2 * rows * k, 2 * m * k)
                     + self.moving(rows * (k + 4), 3 * rows * k))
            total += max(moved, clocks / (card.ghz * 1e9))
        return total

    def linear(self, m, n, k, out):
        """A product of a block, without what is before it."""
        if not self.int8:
            return self.product(m, n, k, out)
        return sum(self.product(rows, n, k, out) for rows in self.slices(m, k))

    def fc1(self, m, n, k):
        if self.int8:
            return sum(self.product(rows, n, k, 2, gelu=True)
                       for rows in self.slices(m, k))
        gelu = self.moving(4 * m * n, 2 * m * n) + LAUNCH_S
        return min(self.product(m, n, k, 2) + gelu,
                   self.product(m, n, k, 2, gelu=True))

    def attention(self, batch):
        s, card = self.shape, self.card
        keys, m = flash_variant(s, batch, card.sms, card.sm)
        c = self.tiles.get((s.head_dim, keys, m)) or tile_counts(s.head_dim, keys, m)
        issued = c["issued"] + (c["HMMA"] if card.sm < 80 else 0)
        # Clocks of a quarter of a multiprocessor, for one warp's tile.
        tensor = c["HMMA"] * 4096 / (card.flops * card.sustained * card.mma / 4)
        shared = c["LDSM"] * 4 * 4  # 512 bytes each, 128 a clock for four quarters
        other = max(c["MUFU"] * 8, issued)
        per_tile = OVERLAP * (tensor + shared + other)
        whole, left = divmod(s.tokens, keys)
        tiles = whole + (0 if not left else SHORT / keys if left <= SHORT else 1)
        blocks = math.ceil(s.tokens / (64 * m)) * s.heads * batch
        clocks = tiles * per_tile + 900
        warps_a_quarter = math.ceil(blocks / card.sms)
        return warps_a_quarter * clocks / (card.ghz * 1e9) + 1.5e-6

    def layer(self, batch):
        """pass -> seconds"""
        s = self.shape
        m, d, mlp = batch * s.tokens, s.width, s.mlp
        norm_out = 1 if self.fp8 else 2
        launches, turning = 8, {}
        if self.int8:
            depths = [d, d, d, mlp]
            launches += sum(2 * len(self.slices(m, k)) - 1 for k in depths)
            turning["turning"] = sum(self.turning(m, k) for k in depths)
        return turning | {
            "norms": 2 * self.moving(m * d * (4 + norm_out), m * d * 6),
            "qkv": self.linear(m, 3 * d, d, 2),
            "rotation": self.moving(8 * m * d, 6 * m * d),
            "attention": self.attention(batch),
            "out": self.linear(m, d, d, 8),
            "fc1, GELU": self.fc1(m, mlp, d),
            "fc2": self.linear(m, d, mlp, 8),
            "launches": launches * LAUNCH_S,
        }

    def own_saving(self, batch):
        """Seconds of a layer that Hopper's own products save where they are as fast as
        the library's: both norms, less what epilogues write for them. GELU, which
        would save more, is not counted."""
        m, d = batch * self.shape.tokens, self.shape.width
        sums = 8 * m * math.ceil(d / 128)  # of tiles of 128 columns
        more = 2 * self.moving(2 * m * d + sums, 6 * m * d)
        return self.layer(batch)["norms"] + 2 * LAUNCH_S - more

    def dependents(self, batch, own):
        """Seconds of the tower without and with dependent launches. `own`: with
        Hopper's products, as fast as the library's, all six launches of a layer are
        dependent; else only attention's behind the pass that rotates counts."""
        layers = self.shape.layers
        plain = self.seconds(batch) - (layers * self.own_saving(batch) if own else 0)
        saved = layers * (6 if own else 1) * (LAUNCH_S - DEPENDENT_S)
        return plain, plain - saved

    def products(self, batch):
        """Seconds of a layer's products."""
        layer = self.layer(batch)
        return sum(layer[name] for name in ("qkv", "out", "fc1, GELU", "fc2"))

    def rest(self, batch):
        """Patches, positions, norms and the pool around the layers."""
        s = self.shape
        m, d = batch * s.tokens, s.width
        return (self.product(m, d, 3 * s.patch ** 2, 8)
                + self.moving(30 * m * d, 30 * m * d) + 12 * LAUNCH_S)

    def seconds(self, batch, host=True):
        return (self.shape.layers * sum(self.layer(batch).values())
                + self.rest(batch) + (HOST_S if host else 0))

    def rate(self, batch):
        return batch / self.seconds(batch, host=False)

    def best_batch(self):
        """The smallest whose rate is within a hundredth of the best."""
        most = max(1, min(MOST_IMAGES, MOST_ROWS // self.shape.tokens))
        rates = {b: self.rate(b) for b in range(1, most + 1)}
        best = max(rates.values())
        return next(b for b, r in rates.items() if r >= 0.99 * best)


# ---- Tables -------------------------------------------------------------------

def print_item(text):
    print(textwrap.fill(text, 88, initial_indent="* ", subsequent_indent="  ",
                        break_on_hyphens=False))


def print_assumptions(tiles, arch):
    print("## Assumptions\n")
    for text in ASSUMPTIONS:
        print_item(text)
    if tiles:
        counts = "; ".join(
            f"{d} channels, {k} keys, {16 * m} queries: "
            + ", ".join(f"{c[op]:.0f} {op}" for op in c)
            for (d, k, m), c in sorted(tiles.items()))
        print_item("Attention's instructions of a warp's tile, counted in the machine "
                   f"code for {arch}: {counts}.")
    else:
        print_item("Attention's instructions are added up from its source, with "
                   f"{PER_SCORE} for each exp2: no listing was there.")
    print("\n| card | SMs | GHz | FLOP a clock and SM | int8 | sustained | mma.sync "
          "| memory | L2 | from |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|---|")
    for c in CARDS:
        print(f"| {c.name} | {c.sms} | {c.ghz} | {c.flops} | {c.int8} | "
              f"{c.sustained:.2f} | "
              f"{c.mma:.2f} | {c.memory / 1e12:.2f} TB/s | {c.cache / 1e6:.0f} MB | "
              f"{c.source} |")


def print_rates(shapes, tiles):
    print("\n## Predicted\n\nOne image from its pixels to its embedding, and the best "
          "batch; the share is of the\ncard's sustained rate of 16 bits.\n")
    print("| card | model | | batch 1 | best batch | images/s | share |\n"
          "|---|---|---|--:|--:|--:|--:|")
    for card in CARDS:
        for model, config in MODELS.items():
            for precision in card.precisions:
                m = Model(card, shapes[config], precision, tiles)
                b = m.best_batch()
                share = m.rate(b) * shapes[config].flops() / card.rate
                print(f"| {card.name} | {model} | {precision} | "
                      f"{m.seconds(1) * 1e3:.2f} ms | {b} | {m.rate(b):.0f} | "
                      f"{share:.0%} |")


def print_layers(shapes, tiles):
    card = CARDS[0]
    models = {n: Model(card, shapes[c], "bf16", tiles) for n, c in MODELS.items()}
    sizes = {n: m.best_batch() for n, m in models.items()}
    print(f"\n## A layer on the {card.name}, microseconds in bf16\n")
    print("| | " + " | ".join(f"{n}, {sizes[n]}" for n in models) + " |")
    print("|---|" + "--:|" * len(models))
    layers = {n: m.layer(sizes[n]) for n, m in models.items()}
    for name in layers["B/16"]:
        print(f"| {name} | " + " | ".join(
            f"{layers[n][name] * 1e6:.1f}" for n in models) + " |")


def print_int8(shapes, tiles):
    print("\n## int8 beside 16 bits, microseconds of a layer\n\nAt int8's best "
          "batch: products of both and the passes that turn rows. Then how many\n"
          "times as fast a whole model is, of one image and each at its best batch.\n")
    print("| card | model | batch | products, 16 bits | int8 | turning | one image | "
          "best batch |\n|---|---|--:|--:|--:|--:|--:|--:|")
    for card in CARDS:
        for model, config in MODELS.items():
            wide, narrow = (Model(card, shapes[config], p, tiles)
                            for p in (card.precisions[0], "int8"))
            b = narrow.best_batch()
            turning = narrow.layer(b)["turning"]
            print(f"| {card.name} | {model} | {b} | {wide.products(b) * 1e6:.0f} | "
                  f"{narrow.products(b) * 1e6:.0f} | {turning * 1e6:.0f} | "
                  f"{wide.seconds(1) / narrow.seconds(1):.2f} | "
                  f"{narrow.rate(b) / wide.rate(wide.best_batch()):.2f} |")


def print_own(shapes, tiles):
    print("\n## Hopper's own products, microseconds of a layer in bf16\n\nWhat norms in "
          "the products' epilogues save where these products are as fast as the\n"
          "library's, and the share of its rate at which they stop to be worth it.\n")
    print("| card | model | batch | products | saved | worth it above |\n"
          "|---|---|--:|--:|--:|--:|")
    for card in CARDS[:2]:
        for model, config in MODELS.items():
            m = Model(card, shapes[config], "bf16", tiles)
            for batch in (1, m.best_batch()):
                products, saved = m.products(batch), m.own_saving(batch)
                print(f"| {card.name} | {model} | {batch} | {products * 1e6:.1f} | "
                      f"{saved * 1e6:.1f} | {products / (products + saved):.2f} |")


def print_dependents(shapes, tiles):
    print("\n## Dependent launches, milliseconds in bf16\n\nOne image and the largest "
          "batch, from pixels to embeddings, where kernels of ours\nbegin before the one "
          "before has ended and where they do not; products of our own, or\nof the "
          "library.\n")
    print("| card | model | products | batch | plain | dependent | less |\n"
          "|---|---|---|--:|--:|--:|--:|")
    for card in CARDS[:2]:
        for model, config in MODELS.items():
            m = Model(card, shapes[config], "bf16", tiles)
            most = min(MOST_IMAGES, MOST_ROWS // m.shape.tokens)
            for own, batch in ((True, 1), (True, most), (False, 1), (False, most)):
                plain, early = m.dependents(batch, own)
                print(f"| {card.name} | {model} | {'own' if own else 'library'} | "
                      f"{batch} | {plain * 1e3:.3f} | {early * 1e3:.3f} | "
                      f"{1 - early / plain:.1%} |")


def main():
    p = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    p.add_argument("--module", type=pathlib.Path,
                   help="an object or module with attention's machine code")
    args = p.parse_args()
    tiles, arch = {}, ""
    if args.module:
        text = disassemble(args.module)
        if text is None:
            print("cuobjdump is not here, or cannot read the module",
                  file=sys.stderr)
            return 1
        tiles = counted_tiles(text)
        if not tiles:
            print(f"{args.module}: no kernel of attention in its machine code",
                  file=sys.stderr)
            return 1
        arch = re.search(r"code for (\w+)", text)[1]
    shapes = read_shapes()
    option = f" --module {args.module.name}" if args.module else ""
    print(f"# What the CUDA module should reach\n\nPredicted by `bench/cuda_model.py"
          f"{option}`.\nNothing here was measured on these cards with this module.\n")
    print_assumptions(tiles, arch)
    print_rates(shapes, tiles)
    print_layers(shapes, tiles)
    print_int8(shapes, tiles)
    print_own(shapes, tiles)
    print_dependents(shapes, tiles)
    return 0


if __name__ == "__main__":
    sys.exit(main())
