# SPDX-License-Identifier: LGPL-2.1-or-later
"""Compare the elements' embeddings with PyTorch's on real decoded frames.

usage: python3 compare_engine.py --model FILE.safetensors --plugins FOLDER [--frames N] [--device D]

Prints the smallest and the mean cosine for each precision; exits 1 when one is
below its limit.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import sys
import tempfile
from pathlib import Path

import numpy as np

import codec
import model
import sampler
from evaluate import embed_frames
from exam import SEED

HEIGHT, WIDTH = 240, 320
LIMITS = {"fp32": 0.9999, "bf16": 0.999}


def embed_product(
    clip: Path, model_path: Path, precision: str, caps: str, device: str, out: Path
) -> np.ndarray:
    """Unit embeddings [n, dim] of every frame, from the JSON lines."""
    codec.launch(
        f"filesrc location={clip} ! qtdemux ! h264parse ! avdec_h264 ! "
        f"videoconvert ! video/x-raw,{caps} ! "
        f"peinference model={model_path} device={device} precision={precision} "
        "mode=exact frame-rate=0/1 clip-length=1 ! "
        f"pemetaconvert embedding=base64 ! filesink location={out}"
    )
    lines = (json.loads(line) for line in out.read_text().splitlines())
    return np.stack(
        [np.frombuffer(base64.b64decode(line["embedding"]), np.float32) for line in lines]
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--plugins", type=Path, required=True)
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    os.environ["GST_PLUGIN_PATH"] = str(args.plugins)
    rng = np.random.default_rng(SEED + 100)
    frames = np.stack([sampler.sample(rng, (HEIGHT, WIDTH))[0] for _ in range(args.frames)])
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        path, out = Path(folder) / "frames.mp4", Path(folder) / "out.jsonl"
        codec.write_mp4(path, frames, fps=25)
        expected = embed_frames(
            model.load_clip(args.model), codec.read_mp4(path, HEIGHT, WIDTH)
        ).numpy()
        for precision, limit in LIMITS.items():
            for caps in ("format=RGB", "format=I420"):
                given = embed_product(path, args.model, precision, caps, args.device, out)
                cosine = (given * expected).sum(axis=1) / np.linalg.norm(given, axis=1)
                # Converter and engine may round colours differently: only RGB is held to it.
                failed += caps == "format=RGB" and cosine.min() < limit
                print(
                    f"{precision} {caps}: {len(cosine)} frames, cosine min {cosine.min():.6f} "
                    f"mean {cosine.mean():.6f} (limit {limit} for RGB)"
                )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
