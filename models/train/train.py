# SPDX-License-Identifier: LGPL-2.1-or-later
"""Train the demo model from nothing.

usage: python3 train.py --data FOLDER --vocab FILE --out FOLDER
                        [--steps N] [--minutes M] [--batch N] [--threads N] [--seed N]

Writes clip.safetensors (averaged weights, fp32) and log.csv; export.py makes
the published file of it. The learning rate follows the step count, or the clock when --minutes
ends sooner. Runs on a GPU when there is one, else on the CPU in bf16.
"""

from __future__ import annotations

import argparse
import copy
import csv
import dataclasses
import math
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import lexicon as lx
import model
from batches import Batches
from vocab import Tokenizer

VISION = model.VisionConfig(
    image_size=96, patch_size=16, width=192, layers=4, heads=3, output_dim=128
)
TEXT = model.TextConfig(
    context_length=32, vocab_size=0, width=128, layers=2, heads=2, output_dim=128
)
MAX_LOG_SCALE = math.log(100)
CLASSES = {
    "group": 5,
    "shape": len(lx.SHAPES),
    "colour": len(lx.COLOURS),
    "count": 4,
    "size": 2,
    "ground": len(lx.GROUNDS),
    "place_at": 5,
    "place": len(lx.PLACE),
    "cond": len(lx.COND_NAMES),
    "flat": 7,
}


class Attributes(nn.Module):
    """Linear readouts of each attribute, used only while training."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.heads = nn.ModuleDict({name: nn.Linear(width, n + 1) for name, n in CLASSES.items()})

    def loss(self, features: Tensor, attrs: Tensor) -> Tensor:
        """Mean cross-entropy; an attribute that does not apply is not asked for."""
        total = features.new_zeros(())
        for name, head in self.heads.items():
            target = attrs[:, lx.INDEX[name]]
            if name in ("group", "shape", "place", "cond") or (target > 0).any():
                ignore = -1 if name in ("group", "shape", "place", "cond") else 0
                total = total + F.cross_entropy(head(features), target, ignore_index=ignore)
        return total / len(self.heads)


def contrastive_loss(image: Tensor, text: Tensor, scale: Tensor, truth: Tensor) -> Tensor:
    """CLIP's loss with every true pair a positive.

    A picture's positives weigh by how few pictures share them, so that precise
    captions count more than "a shape".
    """
    logits = scale * image @ text.T
    truth = truth.float()
    per_text = truth / truth.sum(dim=0, keepdim=True)
    per_image = per_text / per_text.sum(dim=1, keepdim=True)
    to_text = -(per_image * logits.log_softmax(dim=1)).sum(dim=1).mean()
    to_image = -(per_text * logits.log_softmax(dim=0)).sum(dim=0).mean()
    return (to_text + to_image) / 2


def optimizer_for(modules: list[nn.Module], rate: float) -> torch.optim.Optimizer:
    """AdamW; only matrices decay."""
    decay, plain = [], []
    for name, p in (item for m in modules for item in m.named_parameters()):
        (decay if p.ndim >= 2 and "embedding" not in name else plain).append(p)
    groups = [{"params": decay, "weight_decay": 0.05}, {"params": plain, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.98), fused=True)


def rate_factor(progress: float, warmup: float) -> float:
    if progress < warmup:
        return progress / warmup
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * (progress - warmup) / (1 - warmup)))


@torch.no_grad()
def average(target: nn.Module, source: nn.Module, keep: float) -> None:
    for a, b in zip(target.parameters(), source.parameters()):
        a.lerp_(b, 1 - keep)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--vocab", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--minutes", type=float, default=math.inf)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--rate", type=float, default=1.2e-3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    args.out.mkdir(parents=True, exist_ok=True)

    tokenizer = Tokenizer(args.vocab)
    text = dataclasses.replace(TEXT, vocab_size=tokenizer.size)
    clip = model.Clip(VISION, text).to(device)
    attributes = Attributes(VISION.output_dim).to(device)
    averaged = copy.deepcopy(clip)
    optimizer = optimizer_for([clip, attributes], args.rate)
    batches = iter(Batches(args.data, tokenizer, text.context_length, args.batch, 2, args.seed))
    start = time.monotonic()

    def save(step: int) -> None:
        model.save_clip(args.out / "clip.safetensors", averaged, np.float32, {"steps": str(step)})

    with open(args.out / "log.csv", "w", newline="") as file:
        log = csv.writer(file)
        log.writerow(
            [
                "step",
                "pictures",
                "seconds",
                "rate",
                "contrastive",
                "attributes",
                "scale",
                "precision_at_1",
            ]
        )
        for step in range(1, args.steps + 1):
            minutes = (time.monotonic() - start) / 60
            progress = max(step / args.steps, minutes / args.minutes)
            rate = args.rate * rate_factor(min(progress, 1), 0.04)
            for group in optimizer.param_groups:
                group["lr"] = rate
            pixels, ids, truth, attrs = (part.to(device) for part in next(batches))
            with torch.autocast(device.type, torch.bfloat16):
                features = clip.encode_image(pixels)
                texts = clip.encode_text(ids)
            features, texts = features.float(), texts.float()
            image, words = F.normalize(features, dim=-1), F.normalize(texts, dim=-1)
            contrast = contrastive_loss(image, words, clip.logit_scale.exp(), truth)
            named = attributes.loss(features, attrs)
            (contrast + named).backward()
            nn.utils.clip_grad_norm_([*clip.parameters(), *attributes.parameters()], 1.0)
            optimizer.step()
            optimizer.zero_grad()
            with torch.no_grad():
                clip.logit_scale.clamp_(max=MAX_LOG_SCALE)
            average(averaged, clip, min(0.998, step / (step + 20)))
            done = step == args.steps or progress >= 1
            if step % 20 == 0 or done:
                best = (image @ words.T).argmax(dim=1, keepdim=True)
                right = truth.gather(1, best).float().mean().item()
                row = [
                    step,
                    step * args.batch,
                    round(time.monotonic() - start, 1),
                    f"{rate:.2e}",
                    f"{contrast.item():.4f}",
                    f"{named.item():.4f}",
                    f"{clip.logit_scale.exp().item():.2f}",
                    f"{right:.4f}",
                ]
                log.writerow(row)
                file.flush()
                if step % 100 == 0 or done:
                    pace = step * args.batch / (time.monotonic() - start)
                    print(
                        dict(
                            zip(
                                (
                                    "step",
                                    "pictures",
                                    "seconds",
                                    "rate",
                                    "contrastive",
                                    "attributes",
                                    "scale",
                                    "p@1",
                                ),
                                row,
                            )
                        ),
                        f"{pace:.0f} pictures/s, {100 * progress:.1f} %",
                        flush=True,
                    )
            if step % 200 == 0 or done:
                save(step)
            if done:
                break


if __name__ == "__main__":
    main()
