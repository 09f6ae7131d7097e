#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""How near precision=int8 stays to fp32 on the CPU, for published shapes with
random weights, as they are and with outliers: channels whose norm is large, and
whose share of the residual stream is.

Random models give all pictures nearly the same embedding. So the cosine is also
given of what is left when the mean of all pictures has been taken away: that is
what tells them apart. bf16 is measured beside it.

    bench/int8_cosine.py --models B16,L14 build/tools
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

from cpu_peers import write_png
from peer_model import SHAPES, random_weights, write_safetensors

OUTLIERS = 4
NORM_GAIN = 30  # of published models' largest norm weights, about
STREAM_GAIN = 20


def plant_outliers(weights, seed=3):
    random = np.random.default_rng(seed)
    for key, array in weights.items():
        if ".norm" in key and key.endswith("weight"):
            array[random.integers(array.size, size=OUTLIERS)] *= NORM_GAIN
        if key.endswith(("attn.proj.weight", "mlp.fc2.weight")):
            array[:OUTLIERS] *= STREAM_GAIN  # the same channels in every block


def write_pictures(folder, side, n):
    random = np.random.default_rng(5)
    paths = []
    for i in range(n):
        coarse = random.integers(0, 256, (8, 8, 3), np.uint8)
        scale = side // 8
        rgb = np.kron(coarse, np.ones((scale, scale, 1), np.uint8))
        path = folder / f"{i}.png"
        write_png(path, rgb)
        paths += ["--image", path]
    return paths


def embed(tools, model, precision, pictures):
    lines = subprocess.run(
        [pathlib.Path(tools) / "pe-embed", "--model", model, "--device", "cpu",
         "--precision", precision, *pictures], check=True,
        stdout=subprocess.PIPE, text=True).stdout.splitlines()
    return np.array([json.loads(line)["embedding"] for line in lines])


def cosines(a, b):
    return (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


def measure(tools, name, planted, n):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        weights = random_weights(name)
        for key, array in weights.items():
            if array.ndim == 2 and key.endswith("weight"):
                array *= np.float32(50 / np.sqrt(array.shape[1]))
        if planted:
            plant_outliers(weights)
        write_safetensors(folder / "model.safetensors", weights)
        pictures = write_pictures(folder, SHAPES[name][0] // 8 * 8, n)
        wanted = embed(tools, folder / "model.safetensors", "fp32", pictures)
        got = {precision: embed(tools, folder / "model.safetensors", precision,
                                pictures) for precision in ("int8", "bf16")}
    mean = wanted.mean(0)
    found = {"model": name, "outliers": planted, "pictures": n,
             "between-pictures": float(cosines(wanted[1:], wanted[:-1]).mean())}
    for precision, vectors in got.items():
        found[precision] = float(cosines(vectors, wanted).min())
        found[f"{precision}-without-mean"] = float(
            cosines(vectors - mean, wanted - mean).min())
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tools", help="folder of the programs")
    parser.add_argument("--models", default="B16,L14")
    parser.add_argument("--pictures", type=int, default=6)
    parser.add_argument("--outliers", default="no,yes")
    options = parser.parse_args()
    for name in options.models.split(","):
        for planted in options.outliers.split(","):
            print(json.dumps(measure(options.tools, name,
                                     planted == "yes",
                                     options.pictures)), flush=True)


if __name__ == "__main__":
    sys.exit(main())
