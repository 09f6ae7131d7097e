#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""How near precision=fp8 and int8 stay to fp32 on CUDA, for published shapes with
random weights, as they are and with the outliers of int8_cosine.py.

The CUDA backend's emulator is too slow for these shapes, so the image tower is
written here once more, in numpy: with the roundings of that backend, or with none.
What has none is compared with pe-embed in fp32, and int8 with pe-embed's where the
CPU has the same arithmetic. Modes:

    bf16, f16   what is behind every operation is rounded to bf16, or f16
    behind      bf16 with norms behind the products, as cuda/hopper/linear.cu
    fp8         bf16, and the linears of the blocks multiply E4M3: MODEL.md, section 11
    tensor      the same with one gain for each input instead of one a channel
    calibrated  gains by the largest numbers that the same pictures gave
    int8        bf16, and the linears of the blocks multiply integers: section 11
    int8-f16    f16, and the same, as on Turing

    bench/narrow_cosine.py --models B16,L14 build/tools
    bench/narrow_cosine.py --models B16 --modes bf16,int8 --seed 2 build/tools
"""

import argparse
import json
import math
import pathlib
import sys
import tempfile
import zlib

import numpy as np

from int8_cosine import cosines, embed, plant_outliers, write_pictures
from peer_model import (HEAD, POOL_HEADS, SHAPES, angles, random_weights,
                        write_safetensors)

MODES = ("bf16", "f16", "behind", "fp8", "tensor", "calibrated", "int8", "int8-f16")
FLOATS = ("fp8", "tensor", "calibrated")  # whose linears multiply E4M3
INTEGERS = ("int8", "int8-f16")
LARGEST = 448  # of E4M3
ROOM = 400  # what a bound may reach: inputs and weights have been rounded


# ---- Rounding ---------------------------------------------------------------


def bf16(x):
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32)
    return (bits + 0x7FFF + (bits >> 16 & 1) & 0xFFFF0000).view(np.float32)


def f16(x):
    return x.astype(np.float16).astype(np.float32)


def e4m3(x):
    """To the nearest, to even between two; beyond the largest to the largest."""
    x = np.ascontiguousarray(x, np.float32)
    bits = np.abs(x).view(np.uint32)
    normal = (bits + 0x7FFFF + (bits >> 20 & 1) & 0xFFF00000).view(np.float32)
    small = np.abs(x) + np.float32(16384) - np.float32(16384)
    size = np.where(np.abs(x) < 2.0**-6, small, normal)
    return np.copysign(np.minimum(size, LARGEST), x)


def gain_for(bound, most=ROOM):
    """Powers of two, so that they cost nothing."""
    return np.exp2(np.floor(np.log2(most / np.maximum(bound, 1e-30)))).astype("f4")


# ---- Integers ---------------------------------------------------------------


def signs(k):
    """-1 or 1, by the finalizer of MurmurHash3."""
    h = np.arange(1, k + 1, dtype=np.uint32)
    h = (h ^ h >> 16) * np.uint32(0x85EBCA6B)
    h = (h ^ h >> 13) * np.uint32(0xC2B2AE35)
    return np.where((h ^ h >> 16) & 1, np.float32(-1), np.float32(1))


def turn(x):
    """A Walsh-Hadamard transform of blocks of columns, [n, k]. The widths of SHAPES
    need no zeros behind the last block."""
    half, block = 1, math.gcd(x.shape[1], 256)
    while half < block:
        pairs = x.reshape(len(x), -1, 2, half)
        x = np.stack([pairs[:, :, 0] + pairs[:, :, 1],
                      pairs[:, :, 0] - pairs[:, :, 1]], 2).reshape(x.shape)
        half *= 2
    return x


def integers(x):
    """Rows of integers of 8 bits, to even between two, and what a step is worth."""
    most = np.abs(x).max(1, keepdims=True)
    inverse = 127 / np.maximum(most, np.float32(1e-30))
    return np.rint(x * inverse), most / 127


class Integers:
    """A weight [n, k] as MODEL.md, section 11, has it, for rows whose channels are
    as large as `size` [k]. Sums of integers are exact in f32 up to 2^24."""

    def __init__(self, weight, size):
        part = np.abs(weight)
        part = (part / part.sum(1, keepdims=True)).sum(0)
        self.scale = np.sqrt(part / size) * signs(len(part))
        block = math.gcd(len(part), 256)
        self.weight, self.step = integers(turn(weight / (self.scale * block)))

    def multiply(self, x):
        rows, step = integers(turn(x * self.scale))
        return rows @ self.weight.T * step * self.step.T


# ---- The tower --------------------------------------------------------------


def gelu(x):
    """Abramowitz and Stegun 7.1.26 for erf: off by less than 1.5e-7."""
    z = np.abs(x) * np.float32(np.sqrt(0.5))
    t = 1 / (1 + np.float32(0.3275911) * z)
    y = np.float32(1.061405429)
    for c in (-1.453152027, 1.421413741, -0.284496736, 0.254829592):
        y = y * t + np.float32(c)
    return 0.5 * x * (1 + np.copysign(1 - y * t * np.exp(-z * z), x))


def normalise(x):
    x = x - x.mean(-1, keepdims=True)
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + np.float32(1e-5))


class Tower:
    """mode: None for fp32, or one of MODES. Sums are f32 in all."""

    def __init__(self, name, weights, mode, largest=None):
        self.side, self.patch, self.d, self.layers, _ = SHAPES[name]
        self.w, self.mode = weights, mode
        self.floats, self.integers = mode in FLOATS, mode in INTEGERS
        self.power = np.ones(self.d, np.float32)  # of the stream's channels
        self.largest = largest  # of inputs by their names, for "calibrated"
        self.seen = {}
        self.norm_errors = []  # of a pass, and behind a product
        self.n_linears = self.n_narrow = 0
        table = angles(self.side, self.patch).astype(np.float32)
        self.cos, self.sin = np.cos(table)[:, None], np.sin(table)[:, None]
        self.blocks = [self.load_block(f"blocks.{i}.") for i in range(self.layers)]

    def act(self, x):
        if self.mode is None:
            return x
        return f16(x) if self.mode in ("f16", "int8-f16") else bf16(x)

    # What multiplies the channels of an input, by bounds [k] of them.
    def gains(self, name, bounds):
        if not self.floats:
            return np.ones_like(bounds)
        if self.mode == "calibrated":
            bounds = np.full_like(bounds, self.largest[name])
        elif self.mode == "tensor":
            bounds = np.full_like(bounds, bounds.max())
        return gain_for(bounds)

    # size: how large the channels of its input are, by the weights.
    def pack(self, weight, size=1):
        self.n_linears += 1
        self.n_narrow += self.floats or self.integers
        if self.integers:
            return Integers(weight, size)
        if not self.floats:
            return self.act(weight)
        scale = gain_for(np.abs(weight).max(), LARGEST)
        return e4m3(weight * scale) / scale

    # A bias that a product adds to what it rounds.
    def pack_bias(self, bias):
        return bias if self.integers else self.act(bias)

    # One that writes the stream.
    def pack_writer(self, weight, gain):
        packed = self.pack(weight / gain)
        self.power += (weight * weight).sum(1)
        return packed

    def load_block(self, p):
        w, d = self.w, self.d
        root = np.float32(np.sqrt(d))  # what no normalised channel exceeds
        block = {"name": p}
        norm = self.gains(p + "norm", np.full(d, root))
        weight, bias = w[p + "attn.qkv.weight"], w[p + "attn.qkv.bias"]
        bias = bias + weight @ w[p + "norm1.bias"]
        weight = weight * w[p + "norm1.weight"]
        scale = np.ones(3 * d, np.float32)
        scale[:d] = 1 / (np.log(2) * np.sqrt(HEAD))
        bounds = root * np.linalg.norm(weight, axis=1) + np.abs(bias)
        gain = self.gains(p + "out", bounds[2 * d:])
        scale[2 * d:] = gain
        block["qkv"] = self.pack(weight * scale[:, None] / norm, np.sqrt(self.power))
        block["qkv_bias"] = self.pack_bias(bias * scale)
        block["out"] = self.pack_writer(w[p + "attn.proj.weight"], gain)
        weight, bias = w[p + "mlp.fc1.weight"], w[p + "mlp.fc1.bias"]
        bias = bias + weight @ w[p + "norm2.bias"]
        weight = weight * w[p + "norm2.weight"]
        bounds = root * np.linalg.norm(weight, axis=1) + np.abs(bias)
        gain = self.gains(p + "fc2", bounds)
        block["fc1"] = self.pack(weight / norm, np.sqrt(self.power))
        block["fc1_bias"] = self.pack_bias(bias)
        block["fc2"] = self.pack_writer(w[p + "mlp.fc2.weight"], gain)
        block["norm"], block["gain"] = norm, gain
        return block

    # An input of a block's linear. Gains have been multiplied with.
    def feed(self, name, x):
        self.seen[name] = max(self.seen.get(name, 0), float(np.abs(x).max()))
        return e4m3(x) if self.floats else self.act(x)

    def multiply(self, x, weight):
        return weight.multiply(x) if self.integers else x @ weight.T

    def rotate(self, x):
        a, b = x[..., 0::2], x[..., 1::2]
        y = np.empty_like(x)
        y[..., 0::2] = a * self.cos - b * self.sin
        y[..., 1::2] = b * self.cos + a * self.sin
        return self.act(y)

    def attend(self, qkv):
        n, d = len(qkv), self.d
        q, k, v = (qkv[:, i * d:(i + 1) * d].reshape(n, -1, HEAD) for i in range(3))
        q, k = (self.rotate(x).transpose(1, 0, 2) for x in (q, k))
        scores = q @ k.transpose(0, 2, 1)
        p = np.exp2(scores - scores.max(-1, keepdims=True))
        y = self.act(p) @ v.transpose(1, 0, 2) / p.sum(-1, keepdims=True)
        return y.transpose(1, 0, 2).reshape(n, d)

    def run_block(self, x, b):
        p = b["name"]
        h = self.feed(p + "norm", normalise(x) * b["norm"])
        qkv = self.act(self.multiply(h, b["qkv"]) + b["qkv_bias"])
        h = self.feed(p + "out", self.attend(qkv))
        x = x + self.multiply(h, b["out"]) + self.w[p + "attn.proj.bias"]
        h = self.feed(p + "norm", normalise(x) * b["norm"])
        h = self.multiply(h, b["fc1"]) + b["fc1_bias"]
        h = gelu(h if self.integers else self.act(h))
        h = self.feed(p + "fc2", h * b["gain"])
        return x + self.multiply(h, b["fc2"]) + self.w[p + "mlp.fc2.bias"]

    # Rows of the stream for a product: in bf16, normalised by a norm before, and
    # what its epilogue puts right.
    def renorm(self, x, mean, over):
        z = (x - mean) * over
        left = z.mean(-1, keepdims=True)
        spread = (z * z).mean(-1, keepdims=True) - left * left
        scale = 1 / np.sqrt(spread + np.float32(1e-5) * over * over)
        exact = normalise(x)
        self.norm_errors.append([np.square(bf16(exact) - exact).mean(), np.square(
            (bf16(z) - left) * scale - exact).mean()])
        return bf16(z), left, scale, (mean + left / over, over * scale)

    def run_block_behind(self, x, b, norm):
        """The stream and its last norm, after a block that got those."""
        p = b["name"]
        z, left, scale, norm = self.renorm(x, *norm)
        qkv = bf16((z @ b["qkv"].T - left * b["qkv"].sum(1)) * scale + b["qkv_bias"])
        h = bf16(self.attend(qkv))
        x = x + h @ b["out"].T + self.w[p + "attn.proj.bias"]
        z, left, scale, norm = self.renorm(x, *norm)
        h = (z @ b["fc1"].T - left * b["fc1"].sum(1)) * scale + b["fc1_bias"]
        h = bf16(gelu(h))
        return x + h @ b["fc2"].T + self.w[p + "mlp.fc2.bias"], norm

    def linear(self, x, name):
        self.n_linears += 1
        return self.act(x) @ self.act(self.w[name + ".weight"]).T

    def pool(self, x):
        w, size = self.w, self.d // POOL_HEADS
        a = "attn_pool."
        q = w[a + "latent"].reshape(1, -1) @ w[a + "q.weight"].T + w[a + "q.bias"]
        k, v = np.split(x @ w[a + "kv.weight"].T + w[a + "kv.bias"], 2, axis=1)
        y = []
        for h in range(POOL_HEADS):
            at = slice(h * size, (h + 1) * size)
            scores = q[:, at] @ k[:, at].T / np.sqrt(size)
            p = np.exp(scores - scores.max())
            y.append(p @ v[:, at] / p.sum())
        y = self.linear(np.hstack(y), a + "proj") + w[a + "proj.bias"]
        h = normalise(y) * w[a + "norm.weight"] + w[a + "norm.bias"]
        h = gelu(self.linear(h, a + "mlp.fc1") + w[a + "mlp.fc1.bias"])
        return y + self.linear(h, a + "mlp.fc2") + w[a + "mlp.fc2.bias"]

    def run(self, rgb):
        """rgb u8 [side, side, 3]"""
        w, p, grid = self.w, self.patch, self.side // self.patch
        self.n_linears = self.layers * 4
        x = (2 * rgb.astype(np.float32) - 255) / 255
        x = x.reshape(grid, p, grid, p, 3).transpose(0, 2, 4, 1, 3)
        kernel = w["patch_embed.proj.weight"].reshape(self.d, -1)
        x = self.act(x.reshape(grid * grid, -1)) @ self.act(kernel).T
        self.n_linears += 1
        x = np.vstack([w["cls_token"][0], x]) + w["pos_embed"][0]
        x = normalise(x) * w["norm_pre.weight"] + w["norm_pre.bias"]
        mean = x.mean(-1, keepdims=True)
        norm = mean, 1 / np.sqrt(((x - mean) ** 2).mean(-1, keepdims=True)
                                 + np.float32(1e-5))
        for block in self.blocks:
            if self.mode == "behind":
                x, norm = self.run_block_behind(x, block, norm)
            else:
                x = self.run_block(x, block)
        x = self.act(normalise(x)) * w["norm.weight"] + w["norm.bias"]
        return self.linear(self.pool(x), "head")[0]


def read_png(path, side):
    """One that write_png() made: rows of RGB behind a byte of 0."""
    data = path.read_bytes()
    at, packed = 8, b""
    while at < len(data):
        size = int.from_bytes(data[at:at + 4], "big")
        if data[at + 4:at + 8] == b"IDAT":
            packed += data[at + 8:at + 8 + size]
        at += 12 + size
    rows = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(side, -1)
    return rows[:, 1:].reshape(side, side, 3)


def embed_all(name, weights, mode, pictures, largest=None):
    tower = Tower(name, weights, mode, largest)
    return np.array([tower.run(rgb) for rgb in pictures]), tower


def measure(tools, name, seed, planted, n, modes):
    side = SHAPES[name][0]
    weights = random_weights(name, seed)
    for key, array in weights.items():
        if array.ndim == 2 and key.endswith("weight"):
            array *= np.float32(50 / np.sqrt(array.shape[1]))
    if planted:
        plant_outliers(weights, seed + 2)
    found = {"model": name, "seed": seed, "outliers": planted, "pictures": n}
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        files = write_pictures(folder, side, n)
        pictures = [read_png(path, side) for path in files[1::2]]
        wanted, exact = embed_all(name, weights, None, pictures)
        ours = {}
        if tools:
            write_safetensors(folder / "model.safetensors", weights)
            for precision in {"fp32", "int8"} & {"fp32", *modes}:
                ours[precision] = embed(tools, folder / "model.safetensors",
                                        precision, files)
            found["pe-embed"] = float(cosines(wanted, ours["fp32"]).min())
    mean = wanted.mean(0)
    found["between-pictures"] = round(
        float(cosines(wanted[1:], wanted[:-1]).mean()), 6)
    for mode in modes:
        got, tower = embed_all(name, weights, mode, pictures, exact.seen)
        if mode == "int8" and tools:
            # Of pe-embed's int8: to fp32, and to what numpy has for it.
            found["pe-embed-int8"] = [round(float(cosines(ours[mode], x).min()), 6)
                                      for x in (wanted, got)]
        found[mode] = round(float(cosines(got, wanted).min()), 6)
        found[f"{mode}-without-mean"] = round(
            float(cosines(got - mean, wanted - mean).min()), 6)
        if tower.norm_errors:
            found["norm-errors"] = [float(f"{e:.2e}")
                                    for e in np.max(tower.norm_errors, axis=0)]
        if tower.n_narrow:
            found["8-bit"] = round(tower.n_narrow / tower.n_linears, 4)
    return found


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tools", nargs="?", help="folder of the programs")
    parser.add_argument("--models", default="B16,L14")
    parser.add_argument("--modes", default=",".join(MODES))
    parser.add_argument("--pictures", type=int, default=4)
    parser.add_argument("--outliers", default="no,yes")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    for name in options.models.split(","):
        for planted in options.outliers.split(","):
            print(json.dumps(measure(options.tools, name, options.seed,
                                     planted == "yes", options.pictures,
                                     options.modes.split(","))), flush=True)


if __name__ == "__main__":
    sys.exit(main())
