# SPDX-License-Identifier: LGPL-2.1-or-later
"""Measure the demo model on unseen pictures that went through H.264.

usage: python3 evaluate.py --model FILE.safetensors --vocab FILE.txt [--plugins FOLDER]
                           [--each N] [--out FILE.json] [--work FOLDER]

Every test is one MP4 of unrelated pictures, a few per label, drawn with seeds
that training never used. Without --plugins the frames are decoded and judged in
PyTorch; with it also by the elements themselves (decoder, peinference,
pemetaconvert), and both are compared.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

import codec
import exam
import model
from batches import normalise
from exam import NONE, Test
from make_data import squash
from vocab import Tokenizer


@torch.no_grad()
def embed_labels(clip: model.Clip, tokenizer: Tokenizer, labels: dict) -> tuple[torch.Tensor, int]:
    """Unit vectors [labels + negatives, dim] and how many are labels."""
    templates = labels.get("templates") or ["a video of {}."]
    rows = []
    for label in [*labels["labels"], *labels.get("negatives", [])]:
        texts = exam.label_prompts(label, templates)
        ids = torch.from_numpy(tokenizer.batch(texts, clip.text_config.context_length))
        rows.append(F.normalize(F.normalize(clip.encode_text(ids), dim=-1).mean(dim=0), dim=0))
    return torch.stack(rows), len(labels["labels"])


@torch.no_grad()
def embed_frames(clip: model.Clip, frames: np.ndarray) -> torch.Tensor:
    size = clip.visual.config.image_size
    small = np.stack([squash(np.ascontiguousarray(frame), size) for frame in frames])
    pixels = normalise(torch.from_numpy(small))
    return F.normalize(torch.cat([clip.encode_image(part) for part in pixels.split(64)]), dim=-1)


def judge_torch(
    clip: model.Clip, tokenizer: Tokenizer, test: Test, decoded: np.ndarray
) -> list[str]:
    vectors, count = embed_labels(clip, tokenizer, test.labels)
    scale = clip.logit_scale.exp()
    chance = (scale * embed_frames(clip, decoded) @ vectors.T).softmax(dim=1)[:, :count]
    best, index = chance.max(dim=1)
    names = exam.label_names(test.labels)
    return [
        names[k] if p >= test.threshold else NONE for p, k in zip(best.tolist(), index.tolist())
    ]


def judge_product(test: Test, clip_path: Path, args: argparse.Namespace, work: Path) -> list[str]:
    """The same by the elements: one JSON line a frame."""
    labels, out = work / "labels.json", work / "out.jsonl"
    labels.write_text(json.dumps(test.labels))
    codec.launch(
        f"filesrc location={clip_path} ! qtdemux ! h264parse ! avdec_h264 ! "
        f"peinference model={args.model} vocab={args.vocab} device=cpu "
        f"precision={args.precision} mode=exact frame-rate=0/1 clip-length=1 top-k=1 "
        f"threshold={test.threshold} labels-file={labels} ! "
        f"pemetaconvert ! filesink location={out}"
    )
    answers = []
    for line in out.read_text().splitlines():
        found = json.loads(line)["labels"]
        answers.append(found[0]["label"] if found else NONE)
    return answers


def mistakes(right: list[str], answers: list[str]) -> dict[str, int]:
    wrong: dict[str, int] = {}
    for truth, answer in zip(right, answers):
        if truth != answer:
            key = f"{truth} -> {answer}"
            wrong[key] = wrong.get(key, 0) + 1
    return dict(sorted(wrong.items(), key=lambda item: -item[1])[:8])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--vocab", type=Path, required=True)
    parser.add_argument("--plugins", type=Path, help="folder with libgstpe.so")
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--each", type=int, default=20, help="pictures per label")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    if args.plugins:
        os.environ["GST_PLUGIN_PATH"] = str(args.plugins)
    clip, tokenizer = model.load_clip(args.model), Tokenizer(args.vocab)
    results, failed = [], 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "test.mp4"
        for seed, test in enumerate(exam.tests(args.each)):
            codec.write_mp4(path, test.frames(seed), fps=25, colorimetry=test.colorimetry)
            truth, decoded = test.truth(), codec.read_mp4(path, *test.size)
            answers = {"pytorch": judge_torch(clip, tokenizer, test, decoded)}
            if args.plugins:
                answers["product"] = judge_product(test, path, args, Path(folder))
            row: dict = {"test": test.name, "labels": len(test.labels["labels"])}
            row |= {"pictures": len(truth), "bar": test.bar}
            for by, given in answers.items():
                if len(given) != len(truth):
                    raise SystemExit(f"{test.name}: {len(given)} answers for {len(truth)} pictures")
                row[by] = round(sum(map(str.__eq__, given, truth)) / len(truth), 4)
                failed += row[by] < test.bar
            row["mistakes"] = mistakes(truth, given)
            results.append(row)
            print(json.dumps(row), flush=True)
    if args.out:
        args.out.write_text(json.dumps(results, indent=1) + "\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
