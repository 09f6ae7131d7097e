# SPDX-License-Identifier: LGPL-2.1-or-later
"""Turn a trained checkpoint into the published file: fp16, Meta's names.

usage: python3 export.py --model clip.safetensors --out pe-demo.safetensors
                         [--name NAME] [--mix FILE.safetensors --share S]

With --mix, S of every weight is that of FILE: of the model that training began
from, so that less is forgotten of what it knew.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

import model

NOTE = "trained from nothing on drawings and photographs; not PE-Core; see MODEL_CARD.md"
LICENCE = "LGPL-2.1-or-later"
LIMIT_BYTES = 8_000_000


@torch.no_grad()
def mix(clip: model.Clip, other: model.Clip, share: float) -> None:
    for a, b in zip(clip.parameters(), other.parameters(), strict=True):
        a.lerp_(b, share)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--name", default="pe-demo", help="of the model, in the file")
    parser.add_argument("--mix", type=Path)
    parser.add_argument("--share", type=float, default=0.3)
    args = parser.parse_args()
    clip = model.load_clip(args.model)
    if args.mix:
        mix(clip, model.load_clip(args.mix), args.share)
    largest = max(p.abs().max().item() for p in clip.parameters())
    if largest > np.finfo(np.float16).max / 4:
        raise SystemExit(
            f"{args.model}: a weight of {largest:g} does not fit fp16 with room to spare"
        )
    about = {"name": args.name, "note": NOTE, "license": LICENCE}
    model.save_clip(args.out, clip, np.float16, about)
    size = args.out.stat().st_size
    if size > LIMIT_BYTES:
        raise SystemExit(f"{args.out}: {size} bytes are more than {LIMIT_BYTES}")
    print(f"{args.out}: {size} bytes, {sum(p.numel() for p in clip.parameters())} parameters")


if __name__ == "__main__":
    main()
