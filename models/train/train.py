# SPDX-License-Identifier: LGPL-2.1-or-later
"""Train the demo model.

usage: python3 train.py --data FOLDER --vocab FILE --out FOLDER [--init FILE | --resume]
                        [--steps N] [--minutes M] [--batch N] [--rate R] [--threads N] [--seed N]

Writes clip.safetensors (averaged weights, fp32), log.csv, and state.pt with all
that --resume needs to go on from the last 200 steps; export.py makes the
published file. The learning rate follows the step count, or the clock
when --minutes ends sooner. Runs on a GPU when there is one, else on the CPU.
"""

from __future__ import annotations

import argparse
import copy
import csv
import dataclasses
import math
import time
from collections.abc import Iterator
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
WARMUP = 0.04  # of the run
AVERAGE = 0.998  # what the running average keeps in a step
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
    "degree": 2,
}
SAID_OF_ALL = ("group", "shape", "place", "cond")


class Attributes(nn.Module):
    """Linear readouts of each attribute, used only while training."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.heads = nn.ModuleDict({name: nn.Linear(width, n + 1) for name, n in CLASSES.items()})

    def loss(self, features: Tensor, attrs: Tensor) -> Tensor:
        """Mean cross-entropy; an attribute that does not apply is not asked for."""
        total = features.new_zeros(())
        real = (attrs[:, lx.INDEX["group"]] == lx.PLACES) & (attrs[:, lx.INDEX["place"]] == 0)
        for name, head in self.heads.items():
            target = attrs[:, lx.INDEX[name]]
            if name == "place":  # of a real scene it is not known
                target = target.masked_fill(real, -1)
            ignore = -1 if name in SAID_OF_ALL else 0
            if (target != ignore).any():
                total = total + F.cross_entropy(head(features), target, ignore_index=ignore)
        return total / len(self.heads)


def contrastive_loss(
    image: Tensor, text: Tensor, scale: Tensor, truth: Tensor, unknown: Tensor
) -> Tensor:
    """CLIP's loss with every true pair a positive and every unknown one left out.

    A picture's positives weigh by how few pictures share them, so that precise
    captions count more than "a shape".
    """
    logits = (scale * image @ text.T).masked_fill(unknown, -1e4)
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
    for a, b in zip(target.parameters(), source.parameters(), strict=True):
        a.lerp_(b, 1 - keep)


COLUMNS = "step pictures seconds rate contrastive attributes scale precision_at_1".split()


def seconds_of_product(dtype: torch.dtype) -> float:
    a, b = torch.ones(1024, 512, dtype=dtype), torch.ones(512, 512, dtype=dtype)
    a @ b
    start = time.perf_counter()
    for _ in range(5):
        a @ b
    return time.perf_counter() - start


def has_fast_bf16(device: torch.device) -> bool:
    """PyTorch computes bf16 on every CPU, but on many a hundred times slower than fp32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    return seconds_of_product(torch.bfloat16) < seconds_of_product(torch.float32)


class Trainer:
    """The model, its running average and its optimizer."""

    def __init__(self, clip: model.Clip, rate: float, device: torch.device) -> None:
        self.autocast = has_fast_bf16(device)
        print(f"training on {device} in {'bf16' if self.autocast else 'fp32'}", flush=True)
        self.clip, self.rate, self.device = clip.to(device), rate, device
        self.attributes = Attributes(VISION.output_dim).to(device)
        self.averaged = copy.deepcopy(self.clip)
        self.parameters = [*self.clip.parameters(), *self.attributes.parameters()]
        self.optimizer = optimizer_for([self.clip, self.attributes], rate)
        self.steps = 0

    def step(self, batch: tuple[Tensor, ...], progress: float) -> dict[str, float]:
        """Learn from one batch; what to log about it."""
        self.steps += 1
        rate = self.rate * rate_factor(min(progress, 1), WARMUP)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        pixels, ids, truth, unknown, attrs = (part.to(self.device) for part in batch)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.autocast):
            features, texts = self.clip.encode_image(pixels), self.clip.encode_text(ids)
        features = features.float()
        image, text = F.normalize(features, dim=-1), F.normalize(texts.float(), dim=-1)
        scale = self.clip.logit_scale.exp()
        contrast = contrastive_loss(image, text, scale, truth, unknown)
        named = self.attributes.loss(features, attrs)
        (contrast + named).backward()
        nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.clip.logit_scale.data.clamp_(max=MAX_LOG_SCALE)
        average(self.averaged, self.clip, min(AVERAGE, self.steps / (self.steps + 20)))
        best = (image @ text.T).argmax(dim=1, keepdim=True)
        right = truth.gather(1, best).float().mean()
        return dict(
            rate=rate,
            contrastive=contrast.item(),
            attributes=named.item(),
            scale=scale.item(),
            precision_at_1=right.item(),
        )

    def parts(self) -> dict[str, nn.Module | torch.optim.Optimizer]:
        return dict(
            clip=self.clip,
            attributes=self.attributes,
            averaged=self.averaged,
            optimizer=self.optimizer,
        )

    def save(self, folder: Path) -> None:
        """The averaged weights, and the state; each file whole or as it was."""
        model.save_clip(
            folder / "clip.safetensors", self.averaged, np.float32, {"steps": str(self.steps)}
        )
        state = {name: part.state_dict() for name, part in self.parts().items()}
        torch.save(dict(state, steps=self.steps), folder / "state.part")
        (folder / "state.part").replace(folder / "state.pt")

    def restore(self, folder: Path) -> None:
        state = torch.load(folder / "state.pt", map_location=self.device, weights_only=True)
        for name, part in self.parts().items():
            part.load_state_dict(state[name])
        self.steps = state["steps"]


def run(trainer: Trainer, batches: Iterator, args: argparse.Namespace) -> None:
    """Train until the steps or the minutes are over, with a line of log now and then."""
    start, first = time.monotonic(), trainer.steps
    with open(args.out / "log.csv", "a" if args.resume else "w", newline="") as file:
        log = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        if not args.resume:
            log.writeheader()
        progress = 0.0
        while progress < 1:
            seconds = time.monotonic() - start
            progress = max((trainer.steps + 1) / args.steps, seconds / 60 / args.minutes)
            seen = trainer.step(next(batches), progress)
            step, last = trainer.steps, progress >= 1
            if step % 20 == 0 or last:
                row = {"step": step, "pictures": step * args.batch, "seconds": f"{seconds:.1f}"}
                row |= {name: f"{value:.4g}" for name, value in seen.items()}
                log.writerow(row)
                file.flush()
            if step % 100 == 0 or last:
                speed = (step - first) * args.batch / max(seconds, 1)
                print(f"{100 * progress:.1f} %, {speed:.0f} pictures/s, {row}", flush=True)
            if step % 200 == 0 or last:
                trainer.save(args.out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--vocab", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--init", type=Path, help="weights to start from, for a second round")
    parser.add_argument("--resume", action="store_true", help="go on from OUT/state.pt")
    parser.add_argument("--steps", type=int, default=7000)
    parser.add_argument("--minutes", type=float, default=math.inf)
    parser.add_argument("--batch", type=int, default=128)
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
    clip = model.load_clip(args.init).train() if args.init else model.Clip(VISION, text)
    trainer = Trainer(clip, args.rate, device)
    if args.resume:
        trainer.restore(args.out)
    # Other batches than those before: the order begins with the steps done.
    seed = args.seed + trainer.steps
    batches = Batches(args.data, tokenizer, text.context_length, args.batch, 2, seed)
    run(trainer, iter(batches), args)


if __name__ == "__main__":
    main()
