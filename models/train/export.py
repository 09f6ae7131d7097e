# SPDX-License-Identifier: LGPL-2.1-or-later
"""Turn a trained checkpoint into the published file: fp16, Meta's names.

usage: python3 export.py --model clip.safetensors --out pe-demo.safetensors
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import model

NAME = "pe-demo"
NOTE = "trained from nothing on drawn pictures; not PE-Core; see MODEL_CARD.md"
LICENCE = "LGPL-2.1-or-later"
LIMIT_BYTES = 8_000_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    clip = model.load_clip(args.model)
    largest = max(p.abs().max().item() for p in clip.parameters())
    if largest > np.finfo(np.float16).max / 4:
        raise SystemExit(
            f"{args.model}: a weight of {largest:g} does not fit fp16 with room to spare"
        )
    model.save_clip(args.out, clip, np.float16, {"name": NAME, "note": NOTE, "license": LICENCE})
    size = args.out.stat().st_size
    if size > LIMIT_BYTES:
        raise SystemExit(f"{args.out}: {size} bytes are more than {LIMIT_BYTES}")
    print(f"{args.out}: {size} bytes, {sum(p.numel() for p in clip.parameters())} parameters")


if __name__ == "__main__":
    main()
